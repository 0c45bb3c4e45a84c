//! What the router's listings hold, as far as a table shows it.
//!
//! Unknown fields are ignored and missing ones are empty: an older or a newer router stays readable.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::output;

/// The state of a subscription whose plugins get nothing but probes.
pub(crate) const PLUGINS_DOWN: &str = "plugins down";

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
    pub(crate) time: String,
    pub(crate) result: String,
    pub(crate) status: Option<u16>,
    pub(crate) took_us: u64,
    pub(crate) error: Option<String>,
}

impl AttemptRow {
    pub(crate) fn cells(self) -> [String; 6] {
        let status = self.status.map(|status| status.to_string()).unwrap_or_default();
        let (attempt, millis) = (self.attempt.to_string(), (self.took_us / 1000).to_string());
        [attempt, self.time, self.result, status, millis, self.error.unwrap_or_default()]
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
    pub(crate) delivered: u64,
    pub(crate) dropped: u64,
    pub(crate) dead: u64,
    pub(crate) damaged: u64,
    pub(crate) archive: Option<String>,
    pub(crate) targets: Vec<String>,
    pub(crate) pattern: Option<String>,
    pub(crate) rate: Option<f64>,
    pub(crate) percent: f64,
    pub(crate) eta_seconds: Option<u64>,
    pub(crate) error: Option<String>,
    pub(crate) started_at: Option<String>,
    pub(crate) ended_at: Option<String>,
    pub(crate) stopped: Vec<StoppedTarget>,
}

/// A target that a replay sends nothing to now.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct StoppedTarget {
    pub(crate) target: String,
    pub(crate) why: String,
}

impl Replay {
    /// What keeps it from moving, target by target.
    pub(crate) fn waits_for(&self) -> Vec<String> {
        self.stopped.iter().map(|one| format!("{}: {}", one.target, one.why)).collect()
    }

    /// How much of its span is dealt with. It is 100 % at the end, not shortly before it.
    pub(crate) fn done(&self) -> String {
        format!("{:.1} %", (self.percent * 10.0).floor() / 10.0)
    }

    /// Where its events come from.
    pub(crate) fn from(&self) -> String {
        match &self.archive {
            Some(archive) => format!("archive {archive}"),
            None => format!("bus {}", self.bus),
        }
    }

