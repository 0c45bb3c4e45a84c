//! What is read from its owner at the moment of a scrape.

use std::sync::Arc;
use std::time::Duration;

use bus::journal::{LATENCY_BOUNDS, Stats};
use bus::plugin::{Host, Tally};
use bus::{
    Clock, DeliveryLogStatus, Depth, JournalStatus, PluginStatus, Router, SealedStatus,
    SubscriptionStatus,
};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use super::name;
use crate::reload::{Board, Reloads};

pub(super) struct Scrape {
    router: Router,
    board: Arc<Board>,
    clock: Arc<dyn Clock>,
    host: Host,
}

impl Scrape {
    pub(super) fn new(
        router: Router,
        board: Arc<Board>,
        clock: Arc<dyn Clock>,
        host: Host,
    ) -> Self {
        Self { router, board, clock, host }
    }
}

impl std::fmt::Debug for Scrape {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Scrape").finish_non_exhaustive()
    }
}

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> std::fmt::Result {
        let out = &mut encoder;
        let board = self.board.read();
        reloads(out, &board)?;
        plugins(out, &board.plugins, &self.host)?;
        let status = self.router.status();
        gauge(out, name::DISPATCHED, "Every event below has been matched", status.dispatched)?;
        delivery_log(out, &status.delivery_log)?;
        let known = status.deduplication;
        gauge(out, name::KEYS, "Idempotency keys that are remembered", as_u64(known.keys))?;
        let forgotten = ConstCounter::new(known.forgotten_early);
        let help = "Idempotency keys that were forgotten before their time, for want of room";
        one(out, name::KEYS_FORGOTTEN, help, &forgotten)?;
        let writable = u64::from(status.journal.stopped.is_none());
        gauge(out, name::JOURNAL_WRITABLE, "Whether the journal takes events", writable)?;
        journal(out, &self.router.journal_stats())?;
        sealed(out, &status.journal)?;
        weakened(out, &self.router.weakened())?;
        let help = "Events that subscriptions had not looked at when they ended, because their rule was removed";
        let unseen = ConstCounter::new(status.removed_unseen);
        one(out, name::REMOVED_UNSEEN, help, &unseen)?;
        subscriptions(out, &status.subscriptions)?;
        dead_letters(out, &self.router.dead_letter_depths(), self.clock.now())
    }
}

/// By the target that would not take them. A target without any is not listed.
fn dead_letters(
    out: &mut DescriptorEncoder<'_>,
    all: &[Depth],
    now: event::Timestamp,
) -> std::fmt::Result {
    let labels = |one: &Depth| {
        [("bus", one.bus.clone()), ("rule", one.rule.clone()), ("target", one.target.clone())]
    };
    let help = "Dead letters that wait for somebody";
    let mut family = out.encode_descriptor(name::DEAD_LETTERS, help, None, MetricType::Gauge)?;
    for one in all {
        ConstGauge::new(one.letters).encode(family.encode_family(&labels(one))?)?;
    }
    let help = "How long the oldest dead letter has waited";
    let mut family =
        out.encode_descriptor(name::DEAD_LETTER_OLDEST, help, None, MetricType::Gauge)?;
    for one in all {
        let age = ConstGauge::new(now.since(one.oldest).as_secs_f64());
        age.encode(family.encode_family(&labels(one))?)?;
    }
    Ok(())
}

fn delivery_log(out: &mut DescriptorEncoder<'_>, log: &DeliveryLogStatus) -> std::fmt::Result {
    gauge(out, name::LOG_ATTEMPTS, "Attempts in the delivery log", log.attempts)?;
    gauge(out, name::LOG_BYTES, "What the delivery log takes on disk", log.bytes)?;
    gauge(out, name::LOG_QUEUED, "Attempts not yet in the delivery log", as_u64(log.queued))?;
    let lost = ConstCounter::new(log.lost);
    one(out, name::LOG_LOST, "Attempts that the delivery log's disk did not take", &lost)
}

/// What is in sealed segments, by bus.
fn sealed(out: &mut DescriptorEncoder<'_>, journal: &JournalStatus) -> std::fmt::Result {
    gauge(out, name::SEALED_TO, "Every event below is in sealed segments", journal.sealed_to)?;
    let counters = [
        (name::SEALED_RECORDS, "Events sealed since the start", journal.sealed_records),
        (name::EXPIRED_RECORDS, "Events expired since the start", journal.expired_records),
        (name::SEALING_FAILURES, "Rounds of sealing that failed", journal.sealing_failures),
        (name::LOST, "Events lost that were acknowledged before they were synced", journal.lost),
    ];
    for (name, help, value) in counters {
        one(out, name, help, &ConstCounter::new(value))?;
    }
    let help = "Events that are acknowledged and not yet synced";
    gauge(out, name::UNSYNCED, help, journal.unsynced)?;
    type Read = fn(&SealedStatus) -> u64;
    let gauges: [(&str, &str, Read); 3] = [
        (name::SEALED_BYTES, "What the sealed segments of a bus take on disk", |one| one.bytes),
        (name::SEALED_SEGMENTS, "Sealed segments of a bus", |one| as_u64(one.segments)),
        (name::FIRST_OFFSET, "What came before on this bus has expired", |one| one.first_offset),
    ];
    for (name, help, read) in gauges {
        let mut family = out.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for one in &journal.sealed {
            let metric = ConstGauge::new(read(one));
            metric.encode(family.encode_family(&[("bus", one.bus.as_str())])?)?;
        }
    }
    damaged(out, journal)
}

