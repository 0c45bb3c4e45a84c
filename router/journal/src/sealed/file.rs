//! Reading one sealed segment.
//!
//! # Invariants
//!
//! - Nothing leaves whose checksum did not match.
//! - An index or filters that are damaged make reading slower, not wrong.

use std::{
    io,
    sync::{Arc, OnceLock},
};

use bytes::Bytes;

use super::{
    BlockEntry, ChainRecord, FILE_HEADER, FileHeader, Summary, TRAILER, Trailer,
    block::{self, BlockError},
    filter::FilterBytes,
    index,
    layout::Section,
};
use crate::{
    disk::{Disk, File},
    layout::{HeaderError, Seed},
};

/// Why a sealed segment cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    #[error("{source}")]
    Io { position: u64, source: io::Error },
    #[error("{what}")]
    Damaged { position: u64, what: String },
    #[error("its format is version {found}, which is newer than this program")]
    Newer { found: u32 },
}

/// A sealed segment whose two ends are sound.
pub(crate) struct SealedFile {
    pub(crate) file: Arc<dyn File>,
    pub(crate) header: FileHeader,
    pub(crate) trailer: Trailer,
    pub(crate) length: u64,
}

/// Where the blocks of one file are, and what is known of them: all that a reader needs.
pub(crate) struct Contents {
    pub(crate) file: Arc<dyn File>,
    pub(crate) seed: Seed,
    pub(crate) entries: Vec<BlockEntry>,
    /// Read when somebody wants to skip. Its length and sum are known from the trailer.
    section: Option<Section>,
    filters: OnceLock<Bytes>,
}

impl FileError {
    pub(crate) fn position(&self) -> u64 {
        match self {
            Self::Io { position, .. } | Self::Damaged { position, .. } => *position,
            Self::Newer { .. } => 8,
        }
    }

    pub(crate) fn damaged(position: u64, what: impl std::fmt::Display) -> Self {
        Self::Damaged { position, what: what.to_string() }
    }

    fn header(position: u64, error: HeaderError) -> Self {
        match error {
            HeaderError::Newer { found } => Self::Newer { found },
            HeaderError::Bad(what) => Self::damaged(position, what),
        }
    }
}

/// Reads a file's header. Its length is the file's.
pub(crate) fn read_header(file: &dyn File, length: u64) -> Result<FileHeader, FileError> {
    let mut bytes = [0; FILE_HEADER];
    let there = usize::try_from(length).unwrap_or(FILE_HEADER).min(FILE_HEADER);
    read(file, &mut bytes[..there], 0)?;
    FileHeader::decode(&bytes[..there]).map_err(|error| FileError::header(0, error))
}

impl SealedFile {
    /// Opens the file and checks its two ends.
    pub(crate) fn open(disk: &dyn Disk, name: &str) -> Result<Self, FileError> {
        let io = |source| FileError::Io { position: 0, source };
        let file = disk.open(name).map_err(io)?;
        let length = file.len().map_err(io)?;
        let header = read_header(&*file, length)?;
        let Some(position) =
            length.checked_sub(TRAILER as u64).filter(|position| FILE_HEADER as u64 <= *position)
        else {
            return Err(FileError::damaged(length, "the file ends before its trailer"));
        };
        let mut bytes = [0; TRAILER];
        read(&*file, &mut bytes, position)?;
        let trailer = Trailer::decode(&bytes, header.seed(), length)
            .map_err(|error| FileError::header(position, error))?;
        if (trailer.sequence, trailer.from) != (header.sequence, header.from) {
            let what = "the trailer and the header are of different files";
            return Err(FileError::damaged(position, what));
        }
        Ok(Self { file, header, trailer, length })
    }

    /// Reads where the blocks are.
    pub(crate) fn contents(&self) -> Result<Contents, FileError> {
        let (seed, trailer) = (self.header.seed(), &self.trailer);
        let bytes = section(&*self.file, seed, &trailer.index, "index")?;
        let entries = index::decode(
            &bytes,
            FILE_HEADER as u64,
            trailer.index.position,
            trailer.filters.length,
        )
        .filter(|entries| agrees(entries, trailer));
        let entries = entries.ok_or_else(|| {
            FileError::damaged(trailer.index.position, "the index contradicts itself")
        })?;
        Ok(Contents {
            file: Arc::clone(&self.file),
            seed,
            entries,
            section: Some(trailer.filters),
            filters: OnceLock::new(),
        })
    }

