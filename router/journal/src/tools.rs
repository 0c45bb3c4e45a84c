//! What can be done to the data folder of a stopped router: verified, repaired, looked at, exported.
//!
//! # Invariants
//!
//! - The folder is locked meanwhile, as a running router locks it: neither meets the other.
//! - Only `repair` changes what is in the folder, and it deletes nothing.
//!
//! # Not here
//!
//! - The state database: it can be rebuilt only from what it refers to.

mod export;
mod hot;
mod info;
mod mend;
mod missing;
mod rescue;
mod unlisted;

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

pub use crate::chain::{repair::Repair, verify::Verification};
pub use export::{Export, ExportOf, Exported};
pub use info::{Info, InfoKind};

use crate::{
    Fault, Offset, OpenError, ReadError, Record,
    chain::{
        repair::{self, Damaged},
        verify,
    },
    chains::name_of,
    disk::{Disk, Lock, PosixDisk},
    roll::Kind,
};
use hot::Hot;

const JOURNAL: &str = "journal";
const SEALED: &str = "sealed";
const ARCHIVES: &str = "archives";
const ATTEMPTS: &str = "attempts";

/// The data folder of a router that does not run. It is locked until this is dropped.
pub struct StoppedData {
    disk: Arc<dyn Disk>,
    end_min: Offset,
    archives: Vec<KnownArchive>,
    /// Whether those are all that there should be.
    knows_archives: bool,
    _lock: Lock,
}

/// What no file of the journal says of an archive.
pub struct KnownArchive {
    pub name: String,
    pub bus: String,
    /// Whether it takes in a record of its bus.
    pub wants: Box<dyn Fn(&Record) -> bool>,
}

impl KnownArchive {
    fn holds(&self, record: &Record) -> bool {
        *record.bus == *self.bus && (self.wants)(record)
    }
}

