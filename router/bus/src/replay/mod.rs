//! Replays: the past of a bus, or of an archive, sent to chosen targets again.
//!
//! A replay is a set of temporary subscriptions over a span of the past. Its events keep their id
//! and time and gain `replay-name`; each target gets them in the order of the journal.
//!
//! ```text
//! running ⇄ paused        both over restarts
//!    │ └──────┴─▶ cancelled    what was not delivered by then is let go
//!    ├─▶ completed
//!    └─▶ failed            a rule or target of it was removed before the end
//! ```

mod control;
mod estimate;
mod pace;
mod plan;
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use event::Timestamp;
use journal::Offset;
use serde::Serialize;

pub use estimate::{Estimate, TargetEstimate};
pub(crate) use source::{Past, Source};

use self::pace::Pace;
use crate::core::Core;
use crate::router::Router;
use crate::selection::Selection;
use crate::state::{ReplayRow, StateError};
use crate::trail::stop;

/// EventBridge's limit.
const NAME_CHARS_MAX: usize = 64;
/// Deliveries of one target under way at a time that somebody may ask for.
const CONCURRENCY_MAX: u32 = 1000;
const RATE_MAX: f64 = 1_000_000.0;

/// What to replay.
#[derive(Debug, Clone)]
pub struct StartReplay {
    /// Made up from the time when not given.
    pub name: Option<String>,
    pub bus: String,
    /// Instead of the journal of the bus.
    pub archive: Option<String>,
    /// The first time of ingestion.
    pub since: Timestamp,
    /// The first time of ingestion that is no longer part; now when not given.
    pub until: Option<Timestamp>,
    /// Rules by name; all of the bus when empty, and when there are no targets.
    pub rules: Vec<String>,
    /// Targets as `rule/target`, beside those of the rules.
    pub targets: Vec<String>,
    /// Only events that match it.
    pub pattern: Option<Selection>,
    /// Attempts a second, of all its targets together: those that have not had all share it
    /// equally.
    pub rate: Option<f64>,
    /// Deliveries of one target under way at a time. More than one gives the order up.
    pub concurrency: u32,
}

impl StartReplay {
    /// All that a bus has taken in since a time, to all of its rules.
    pub fn new(bus: impl Into<String>, since: Timestamp) -> Self {
        Self {
            name: None,
            bus: bus.into(),
            archive: None,
            since,
            until: None,
            rules: Vec::new(),
            targets: Vec::new(),
            pattern: None,
            rate: None,
            concurrency: 1,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ReplayState {
    Running,
    Paused,
    Completed,
    Cancelled,
    Failed,
}

impl ReplayState {
    pub(crate) const ALL: [Self; 5] =
        [Self::Running, Self::Paused, Self::Completed, Self::Cancelled, Self::Failed];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
        }
    }

    pub(crate) fn parse(text: &str) -> Self {
        Self::ALL.into_iter().find(|state| state.as_str() == text).unwrap_or(Self::Failed)
    }

    pub(crate) fn is_over(self) -> bool {
        !matches!(self, Self::Running | Self::Paused)
    }
}

/// A replay and how far it is.
#[derive(Debug, Clone, Serialize)]
pub struct Replay {
    pub name: String,
    pub bus: String,
    pub archive: Option<String>,
    pub since: Timestamp,
    pub until: Timestamp,
    #[serde(serialize_with = "as_number")]
    pub from_offset: Offset,
    #[serde(serialize_with = "as_number")]
    pub to_offset: Offset,
    /// Every one below has been looked at by every rule, and delivered or given up.
    #[serde(serialize_with = "as_number")]
    pub position: Offset,
    pub percent: f64,
    /// At the pace since it was started or resumed here; none while there is none to tell.
    pub eta_seconds: Option<u64>,
    pub rules: Vec<String>,
    pub targets: Vec<String>,
    #[serde(serialize_with = "as_text")]
    pub pattern: Option<Selection>,
    pub rate: Option<f64>,
    pub concurrency: u32,
    pub state: ReplayState,
    /// Why it did not reach its end.
    pub error: Option<String>,
    pub delivered: u64,
    pub dropped: u64,
    pub dead: u64,
    /// Events of the span that could not be read and were passed over: their blocks are damaged.
    pub damaged: u64,
    pub started_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    /// While it runs: those of its targets that get nothing now.
    pub stopped: Vec<StoppedTarget>,
}

/// A target that a replay sends nothing to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StoppedTarget {
    /// As `rule/target`.
    pub target: String,
    /// In words: disabled, paused or down, since when, and what it has said.
    pub why: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape that serde asks for")]
fn as_number<S: serde::Serializer>(offset: &Offset, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(offset.get())
}

#[expect(clippy::ref_option, reason = "the shape that serde asks for")]
fn as_text<S: serde::Serializer>(
    pattern: &Option<Selection>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    pattern.as_ref().map(Selection::text).serialize(serializer)
}

/// Why a replay was not started, or did not do what it was told. Nothing was sent.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    #[error("there is no bus `{bus}`; there are: {}", known.join(", "))]
    UnknownBus { bus: String, known: Vec<String> },

