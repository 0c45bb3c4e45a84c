//! Archives in the data folder that the state database does not know.
//!
//! # Not here
//!
//! - Changing anything: what is in them may be all that there is of it.

use std::io;

use super::{InfoKind, StoppedData, ToolError};
use crate::chain::verify::sound_manifest;

impl StoppedData {
    /// Those that hold something, in words.
    pub fn unlisted_archives(&self) -> Result<Vec<String>, ToolError> {
        self.unlisted().map_err(|source| self.error(source))
    }

    pub(super) fn unlisted(&self) -> io::Result<Vec<String>> {
        let mut said = Vec::new();
        if !self.knows_archives {
            return Ok(said);
        }
        let archives = self.chains()?.into_iter().filter(|chain| chain.kind == InfoKind::Archive);
        for chain in archives {
            if self.archives.iter().any(|known| known.name == chain.name) {
                continue;
            }
            let Ok(Some(manifest)) = sound_manifest(&*chain.disk, &chain.disk.list()?)? else {
                continue; // Empty, or damaged, which is said.
            };
            let records: u64 = manifest.files.iter().map(|file| file.records).sum();
            if manifest.files.is_empty() {
                continue;
            }
            said.push(format!(
                "{}: an archive with {records} events that state.sqlite does not know: nothing comes into it, and it \
                 cannot be replayed; `slipswitch journal export --archive {}` writes its events, and the folder can be \
                 moved away then",
                chain.disk.path("").display(),
                chain.name,
            ));
        }
        Ok(said)
    }
}
