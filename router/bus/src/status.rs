//! What a router says of itself.

use event::Timestamp;
use serde::Serialize;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::core::Core;
use crate::door::DeduplicationStatus;
use crate::ingest::{Refusal, Taken};
use crate::router::Router;
use crate::state::{Stopped, Subscription};
use crate::trail::DeliveryLogStatus;

#[derive(Debug, Clone, Serialize)]
pub struct Status {
    pub buses: Vec<String>,
    /// Entries taken in since the start of the process, refused, and there already.
    pub events_accepted: u64,
    pub events_refused: u64,
    pub events_duplicate: u64,
    pub deduplication: DeduplicationStatus,
    pub delivery_log: DeliveryLogStatus,
    /// The dispatcher has looked at every event below this offset.
    pub dispatched: u64,
    /// Why the dispatcher does not go on from there; none while it does.
    pub dispatch_failed: Option<String>,
    pub journal: JournalStatus,
    /// Since when and why the state database cannot be written: deliveries wait until it can.
    pub state_failed: Option<Stopped>,
    pub subscriptions: Vec<SubscriptionStatus>,
    /// Events of the journal that subscriptions had not looked at when they ended, because their rule
    /// or target was removed and did not come back. Since the start of the process.
    pub removed_unseen: u64,
}

/// What a subscription knows of its target.
#[derive(Debug, Clone, Serialize)]
pub struct CircuitStatus {
    /// `closed`, `open` or `half-open`.
    pub state: &'static str,
    /// Since when it is open, half-open, or closed again; none when it was never open.
    pub since: Option<Timestamp>,
    /// When an open one is probed next.
    pub next_probe_at: Option<Timestamp>,
    /// In a row, up to now.
    pub failures: u32,
}

impl CircuitStatus {
    fn closed() -> Self {
        Self { state: "closed", since: None, next_probe_at: None, failures: 0 }
    }

    fn of(circuit: &delivery::Circuit) -> Self {
        Self {
            state: circuit.state().as_str(),
            since: circuit.since(),
            next_probe_at: circuit.probe_at(),
            failures: circuit.failures(),
        }
    }
}

#[derive(Debug, Clone, Serialize)]
pub struct JournalStatus {
    /// The offset that the next event gets.
    pub next_offset: u64,
    pub segments: usize,
    /// What the segments take on disk.
    pub bytes: u64,
    /// Groups of events synced since the start of the process.
    pub syncs: u64,
    /// Every event below is in sealed segments.
    pub sealed_to: u64,
    /// The sealed segments of each bus that has some.
    pub sealed: Vec<SealedStatus>,
    /// The archives that have damaged places.
    pub damaged_archives: Vec<DamagedArchive>,
    /// Why the last round of sealing has failed; none while it goes well.
    pub sealing_failed: Option<String>,
    /// Since the start of the process: events sealed, archived ones again; events expired; rounds
    /// that have failed.
    pub sealed_records: u64,
    pub expired_records: u64,
    pub sealing_failures: u64,
    /// Events that are acknowledged and not yet synced, because their bus wants it so.
    pub unsynced: u64,
    /// Of such, those that were lost since the start of the process.
    pub lost: u64,
    /// None while it takes events; else why it does not.
    pub stopped: Option<String>,
    /// Since when events are refused for that; none while what comes fits into the last segment.
    pub refusing_since: Option<Timestamp>,
}

#[derive(Debug, Clone, Serialize)]
pub struct SealedStatus {
    pub bus: String,
    pub segments: usize,
    /// On disk.
    pub bytes: u64,
    /// Of the events, unpacked.
    pub raw_bytes: u64,
    pub events: u64,
    /// What came before has expired.
    pub first_offset: u64,
    /// When the oldest one was taken in.
    pub first_time: Option<Timestamp>,
    /// Blocks and files that are damaged or missing, as far as that is known: found at the start,
    /// and met by readers since.
    pub damaged: u64,
}

#[derive(Debug, Clone, Serialize)]
pub struct DamagedArchive {
    pub archive: String,
    /// As of a bus.
    pub damaged: u64,
}

