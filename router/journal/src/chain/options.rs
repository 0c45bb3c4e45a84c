//! How a chain is opened, and what was found.

use std::{ops::Range, path::PathBuf};

use crate::{Offset, Torn};

/// The limits of a chain. Files may be read whatever the limits were when they were written.
#[derive(Clone, Debug)]
pub struct ChainOptions {
    /// The chain's own folder. It is made if it does not exist.
    pub dir: PathBuf,
    /// What the chain is of: a bus or an archive. It is kept in the folder, and a folder of another
    /// name is refused.
    pub name: String,
    /// What it is called in the log, for people.
    pub title: String,
    /// Raw bytes after which a file ends.
    pub segment_bytes_max: u64,
    /// Raw bytes of a block; a larger record has one of its own.
    pub block_bytes_max: usize,
    /// The most that indexes and filters of files take in memory, but for those that are being
    /// read.
    pub index_bytes_max: usize,
}

impl ChainOptions {
    pub fn new(dir: impl Into<PathBuf>, name: impl Into<String>) -> Self {
        let name = name.into();
        Self {
            dir: dir.into(),
            title: name.clone(),
            name,
            segment_bytes_max: 64 << 20,
            block_bytes_max: 256 << 10,
            index_bytes_max: 16 << 20,
        }
    }
}

/// What was found when a chain was opened. All of it is in the log, too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChainReport {
    /// Leftovers of a process that died: they were removed.
    pub removed: Vec<PathBuf>,
    /// Files that were whole but not listed yet: they were taken in.
    pub adopted: Vec<PathBuf>,
    /// Files that look like the chain's and do not belong to it: they were left alone.
    pub strays: Vec<PathBuf>,
    /// What is missing or damaged. The rest is served.
    pub faults: Vec<Fault>,
    /// The end of an appender's file that was cut.
    pub torn: Option<Torn>,
}

/// Something that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub path: PathBuf,
    pub position: u64,
    pub what: String,
    /// The offsets of the records that may be gone with it; `None` when none is.
    pub offsets: Option<Range<Offset>>,
    /// How many records are gone with it, where that is known.
    pub records: Option<u64>,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { path, position, what, offsets, records } = self;
        write!(f, "{} at byte {position}: {what}", path.display())?;
        if let Some(Range { start, end }) = offsets {
            match records {
                Some(records) => write!(f, " ({records} records from {start} up to {end})"),
                None => write!(f, " (records from {start} up to {end})"),
            }?;
        }
        Ok(())
    }
}

/// What a chain holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChainStats {
    pub segments: usize,
    /// On disk.
    pub bytes: u64,
    /// Of the records, unpacked.
    pub raw_bytes: u64,
    pub records: u64,
    /// The chain covers the offsets from here …
    pub first_offset: Offset,
    /// … up to here: the next record's, at least.
    pub next_offset: Offset,
    pub first_time: Option<i64>,
    pub last_time: Option<i64>,
    /// Damages that were met since the chain was opened, each once.
    pub damaged_blocks: u64,
    /// Files that are not there, or not readable at all.
    pub missing_segments: usize,
}

/// What is known to be damaged.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Damage {
    /// Blocks, and whole files.
    pub places: u64,
    /// What stood there.
    pub records: u64,
}

/// Which files an expiry leaves. A file goes when one of the limits asks for it.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Files whose records are all older go.
    pub before_time: Option<i64>,
    /// The oldest files go until all of them together are no larger.
    pub bytes_max: Option<u64>,
    /// A file that covers this offset, or a later one, stays.
    pub needed_from: Offset,
}

/// What an expiry has removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expired {
    pub segments: usize,
    pub bytes: u64,
    pub records: u64,
}