    /// The rules and targets it is for.
    pub(crate) fn chosen(&self) -> String {
        let chosen: Vec<&str> =
            self.rules.iter().chain(&self.targets).map(String::as_str).collect();
        if chosen.is_empty() { "all".to_owned() } else { chosen.join(" ") }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Archive {
    pub(crate) name: String,
    pub(crate) bus: String,
    pub(crate) pattern: Option<String>,
    pub(crate) retention_days: u32,
    pub(crate) description: String,
    pub(crate) created_at: Option<String>,
    pub(crate) event_count: u64,
    pub(crate) size_bytes: u64,
    pub(crate) oldest: Option<String>,
    pub(crate) newest: Option<String>,
    pub(crate) exact: bool,
}

impl Archive {
    pub(crate) fn kept(&self) -> String {
        match self.retention_days {
            0 => "for ever".to_owned(),
            days => output::count(days, "day"),
        }
    }

    /// How many events it holds, as far as they were counted.
    pub(crate) fn events(&self) -> String {
        if self.exact { self.event_count.to_string() } else { format!("{}+", self.event_count) }
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
    pub(crate) weakened: Vec<Weakened>,
    pub(crate) router: Router,
}

/// A bus that acknowledges events before they are synced.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Weakened {
    pub(crate) bus: String,
    pub(crate) interval_ms: u64,
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
    /// Why no event is matched.
    pub(crate) dispatch_failed: Option<String>,
    /// Why deliveries wait.
    pub(crate) state_failed: Option<Since>,
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
    pub(crate) refusing_since: Option<String>,
    pub(crate) sealing_failed: Option<String>,
    pub(crate) sealed: Vec<Sealed>,
    pub(crate) damaged_archives: Vec<Sealed>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Since {
    pub(crate) since: String,
    pub(crate) reason: String,
}

/// What is sealed of a bus, or of an archive.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Sealed {
    pub(crate) bus: String,
    pub(crate) archive: String,
    pub(crate) damaged: u64,
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
    pub(crate) removed: Option<String>,
    pub(crate) removed_until: Option<String>,
    pub(crate) draining: bool,
    pub(crate) circuit: Circuit,
    /// That of its plugins, and how they failed last.
    pub(crate) plugins: Circuit,
    pub(crate) plugin_fault: Option<String>,
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

impl Circuit {
    fn is_closed(&self) -> bool {
        matches!(self.state.as_str(), "" | "closed")
    }

    fn next_probe(&self) -> Option<String> {
        self.next_probe_at.as_deref().map(|at| format!("probe at {}; ", clock_time(at)))
    }
}

/// The time of day of an RFC 3339 time in UTC.
fn clock_time(at: &str) -> String {
    at.get(11..19).map_or_else(|| at.to_owned(), |time| format!("{time}Z"))
}

impl Subscription {
    /// Its rule, and the replay if it is one of a replay.
    pub(crate) fn rule_of(&self) -> String {
        match &self.replay {
            Some(replay) => format!("{} (replay {replay})", self.rule),
            None => self.rule.clone(),
        }
    }

    /// Whether deliveries go, since when not, and why.
    pub(crate) fn condition(&self) -> (String, String, String) {
        if let Some(removed) = &self.removed {
            return ("removed".to_owned(), removed.clone(), self.why_removed());
        }
        self.condition_of_target()
    }

    fn why_removed(&self) -> String {
        let until = self.removed_until.as_deref().unwrap_or("its end");
        let gone = "its rule or target was removed or disabled";
        let stopped = self.stop_of_target();
        if !self.draining {
            let stopped = stopped.map(|why| format!("; until it is let go on, it stays {why}"));
            let stopped = stopped.unwrap_or_default();
            return format!("{gone}: it goes on if that comes back before {until}{stopped}");
        }
        let owed = format!("{gone}: it is still sent what it was owed");
        match stopped {
            None => owed,
            Some(why) => format!("{owed}, and waits for it until {until}: {why}"),
        }
    }

    /// What keeps it from being sent anything, whether it has a rule or not.
    pub(crate) fn stop_of_target(&self) -> Option<String> {
        let (state, _since, why) = self.condition_of_target();
        let apart = if why.is_empty() { "" } else { ", " };
        (state != "up").then(|| format!("{state}{apart}{why}"))
    }

    fn condition_of_target(&self) -> (String, String, String) {
        if let Some(Stopped { since, reason }) = &self.disabled {
            return ("disabled".to_owned(), since.clone(), reason.clone());
        }
        let error = self.last_error.clone().unwrap_or_default();
        let is_up = self.circuit.is_closed();
        if let Some(Stopped { since, reason }) = &self.paused {
            let apart = if reason.is_empty() { "" } else { "; " };
            let why = if is_up { reason.clone() } else { format!("{reason}{apart}down: {error}") };
            return ("paused".to_owned(), since.clone(), why);
        }
        let down = |state: &str, circuit: &Circuit, error: &str| {
            let next = circuit.next_probe().unwrap_or_default();
            (state.to_owned(), circuit.since.clone().unwrap_or_default(), format!("{next}{error}"))
        };
        if !is_up {
            return down("down", &self.circuit, &error);
        }
        if !self.plugins.is_closed() {
            return down(
                PLUGINS_DOWN,
                &self.plugins,
                self.plugin_fault.as_deref().unwrap_or(&error),
            );
        }
        let said = if error.is_empty() { error } else { format!("last error: {error}") };
        ("up".to_owned(), String::new(), said)
    }

    /// That its plugins get nothing but probes, and what to do; none when they get its events.
    pub(crate) fn plugins_down(&self) -> Option<String> {
        if self.plugins.is_closed() {
            return None;
        }
        let name = format!("{}/{}/{}", self.bus, self.rule, self.target);
        let replay = self.replay.as_ref().map(|replay| format!(" (replay {replay})"));
        let since = self.plugins.since.as_ref().map(|since| format!(" since {since}"));
        let next = match &self.plugins.next_probe_at {
            Some(at) => format!("the next probe is at {}", clock_time(at)),
            None => "a probe is due".to_owned(),
        };
        let fault = self.plugin_fault.as_ref().map(|fault| format!(": {fault}"));
        Some(format!(
            "the circuit of the plugins of {name}{} is {}{}, {next}; `slipswitch target resume {name}` tries at once{}",
            replay.unwrap_or_default(),
            self.plugins.state,
            since.unwrap_or_default(),
            fault.unwrap_or_default(),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_paused_target_that_is_down_says_both() {
        let why = |reason: &str, state: &str| {
            let text = format!(
                r#"{{"paused": {{"since": "T0", "reason": "{reason}"}}, "last_error": "503",
                    "circuit": {{"state": "{state}"}}}}"#
            );
            serde_json::from_str::<Subscription>(&text).unwrap().condition()
        };
        let paused = |why: &str| ("paused".to_owned(), "T0".to_owned(), why.to_owned());
        assert_eq!(why("the depot moves", "closed"), paused("the depot moves"));
        assert_eq!(why("the depot moves", "open"), paused("the depot moves; down: 503"));
        assert_eq!(why("", "half-open"), paused("down: 503"));
    }

    #[test]
    fn plugins_that_get_only_probes_are_a_state_of_their_own() {
        let text = |circuit: &str| {
            format!(
                r#"{{"bus": "shop", "rule": "late", "target": "out", "last_error": "old",
                    "circuit": {{"state": "{circuit}"}}, "plugin_fault": "plugin `p`: it panicked",
                    "plugins": {{"state": "open", "since": "T1", "next_probe_at": "2026-11-23T08:00:00.000Z"}}}}"#
            )
        };
        let of = |circuit: &str| serde_json::from_str::<Subscription>(&text(circuit)).unwrap();
        let state = |state: &str, since: &str, why: &str| {
            (state.to_owned(), since.to_owned(), why.to_owned())
        };
        let why = "probe at 08:00:00Z; plugin `p`: it panicked";
        assert_eq!(of("closed").condition(), state("plugins down", "T1", why));
        assert_eq!(of("open").condition(), state("down", "", "old"));
        let told = "the circuit of the plugins of shop/late/out is open since T1, the next probe is at 08:00:00Z; \
                    `slipswitch target resume shop/late/out` tries at once: plugin `p`: it panicked";
        assert_eq!(of("closed").plugins_down().as_deref(), Some(told));
        assert_eq!(of("open").plugins_down().as_deref(), Some(told));
        assert_eq!(Subscription::default().plugins_down(), None);
    }

    #[test]
    fn a_removed_target_says_what_it_waits_for() {
        let text = r#"{"removed": "T1", "removed_until": "T2", "draining": true,
            "paused": {"since": "T0", "reason": "the depot moves"}}"#;
        let removed: Subscription = serde_json::from_str(text).unwrap();
        let (state, since, why) = removed.condition();
        assert_eq!((&*state, &*since), ("removed", "T1"));
        assert!(why.ends_with("waits for it until T2: paused, the depot moves"), "{why}");
        let dormant = Subscription { draining: false, ..removed };
        let (.., why) = dormant.condition();
        assert!(
            why.ends_with("before T2; until it is let go on, it stays paused, the depot moves"),
            "{why}"
        );
        let (.., why) = Subscription { paused: None, ..dormant }.condition();
        assert!(why.ends_with("comes back before T2"), "{why}");
    }

    #[test]
    fn a_replay_is_for_what_was_chosen_or_for_all() {
        let chosen = |rules: &[&str], targets: &[&str]| {
            let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
            let replay =
                Replay { rules: owned(rules), targets: owned(targets), ..Replay::default() };
            replay.chosen()
        };
        assert_eq!(chosen(&[], &[]), "all");
        assert_eq!(chosen(&["a"], &["b/t"]), "a b/t");
    }
}
