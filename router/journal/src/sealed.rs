//! One sealed segment: blocks of records, compressed, with an index and filters behind them.
//!
//! ```text
//! file  = header  blocks …  index  filters  trailer
//! block = header  filter (or nothing)  body
//! ```
//!
//! `docs/journal-format.md` is normative.
//!
//! # Invariants
//!
//! - A finished file is never changed.
//! - Offsets rise from record to record and times do not fall, within a block and from block to
//!   block.
//! - A filter never denies what a block holds.
//! - Decoding reads hostile bytes: it returns an error, it never panics, and what it allocates is
//!   bounded by what it was given and by constants.
//!
//! # Not here
//!
//! - Which files make a log, and what to do about a damaged one: `chain` decides.

mod block;
mod bloom;
pub(crate) mod file;
pub(crate) mod filter;
mod index;
pub(crate) mod layout;
pub(crate) mod salvage;
mod writer;

pub(crate) use block::{BLOCK_HEADER, BlockHeader, Gathering, RAW_MAX, RECORD_OVERHEAD_MAX, Seal};
pub(crate) use file::{Contents, FileError, SealedFile};
pub use filter::{Keys, Summary};
pub(crate) use index::BlockEntry;
pub(crate) use layout::{FILE_HEADER, FileHeader, TRAILER, Trailer};
pub(crate) use writer::{FileWriter, FiltersKept};

use bytes::Bytes;

use crate::Offset;

/// One record of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainRecord {
    /// Rises from record to record; there are gaps.
    pub offset: Offset,
    /// Milliseconds since the Unix epoch; never falls.
    pub time: i64,
    /// Shares the memory of its block: who keeps it for long keeps the block, unless he copies it.
    pub payload: Bytes,
}
