//! What readers see: the durable records, and the segments they are in.
//!
//! # Invariants
//!
//! - Everything below `end` is durable and never changes. `end` moves after the segment and its
//!   index did.
//! - Segments are in order and continuous: each begins at the offset where the one before it ends.

use std::sync::{
    Arc, PoisonError, RwLock,
    atomic::{AtomicU64, Ordering},
};

use crate::{Offset, segment::Written};

pub(crate) struct Log {
    segments: RwLock<Vec<Arc<Written>>>,
    end: AtomicU64,
    /// Records below are in sealed segments. Some of them are hot still.
    sealed_to: AtomicU64,
}

impl Log {
    pub(crate) fn new(segments: Vec<Arc<Written>>, end: Offset, sealed_to: Offset) -> Self {
        Self {
            segments: RwLock::new(segments),
            end: AtomicU64::new(end.get()),
            sealed_to: AtomicU64::new(sealed_to.get()),
        }
    }

    pub(crate) fn sealed_to(&self) -> Offset {
        Offset::new(self.sealed_to.load(Ordering::Acquire))
    }

    pub(crate) fn move_sealed(&self, to: Offset) {
        self.sealed_to.store(to.get(), Ordering::Release);
    }

    /// The segments that end at or before `offset`, the oldest first. Never the last one: frames
    /// are still written to it.
    pub(crate) fn whole_below(&self, offset: Offset) -> Vec<Arc<Written>> {
        self.read(|segments| {
            let next = segments.iter().skip(1);
            let whole = segments.iter().zip(next).take_while(|(_, next)| next.first <= offset);
            whole.map(|(written, _)| Arc::clone(written)).collect()
        })
    }

    /// Forgets the oldest segments. Who has one can still read it.
    pub(crate) fn forget(&self, count: usize) {
        self.segments.write().unwrap_or_else(PoisonError::into_inner).drain(..count);
    }

    /// The first record of the segment that is being written; the end when there is none.
    pub(crate) fn last_begins(&self) -> Offset {
        self.read(|segments| segments.last().map(|written| written.first))
            .unwrap_or_else(|| self.end())
    }

    /// The offset behind the last durable record.
    pub(crate) fn end(&self) -> Offset {
        Offset::new(self.end.load(Ordering::Acquire))
    }

    /// The offset of the first record that is hot, or the end when there is none.
    pub(crate) fn first(&self) -> Offset {
        self.read(|segments| segments.first().map(|written| written.first))
            .unwrap_or_else(|| self.end())
    }

    /// Makes a segment with its first frame known. Readers see the frame when `end` is moved behind
    /// it.
    pub(crate) fn add(&self, written: Arc<Written>) {
        self.segments.write().unwrap_or_else(PoisonError::into_inner).push(written);
    }

    pub(crate) fn move_end(&self, end: Offset) {
        self.end.store(end.get(), Ordering::Release);
    }

    /// The segment that holds `offset`, which is below the end; `None` when it is before the first.
    pub(crate) fn holding(&self, offset: Offset) -> Option<Arc<Written>> {
        self.read(|segments| {
            let after = segments.partition_point(|written| written.first <= offset);
            after.checked_sub(1).map(|index| Arc::clone(&segments[index]))
        })
    }

    /// The last segment whose first record is before `time`.
    pub(crate) fn before_time(&self, time: i64) -> Option<Arc<Written>> {
        self.read(|segments| {
            let after = segments.partition_point(|written| written.first_time < time);
            after.checked_sub(1).map(|index| Arc::clone(&segments[index]))
        })
    }

    /// What all the segments take.
    pub(crate) fn bytes(&self) -> u64 {
        self.read(|segments| segments.iter().map(|written| written.segment.size).sum())
    }

    fn read<T>(&self, look: impl FnOnce(&[Arc<Written>]) -> T) -> T {
        // A push that panicked has pushed or has not: the list is right either way.
        look(&self.segments.read().unwrap_or_else(PoisonError::into_inner))
    }
}
