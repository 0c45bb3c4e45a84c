//! What the router's listings hold, as far as a table shows it.
//!
//! Unknown fields are ignored and missing ones are empty: an older or a newer router stays readable.

use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct DeadLetter {
    pub(crate) id: i64,
    pub(crate) state: String,
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

/// A dead letter with all that is known of it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct LetterView {
    pub(crate) id: i64,
    pub(crate) delivery_id: String,
    pub(crate) state: String,
    pub(crate) kind: String,
    pub(crate) error: String,
    pub(crate) attempts: u64,
    pub(crate) attempts_total: u64,
    pub(crate) owed_at: Option<String>,
    pub(crate) last_attempt_at: Option<String>,
    pub(crate) first_died_at: Option<String>,
    pub(crate) died_at: Option<String>,
    pub(crate) redriven: u64,
    pub(crate) redriven_at: Option<String>,
    pub(crate) ended_at: Option<String>,
    pub(crate) event: Option<Box<RawValue>>,
    pub(crate) payload: Option<String>,
    /// Every attempt that the delivery log still knows.
    pub(crate) log: Vec<AttemptRow>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct AttemptRow {
    pub(crate) attempt: u64,
    pub(crate) at: String,
    pub(crate) answer: String,
    pub(crate) millis: u64,
    pub(crate) error: String,
}

impl AttemptRow {
    pub(crate) fn cells(self) -> [String; 5] {
        [self.attempt.to_string(), self.at, self.answer, self.millis.to_string(), self.error]
    }
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
    pub(crate) from_offset: u64,
    pub(crate) to_offset: u64,
    pub(crate) position: u64,
    pub(crate) delivered: u64,
    pub(crate) dropped: u64,
    pub(crate) dead: u64,
}

impl Replay {
    /// How much of the span has been looked at, from 0 to 100.
    pub(crate) fn percent(&self) -> u64 {
        let span = self.to_offset.saturating_sub(self.from_offset);
        let done = self.position.saturating_sub(self.from_offset).min(span);
        (done * 100).checked_div(span).unwrap_or(100)
    }
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
    /// Why it takes no events.
    pub(crate) stopped: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Subscription {
    pub(crate) bus: String,
    pub(crate) rule: String,
    pub(crate) target: String,
    pub(crate) replay: Option<String>,
    pub(crate) lag: u64,
    pub(crate) queued: u64,
    pub(crate) in_flight: u64,
    pub(crate) postponed: u64,
    pub(crate) delivered: u64,
    pub(crate) dropped: u64,
    pub(crate) dead: u64,
    pub(crate) last_error: Option<String>,
    pub(crate) paused: Option<Stopped>,
    pub(crate) disabled: Option<Stopped>,
    pub(crate) circuit: Circuit,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Stopped {
    pub(crate) since: String,
    pub(crate) reason: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Circuit {
    pub(crate) state: String,
    pub(crate) since: Option<String>,
    pub(crate) next_probe_at: Option<String>,
}

impl Subscription {
    /// Whether deliveries go, since when not, and why.
    pub(crate) fn condition(&self) -> (String, String, String) {
        let stopped = |state: &str, stopped: &Stopped| {
            (state.to_owned(), stopped.since.clone(), stopped.reason.clone())
        };
        if let Some(disabled) = &self.disabled {
            return stopped("disabled", disabled);
        }
        if let Some(paused) = &self.paused {
            return stopped("paused", paused);
        }
        let error = self.last_error.clone().unwrap_or_default();
        match (self.circuit.state.as_str(), &self.circuit.next_probe_at) {
            ("" | "closed", _) => ("up".to_owned(), String::new(), error),
            (_, next) => {
                let since = self.circuit.since.clone().unwrap_or_default();
                let next = next.as_ref().map(|at| format!("probe at {at}; ")).unwrap_or_default();
                ("down".to_owned(), since, format!("{next}{error}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replays_progress_is_the_part_of_its_span_that_was_looked_at() {
        let replay = |from_offset, to_offset, position| Replay {
            from_offset,
            to_offset,
            position,
            ..Replay::default()
        };
        assert_eq!(replay(100, 300, 150).percent(), 25);
        assert_eq!(replay(100, 300, 999).percent(), 100);
        assert_eq!(replay(100, 100, 100).percent(), 100, "an empty span is done");
    }
}
