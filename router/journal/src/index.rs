//! Where the frames of one segment are, roughly: a frame every 64 KiB.
//!
//! # Invariants
//!
//! - Positions and offsets rise from entry to entry; times do not fall. The first entry is the
//!   segment's first frame.
//! - What it knows is durable: a frame is noted after its sync.

use crate::{Offset, frame::Header};

/// Frames nearer than this to the one noted before are not noted: reaching them means reading this
/// much at most.
const STRIDE: u64 = 64 << 10;

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
struct Entry {
    position: u64,
    first: Offset,
    time: i64,
}

#[derive(Clone, Debug)]
pub(crate) struct Index {
    entries: Vec<Entry>,
    /// The position behind the last frame.
    pub(crate) end_position: u64,
    /// The offset behind the last record.
    pub(crate) end: Offset,
}

impl Index {
    pub(crate) fn new(position: u64, header: &Header) -> Self {
        let mut index = Self { entries: Vec::new(), end_position: position, end: header.first };
        index.note(header);
        index
    }

    /// Takes note of the frame behind the last one.
    pub(crate) fn note(&mut self, header: &Header) {
        let position = self.end_position;
        if self.entries.last().is_none_or(|last| last.position + STRIDE <= position) {
            self.entries.push(Entry { position, first: header.first, time: header.time });
        }
        self.end_position = position + header.frame_len();
        self.end = header.end();
    }

    /// The position of a frame at or before the one that holds `offset`.
    pub(crate) fn position_before(&self, offset: Offset) -> u64 {
        self.floor(|entry| entry.first <= offset)
    }

    /// The position of a frame at or before the first one with a time of at least `time`.
    pub(crate) fn position_before_time(&self, time: i64) -> u64 {
        self.floor(|entry| entry.time < time)
    }

    fn floor(&self, holds: impl Fn(&Entry) -> bool) -> u64 {
        self.entries[self.entries.partition_point(holds).saturating_sub(1)].position
    }
}
