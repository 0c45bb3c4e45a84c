//! Replays: the past of a bus, sent through chosen rules again.
//!
//! A replay is a set of temporary subscriptions over a span of the journal. Its events keep their
//! id and time and gain `replay-name`; they are sent in journal order, one after the other.

use event::Timestamp;
use journal::Offset;
use serde::Serialize;

use crate::core::Core;
use crate::key::Key;
use crate::router::Router;
use crate::state::{ReplayRow, StateError, Subscription};

/// EventBridge's limit.
const NAME_CHARS_MAX: usize = 64;

/// What to replay.
#[derive(Debug, Clone)]
pub struct StartReplay {
    /// Made up from the time when not given.
    pub name: Option<String>,
    pub bus: String,
    /// The first time of ingestion.
    pub since: Timestamp,
    /// The first time of ingestion that is no longer part; now when not given.
    pub until: Option<Timestamp>,
    /// Rules by name; all of the bus when empty.
    pub rules: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ReplayState {
    Running,
    Completed,
}

impl ReplayState {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Completed => "completed",
        }
    }

    pub(crate) fn parse(text: &str) -> Self {
        if text == Self::Completed.as_str() { Self::Completed } else { Self::Running }
    }
}

/// A replay and how far it is.
#[derive(Debug, Clone, Serialize)]
pub struct Replay {
    pub name: String,
    pub bus: String,
    pub since: Timestamp,
    pub until: Timestamp,
    #[serde(serialize_with = "as_number")]
    pub from_offset: Offset,
    #[serde(serialize_with = "as_number")]
    pub to_offset: Offset,
    /// Every one below has been looked at by every rule.
    #[serde(serialize_with = "as_number")]
    pub position: Offset,
    pub rules: Vec<String>,
    pub state: ReplayState,
    pub delivered: u64,
    pub dropped: u64,
    pub dead: u64,
    pub started_at: Timestamp,
    pub ended_at: Option<Timestamp>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape that serde asks for")]
fn as_number<S: serde::Serializer>(offset: &Offset, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(offset.get())
}

/// Why a replay was not started. Nothing was sent.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    #[error("there is no bus `{bus}`; there are: {}", known.join(", "))]
    UnknownBus { bus: String, known: Vec<String> },

    #[error("there is no enabled rule `{rule}` on bus `{bus}`; there are: {}", known.join(", "))]
    UnknownRule { rule: String, bus: String, known: Vec<String> },

    #[error("there is no rule on bus `{bus}` to replay to")]
    NoRules { bus: String },

    #[error("the span ends at {until}, before it begins at {since}")]
    EmptySpan { since: Timestamp, until: Timestamp },

    #[error(
        "`{name}` is no name for a replay: 1 to {NAME_CHARS_MAX} of a-z, A-Z, 0-9, `.`, `-` and `_`"
    )]
    BadName { name: String },

    #[error("there is a replay `{name}` already; choose another name")]
    NameTaken { name: String },

    #[error("the span cannot be found in the journal: {0}")]
    Journal(#[from] journal::ReadError),

    #[error(transparent)]
    State(#[from] StateError),
}

impl Router {
    /// Starts a replay of what is in the journal now; it goes on by itself, and over restarts.
    ///
    /// # Errors
    ///
    /// When what it names is not there or cannot be read. Nothing is sent then.
    pub async fn start_replay(&self, start: StartReplay) -> Result<Replay, ReplayError> {
        let core = &self.core;
        let _roster = core.roster.lock().await;
        let now = core.clock.now();
        let replay = core.plan(start, now)?;
        let keys = core.subscriptions_of(&replay)?;

        let (planned, begun) = (replay.clone(), keys.clone());
        let is_new = core.state.run(move |tx| {
            let is_new = ReplayRow::insert(tx, &planned)?;
            if is_new {
                for key in &begun {
                    Subscription::begin(tx, key, planned.from_offset, Some(planned.to_offset))?;
                }
            }
            Ok(is_new)
        });
        if !is_new.await? {
            return Err(ReplayError::NameTaken { name: replay.name });
        }
        let routes = core.routes.load_full();
        for key in keys {
            // A swap waits for the roster: what was there a moment ago still is.
            let route = routes.of(&key).expect("the keys are of these routes");
            let stored = Subscription {
                until: Some(replay.to_offset),
                ..Subscription::new(key, replay.from_offset)
            };
            core.open_lane(stored, route.clone(), core.dispatched());
        }
        tracing::info!(replay = %replay.name, from = replay.from_offset.get(), to = replay.to_offset.get(), "replay started");
        Ok(replay)
    }

    /// All replays, newest first.
    ///
    /// # Errors
    ///
    /// When the state database cannot be read.
    pub async fn replays(&self) -> Result<Vec<Replay>, StateError> {
        let mut replays = self.core.state.run(ReplayRow::all).await?;
        let lanes = self.core.lanes();
        for replay in &mut replays {
            let of_this =
                lanes.iter().filter(|(key, _)| key.replay.as_deref() == Some(&*replay.name));
            let mut position = replay.to_offset;
            for (_, lane) in of_this {
                let inner = lane.lock();
                position = position.min(inner.settled());
                replay.delivered += inner.counts.delivered;
                replay.dropped += inner.counts.dropped;
                replay.dead += inner.counts.dead;
            }
            replay.position = position;
        }
        Ok(replays)
    }
}

impl Core {
    fn plan(&self, start: StartReplay, now: Timestamp) -> Result<Replay, ReplayError> {
        let StartReplay { name, bus, since, until, rules } = start;
        if !self.has_bus(&bus) {
            return Err(ReplayError::UnknownBus { bus, known: self.buses() });
        }
        let name = name.unwrap_or_else(|| format!("replay-{}", now.as_millis()));
        let is_name = (1..=NAME_CHARS_MAX).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte));
        if !is_name {
            return Err(ReplayError::BadName { name: name.chars().take(NAME_CHARS_MAX).collect() });
        }
        if let Some(until) = until.filter(|until| *until < since) {
            return Err(ReplayError::EmptySpan { since, until });
        }
        let from_offset = self.journal.offset_at(since.as_millis())?;
        let to_offset = match until {
            Some(until) => self.journal.offset_at(until.as_millis())?,
            None => self.journal.durable_end(),
        };
        Ok(Replay {
            name,
            bus,
            since,
            until: until.unwrap_or(now),
            from_offset,
            to_offset: to_offset.max(from_offset),
            position: from_offset,
            rules,
            state: ReplayState::Running,
            delivered: 0,
            dropped: 0,
            dead: 0,
            started_at: now,
            ended_at: None,
        })
    }

    /// The temporary subscriptions of a replay.
    fn subscriptions_of(&self, replay: &Replay) -> Result<Vec<Key>, ReplayError> {
        let routes = self.routes.load();
        let on_bus = || routes.by_key.keys().filter(|key| *key.bus == *replay.bus);
        let mut known: Vec<String> = on_bus().map(|key| key.rule.as_ref().to_owned()).collect();
        known.dedup();
        if let Some(rule) = replay.rules.iter().find(|rule| !known.contains(rule)) {
            let (rule, bus) = (rule.clone(), replay.bus.clone());
            return Err(ReplayError::UnknownRule { rule, bus, known });
        }
        if known.is_empty() {
            return Err(ReplayError::NoRules { bus: replay.bus.clone() });
        }
        let is_chosen = |key: &&Key| {
            replay.rules.is_empty() || replay.rules.iter().any(|rule| **rule == *key.rule)
        };
        Ok(on_bus().filter(is_chosen).map(|key| key.replaying(&replay.name)).collect())
    }
}