#[derive(Debug, Clone, Serialize)]
pub struct SubscriptionStatus {
    pub bus: String,
    pub rule: String,
    pub target: String,
    pub replay: Option<String>,
    /// Nothing is owed below this offset.
    pub settled: u64,
    /// Every event below this offset has been looked at.
    pub position: u64,
    /// Events of the journal, of all buses, not yet looked at.
    pub lag: u64,
    /// Whether it reads the journal by itself, because its target is slower than the events come.
    pub behind: bool,
    pub queued: usize,
    pub in_flight: usize,
    pub postponed: usize,
    /// The time of the next attempt at what is postponed.
    pub next_attempt_at: Option<Timestamp>,
    /// Since when and why a person stopped it; none while it goes on.
    pub paused: Option<Stopped>,
    /// Since when it is stopped because its target said that it is gone.
    pub disabled: Option<Stopped>,
    pub circuit: CircuitStatus,
    /// What it knows of the plugins on the way to the target.
    pub plugins: CircuitStatus,
    /// How they crashed or went over a limit last: which, on what event; none while they never did.
    pub plugin_fault: Option<String>,
    /// How the plugins do that run beside those of the rule, as a shadow or a canary.
    pub beside: Vec<ruleset::Beside>,
    pub delivered: u64,
    pub dropped: u64,
    pub dead: u64,
    pub failed_attempts: u64,
    /// Events of its bus, matched or not, that expired before it had looked at them.
    pub expired: u64,
    /// Sealed blocks that it read by itself, and passed over because they hold nothing of its rule,
    /// since the start of the process.
    pub blocks_read: u64,
    pub blocks_skipped: u64,
    pub last_error: Option<String>,
    /// Since when it has no rule: it keeps its place for a while, in case the rule comes back.
    pub removed: Option<Timestamp>,
    /// Whether it is still sent what it was owed when its rule was removed; else it waits for the rule.
    pub draining: bool,
    /// When it ends if the rule has not come back by then, unless it has had all that it was owed before.
    pub removed_until: Option<Timestamp>,
}

/// Counted where events come in.
#[derive(Default)]
pub(crate) struct Ingested {
    accepted: AtomicU64,
    refused: AtomicU64,
    duplicate: AtomicU64,
}

impl Router {
    pub fn status(&self) -> Status {
        let core = &self.core;
        Status {
            buses: core.buses(),
            events_accepted: core.ingested.accepted.load(Ordering::Relaxed),
            events_refused: core.ingested.refused.load(Ordering::Relaxed),
            events_duplicate: core.ingested.duplicate.load(Ordering::Relaxed),
            deduplication: core.door.status(),
            delivery_log: core.trail.status(),
            dispatched: core.dispatched().get(),
            dispatch_failed: core.dispatch_trouble().clone(),
            journal: core.journal_status(),
            state_failed: core.state_trouble(),
            subscriptions: core.subscription_status(),
            removed_unseen: core.given_up.load(Ordering::Relaxed),
        }
    }
}

/// Of a subscription that has no rule any more, or not yet.
fn without_rule(stored: &Subscription, (first, end): (u64, u64)) -> SubscriptionStatus {
    let (key, counts) = (&stored.key, stored.counts);
    SubscriptionStatus {
        bus: key.bus.as_ref().to_owned(),
        rule: key.rule.as_ref().to_owned(),
        target: key.target.as_ref().to_owned(),
        replay: key.replay.as_deref().map(ToOwned::to_owned),
        settled: stored.settled.get(),
        position: stored.settled.get(),
        lag: end.saturating_sub(stored.settled.get().max(first)),
        behind: true,
        queued: 0,
        in_flight: 0,
        postponed: 0,
        next_attempt_at: None,
        paused: stored.paused.clone(),
        disabled: stored.disabled.clone(),
        circuit: CircuitStatus::closed(),
        plugins: CircuitStatus::closed(),
        plugin_fault: None,
        beside: Vec::new(),
        delivered: counts.delivered,
        dropped: counts.dropped,
        dead: counts.dead,
        failed_attempts: counts.failed_attempts,
        expired: counts.expired,
        blocks_read: 0,
        blocks_skipped: 0,
        last_error: None,
        removed: stored.removed,
        draining: false,
        removed_until: None,
    }
}

