//! The indexes of files, kept as long as there is room.
//!
//! # Invariants
//!
//! - bounded: what is kept takes no more than the limit, and few files are open. What a reader
//!   holds beyond that is one file's.
//! - When an index is damaged, the blocks are found without it, and what is not found is an entry
//!   that cannot be read: a reader is told.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use super::listing::{Part, PartState};
use crate::{
    disk::Disk,
    layout::Seed,
    sealed::{
        BlockEntry, Contents, FileError, SealedFile,
        salvage::{Salvaged, salvage},
    },
};

/// Each has a file open.
const FILES_MAX: usize = 64;

pub(super) struct Cache {
    bytes_max: usize,
    /// The last to be used first.
    kept: Mutex<VecDeque<(u64, Arc<Contents>)>>,
}

/// The contents, and what was damaged on the way to them.
pub(super) struct Loaded {
    pub(super) contents: Arc<Contents>,
    pub(super) damage: Option<FileError>,
}

impl Cache {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self { bytes_max, kept: Mutex::default() }
    }

    /// Where the file's blocks are. Reads it when it is not kept.
    pub(super) fn contents(
        &self,
        disk: &dyn Disk,
        chain_id: &[u8; 16],
        part: &Part,
    ) -> Result<Loaded, FileError> {
        let sequence = part.listed.sequence;
        if let Some(contents) = self.find(sequence) {
            return Ok(Loaded { contents, damage: None });
        }
        let loaded = load(disk, Seed::new(chain_id, sequence), part)?;
        self.keep(sequence, &loaded.contents);
        Ok(loaded)
    }

    fn find(&self, sequence: u64) -> Option<Arc<Contents>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let place = kept.iter().position(|(other, _)| *other == sequence)?;
        let found = kept.remove(place)?;
        let contents = Arc::clone(&found.1);
        kept.push_front(found);
        Some(contents)
    }

    fn keep(&self, sequence: u64, contents: &Arc<Contents>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|(other, _)| *other != sequence);
        kept.push_front((sequence, Arc::clone(contents)));
        let mut bytes: usize = kept.iter().map(|(_, contents)| contents.memory()).sum();
        while self.bytes_max < bytes || FILES_MAX < kept.len() {
            let Some((_, last)) = kept.pop_back() else { break };
            bytes -= last.memory();
        }
    }

    /// Forgets files that are gone.
    pub(super) fn forget(&self, gone: impl Fn(u64) -> bool) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|(sequence, _)| !gone(*sequence));
    }
}

fn load(disk: &dyn Disk, seed: Seed, part: &Part) -> Result<Loaded, FileError> {
    let (listed, lost) = (&part.listed, "the segment is missing");
    let damage = match &part.state {
        PartState::Missing | PartState::Lost => return Err(FileError::damaged(0, lost)),
        PartState::Sound(_) => {
            let sealed = SealedFile::open(disk, &part.name)?;
            match sealed.contents() {
                Ok(contents) => {
                    return Ok(Loaded { contents: Arc::new(contents), damage: None });
                }
                Err(error) => error,
            }
        }
        PartState::Broken { position, what } => FileError::damaged(*position, what),
    };
    let io = |source| FileError::Io { position: 0, source };
    let file = disk.open(&part.name).map_err(io)?;
    let mut end = file.len().map_err(io)?;
    if let PartState::Sound(trailer) = &part.state {
        end = trailer.index.position;
    }
    let entries = patch(&salvage(&*file, seed, end)?, part);
    tracing::warn!(
        file = %part.path.display(), blocks = entries.len(), records = listed.records,
        "the index is damaged: the blocks were searched for"
    );
    let contents = Arc::new(Contents::without_index(file, seed, entries));
    Ok(Loaded { contents, damage: Some(damage) })
}

/// An index of what was found, with an entry that cannot be read wherever records are missing.
fn patch(found: &Salvaged, part: &Part) -> Vec<BlockEntry> {
    let whole = found.blocks.iter().map(|(entry, _filter)| *entry);
    let mut entries: Vec<_> =
        whole.chain(found.damages.iter().filter_map(|damage| damage.block)).collect();
    entries.sort_by_key(|entry| entry.position);
    entries.dedup_by(|later, earlier| later.first <= earlier.last);
    let records: u64 = entries.iter().map(|entry| u64::from(entry.records)).sum();
    if part.listed.records <= records {
        return entries;
    }
    let unknown = found.damages.iter().filter(|damage| damage.block.is_none());
    // Of the records that nobody knows the places of.
    let mut missing = u32::try_from(part.listed.records - records).unwrap_or(u32::MAX);
    let mut places: Vec<_> = unknown.map(|damage| damage.position).collect();
    if places.is_empty() || matches!(part.state, PartState::Broken { .. }) {
        places.push(u64::MAX); // Nobody knows where the file ended.
    }
    for position in places {
        let at = entries.partition_point(|entry| entry.position < position);
        let before = at.checked_sub(1).map(|before| entries[before]);
        let behind = entries.get(at).copied();
        let first = before.map_or(part.listed.from, |before| before.last.next());
        let end = behind.map_or(part.listed.to, |behind| behind.first);
        if first < end {
            let first_time = before.map_or(i64::MIN, |before| before.last_time);
            entries.insert(
                at,
                BlockEntry {
                    number: u32::MAX,
                    position,
                    length: 0,
                    raw_len: 0,
                    records: std::mem::take(&mut missing),
                    first,
                    last: end.before(),
                    first_time,
                    last_time: behind.map_or(i64::MAX, |behind| behind.first_time),
                    filter_at: 0,
                    filter_len: 0,
                },
            );
        }
    }
    entries
}
