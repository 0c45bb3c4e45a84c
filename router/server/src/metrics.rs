//! What the router tells Prometheus, with every metric's name.
//!
//! Counters of the HTTP side live here; everything about the journal, subscriptions and reloads is read from
//! its owner when somebody scrapes.
//!
//! # Invariants
//!
//! - **bounded**: labels take values from the configuration, the rules, a fixed list and, so many of them, from plugins;
//!   never from a request.

mod figures;
mod scrape;

use std::sync::Arc;
use std::time::Duration;

use bus::plugin::Host;
use bus::{Clock, Router};
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

pub(crate) use figures::Figures;

use crate::reload::Board;

/// The names of all metrics. Counters get `_total` when they are written.
mod name {
    pub(super) const PREFIX: &str = "slipswitch";

    pub(super) const BUILD: &str = "build";
    pub(super) const EVENTS_ACCEPTED: &str = "events_accepted";
    pub(super) const EVENTS_REFUSED: &str = "events_refused";
    pub(super) const EVENTS_DUPLICATE: &str = "events_duplicate";
    pub(super) const LOG_ATTEMPTS: &str = "delivery_log_attempts";
    pub(super) const LOG_BYTES: &str = "delivery_log_bytes";
    pub(super) const LOG_QUEUED: &str = "delivery_log_queued";
    pub(super) const LOG_LOST: &str = "delivery_log_lost";
    pub(super) const KEYS: &str = "deduplication_keys";
    pub(super) const KEYS_FORGOTTEN: &str = "deduplication_keys_forgotten_early";
    pub(super) const REQUESTS_REFUSED: &str = "requests_refused";
    pub(super) const INGEST_SECONDS: &str = "ingest_seconds";
    pub(super) const CONNECTIONS: &str = "connections";

    pub(super) const RELOAD_GENERATION: &str = "config_generation";
    pub(super) const RELOADS: &str = "config_reloads";
    pub(super) const RELOAD_SUCCEEDED: &str = "config_last_reload_successful";
    pub(super) const RELOAD_TIME: &str = "config_last_reload_success_timestamp_seconds";
    pub(super) const RULES: &str = "rules";

    pub(super) const JOURNAL_NEXT_OFFSET: &str = "journal_next_offset";
    pub(super) const JOURNAL_SEGMENTS: &str = "journal_segments";
    pub(super) const JOURNAL_BYTES: &str = "journal_bytes";
    pub(super) const JOURNAL_QUEUED_BYTES: &str = "journal_queued_bytes";
    pub(super) const JOURNAL_RECORDS: &str = "journal_records";
    pub(super) const JOURNAL_WRITTEN_BYTES: &str = "journal_written_bytes";
    pub(super) const JOURNAL_REFUSED: &str = "journal_refused_appends";
    pub(super) const JOURNAL_SYNC_SECONDS: &str = "journal_sync_seconds";
    pub(super) const JOURNAL_WRITABLE: &str = "journal_writable";
    pub(super) const SEALED_TO: &str = "journal_sealed_to_offset";
    pub(super) const SEALED_RECORDS: &str = "journal_sealed_records";
    pub(super) const SEALED_BYTES: &str = "journal_sealed_bytes";
    pub(super) const SEALED_SEGMENTS: &str = "journal_sealed_segments";
    pub(super) const DAMAGED: &str = "journal_damaged_blocks";
    pub(super) const FIRST_OFFSET: &str = "journal_sealed_first_offset";
    pub(super) const EXPIRED_RECORDS: &str = "journal_expired_records";
    pub(super) const SEALING_FAILURES: &str = "journal_sealing_failures";
    pub(super) const UNSYNCED: &str = "journal_unsynced_records";
    pub(super) const LOST: &str = "journal_lost_records";
    pub(super) const WEAKENED: &str = "bus_durability_interval_seconds";
    pub(super) const DISPATCHED: &str = "dispatched_offset";

    pub(super) const DELIVERED: &str = "subscription_delivered";
    pub(super) const DROPPED: &str = "subscription_dropped";
    pub(super) const DEAD: &str = "subscription_dead";
    pub(super) const FAILED_ATTEMPTS: &str = "subscription_failed_attempts";
    pub(super) const REMOVED_UNSEEN: &str = "removed_subscription_unseen_events";
    pub(super) const EXPIRED: &str = "subscription_expired_events";
    pub(super) const BLOCKS_READ: &str = "subscription_blocks_read";
    pub(super) const BLOCKS_SKIPPED: &str = "subscription_blocks_skipped";
    pub(super) const LAG: &str = "subscription_lag";
    pub(super) const BEHIND: &str = "subscription_behind";
    pub(super) const QUEUED: &str = "subscription_queued";
    pub(super) const IN_FLIGHT: &str = "subscription_in_flight";
    pub(super) const POSTPONED: &str = "subscription_postponed";
    pub(super) const CIRCUIT: &str = "subscription_circuit_open";
    pub(super) const PAUSED: &str = "subscription_paused";
    pub(super) const DISABLED: &str = "subscription_disabled";
    pub(super) const FAILURES: &str = "subscription_consecutive_failures";

