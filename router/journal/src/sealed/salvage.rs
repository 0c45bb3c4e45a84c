//! Walking a file block by block, without its index: for a file that was never finished, and for
//! one whose end is damaged.
//!
//! # Invariants
//!
//! - Every block whose header is sound is found, whatever stands between it and the one before.
//! - bounded: in memory are the entries, and one block or one piece of the file at a time.

use super::{
    BLOCK_HEADER, BlockEntry, BlockHeader, FILE_HEADER,
    block::{self, BlockError},
    file::{self, FileError},
    filter::FilterBytes,
};
use crate::{disk::File, layout::Seed};

/// How much is searched at once for the next block.
const PIECE: usize = 1 << 20;

/// What was found in a file.
#[derive(Debug, Default)]
pub(crate) struct Salvaged {
    /// Blocks whose headers are sound, in order, with the filters of those that keep theirs and
    /// are whole.
    pub(crate) blocks: Vec<(BlockEntry, FilterBytes)>,
    pub(crate) damages: Vec<Damage>,
}

/// A part of the file that is not what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Damage {
    pub(crate) position: u64,
    pub(crate) what: String,
    /// The block, where its header is sound.
    pub(crate) block: Option<BlockEntry>,
}

/// Walks from the header up to `end`.
pub(crate) fn salvage(file: &dyn File, seed: Seed, end: u64) -> Result<Salvaged, FileError> {
    let mut found = Salvaged::default();
    let mut position = FILE_HEADER as u64;
    while position < end {
        match block_at(file, seed, position, end)? {
            Ok((header, filter)) => {
                let entry = header.entry(position);
                if found.follows(&entry) {
                    found.blocks.push((entry, filter));
                } else {
                    found.damages.push(Damage {
                        position,
                        what: "the block does not follow the one before it".to_owned(),
                        block: Some(entry),
                    });
                }
                position = entry.end();
            }
            Err((error, Some(entry))) => {
                let what = error.to_string();
                found.damages.push(Damage { position, what, block: Some(entry) });
                position = entry.end();
            }
            Err((error, None)) => {
                let what = error.to_string();
                found.damages.push(Damage { position, what, block: None });
                position = next_block(file, seed, position + 1, end)?.unwrap_or(end);
            }
        }
    }
    Ok(found)
}

impl Salvaged {
    /// Whether the block may stand behind those that were found. Numbers may be missing.
    fn follows(&self, entry: &BlockEntry) -> bool {
        let Some((last, _)) = self.blocks.last() else { return true };
        last.number < entry.number && last.last < entry.first && last.last_time <= entry.first_time
    }
}

/// What [`block_at`] knows of a block that is not whole: its entry, if at least its header is.
type NotWhole = (BlockError, Option<BlockEntry>);

fn block_at(
    file: &dyn File,
    seed: Seed,
    position: u64,
    end: u64,
) -> Result<Result<(BlockHeader, FilterBytes), NotWhole>, FileError> {
    let header = match header_at(file, seed, position, end)? {
        Ok(header) => header,
        Err(error) => return Ok(Err((error, None))),
    };
    let mut rest = vec![0; usize::try_from(header.len()).unwrap_or(0) - BLOCK_HEADER];
    file::read(file, &mut rest, position + BLOCK_HEADER as u64)?;
    let whole = header.parts(&rest, seed).and_then(|(filter, body)| {
        header.records(body)?;
        Ok(block::own_filter(filter))
    });
    Ok(match whole {
        Ok(filter) => Ok((header, filter)),
        Err(error) => Err((error, Some(header.entry(position)))),
    })
}

fn header_at(
    file: &dyn File,
    seed: Seed,
    position: u64,
    end: u64,
) -> Result<Result<BlockHeader, BlockError>, FileError> {
    if end - position < BLOCK_HEADER as u64 {
        return Ok(Err(BlockError::Absent));
    }
    let mut bytes = [0; BLOCK_HEADER];
    file::read(file, &mut bytes, position)?;
    Ok(BlockHeader::decode(&bytes, seed).and_then(|header| {
        let fits = header.len() <= end - position;
        if fits { Ok(header) } else { Err(BlockError::Long) }
    }))
}

/// The first place from `start` on where a block's header is sound.
fn next_block(file: &dyn File, seed: Seed, start: u64, end: u64) -> Result<Option<u64>, FileError> {
    let mut buffer = Vec::new();
    let mut position = start;
    while position + BLOCK_HEADER as u64 <= end {
        let length = usize::try_from(end - position).unwrap_or(PIECE).min(PIECE + BLOCK_HEADER);
        buffer.resize(length, 0);
        file::read(file, &mut buffer, position)?;
        let places = 0..=length - BLOCK_HEADER;
        for place in places.clone() {
            let at = position + place as u64;
            let sound = BlockHeader::decode(&buffer[place..], seed)
                .is_ok_and(|header| header.len() <= end - at);
            if sound {
                return Ok(Some(at));
            }
        }
        position += places.count() as u64;
    }
    Ok(None)
}
