//! What is written and synced together.
//!
//! # Invariants
//!
//! - An append's records are neighbours in one group; a group becomes one frame.
//! - `body_len` is the exact length of the body that [`crate::frame::encode`] makes of the group.
//! - A group that is dropped without a result tells its waiters that the journal has stopped:
//!   nobody waits for ever.

use std::{
    ops::Range,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;

use crate::{AppendError, Offset, frame, outcome::Outcome};

/// A frame's bus table is searched from front to back, so it stays short. More buses than this make
/// two groups.
const BUSES_MAX: usize = 256;

/// What one append brings. Its sizes were checked.
#[derive(Debug)]
pub(crate) struct Batch<'a> {
    pub(crate) bus: &'a str,
    pub(crate) payloads: Vec<Bytes>,
    pub(crate) time: i64,
    pub(crate) durability: Durability,
}

/// When an append is acknowledged, and when it is synced.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Durability {
    /// Acknowledged when it is synced, as soon as may be.
    Synced,
    /// Acknowledged when it is queued; synced by this time on the journal's monotonic clock.
    By(Duration),
}

#[derive(Debug, Default)]
pub(crate) struct Group {
    pub(crate) buses: Vec<Box<str>>,
    /// Per append: the index of its bus, and its payloads.
    pub(crate) batches: Vec<(u16, Vec<Bytes>)>,
    pub(crate) records: u32,
    /// The latest time of its appends.
    pub(crate) time: i64,
    pub(crate) body_len: usize,
    /// The sum of its batches' costs.
    pub(crate) cost: usize,
    /// Its records that are acknowledged already.
    pub(crate) weak_records: u32,
    /// When it must be written; `None` at once.
    pub(crate) due: Option<Duration>,
    outcome: Arc<Outcome>,
}

/// An append's claim on its group's result: the offsets of its records, once they are durable.
#[derive(Debug)]
pub(crate) struct Receipt {
    outcome: Arc<Outcome>,
    /// Which of the group's records are the append's.
    records: Range<u32>,
    /// Where it waits.
    place: Option<usize>,
}

impl Batch<'_> {
    /// How much a group may grow by taking this.
    pub(crate) fn cost(&self) -> usize {
        frame::table_entry_len(self.bus) + self.records_len()
    }

    fn records_len(&self) -> usize {
        self.payloads.iter().map(|payload| frame::record_len(payload.len())).sum()
    }
}

impl Group {
    /// Takes the batch in, or gives it back when the group would become too large.
    pub(crate) fn add<'a>(
        &mut self,
        batch: Batch<'a>,
        body_len_max: usize,
    ) -> Result<Receipt, Batch<'a>> {
        let known = self.buses.iter().position(|bus| **bus == *batch.bus);
        let index = known.unwrap_or(self.buses.len());
        let table_len = if known.is_some() { 0 } else { frame::table_entry_len(batch.bus) };
        let body_len = self.body_len + table_len + batch.records_len();
        let records = u32::try_from(batch.payloads.len())
            .ok()
            .and_then(|count| self.records.checked_add(count));
        let (Some(records), true) = (records, index < BUSES_MAX && body_len <= body_len_max) else {
            return Err(batch);
        };
        if known.is_none() {
            self.buses.push(batch.bus.into());
        }
        self.cost += batch.cost();
        let is_first = self.batches.is_empty();
        self.due = match batch.durability {
            Durability::Synced => None,
            Durability::By(by) if is_first => Some(by),
            Durability::By(by) => self.due.map(|due| due.min(by)),
        };
        if batch.durability != Durability::Synced {
            self.weak_records += records - self.records;
        }
        self.time = if self.batches.is_empty() { batch.time } else { self.time.max(batch.time) };
        let index = u16::try_from(index).expect("there are at most BUSES_MAX buses");
        self.batches.push((index, batch.payloads));
        self.body_len = body_len;
        let receipt = Receipt {
            outcome: Arc::clone(&self.outcome),
            records: self.records..records,
            place: None,
        };
        self.records = records;
        Ok(receipt)
    }

    /// Settles what the appends of this group get, and wakes them.
    pub(crate) fn resolve(self, result: Result<Offset, AppendError>) {
        self.outcome.settle(result);
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if self.outcome.get().is_none() {
            let reason = "its commit thread has died".into();
            self.outcome.settle(Err(AppendError::Stopped { reason }));
        }
    }
}

impl Future for Receipt {
    type Output = Result<Range<Offset>, AppendError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let settled = ready!(this.outcome.poll(&mut this.place, context));
        if this.place.take().is_some() {
            // Perhaps this is the one that was woken, for all.
            this.outcome.wake_others();
        }
        let records = &this.records;
        Poll::Ready(
            settled
                .clone()
                .map(|first| first.plus(records.start.into())..first.plus(records.end.into())),
        )
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            self.outcome.leave(place);
        }
    }
}
