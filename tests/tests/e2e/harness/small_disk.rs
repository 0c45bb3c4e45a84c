//! A data folder on a disk of its own that can be filled: a file system in memory, in a mount namespace.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::process::Command;

use super::{Ended, Process, Router, Scene};

/// What is written at once to fill it.
const PIECE: usize = 64 << 10;

/// The namespace lives as long as this.
pub(crate) struct SmallDisk<'a> {
    scene: &'a Scene,
    holder: Process,
}

impl<'a> SmallDisk<'a> {
    /// None where this user may make no namespaces, and why.
    pub(crate) fn mount(scene: &'a Scene, mebibytes: u64) -> Result<Self, String> {
        fs::create_dir(scene.path("data")).unwrap();
        let line = format!(
            "mount -t tmpfs -o size={mebibytes}m none '{}' && echo mounted && exec sleep infinity",
            scene.path("data").display()
        );
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--mount", "sh", "-c", &line]);
        let holder = Process::start(&mut command, b"");
        if holder.out.first().as_deref() == Some("mounted") {
            return Ok(Self { scene, holder });
        }
        Err(holder.ended().err)
    }

    fn command(&self, words: &[&str]) -> Command {
        let plain = self.scene.command(words);
        let mut command = Command::new("nsenter");
        command.args(["--user", "--mount", "--preserve-credentials", "--target"]);
        command.arg(self.holder.id().to_string());
        // The working folder is another one in there.
        command.args(["sh", "-c", r#"cd "$0" && exec "$@""#]).arg(self.scene.path("."));
        command.arg(plain.get_program()).args(plain.get_args());
        command.env_remove("SLIPSWITCH_URL").env("NO_COLOR", "1");
        command
    }

    pub(crate) fn serve(&self) -> Router {
        Router::start(&mut self.command(&["serve", "--listen", "127.0.0.1:0"]))
    }

    pub(crate) fn run(&self, words: &[&str]) -> Ended {
        Process::start(&mut self.command(words), b"").ended()
    }

    /// As others see it, out of the namespace.
    fn filler(&self) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.holder.id()));
        root.join(self.scene.path("data/filler").strip_prefix("/").unwrap())
    }

    /// Takes all there is, but for these bytes.
    pub(crate) fn fill(&self, left: u64) {
        let path = self.filler();
        let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
        let piece = vec![0x5a; PIECE];
        loop {
            match file.write(&piece) {
                Ok(written) if 0 < written => (),
                Ok(_) => break,
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::StorageFull, "{error}");
                    break;
                }
            }
        }
        let length = file.metadata().unwrap().len();
        file.set_len(length.saturating_sub(left)).unwrap();
    }

    pub(crate) fn make_room(&self) {
        fs::remove_file(self.filler()).unwrap();
    }
}
