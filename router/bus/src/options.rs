//! What a router is opened with.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use delivery::{Connections, Egress};

use crate::door::Deduplication;
use crate::sealing::BusOptions;
use crate::trail::DeliveryLog;

/// What is kept open to one host when nothing is sent.
pub const CONNECTIONS_IDLE_MAX: usize = 64;

/// Every limit of the bus by name. [`Options::new`] gives the defaults.
#[derive(Debug, Clone)]
pub struct Options {
    /// Holds `journal/` and `state.sqlite`.
    pub data_dir: PathBuf,
    pub limits: event::Limits,
    /// What an event without an account gets.
    pub account: String,
    /// What an event without a region gets.
    pub region: String,
    /// Buses that exist without a rule on them; `default` always does.
    pub buses: Vec<String>,
    /// Of buses that have something of their own.
    pub bus_options: BTreeMap<String, BusOptions>,
    pub deduplication: Deduplication,
    pub delivery_log: DeliveryLog,
    /// How long events that do not fill a segment stay unsealed.
    pub seal_after: Duration,
    /// How often it is looked for what has expired, while there is room.
    pub expire_every: Duration,
    /// What the journal leaves free on the disk for its neighbours.
    pub free_bytes_min: u64,
    /// The size of a journal segment, in bytes.
    pub segment_bytes: u64,
    /// Events of one subscription under delivery at the same time.
    pub concurrency: usize,
    /// Events that wait in memory for one subscription; beyond, it reads the journal by itself.
    pub lane_events_max: usize,
    /// The same, in bytes of these events.
    pub lane_bytes_max: usize,
    /// Requests under way at the same time, of all subscriptions.
    pub in_flight_max: usize,
    /// Deliveries of one subscription that wait for a retry; beyond, it takes no new events.
    pub postponed_max: usize,
    /// How long a subscription keeps its place after its rule or target was removed.
    pub removed_kept: Duration,
    /// Events of one subscription that may be done above the oldest that is not.
    pub window_max: u64,
    /// How many buses an event may be passed on to.
    pub hops_max: u8,
    /// How often outcomes are written down.
    pub flush_every: Duration,
    /// How long a dead letter is kept after it died.
    pub dead_letters_age_max: Duration,
    /// How many dead letters are kept, their history included; beyond, the oldest go.
    pub dead_letters_max: u64,
    /// Idle connections kept to one host.
    pub connections_idle_max: usize,
    /// Where HTTP targets may be.
    pub egress: Arc<Egress>,
    /// What HTTP targets may go over.
    pub connections: Connections,
}

impl Options {
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            limits: event::Limits::default(),
            account: "000000000000".to_owned(),
            region: "local".to_owned(),
            buses: Vec::new(),
            bus_options: BTreeMap::new(),
            deduplication: Deduplication::default(),
            delivery_log: DeliveryLog::default(),
            seal_after: Duration::from_secs(600),
            expire_every: Duration::from_secs(60),
            free_bytes_min: 64 << 20,
            segment_bytes: 64 * 1024 * 1024,
            concurrency: 32,
            lane_events_max: 1024,
            lane_bytes_max: 8 * 1024 * 1024,
            in_flight_max: 4096,
            postponed_max: 10_000,
            removed_kept: Duration::from_secs(24 * 60 * 60),
            window_max: 1 << 20,
            hops_max: 8,
            flush_every: Duration::from_millis(250),
            dead_letters_age_max: Duration::from_secs(90 * 24 * 60 * 60),
            dead_letters_max: 1_000_000,
            connections_idle_max: CONNECTIONS_IDLE_MAX,
            egress: Arc::default(),
            connections: Connections::none(),
        }
    }
}
