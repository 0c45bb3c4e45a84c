//! The commit thread: takes what has gathered, writes and syncs it, wakes who waited, and starts
//! again.
//!
//! While a group is being synced the next one gathers, so groups grow with the load and with the
//! slowness of the disk.
//!
//! # Invariants
//!
//! - Appends wait at their group and are woken with its result; the watermark, which moves after
//!   every group, is for those who wait for an offset.
//! - However the thread ends, every waiter is woken.
//!
//! # Not here
//!
//! - A timer: an append never waits for company.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use crate::{
    AppendError, Offset, Stats,
    disk::raise_priority,
    group::Group,
    log::Log,
    queue::{CLOSED, Queue},
    segment::Segment,
    spare::Spares,
    writer::{CommitError, Committed, Writer},
};

/// What the handles and the threads of one journal share.
pub(crate) struct Shared {
    pub(crate) log: Arc<Log>,
    pub(crate) queue: Queue,
    pub(crate) spares: Spares,
    pub(crate) watermark: watch::Sender<Mark>,
    /// Of this, only what counts from the opening is kept up to date.
    pub(crate) stats: Mutex<Stats>,
    /// Appends have been refused since there was room last.
    pub(crate) is_refusing: AtomicBool,
}

#[derive(Copy, Clone, Debug)]
pub(crate) struct Mark {
    pub(crate) end: Offset,
    pub(crate) stopped: bool,
}

/// Commits until the queue is closed and empty, or something fails.
pub(crate) fn run(shared: &Shared, mut writer: Writer) {
    raise_priority();
    let _end = End(shared);
    while let Some(group) = shared.queue.next() {
        shared.commit(group, &mut writer, &mut || shared.spares.take());
    }
}

impl Shared {
    /// Writes and syncs one group, and says so to whoever waits for it.
    pub(crate) fn commit(
        &self,
        group: Group,
        writer: &mut Writer,
        spare: &mut dyn FnMut() -> Result<Arc<Segment>, Arc<str>>,
    ) {
        let (cost, records, appends) = (group.cost, group.records, group.batches.len());
        let weak = group.weak_records;
        match writer.commit(&group, spare) {
            Ok(committed) => {
                self.count(|stats| note(stats, &committed, records));
                if self.spares.failure().is_none() {
                    self.is_refusing.store(false, Ordering::Relaxed);
                }
                group.resolve(Ok(committed.first));
            }
            Err(CommitError::Full(reason)) => {
                self.count(|stats| stats.refused_appends += appends as u64);
                self.refuse(&reason);
                self.lose(weak.into(), &reason);
                group.resolve(Err(AppendError::Full { reason }));
            }
            Err(error @ CommitError::Failed { .. }) => {
                tracing::error!(%error, "journal stopped");
                let reason: Arc<str> = format!("{error}; restart when the disk is sound").into();
                let lost = self.queue.stop(Arc::clone(&reason));
                self.lose(lost + u64::from(weak), &reason);
                group.resolve(Err(AppendError::Stopped { reason }));
            }
        }
        self.queue.release(cost, weak);
        self.watermark.send_replace(Mark { end: self.log.end(), stopped: false });
    }

    /// Said once: every one after the first is refused for the same reason.
    pub(crate) fn refuse(&self, reason: &str) {
        if !self.is_refusing.swap(true, Ordering::Relaxed) {
            tracing::error!(%reason, "the journal has no room: events are refused from now on, until it has room again");
        }
    }

    /// Records that were acknowledged before they were synced, as it was asked for, are not there.
    fn lose(&self, records: u64, reason: &str) {
        if 0 < records {
            tracing::error!(records, %reason, "records are lost that were acknowledged and not yet synced");
            self.count(|stats| stats.lost_records += records);
        }
    }

    pub(crate) fn lost(&self) -> u64 {
        self.stats.lock().unwrap_or_else(PoisonError::into_inner).lost_records
    }

    fn count(&self, update: impl FnOnce(&mut Stats)) {
        update(&mut self.stats.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

fn note(stats: &mut Stats, committed: &Committed, records: u32) {
    stats.appended_records += u64::from(records);
    stats.appended_bytes += committed.frame_len;
    stats.groups += 1;
    stats.group_records_last = records;
    stats.group_records_max = stats.group_records_max.max(records);
    stats.sync_latency.record(committed.sync);
}

/// Leaves nobody waiting, also when the thread panics.
pub(crate) struct End<'a>(pub(crate) &'a Shared);

impl Drop for End<'_> {
    fn drop(&mut self) {
        let reason = if std::thread::panicking() { "its commit thread has died" } else { CLOSED };
        let lost = self.0.queue.stop(reason.into());
        self.0.lose(lost, reason);
        self.0.watermark.send_replace(Mark { end: self.0.log.end(), stopped: true });
    }
}
