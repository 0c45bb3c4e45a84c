//! The file that an appender had open when its process ended: what is whole in it, and making it
//! one piece again.
//!
//! # Invariants
//!
//! - Every whole block is kept, also those behind damage.
//! - What stands behind the last whole block is a torn tail; what stands before one is damage.
//! - What is damaged is in `damaged/` before anything else takes its place.

use std::{io, sync::Arc};

use super::{Fault, manifest::Manifest, repair::set_aside};
use crate::{
    Offset,
    disk::{Disk, File},
    layout::unfinished,
    sealed::{
        BlockEntry, FILE_HEADER, FileError, FileHeader, FileWriter, FiltersKept, SealedFile, file,
        filter::FilterBytes,
        layout::{open_name, segment_from, segment_name},
        salvage::{Damage, salvage},
    },
};

const OPEN_SUFFIX: &str = ".open";

/// Whether it is a file that an appender has open.
pub(crate) fn is_open(name: &str) -> bool {
    base(name).is_some()
}

fn base(name: &str) -> Option<Offset> {
    name.strip_suffix(OPEN_SUFFIX).and_then(segment_from)
}

pub(crate) struct OpenFile {
    pub(crate) name: String,
    pub(crate) file: Arc<dyn File>,
    pub(crate) header: FileHeader,
    pub(crate) length: u64,
    /// Those that are whole, with their filters.
    pub(crate) blocks: Vec<(BlockEntry, FilterBytes)>,
    /// Where the last of them ends.
    pub(crate) end: u64,
    /// What is damaged before that.
    pub(crate) faults: Vec<Fault>,
}

impl OpenFile {
    /// Reads all of it; `None` when nothing in it is this chain's next file: it is finished and
    /// listed, or the power went before its first page was written.
    pub(crate) fn look(
        disk: &dyn Disk,
        manifest: &Manifest,
        name: &str,
    ) -> Result<Option<Self>, FileError> {
        let header = FileHeader {
            chain_id: manifest.id,
            sequence: manifest.next_sequence,
            from: manifest.to,
        };
        if open_name(header.from) != name {
            return Ok(None);
        }
        let io = |source| FileError::Io { position: 0, source };
        let file = disk.open(name).map_err(io)?;
        let length = file.len().map_err(io)?;
        let mut faults = Vec::new();
        match file::read_header(&*file, length) {
            Ok(found) if found == header => (),
            Ok(_another) => return Ok(None),
            Err(error @ FileError::Io { .. }) => return Err(error),
            Err(error) => faults.push(Fault {
                path: disk.path(name),
                position: 0,
                what: error.to_string(),
                offsets: None,
                records: None,
            }),
        }
        let salvaged = salvage(&*file, header.seed(), length)?;
        let Some(end) = salvaged.blocks.last().map(|(entry, _)| entry.end()) else {
            let end = FILE_HEADER as u64;
            let (name, blocks) = (name.to_owned(), Vec::new());
            let is_sound = faults.is_empty();
            return Ok(is_sound.then(|| Self { name, file, header, length, blocks, end, faults }));
        };
        let damages = salvaged.damages.iter().filter(|damage| damage.position < end);
        faults.extend(damages.map(|damage| Fault {
            path: disk.path(name),
            ..fault(damage, header.from, &salvaged.blocks)
        }));
        let (name, blocks) = (name.to_owned(), salvaged.blocks);
        Ok(Some(Self { name, file, header, length, blocks, end, faults }))
    }

    /// Writes the whole blocks anew, one behind the other. Returns what the damaged file is called
    /// now.
    pub(crate) fn mend(&self, disk: &dyn Disk) -> Result<String, FileError> {
        let io = |source| FileError::Io { position: 0, source };
        let aside = set_aside(disk, &self.name).map_err(io)?;
        let unfinished = unfinished(&segment_name(self.header.from));
        let written = disk.create(&unfinished, 0).map_err(io)?;
        let kept = FiltersKept::InBlocks;
        let mut writer = FileWriter::begin(written, self.header, usize::MAX, kept).map_err(io)?;
        for (entry, filter) in &self.blocks {
            let records = file::read_block(&*self.file, self.header.seed(), entry)?;
            writer.block(&records, filter).map_err(io)?;
        }
        let finish = || -> io::Result<()> {
            writer.file.sync()?;
            disk.rename(&unfinished, &self.name)?;
            disk.sync_names()
        };
        finish().map_err(io)?;
        Ok(aside)
    }

    /// Where the blocks end of a file that has its trailer, and was only not named yet.
    pub(crate) fn finished_at(&self, disk: &dyn Disk) -> Option<u64> {
        let sealed = SealedFile::open(disk, &self.name).ok()?;
        Some(sealed.trailer.index.position)
    }

    pub(crate) fn records(&self) -> u64 {
        self.blocks.iter().map(|(entry, _)| u64::from(entry.records)).sum()
    }
}

/// An appender leaves no gaps between offsets: what is not in a whole block is lost.
fn fault(damage: &Damage, from: Offset, whole: &[(BlockEntry, FilterBytes)]) -> Fault {
    let behind = whole.partition_point(|(entry, _)| entry.position < damage.position);
    let before = behind.checked_sub(1).map_or(from, |before| whole[before].0.last.next());
    let (start, end) = match &damage.block {
        Some(block) => (block.first, block.last.next()),
        None => (before, whole.get(behind).map_or(before, |(entry, _)| entry.first)),
    };
    Fault {
        path: std::path::PathBuf::new(),
        position: damage.position,
        what: damage.what.clone(),
        offsets: (start < end).then_some(start..end),
        records: (start < end).then(|| end.get() - start.get()),
    }
}
