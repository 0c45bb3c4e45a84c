//! A test's own folder: rules, plugins, data and a configuration, as a user's working folder has them.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use super::{Ended, Process, Router, built};

/// Small files, so that a start is short, and a watcher that does not wait long for quiet.
const CONFIGURATION: &str = "\
journal: { segment_bytes: 16MiB }
reload: { debounce_ms: 10, poll_ms: 500 }
";

pub(crate) struct Scene {
    folder: TempDir,
    /// Of every process.
    environment: Vec<(&'static str, PathBuf)>,
}

/// What becomes of a sync.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Syncs {
    Honoured,
    Dropped,
}

impl Scene {
    /// With empty folders for rules and plugins.
    pub(crate) fn new() -> Self {
        let scene = Self { folder: tempfile::tempdir().unwrap(), environment: Vec::new() };
        fs::create_dir(scene.path("rules")).unwrap();
        fs::create_dir(scene.path("plugins")).unwrap();
        scene.write("slipswitch.yaml", CONFIGURATION);
        scene
    }

    /// Adds to the configuration.
    pub(crate) fn configured(self, more: &str) -> Self {
        self.write("slipswitch.yaml", format!("{CONFIGURATION}{more}"));
        self
    }

    /// On a disk that forgets what was not synced when a process is killed; see `tests/nosync`.
    pub(crate) fn forgetful(mut self, syncs: Syncs) -> Self {
        self.environment.push(("LD_PRELOAD", built::beside("libslipswitch_nosync.so")));
        self.environment.push(("NOSYNC_FOLDER", self.path("data/journal")));
        if syncs == Syncs::Dropped {
            self.environment.push(("NOSYNC_DROP", "1".into()));
        }
        self
    }

    /// With these of the repository's plugins.
    pub(crate) fn with_plugins(self, names: &[&str]) -> Self {
        for name in names {
            let to = self.path("plugins").join(name).with_extension("wasm");
            fs::copy(built::plugin(name), to).unwrap();
        }
        self
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// In one go, over what was there: the way of an editor that knows no better.
    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(path), content).unwrap();
    }

    /// So that whoever looks sees the old or the new content.
    pub(crate) fn replace(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.path(path);
        let aside = path.with_extension("aside");
        fs::write(&aside, content).unwrap();
        fs::rename(aside, path).unwrap();
    }

    /// The binary, in this folder.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(built::binary());
        command.current_dir(self.folder.path()).args(words);
        command.env_remove("SLIPSWITCH_URL").env("NO_COLOR", "1");
        command.env("XDG_CACHE_HOME", self.path("cache"));
        command.envs(self.environment.iter().cloned());
        command
    }

    pub(crate) fn run(&self, words: &[&str]) -> Ended {
        self.run_on(words, b"")
    }

    /// With `input` on standard input.
    pub(crate) fn run_on(&self, words: &[&str], input: &[u8]) -> Ended {
        Process::start(&mut self.command(words), input).ended()
    }

    pub(crate) fn serve(&self) -> Router {
        Router::start(&mut self.command(&["serve", "--listen", "127.0.0.1:0"]))
    }

    pub(crate) fn dev(&self) -> Router {
        Router::start(&mut self.command(&["dev", "--listen", "127.0.0.1:0"]))
    }
}