impl Core {
    pub(crate) fn sealed_status(&self) -> Vec<SealedStatus> {
        let buses = self.journal.sealed_buses().into_iter();
        buses
            .map(|(bus, stats)| SealedStatus {
                bus,
                segments: stats.segments,
                bytes: stats.bytes,
                raw_bytes: stats.raw_bytes,
                events: stats.records,
                first_offset: stats.first_offset.get(),
                first_time: stats.first_time.map(Timestamp::from_millis),
                damaged: stats.damaged_blocks,
            })
            .collect()
    }

    pub(crate) fn damaged_archives(&self) -> Vec<DamagedArchive> {
        let archives = self.journal.archives().into_iter();
        let all = archives.map(|chain| DamagedArchive {
            archive: chain.name().to_owned(),
            damaged: chain.stats().damaged_blocks,
        });
        all.filter(|one| 0 < one.damaged).collect()
    }

    pub(crate) fn count_ingested(&self, results: &[Result<Taken, Refusal>]) {
        let (mut accepted, mut duplicate, mut refused) = (0, 0, 0);
        for result in results {
            match result {
                Ok(Taken { is_duplicate: false, .. }) => accepted += 1,
                Ok(_) => duplicate += 1,
                Err(_) => refused += 1,
            }
        }
        self.ingested.accepted.fetch_add(accepted, Ordering::Relaxed);
        self.ingested.duplicate.fetch_add(duplicate, Ordering::Relaxed);
        self.ingested.refused.fetch_add(refused, Ordering::Relaxed);
    }

    pub(crate) fn count_stored(&self, events: usize) {
        let events = u64::try_from(events).unwrap_or(u64::MAX);
        self.ingested.accepted.fetch_add(events, Ordering::Relaxed);
    }

    fn subscription_status(&self) -> Vec<SubscriptionStatus> {
        let (dispatched, end) = (self.dispatched(), self.journal.durable_end().get());
        let until = |removed: Timestamp| removed.after(self.options.removed_kept);
        let lanes: Vec<_> = self.lanes().values().cloned().collect();
        let status = lanes.iter().map(|lane| {
            let inner = lane.lock();
            let (queued, in_flight, postponed) = inner.sizes();
            let position = inner.position(dispatched).get();
            // What expired is not to be looked at any more; an archive may have it still.
            let begin = match lane.key.replay {
                None => position.max(self.journal.first_offset(&lane.key.bus).get()),
                Some(_) => position,
            };
            let owned = |text: &str| text.to_owned();
            SubscriptionStatus {
                bus: owned(&lane.key.bus),
                rule: owned(&lane.key.rule),
                target: owned(&lane.key.target),
                replay: lane.key.replay.as_deref().map(owned),
                settled: inner.settled().get(),
                position,
                lag: inner.until().map_or(end, |until| until.get()).saturating_sub(begin),
                behind: inner.is_behind(),
                queued,
                in_flight,
                postponed,
                next_attempt_at: inner.next_due(),
                circuit: CircuitStatus::of(inner.circuit()),
                plugins: CircuitStatus::of(inner.plugins().0),
                beside: inner.route.target.beside(),
                plugin_fault: inner.plugins().1.map(ToOwned::to_owned),
                paused: inner.paused().cloned(),
                disabled: inner.disabled().cloned(),
                delivered: inner.counts.delivered,
                dropped: inner.counts.dropped,
                dead: inner.counts.dead,
                failed_attempts: inner.counts.failed_attempts,
                expired: inner.counts.expired,
                blocks_read: inner.blocks.0,
                blocks_skipped: inner.blocks.1,
                last_error: inner.last_error.clone(),
                removed: inner.retired(),
                draining: inner.retired().is_some(),
                removed_until: inner.retired().map(until),
            }
        });
        let dormant = self.dormant();
        let removed = dormant.iter().filter(|stored| stored.removed.is_some());
        let removed = removed.map(|stored| SubscriptionStatus {
            removed_until: stored.removed.map(until),
            ..without_rule(stored, (self.journal.first_offset(&stored.key.bus).get(), end))
        });
        status.chain(removed).collect()
    }
}
