//! Chains that are listed and whose folders are gone.
//!
//! # Invariants
//!
//! - A repair begins their folders anew with a list that says what is missing: what stands elsewhere
//!   is taken from there, as for any segment.

use std::{io, sync::Arc};

use super::{ARCHIVES, JOURNAL, SEALED, StoppedData};
use crate::{
    Fault,
    chain::{repair::Repair, verify::sound_manifest},
    chains::folder_of,
    disk::Disk,
    roll::{Entry, Kind, Roll},
};

/// One whose folder is gone, or empty.
pub(super) struct Missing {
    pub(super) kind: Kind,
    name: String,
    entry: Entry,
    folder: Arc<dyn Disk>,
}

impl StoppedData {
    pub(super) fn missing(&self) -> io::Result<Vec<Missing>> {
        let roll = Roll::read(&*self.disk.folder(JOURNAL))?.unwrap_or_default();
        let mut missing = Vec::new();
        for ((kind, name), entry) in roll.0 {
            let is_known = || self.archives.iter().any(|known| known.name == name);
            // An archive that nobody knows may have been moved away.
            if kind == Kind::Archive && self.knows_archives && !is_known() {
                continue;
            }
            let above = if kind == Kind::Bus { SEALED } else { ARCHIVES };
            let folder = self.disk.folder(above).folder(&folder_of(&name));
            let names = match folder.list() {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
                names => names?,
            };
            if matches!(sound_manifest(&*folder, &names)?, Ok(None)) {
                missing.push(Missing { kind, name, entry, folder });
            }
        }
        Ok(missing)
    }

    pub(super) fn stand_in(&self, done: &mut Repair) -> io::Result<()> {
        for missing in self.missing()? {
            missing.entry.stand_in(&*missing.folder, &missing.name)?;
            let path = missing.folder.path("");
            done.actions.push(format!("{}: was missing, and was made anew", path.display()));
        }
        Ok(())
    }
}

impl Missing {
    pub(super) fn fault(&self) -> Fault {
        let what = match self.kind {
            Kind::Bus => format!("the sealed segments of bus {:?} are missing", self.name),
            Kind::Archive => format!("the archive {:?} is missing", self.name),
        };
        Fault {
            path: self.folder.path(""),
            position: 0,
            what,
            offsets: Some(self.entry.from..self.entry.to),
            records: Some(self.entry.records),
        }
    }
}
