//! Where the hot part of the journal begins: up to where records are sealed, and which segments
//! there must be.
//!
//! # Invariants
//!
//! - durable: readers and the spare thread hear of a place after `store` has it. A crash in between
//!   leaves segments that are sealed and still there; they go the next time.
//! - The place only moves forwards.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    Offset,
    disk::Disk,
    layout::Store,
    log::Log,
    segment::{Segment, Written},
};

pub(crate) struct Frontier {
    disk: Arc<dyn Disk>,
    store: Mutex<Store>,
}

/// How far records are sealed.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sealing {
    /// Everything below is in sealed segments, durably.
    pub(crate) to: Offset,
    /// The time of the last record below.
    pub(crate) time: i64,
    /// From here on, hot segments stay, though they may be sealed: somebody reads them.
    pub(crate) hot_from: Offset,
}

impl Frontier {
    pub(crate) fn new(disk: Arc<dyn Disk>, store: Store) -> Self {
        Self { disk, store: Mutex::new(store) }
    }

    /// Moves to where sealing has come. Gives back the segments that are free now.
    pub(crate) fn advance(&self, sealing: &Sealing, log: &Log) -> io::Result<Vec<Arc<Segment>>> {
        let mut store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        let to = sealing.to.max(store.sealed_to);
        let whole = log.whole_below(to.min(sealing.hot_from));
        let next = Store {
            first_epoch: whole.last().map_or(store.first_epoch, |last| last.segment.epoch + 1),
            sealed_to: to,
            sealed_time: if store.sealed_to < to { sealing.time } else { store.sealed_time },
            ..*store
        };
        if next != *store {
            next.write(&*self.disk)?;
            *store = next;
        }
        log.move_sealed(to);
        log.forget(whole.len());
        Ok(whole.iter().map(|written: &Arc<Written>| Arc::clone(&written.segment)).collect())
    }
}