    #[error("there is no enabled rule `{rule}` on bus `{bus}`; there are: {}", known.join(", "))]
    UnknownRule { rule: String, bus: String, known: Vec<String> },

    #[error(
        "there is no target `{target}` of an enabled rule on bus `{bus}`; there are: {}",
        known.join(", ")
    )]
    UnknownTarget { target: String, bus: String, known: Vec<String> },

    #[error(
        "there is no enabled rule on bus `{bus}` to replay to: add one, or enable one; \
         a rule that matches only `replay-name` gets replays and nothing else"
    )]
    NoRules { bus: String },

    #[error("the span ends at {until}, before it begins at {since}")]
    EmptySpan { since: Timestamp, until: Timestamp },

    #[error("the span begins at {since}, which has not come yet: it is {now} now")]
    Ahead { since: Timestamp, now: Timestamp },

    #[error("there is no archive `{name}`; there are: {}", if known.is_empty() { "none".to_owned() } else { known.join(", ") })]
    UnknownArchive { name: String, known: Vec<String> },

    #[error("the archive `{archive}` is of bus `{bus}`, not of bus `{asked}`")]
    OtherBus { archive: String, bus: String, asked: String },

    #[error(
        "`{name}` is no name for a replay: 1 to {NAME_CHARS_MAX} of a-z, A-Z, 0-9, `.`, `-` and `_`, and not `.` or `..`"
    )]
    BadName { name: String },

    #[error("`rate` is {rate} events a second; use more than 0, up to {RATE_MAX}")]
    BadRate { rate: f64 },

    #[error("`concurrency` is {concurrency}; use 1 to {CONCURRENCY_MAX}")]
    BadConcurrency { concurrency: u32 },

    #[error("there is a replay `{name}` already; choose another name")]
    NameTaken { name: String },

    #[error("there is no replay `{name}`; `slipswitch replay ls` shows those there are")]
    Unknown { name: String },

    #[error("the replay `{name}` is {}; only one that is {wanted} can be {verb}", state.as_str())]
    NotNow { name: String, state: ReplayState, wanted: &'static str, verb: &'static str },

    #[error("the span cannot be found in the journal: {0}")]
    Journal(#[from] journal::ReadError),

    #[error(transparent)]
    State(#[from] StateError),
}

/// A replay that has not ended, as its lanes need it.
pub(crate) struct Playing {
    pub source: Source,
    span: Range<Offset>,
    pub rate: Option<f64>,
    pub concurrency: u32,
    /// Among how many lanes its rate is shared.
    sharing: AtomicUsize,
    /// Of the journal it needs nothing below: that is in its archive.
    pub journal_from: Offset,
    /// None while it is paused.
    pace: Mutex<Option<Pace>>,
}

/// The replays that have not ended, by name.
#[derive(Default)]
pub(crate) struct Players(Mutex<BTreeMap<Arc<str>, Arc<Playing>>>);

impl Players {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, Arc<Playing>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn get(&self, name: &str) -> Option<Arc<Playing>> {
        self.lock().get(name).cloned()
    }

    fn all(&self) -> Vec<(Arc<str>, Arc<Playing>)> {
        let all = self.lock();
        all.iter().map(|(name, playing)| (Arc::clone(name), Arc::clone(playing))).collect()
    }

    /// The archives that are being read.
    pub(crate) fn archives(&self) -> BTreeSet<Arc<str>> {
        let all = self.lock();
        all.values().filter_map(|playing| playing.source.archive()).collect()
    }

    pub(crate) fn remove(&self, name: &str) {
        self.lock().remove(name);
    }
}

impl Playing {
    fn pace(&self) -> MutexGuard<'_, Option<Pace>> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A lane of it is opened in this process.
    pub(crate) fn begins(&self, now: Duration, place: Offset) {
        let mut pace = self.pace();
        *pace = pace.map(|pace| pace.or_from(now, place));
    }
}

impl Router {
    /// All replays, newest first.
    ///
    /// # Errors
    ///
    /// When the state database cannot be read.
    pub async fn replays(&self) -> Result<Vec<Replay>, StateError> {
        let mut replays = self.core.state.run(ReplayRow::all).await?;
        for replay in &mut replays {
            self.core.look_at(replay);
        }
        Ok(replays)
    }

    /// # Errors
    ///
    /// When there is none of this name.
    pub async fn replay(&self, name: &str) -> Result<Replay, ReplayError> {
        self.core.replay(name).await
    }
}

impl Core {
    async fn replay(&self, name: &str) -> Result<Replay, ReplayError> {
        let asked = name.to_owned();
        let found = self.state.run(move |tx| ReplayRow::find(tx, &asked)).await?;
        let unknown = || ReplayError::Unknown { name: name.chars().take(NAME_CHARS_MAX).collect() };
        let mut replay = found.ok_or_else(unknown)?;
        self.look_at(&mut replay);
        Ok(replay)
    }

    /// Registers a replay that has not ended. Its lanes may be opened then.
    pub(crate) fn register(&self, replay: &Replay) {
        let playing = Playing {
            source: Source::of(replay, &self.archives.load()),
            span: replay.from_offset..replay.to_offset,
            rate: replay.rate,
            concurrency: replay.concurrency,
            sharing: AtomicUsize::new(0),
            journal_from: match &replay.archive {
                Some(_) => self.journal.sealed_to(),
                None => Offset::ZERO,
            },
            pace: Mutex::default(),
        };
        if replay.state == ReplayState::Running {
            // Its lanes are opened next.
            *playing.pace() = Some(Pace::from(self.clock.monotonic(), replay.to_offset));
        }
        self.players.lock().insert(replay.name.as_str().into(), Arc::new(playing));
    }

    /// Gives each lane of a replay that has not ended its part of the rate.
    pub(crate) fn share_rate(&self, name: &str, playing: &Playing) {
        let Some(rate) = playing.rate else { return };
        let mut lanes = self.lanes_of(name);
        lanes.retain(|lane| !lane.lock().is_ended());
        let sharing = lanes.len();
        if playing.sharing.swap(sharing, Ordering::AcqRel) == sharing {
            return;
        }
        let part = ratio(1, u64::try_from(sharing).unwrap_or(u64::MAX)) * rate;
        for lane in lanes {
            lane.set_rate(Some(part));
        }
    }

    /// What lanes that have ended leave of the rates goes to the others.
    pub(crate) fn share_rates(&self) {
        for (name, playing) in self.players.all() {
            self.share_rate(&name, &playing);
        }
    }

    /// Adds what its lanes know.
    fn look_at(&self, replay: &mut Replay) {
        if replay.state == ReplayState::Cancelled {
            // What is under way still counts where it ends.
            for lane in self.lanes_of(&replay.name) {
                let counts = lane.lock().counts;
                replay.delivered += counts.delivered;
                replay.dropped += counts.dropped;
                replay.dead += counts.dead;
            }
        } else if !replay.state.is_over() {
            let of_this = self.lanes_of(&replay.name);
            let mut position = replay.to_offset;
            for lane in of_this {
                let inner = lane.lock();
                position = position.min(inner.settled());
                replay.delivered += inner.counts.delivered;
                replay.dropped += inner.counts.dropped;
                replay.dead += inner.counts.dead;
                let is_stopped = replay.state == ReplayState::Running && !inner.has_ended_or_will();
                if let Some(why) = stop(&inner).filter(|_| is_stopped) {
                    let target = format!("{}/{}", lane.key.rule, lane.key.target);
                    let error = inner.last_error.as_ref().filter(|_| why.starts_with("down"));
                    let said = error.map(|error| format!(": {error}")).unwrap_or_default();
                    replay.stopped.push(StoppedTarget { target, why: format!("{why}{said}") });
                }
            }
            replay.position = position;
            replay.damaged = replay.damaged.max(self.damaged_of(&replay.name));
            replay.eta_seconds = self.time_left(replay);
        }
        let span = replay.to_offset.get().saturating_sub(replay.from_offset.get());
        let done = replay.position.get().saturating_sub(replay.from_offset.get()).min(span);
        replay.percent = if span == 0 { 100.0 } else { ratio(done, span) * 100.0 };
    }

    /// Seconds, where it has a pace.
    fn time_left(&self, replay: &Replay) -> Option<u64> {
        let playing = self.players.get(&replay.name)?;
        let (mut pace, now) = (playing.pace(), self.clock.monotonic());
        if replay.stopped.is_empty() {
            return pace.and_then(|pace| pace.left(now, replay.position, replay.to_offset));
        }
        // How long it stands has nothing to do with how fast it goes on.
        *pace = pace.map(|_| Pace::from(now, replay.position));
        None
    }

    /// Events of a replay that has not ended which could not be read, as far as it has come.
    pub(crate) fn damaged_of(&self, replay: &str) -> u64 {
        let Some(playing) = self.players.get(replay) else { return 0 };
        playing.source.damaged(&self.journal, playing.span.clone())
    }

    pub(crate) fn lanes_of(&self, replay: &str) -> Vec<Arc<crate::lane::Lane>> {
        let lanes = self.lanes();
        let of_this = lanes.iter().filter(|(key, _)| key.replay.as_deref() == Some(replay));
        of_this.map(|(_, lane)| Arc::clone(lane)).collect()
    }
}

#[expect(clippy::cast_precision_loss, reason = "a ratio for people")]
fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64
}
