//! What an author does with a plugin before any router sees it: look at it, run its cases, try it on events.
//!
//! ```text
//! file ─▶ Bench: the real host, with the limits that a router has by default
//!         ├─▶ inspect    what it is, and what it costs to load
//!         ├─▶ test       tests/*.json: an event in, what is expected out
//!         └─▶ run        events in, outputs and their cost
//! ```
//!
//! # Invariants
//!
//! - A plugin is loaded, configured and called by the code that a router runs.
//! - What was compiled is kept in the user's cache folder, so that the next command is quick. Where that cannot be
//!   used, everything works without.

mod cases;
mod inspect;
mod judge;
mod layout;
mod pretend;
mod run;
mod test;
mod update;

use std::io;
use std::path::{Path, PathBuf};

use bus::plugin::{self, Host, HostError, LoadError, Plugin};
use bus::ruleset::Diagnostic;

pub(in crate::offline) use pretend::Lines as LoggedLines;

pub use inspect::{Inspection, Look, plugin_inspect, plugin_look};
pub use run::{PluginRun, RanEvent};
pub use test::{CaseOutcome, PluginTests, plugin_test};

const FILE_BYTES_MAX: u64 = 64 << 20;

/// Why nothing could be done with a plugin.
#[derive(Debug, thiserror::Error)]
pub enum PluginError {
    #[error("read {}: {source}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },

    #[error("{}: {source}", path.display())]
    Refused { path: PathBuf, source: LoadError },

    #[error("{}: {problem}", path.display())]
    Configuration { path: PathBuf, problem: String },

    #[error("start the plugin host: {0}")]
    Host(#[from] HostError),

    #[error("{0}")]
    NothingThere(String),

    /// Files of cases that cannot be read; the texts are rendered.
    #[error("{rendered}")]
    Cases { diagnostics: Vec<Diagnostic>, rendered: String },

    #[error("write {}: {source}", path.display())]
    Unwritable { path: PathBuf, source: io::Error },
}

impl PluginError {
    /// True when what was named is not there at all: a slip of the pen, and no broken plugin.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Unreadable { .. } | Self::NothingThere(_) => true,
            Self::Refused { .. }
            | Self::Configuration { .. }
            | Self::Host(_)
            | Self::Cases { .. }
            | Self::Unwritable { .. } => false,
        }
    }

    /// True when the plugin, or a case of it, must be changed first.
    pub fn is_broken(&self) -> bool {
        matches!(self, Self::Refused { .. } | Self::Configuration { .. } | Self::Cases { .. })
    }
}

/// The name that a router would know the file by.
pub(super) fn name_of(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

fn read(path: &Path) -> Result<Vec<u8>, PluginError> {
    crate::folder::read_bounded(path, FILE_BYTES_MAX)
        .map_err(|source| PluginError::Unreadable { path: path.to_owned(), source })
}

fn load(host: &Host, path: &Path, file: &[u8]) -> Result<Plugin, PluginError> {
    host.load(&name_of(path), file)
        .map_err(|source| PluginError::Refused { path: path.to_owned(), source })
}

/// A host that keeps what it compiled for the next command.
fn host(options: plugin::Options) -> Result<Host, HostError> {
    // Who runs a plugin by hand sees all that it says.
    let options = plugin::Options { log_lines_per_second: u32::MAX, ..options };
    if let Some(dir) = cache_dir()
        && let Ok(host) = Host::new(plugin::Options { cache_dir: Some(dir), ..options.clone() })
    {
        return Ok(host);
    }
    Host::new(plugin::Options { cache_dir: None, ..options })
}

fn cache_dir() -> Option<PathBuf> {
    let of = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = of("XDG_CACHE_HOME").or_else(|| Some(of("HOME")?.join(".cache")))?;
    base.is_absolute().then(|| base.join("slipswitch").join("plugins"))
}
