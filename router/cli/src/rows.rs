//! What the router's listings hold, as far as a table shows it.
//!
//! Unknown fields are ignored and missing ones are empty: an older or a newer router stays readable.

use serde::Deserialize;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct DeadLetter {
    pub(crate) id: i64,
    pub(crate) bus: String,
    pub(crate) rule: String,
    pub(crate) target: String,
    /// The replay it was owed to.
    pub(crate) replay: Option<String>,
    pub(crate) event_id: String,
    pub(crate) error: String,
    pub(crate) attempts: u64,
    pub(crate) died_at: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Replay {
    pub(crate) name: String,
    pub(crate) bus: String,
    pub(crate) state: String,
    pub(crate) since: Option<String>,
    pub(crate) until: Option<String>,
    pub(crate) rules: Vec<String>,
    pub(crate) delivered: u64,
    pub(crate) dropped: u64,
    pub(crate) dead: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Status {
    pub(crate) version: String,
    pub(crate) uptime_seconds: u64,
    pub(crate) generation: Generation,
    pub(crate) last_error: Option<LastError>,
    pub(crate) plugins: Vec<Plugin>,
    pub(crate) router: Router,
}

/// The rules that run.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Generation {
    pub(crate) number: u64,
    pub(crate) loaded_at: Option<String>,
    pub(crate) rules: u64,
}

/// Why the rules on disk are not the ones that run.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct LastError {
    pub(crate) at: Option<String>,
    pub(crate) message: String,
    pub(crate) rendered: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Plugin {
    pub(crate) name: String,
    pub(crate) version: Option<String>,
    pub(crate) error: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Router {
    pub(crate) journal: Journal,
    pub(crate) subscriptions: Vec<Subscription>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Journal {
    /// As many events as were ever kept.
    pub(crate) next_offset: u64,
    pub(crate) bytes: u64,
    pub(crate) segments: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Subscription {
    pub(crate) bus: String,
    pub(crate) rule: String,
    pub(crate) target: String,
    pub(crate) replay: Option<String>,
    pub(crate) behind: u64,
    pub(crate) in_flight: u64,
    pub(crate) postponed: u64,
    pub(crate) delivered: u64,
    pub(crate) dropped: u64,
    pub(crate) dead: u64,
    pub(crate) last_error: Option<String>,
}