    /// Whether the filters are what the trailer says.
    pub(crate) fn check_filters(&self, contents: &Contents) -> Result<(), FileError> {
        let filters = &self.trailer.filters;
        let bytes: Bytes = section(&*self.file, contents.seed, filters, "filters")?.into();
        let sound = contents.entries.iter().all(|entry| slice(&bytes, entry).is_sound());
        if sound {
            return Ok(());
        }
        Err(FileError::damaged(filters.position, "the filters contradict themselves"))
    }
}

impl Contents {
    /// Of a file whose index is lost, or not yet written: every block has to be read.
    pub(crate) fn without_index(file: Arc<dyn File>, seed: Seed, entries: Vec<BlockEntry>) -> Self {
        Self { file, seed, entries, section: None, filters: OnceLock::new() }
    }

    /// The records of one block.
    pub(crate) fn read(&self, number: usize) -> Result<Vec<ChainRecord>, FileError> {
        read_block(&*self.file, self.seed, &self.entries[number])
    }

    /// Asks about a block. Reads the filters the first time; `damaged` hears when that fails, and
    /// nothing is skipped then.
    pub(crate) fn judge(
        &self,
        number: usize,
        ask: &dyn Fn(&Summary<'_>) -> bool,
        damaged: &mut dyn FnMut(FileError),
    ) -> bool {
        let entry = &self.entries[number];
        ask(&Summary::new(entry, &slice(self.filters(damaged), entry)))
    }

    /// The filter of one block; it says nothing when the filters cannot be read.
    pub(crate) fn filter(&self, entry: &BlockEntry) -> FilterBytes {
        slice(self.filters(&mut |_damaged| ()), entry)
    }

    fn filters(&self, damaged: &mut dyn FnMut(FileError)) -> &Bytes {
        self.filters.get_or_init(|| {
            let Some(filters) = &self.section else { return Bytes::new() };
            match section(&*self.file, self.seed, filters, "filters") {
                Ok(bytes) => bytes.into(),
                Err(error) => {
                    damaged(error);
                    Bytes::new()
                }
            }
        })
    }

    /// What it takes in memory when everything of it was read.
    pub(crate) fn memory(&self) -> usize {
        let filters = self.section.map_or(0, |section| section.length);
        self.entries.len() * size_of::<BlockEntry>() + usize::try_from(filters).unwrap_or(0)
    }
}

/// The records of the block that an index names.
pub(crate) fn read_block(
    file: &dyn File,
    seed: Seed,
    entry: &BlockEntry,
) -> Result<Vec<ChainRecord>, FileError> {
    let mut bytes = vec![0; usize::try_from(entry.length).unwrap_or(0)];
    read(file, &mut bytes, entry.position)?;
    block::decode(&bytes, seed, entry)
        .map_err(|error: BlockError| FileError::damaged(entry.position, error))
}

/// Fills the buffer. A file that ends before is damaged, not unreadable.
pub(crate) fn read(file: &dyn File, buffer: &mut [u8], position: u64) -> Result<(), FileError> {
    file.read_at(buffer, position).map_err(|source| match source.kind() {
        io::ErrorKind::UnexpectedEof => FileError::damaged(position, "the file ends too early"),
        _ => FileError::Io { position, source },
    })
}

fn section(
    file: &dyn File,
    seed: Seed,
    section: &Section,
    what: &str,
) -> Result<Vec<u8>, FileError> {
    let mut bytes = vec![0; usize::try_from(section.length).unwrap_or(0)];
    read(file, &mut bytes, section.position)?;
    if seed.checksum(&bytes) == section.sum {
        return Ok(bytes);
    }
    let what = format!("the checksum of the {what} does not match");
    Err(FileError::damaged(section.position, what))
}

fn slice(filters: &Bytes, entry: &BlockEntry) -> FilterBytes {
    let at = usize::try_from(entry.filter_at).unwrap_or(usize::MAX);
    let end = at.saturating_add(usize::try_from(entry.filter_len).unwrap_or(usize::MAX));
    let there = at <= end && end <= filters.len();
    FilterBytes(if there { filters.slice(at..end) } else { Bytes::new() })
}

/// Whether index and trailer speak of the same blocks.
fn agrees(entries: &[BlockEntry], trailer: &Trailer) -> bool {
    let (Some(first), Some(last)) = (entries.first(), entries.last()) else { return false };
    let records: u64 = entries.iter().map(|entry| u64::from(entry.records)).sum();
    let raw_bytes: u64 = entries.iter().map(|entry| u64::from(entry.raw_len)).sum();
    entries.len() as u64 == u64::from(trailer.blocks)
        && (records, raw_bytes) == (trailer.records, trailer.raw_bytes)
        && (first.first, last.last) == (trailer.first, trailer.last)
        && (first.first_time, last.last_time) == (trailer.first_time, trailer.last_time)
}