    pub(super) const PLUGIN_CIRCUIT: &str = "subscription_plugin_circuit_open";

    pub(super) const PLUGIN_EVENTS: &str = "plugin_events";
    pub(super) const PLUGIN_ERRORS: &str = "plugin_errors";
    pub(super) const PLUGIN_FAULTS: &str = "plugin_faults";
    pub(super) const PLUGIN_CPU: &str = "plugin_cpu_seconds";
    pub(super) const PLUGIN_COUNT: &str = "plugin_count";
    pub(super) const PLUGIN_OBSERVED: &str = "plugin_observed";

    pub(super) const DEAD_LETTERS: &str = "dead_letters";
    pub(super) const DEAD_LETTER_OLDEST: &str = "dead_letter_oldest_seconds";
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BusLabel {
    bus: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabel {
    reason: &'static str,
}

/// What there is to tell of plugins.
pub(crate) struct PluginFigures {
    /// What they count by themselves.
    pub(crate) own: Arc<Figures>,
    /// Knows what they cost.
    pub(crate) host: Host,
}

/// Handles to what is counted where it happens.
#[derive(Clone)]
pub(crate) struct Metrics {
    accepted: Family<BusLabel, Counter>,
    refused: Family<BusLabel, Counter>,
    duplicate: Family<BusLabel, Counter>,
    requests_refused: Family<ReasonLabel, Counter>,
    seconds: Histogram,
    connections: Gauge,
    /// Requests with events that have no answer yet; for the log alone.
    requests: Gauge,
    registry: Arc<Registry>,
}

/// One request with events. It ends with its answer, or with its connection.
pub(crate) struct UnderWay(Gauge);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Metrics {
    pub(crate) fn new(
        router: Router,
        board: Arc<Board>,
        clock: Arc<dyn Clock>,
        plugins: PluginFigures,
    ) -> Self {
        let accepted = Family::default();
        let refused = Family::default();
        let duplicate = Family::default();
        let requests_refused = Family::default();
        // 50 µs to 1.6 s: from a sync on a good disk to one nobody wants to wait for.
        let seconds = Histogram::new(exponential_buckets(0.000_05, 2.0, 16));
        let connections = Gauge::default();

        let mut registry = Registry::with_prefix(name::PREFIX);
        let build = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
        registry.register(name::BUILD, "The router's version", build);
        registry.register(name::EVENTS_ACCEPTED, "Events stored, by bus", accepted.clone());
        registry.register(
            name::EVENTS_REFUSED,
            "Events refused by themselves, by bus",
            refused.clone(),
        );
        registry.register(
            name::EVENTS_DUPLICATE,
            "Events that were there already under their idempotency key, by bus",
            duplicate.clone(),
        );
        registry.register(
            name::REQUESTS_REFUSED,
            "Requests answered with a problem, by its kind",
            requests_refused.clone(),
        );
        registry.register(
            name::INGEST_SECONDS,
            "From the headers of a request with events to its answer",
            seconds.clone(),
        );
        registry.register(name::CONNECTIONS, "Open HTTP connections", connections.clone());
        registry.register_collector(Box::new(scrape::Scrape::new(
            router,
            board,
            clock,
            plugins.host,
        )));
        registry.register_collector(Box::new(figures::Shown(plugins.own)));
        let registry = Arc::new(registry);
        let requests = Gauge::default();
        Self {
            accepted,
            refused,
            duplicate,
            requests_refused,
            seconds,
            connections,
            requests,
            registry,
        }
    }

    /// Counts entries of a request to a bus that exists.
    pub(crate) fn ingested(&self, bus: &str, accepted: usize, refused: usize, duplicate: usize) {
        let label = BusLabel { bus: bus.to_owned() };
        self.accepted.get_or_create(&label).inc_by(u64::try_from(accepted).unwrap_or(u64::MAX));
        if 0 < refused {
            self.refused.get_or_create(&label).inc_by(u64::try_from(refused).unwrap_or(u64::MAX));
        }
        if 0 < duplicate {
            let duplicate = u64::try_from(duplicate).unwrap_or(u64::MAX);
            self.duplicate.get_or_create(&label).inc_by(duplicate);
        }
    }

    pub(crate) fn answered(&self, after: Duration) {
        self.seconds.observe(after.as_secs_f64());
    }

    pub(crate) fn refused(&self, reason: &'static str) {
        self.requests_refused.get_or_create(&ReasonLabel { reason }).inc();
    }

    /// A request with events is under way until what is returned is dropped.
    pub(crate) fn begin(&self) -> UnderWay {
        self.requests.inc();
        UnderWay(self.requests.clone())
    }

    /// Requests with events under way.
    pub(crate) fn requests(&self) -> i64 {
        self.requests.get()
    }

    pub(crate) fn connected(&self) {
        self.connections.inc();
    }

    pub(crate) fn disconnected(&self) {
        self.connections.dec();
    }

    /// The text of a scrape.
    pub(crate) fn scrape(&self) -> Result<String, std::fmt::Error> {
        let mut out = String::new();
        text::encode(&mut out, &self.registry)?;
        Ok(out)
    }
}