/// Each bus that has sealed segments, and the archives that have damage.
fn damaged(out: &mut DescriptorEncoder<'_>, journal: &JournalStatus) -> std::fmt::Result {
    let help = "Blocks and files of sealed segments that are damaged or missing";
    let mut family = out.encode_descriptor(name::DAMAGED, help, None, MetricType::Gauge)?;
    let buses = journal.sealed.iter().map(|one| (one.bus.as_str(), "", one.damaged));
    let archives = journal.damaged_archives.iter();
    for (bus, archive, count) in
        buses.chain(archives.map(|one| ("", one.archive.as_str(), one.damaged)))
    {
        let labels = [("bus", bus), ("archive", archive)];
        ConstGauge::new(count).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}

/// The buses that acknowledge events before they are synced. Others are not listed.
fn weakened(out: &mut DescriptorEncoder<'_>, buses: &[(String, Duration)]) -> std::fmt::Result {
    let help = "Within what time acknowledged events of a bus are synced";
    let mut family = out.encode_descriptor(name::WEAKENED, help, None, MetricType::Gauge)?;
    for (bus, within) in buses {
        let metric = ConstGauge::new(within.as_secs_f64());
        metric.encode(family.encode_family(&[("bus", bus.as_str())])?)?;
    }
    Ok(())
}

fn journal(out: &mut DescriptorEncoder<'_>, stats: &Stats) -> std::fmt::Result {
    gauge(
        out,
        name::JOURNAL_NEXT_OFFSET,
        "The offset the next event gets",
        stats.next_offset.get(),
    )?;
    gauge(out, name::JOURNAL_SEGMENTS, "Segments of the journal", as_u64(stats.segments))?;
    gauge(out, name::JOURNAL_BYTES, "What the journal takes on disk", stats.segment_bytes)?;
    let queued = as_u64(stats.queued_bytes);
    gauge(out, name::JOURNAL_QUEUED_BYTES, "Bytes that wait to be written", queued)?;
    let records = ConstCounter::new(stats.appended_records);
    one(out, name::JOURNAL_RECORDS, "Events made durable since the start", &records)?;
    let written = ConstCounter::new(stats.appended_bytes);
    one(out, name::JOURNAL_WRITTEN_BYTES, "Bytes written since the start", &written)?;
    let refused = ConstCounter::new(stats.refused_appends);
    one(out, name::JOURNAL_REFUSED, "Appends refused for want of room", &refused)?;

    let (help, latency) = ("Write and sync of one group of events", &stats.sync_latency);
    let mut histogram =
        out.encode_descriptor(name::JOURNAL_SYNC_SECONDS, help, None, MetricType::Histogram)?;
    let bounds = LATENCY_BOUNDS.iter().map(Duration::as_secs_f64).chain([f64::INFINITY]);
    let buckets: Vec<(f64, u64)> = bounds.zip(latency.counts).collect();
    histogram.encode_histogram::<[(&str, &str); 0]>(
        latency.sum.as_secs_f64(),
        latency.count(),
        &buckets,
        None,
    )
}

/// One family per number; a replay's subscriptions are counted by themselves, under its name.
fn subscriptions(out: &mut DescriptorEncoder<'_>, all: &[SubscriptionStatus]) -> std::fmt::Result {
    type Read = fn(&SubscriptionStatus) -> u64;
    let counters: [(&str, &str, Read); 7] = [
        (name::DELIVERED, "Deliveries that arrived", |one| one.delivered),
        (name::DROPPED, "Events that a transform dropped", |one| one.dropped),
        (name::DEAD, "Deliveries that ended as dead letters", |one| one.dead),
        (name::FAILED_ATTEMPTS, "Attempts that failed", |one| one.failed_attempts),
        (name::EXPIRED, "Events that expired before it had looked at them", |one| one.expired),
        (name::BLOCKS_READ, "Sealed blocks that it read by itself", |one| one.blocks_read),
        (name::BLOCKS_SKIPPED, "Sealed blocks without anything for its rule", |one| {
            one.blocks_skipped
        }),
    ];
    for (name, help, read) in counters {
        let mut family = out.encode_descriptor(name, help, None, MetricType::Counter)?;
        for subscription in all {
            let metric = ConstCounter::new(read(subscription));
            metric.encode(family.encode_family(&labels(subscription))?)?;
        }
    }
    let gauges: [(&str, &str, Read); 10] = [
        (name::LAG, "Events of the journal not yet looked at", |one| one.lag),
        (name::BEHIND, "Whether it reads the journal by itself", |one| u64::from(one.behind)),
        (name::QUEUED, "Events that wait in memory", |one| as_u64(one.queued)),
        (name::CIRCUIT, "Whether nothing but probes is sent, because its target is down", |one| {
            u64::from(one.circuit.state != "closed")
        }),
        (
            name::PLUGIN_CIRCUIT,
            "Whether no event but probes goes through its plugins, because they crash or spin",
            |one| u64::from(one.plugins.state != "closed"),
        ),
        (name::FAILURES, "Failures in a row, up to now", |one| u64::from(one.circuit.failures)),
        (name::PAUSED, "Whether somebody paused it", |one| u64::from(one.paused.is_some())),
        (name::DISABLED, "Whether it is stopped because its target said that it is gone", |one| {
            u64::from(one.disabled.is_some())
        }),
        (name::IN_FLIGHT, "Requests under way", |one| as_u64(one.in_flight)),
        (name::POSTPONED, "Deliveries that wait for a retry", |one| as_u64(one.postponed)),
    ];
    for (name, help, read) in gauges {
        let mut family = out.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for subscription in all {
            let metric = ConstGauge::new(read(subscription));
            metric.encode(family.encode_family(&labels(subscription))?)?;
        }
    }
    Ok(())
}

/// By the plugins that are in service, whatever rules use them.
fn plugins(out: &mut DescriptorEncoder<'_>, all: &[PluginStatus], host: &Host) -> std::fmt::Result {
    let tallies: Vec<(&str, Tally)> =
        all.iter().map(|one| (one.name.as_str(), host.tally(&one.name))).collect();
    type Read = fn(&Tally) -> u64;
    let counters: [(&str, &str, Read); 3] = [
        (name::PLUGIN_EVENTS, "Events that a plugin was given", |one| one.events),
        (name::PLUGIN_ERRORS, "Events that a plugin made an error of", |one| one.errors),
        (name::PLUGIN_FAULTS, "Events on which a plugin crashed or went over a limit", |one| {
            one.faults
        }),
    ];
    for (name, help, read) in counters {
        let mut family = out.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (plugin, tally) in &tallies {
            let metric = ConstCounter::new(read(tally));
            metric.encode(family.encode_family(&[("plugin", *plugin)])?)?;
        }
    }
    let help = "CPU time that a plugin has used";
    let mut family = out.encode_descriptor(name::PLUGIN_CPU, help, None, MetricType::Counter)?;
    for (plugin, tally) in &tallies {
        let metric = ConstCounter::new(tally.cpu.as_secs_f64());
        metric.encode(family.encode_family(&[("plugin", *plugin)])?)?;
    }
    Ok(())
}

fn labels(subscription: &SubscriptionStatus) -> [(&'static str, &str); 4] {
    [
        ("bus", &subscription.bus),
        ("rule", &subscription.rule),
        ("target", &subscription.target),
        ("replay", subscription.replay.as_deref().unwrap_or_default()),
    ]
}

fn reloads(out: &mut DescriptorEncoder<'_>, reloads: &Reloads) -> std::fmt::Result {
    let generation = &reloads.generation;
    gauge(out, name::RELOAD_GENERATION, "The running generation of rules", generation.number)?;
    gauge(out, name::RULES, "Rules that run", as_u64(generation.rules))?;
    let succeeded = u64::from(reloads.last_error.is_none());
    gauge(out, name::RELOAD_SUCCEEDED, "Whether what lies in the folders is what runs", succeeded)?;
    let loaded_at = ConstGauge::new(seconds(generation.loaded_at));
    one(out, name::RELOAD_TIME, "When the running rules were loaded", &loaded_at)?;

    let help = "Attempts to replace the rules, by result";
    let mut family = out.encode_descriptor(name::RELOADS, help, None, MetricType::Counter)?;
    for (result, count) in [("swapped", reloads.swapped), ("rejected", reloads.rejected)] {
        let labels = [("result", result)];
        ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}

fn gauge(out: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: u64) -> std::fmt::Result {
    one(out, name, help, &ConstGauge::new(value))
}

fn one(
    out: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    metric: &impl EncodeMetric,
) -> std::fmt::Result {
    metric.encode(out.encode_descriptor(name, help, None, metric.metric_type())?)
}

fn as_u64(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

fn seconds(at: event::Timestamp) -> f64 {
    at.since(event::Timestamp::from_millis(0)).as_secs_f64()
}