/// Why the folder could not be worked on.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    #[error(
        "data folder {path}: a router has it open; stop that router first, or give another folder (--data)"
    )]
    Running { path: PathBuf },

    #[error(
        "data folder {path}: there is no journal in it; give the folder that the router has (--data)"
    )]
    NoJournal { path: PathBuf },

    #[error("data folder {path}: {source}")]
    Io { path: PathBuf, source: io::Error },

    #[error(transparent)]
    Open(#[from] OpenError),

    #[error(transparent)]
    Read(#[from] ReadError),

    #[error("data folder {path}: there are no events of {what}; there are: {known}")]
    Unknown { path: PathBuf, what: String, known: String },
}

impl StoppedData {
    /// Locks the data folder `dir`, which holds `journal/`.
    pub fn open(dir: &Path) -> Result<Self, ToolError> {
        Self::open_in(Arc::new(PosixDisk::new(dir.to_owned())))
    }

    pub(crate) fn open_in(disk: Arc<dyn Disk>) -> Result<Self, ToolError> {
        let path = disk.path("");
        let io = |source| ToolError::Io { path: path.clone(), source };
        let folders = match disk.folders() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            folders => folders.map_err(io)?,
        };
        if !folders.iter().any(|name| name == JOURNAL) {
            return Err(ToolError::NoJournal { path });
        }
        let lock = disk.folder(JOURNAL).lock().map_err(io)?;
        let lock = lock.ok_or_else(|| ToolError::Running { path: path.clone() })?;
        Ok(Self {
            disk,
            end_min: Offset::ZERO,
            archives: Vec::new(),
            knows_archives: false,
            _lock: lock,
        })
    }

    /// Somebody remembers that everything below this was in the journal.
    #[must_use]
    pub fn expecting(self, end_min: Offset) -> Self {
        Self { end_min, ..self }
    }

    /// Somebody remembers these archives, and that there are no others.
    #[must_use]
    pub fn knowing(self, archives: Vec<KnownArchive>) -> Self {
        Self { archives, knows_archives: true, ..self }
    }

    /// Reads everything and names what is not as it was written.
    pub fn verify(&self) -> Result<Verification, ToolError> {
        let mut found = Verification::default();
        let verified = (|| {
            hot::verify(&*self.disk.folder(JOURNAL), self.end_min, &mut found)?;
            for chain in self.chains()? {
                found.add(verify::verify(&*chain.disk)?);
            }
            let missing = self.missing()?;
            missing.iter().for_each(|one| found.fault(one.fault()));
            if missing.iter().all(|one| one.kind != Kind::Bus) {
                self.verify_buses(&mut found)?;
            }
            found.notes.extend(self.unlisted()?);
            Ok(())
        })();
        verified.map_err(|source| self.error(source))?;
        Ok(found)
    }

    /// What an earlier release sealed was not listed, but it is somewhere.
    fn verify_buses(&self, found: &mut Verification) -> io::Result<()> {
        let sealed_to = hot::sealed_to(&*self.disk.folder(JOURNAL))?;
        let mut reached = None;
        for chain in self.chains()?.into_iter().filter(|chain| chain.kind == InfoKind::Bus) {
            match verify::sound_manifest(&*chain.disk, &chain.disk.list()?)? {
                Ok(manifest) => reached = reached.max(manifest.map(|manifest| manifest.to)),
                Err(_damaged) => return Ok(()), // That is said, and nobody knows how far it went.
            }
        }
        let path = self.disk.folder(SEALED).path("");
        match reached {
            None if Offset::ZERO < sealed_to => found.fault(Fault {
                path,
                position: 0,
                what: "the sealed segments of all buses are missing".to_owned(),
                offsets: Some(Offset::ZERO..sealed_to),
                records: None,
            }),
            Some(end) if end < sealed_to => found.notes.push(format!(
                "{}: records up to {sealed_to} are sealed, the segments there are go up to {end}: \
                 the folder of a bus may be missing",
                path.display()
            )),
            _ => (),
        }
        Ok(())
    }

    /// Mends what can be mended. What is damaged is kept in a folder `damaged` beside it.
    pub fn repair(&self) -> Result<Repair, ToolError> {
        let mut done = Repair::default();
        let repaired = (|| {
            let mut sealed_to = Offset::ZERO;
            let disk = self.disk.folder(JOURNAL);
            self.stand_in(&mut done)?;
            let hot = Hot::open(&*disk)?;
            for chain in self.chains()? {
                let copies = self.copies(&hot, &chain)?;
                let name = &chain.name;
                done.add(repair::repair(&Damaged { disk: &*chain.disk, name, copies: &*copies })?);
                if chain.kind == InfoKind::Bus {
                    sealed_to = sealed_to.max(chain.end()?);
                }
            }
            drop(hot);
            let ends = mend::Ends { sealed_to, end_min: self.end_min };
            done.add(mend::repair(&*disk, ends)?);
            self.seal_again(&*disk, &mut done)
        })();
        repaired.map_err(|source| self.error(source))?;
        Ok(done)
    }

    fn chains(&self) -> io::Result<Vec<ChainFolder>> {
        let mut chains = Vec::new();
        let top = self.disk.folders()?;
        for (above, kind) in [(SEALED, InfoKind::Bus), (ARCHIVES, InfoKind::Archive)] {
            if !top.iter().any(|name| name == above) {
                continue;
            }
            let folder = self.disk.folder(above);
            let mut names = folder.folders()?;
            names.sort();
            chains.extend(names.into_iter().map(|name| ChainFolder {
                disk: folder.folder(&name),
                // A folder of another kind of name is somebody else's.
                name: name_of(&name).unwrap_or(name),
                kind,
            }));
        }
        if top.iter().any(|name| name == ATTEMPTS) {
            let (disk, name) = (self.disk.folder(ATTEMPTS), ATTEMPTS.to_owned());
            chains.push(ChainFolder { disk, name, kind: InfoKind::Attempts });
        }
        Ok(chains)
    }

    fn error(&self, source: io::Error) -> ToolError {
        ToolError::Io { path: self.disk.path(""), source }
    }
}

/// The folder of one chain.
struct ChainFolder {
    disk: Arc<dyn Disk>,
    kind: InfoKind,
    /// What it is of.
    name: String,
}

impl ChainFolder {
    /// Whether anything was ever sealed into it.
    fn has_begun(&self) -> io::Result<bool> {
        let manifest = verify::sound_manifest(&*self.disk, &self.disk.list()?)?;
        Ok(!matches!(manifest, Ok(None)))
    }

    /// Where what was sealed into it ends, as far as its manifest can be read.
    fn end(&self) -> io::Result<Offset> {
        let manifest = verify::sound_manifest(&*self.disk, &self.disk.list()?)?;
        Ok(manifest.ok().flatten().map(|manifest| manifest.to).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests;
