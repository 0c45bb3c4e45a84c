//! Which canaries were taken back, kept over restarts: a bad one does not get its first events again with each.
//!
//! ```text
//! file = a line for each, the newest last: the SHA-256, in hex, of all that it was taken back with
//! ```
//!
//! # Invariants
//!
//! - bounded: so many are kept; the oldest go.
//! - The file may be lost, or not be written: then a canary is tried once more, and nothing else is wrong.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest, Sha256};

const VERDICTS_MAX: usize = 1000;

/// All of a router; by default kept nowhere.
#[derive(Debug, Default)]
pub struct Verdicts {
    file: Option<PathBuf>,
    taken_back: Mutex<Vec<String>>,
}

/// On one canary.
pub(crate) struct Verdict {
    all: Arc<Verdicts>,
    of: String,
}

impl Verdicts {
    pub fn open(file: PathBuf) -> Self {
        let text = fs::read_to_string(&file).unwrap_or_else(|error| {
            if error.kind() != io::ErrorKind::NotFound {
                tracing::warn!(file = %file.display(), %error, "canaries that were taken back are tried again");
            }
            String::new()
        });
        let taken_back = Mutex::new(text.lines().map(str::to_owned).collect());
        Self { file: Some(file), taken_back }
    }

    /// On what these words say all of.
    pub(crate) fn on(self: &Arc<Self>, words: &str) -> Verdict {
        let digest = Sha256::digest(words);
        let of = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        Verdict { all: Arc::clone(self), of }
    }
}

impl Verdict {
    pub(super) fn is_taken_back(&self) -> bool {
        self.all.taken_back.lock().unwrap_or_else(PoisonError::into_inner).contains(&self.of)
    }

    pub(super) fn take_back(&self) {
        let mut all = self.all.taken_back.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|one| *one != self.of);
        all.push(self.of.clone());
        let over = all.len().saturating_sub(VERDICTS_MAX);
        all.drain(..over);
        if let Some(file) = &self.all.file
            && let Err(error) = write(file, &all.join("\n"))
        {
            tracing::warn!(file = %file.display(), %error, "that a canary was taken back is not kept: a restart tries it again");
        }
    }
}

/// Whoever reads sees the old or the new.
fn write(file: &Path, text: &str) -> io::Result<()> {
    let aside = file.with_extension("new");
    fs::write(&aside, text)?;
    fs::rename(aside, file)
}
