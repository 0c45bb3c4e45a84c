//! What became of an event.
//!
//! ```text
//! id ──▶ where it is:  by the time in the id, by the delivery log, else by looking through the journal
//!    ──▶ what was done: delivery log · postponed deliveries · dead letters · lanes
//!    ──▶ what would be: the running rules, and those that nearly match
//! ```
//!
//! # Invariants
//!
//! - **nothing silent**: an event that is in the journal has an answer, also when nothing was done.
//! - bounded: so many places, attempts, and records looked at; what was cut is said.

use std::collections::BTreeMap;
use std::sync::Arc;

use delivery::DeliveryId;
use event::Timestamp;
use ruleset::pattern::{Event, Pattern, nearest};
use serde::Serialize;

use super::Wholly;
use super::line::{self, AttemptRecord, AttemptResult};
use super::origin::Origin;
use super::payloads::DeliveryPayload;
use super::search::{FoundEvent, SearchError};
use crate::core::Core;
use crate::key::Key;
use crate::router::Router;
use crate::routes::short_digest;
use crate::state;

/// Attempts that are told of one place.
pub(super) const ATTEMPTS_MAX: usize = 1_000;
/// Rules that nearly match, told when none does.
const NEARLY_MAX: usize = 5;
/// Rules beyond which nobody waits for the nearest to be found.
const RULES_RANKED_MAX: usize = 10_000;

/// What is known of an id.
#[derive(Debug, Clone, Serialize)]
pub struct Fate {
    pub id: String,
    /// Each time an event of this id was taken in, oldest first.
    pub places: Vec<Place>,
    /// False when the looking ended before everything was looked at.
    pub complete: bool,
    /// When there is no place: how many events cannot be read, because their blocks are damaged. It may
    /// be one of them.
    pub damaged: u64,
    /// Where the delivery log says that it was taken in, when it cannot be read there.
    pub unreadable: Vec<Unreadable>,
    /// The digest of the running rules, shortened as in `attempts`.
    pub rules: String,
}

/// A place of an event whose block is damaged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unreadable {
    pub bus: String,
    pub offset: u64,
}

/// An event in one place, and what became of it there.
#[derive(Debug, Clone, Serialize)]
pub struct Place {
    #[serde(flatten)]
    pub event: FoundEvent,
    /// The deliveries of other buses that made it, when it was passed on and they are on record.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub from: Vec<Origin>,
    pub deliveries: Vec<DeliveryFate>,
    /// In the order they were made.
    pub attempts: Vec<AttemptRecord>,
    /// There are more, which are not told.
    pub attempts_cut: bool,
    /// Attempts before this time are no longer on record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts_since: Option<Timestamp>,
    /// Whether the dispatcher has come to it.
    pub dispatched: bool,
    /// The running rules that match it.
    pub matches: Vec<String>,
    /// When none does: those that come nearest, and what is in the way.
    pub nearly: Vec<NearlyMatched>,
}

/// What became of one output for one target.
#[derive(Debug, Clone, Serialize)]
pub struct DeliveryFate {
    pub rule: String,
    pub target: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replay: Option<String>,
    pub output: u32,
    pub state: DeliveryState,
    pub attempts: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_attempt_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_attempt_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The number of the dead letter that holds what was to be sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dead_letter: Option<i64>,
    /// What became of that letter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dead_letter_state: Option<String>,
    /// The id on the bus it was passed on to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub became: Option<String>,
    /// Events of the journal that come before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub behind: Option<u64>,
    /// Why nothing is sent to the target now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
    /// Why nothing is sent to any target now: the state database cannot be written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held: Option<String>,
    /// An attempt at it is being made.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub under_way: bool,
    /// When its rule or target was removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub removed_at: Option<Timestamp>,
    /// Until when the place of a removed one is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept_until: Option<Timestamp>,
    /// What it carried, when that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload: Option<DeliveryPayload>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryState {
    Delivered,
    /// A transform let it go.
    Dropped,
    /// It failed, and is tried again.
    Postponed,
    Dead,
    /// Its subscription has not come to it, or it is under way for the first time.
    Waiting,
    /// The rule matches, its subscription is past it, and no attempt is on record.
    Unrecorded,
    /// Its rule or target was removed before the subscription came to it; it is matched when that
    /// comes back in time.
    Removed,
}

/// A rule that does not match.
#[derive(Debug, Clone, Serialize)]
pub struct NearlyMatched {
    pub rule: String,
    /// How many of its fields fit, of how many.
    pub fits: usize,
    pub of: usize,
    pub why: String,
}

/// One output for one target.
pub(super) type Course = (String, String, Option<String>, u32);

impl Router {
    /// What became of the events of this id.
    ///
    /// # Errors
    ///
    /// When there is no such bus, or journal or state cannot be read.
    pub async fn fate(&self, id: &str, bus: Option<&str>) -> Result<Fate, SearchError> {
        let core = &self.core;
        if let Some(bus) = bus {
            core.know(bus)?;
        }
        core.write_trail(Wholly::No).await;
        let buses = bus.map_or_else(|| core.buses(), |bus| vec![bus.to_owned()]);
        let (events, unreadable, complete) = core.places_of(id, &buses).await?;
        let damaged = if events.is_empty() {
            buses.iter().map(|bus| core.damaged_in(bus, 0..u64::MAX)).sum()
        } else {
            0
        };
        let mut places = Vec::with_capacity(events.len());
        for event in events {
            places.push(core.place(id, event).await?);
        }
        let rules = short_digest(&core.routes.load().rules).as_ref().to_owned();
        Ok(Fate { id: id.to_owned(), places, complete, damaged, unreadable, rules })
    }
}

impl Core {
    /// The attempts at one delivery that are on record, oldest first.
    pub(crate) async fn attempts_at(self: &Arc<Self>, id: &DeliveryId) -> Vec<AttemptRecord> {
        let (key, id) = (line::of_place(&id.bus, id.offset), id.clone());
        let is_its = move |one: &AttemptRecord| {
            let place = one.offset == id.offset && one.output == id.output && *one.bus == *id.bus;
            let to = *one.rule == *id.rule && *one.target == *id.target;
            place && to && one.replay.as_deref() == id.replay.as_deref()
        };
        self.attempts(key, None, ATTEMPTS_MAX, is_its).await.0
    }

    /// Attempts that a key may lead to and that are wanted, and whether there are more.
    pub(super) async fn attempts(
        self: &Arc<Self>,
        key: u64,
        since: Option<Timestamp>,
        max: usize,
        is_wanted: impl Fn(&AttemptRecord) -> bool + Send + Sync + 'static,
    ) -> (Vec<AttemptRecord>, bool) {
        let Some(log) = self.trail.log.clone() else { return (Vec::new(), false) };
        let since = since.unwrap_or(Timestamp::from_millis(i64::MIN));
        let mut reading = log.read(since, Arc::new(move |block| block.may_hold_key(key)));
        let mut found = Vec::new();
        let is_wanted = Arc::new(is_wanted);
        while found.len() <= max {
            let wanted = Arc::clone(&is_wanted);
            let (batch, again) = self
                .outside
                .blocking(move || {
                    let batch = reading.next().map(|batch| {
                        batch.into_iter().filter(|one| wanted(one)).collect::<Vec<_>>()
                    });
                    (batch, reading)
                })
                .await;
            reading = again;
            match batch {
                Some(batch) => found.extend(batch),
                None => return (found, false),
            }
        }
        found.truncate(max);
        (found, true)
    }

    async fn place(self: &Arc<Self>, id: &str, event: FoundEvent) -> Result<Place, SearchError> {
        let (bus, offset) = (event.bus.clone(), event.offset);
        let key = line::of_place(&bus, offset);
        let is_here = move |one: &AttemptRecord| one.offset == offset && one.bus == bus;
        // A clock that steps back may give an attempt a time before the event's.
        let since = Some(earlier(event.taken_at));
        let (attempts, attempts_cut) = self.attempts(key, since, ATTEMPTS_MAX, is_here).await;
        let bus = event.bus.clone();
        let owing = self.state.run(move |tx| state::owing(tx, &bus, offset)).await;
        let owing = owing.unwrap_or_else(|error| {
            tracing::warn!(%error, "what an event is owed cannot be read");
            Vec::new()
        });
        let (matches, nearly) = self.verdict(&event).await;
        let mut deliveries = from_attempts(&attempts);
        self.join(&event, owing, &mut deliveries);
        self.add_silent(&event, &matches, &mut deliveries);
        self.add_removed(&event, &matches, &mut deliveries);
        self.add_stops(&event, &mut deliveries);
        let first = self.trail.log.as_ref().and_then(|log| log.stats().first_time);
        Ok(Place {
            from: self.origins(&event, id).await,
            dispatched: offset < self.dispatched().get(),
            attempts_since: first
                .map(Timestamp::from_millis)
                .filter(|first| event.taken_at < *first && attempts.is_empty()),
            deliveries: deliveries.into_values().collect(),
            attempts,
            attempts_cut,
            matches,
            nearly,
            event,
        })
    }

    /// The running rules that match, or those that nearly do.
    async fn verdict(&self, event: &FoundEvent) -> (Vec<String>, Vec<NearlyMatched>) {
        let rules = Arc::clone(&self.routes.load().rules);
        let (bus, text) = (event.bus.clone(), event.event.get().to_owned());
        self.outside
            .blocking(move || {
                let Some(on_bus) = rules.on(&bus) else { return Default::default() };
                let mut scratch = ruleset::Scratch::default();
                let matched = on_bus.matches(text.as_bytes(), &mut scratch).unwrap_or_default();
                let names: Vec<String> = matched.iter().map(|rule| rule.name.clone()).collect();
                if !names.is_empty() {
                    return (names, Vec::new());
                }
                let candidates: Vec<_> =
                    rules.rules().iter().filter(|rule| rule.enabled && rule.bus == bus).collect();
                if RULES_RANKED_MAX < candidates.len() {
                    return Default::default();
                }
                let patterns: Vec<Pattern> =
                    candidates.iter().map(|rule| rule.pattern.clone()).collect();
                let event = Event::checked_before(text.as_bytes());
                let near = nearest(&patterns, event, NEARLY_MAX).map(|near| near.patterns);
                let nearly = near.unwrap_or_default().into_iter().filter_map(|near| {
                    let rule = candidates.get(usize::try_from(near.pattern.0).ok()?)?;
                    let name = rule.name.clone();
                    Some(NearlyMatched { rule: name, fits: near.fits, of: near.of, why: near.why })
                });
                (names, nearly.collect())
            })
            .await
    }

    /// The subscriptions that should have it and of which nothing is on record.
    fn add_silent(
        &self,
        event: &FoundEvent,
        matches: &[String],
        deliveries: &mut BTreeMap<Course, DeliveryFate>,
    ) {
        let dispatched = self.dispatched();
        let lanes: Vec<_> =
            self.lanes().iter().map(|(key, lane)| (key.clone(), Arc::clone(lane))).collect();
        for (key, lane) in lanes {
            let is_its = *key.bus == event.bus && matches.iter().any(|rule| **rule == *key.rule);
            if !is_its || key.replay.is_some() || is_known(deliveries, &key) {
                continue;
            }
            let inner = lane.lock();
            let read_to = inner.position(dispatched).get();
            let is_settled = event.offset < inner.settled().get();
            let state = if is_settled { DeliveryState::Unrecorded } else { DeliveryState::Waiting };
            let behind = (read_to <= event.offset).then(|| event.offset - read_to);
            let course = (key.rule.as_ref().to_owned(), key.target.as_ref().to_owned(), None, 0);
            let mut fate = blank(&course, state);
            fate.behind = behind.filter(|_| !is_settled);
            deliveries.insert(course, fate);
        }
    }
}

pub(super) fn is_known(deliveries: &BTreeMap<Course, DeliveryFate>, key: &Key) -> bool {
    deliveries.keys().any(|(rule, target, replay, _)| {
        **rule == *key.rule && **target == *key.target && replay.is_none()
    })
}

pub(super) fn blank(course: &Course, state: DeliveryState) -> DeliveryFate {
    let (rule, target, replay, output) = course.clone();
    DeliveryFate {
        rule,
        target,
        replay,
        output,
        state,
        attempts: 0,
        last_attempt_at: None,
        next_attempt_at: None,
        error: None,
        dead_letter: None,
        dead_letter_state: None,
        became: None,
        behind: None,
        stopped: None,
        held: None,
        under_way: false,
        removed_at: None,
        kept_until: None,
        payload: None,
    }
}

/// What the attempts alone say.
fn from_attempts(attempts: &[AttemptRecord]) -> BTreeMap<Course, DeliveryFate> {
    let mut deliveries = BTreeMap::new();
    for attempt in attempts {
        let AttemptRecord { rule, target, replay, output, .. } = attempt;
        let course = (rule.clone(), target.clone(), replay.clone(), *output);
        let fate = deliveries
            .entry(course.clone())
            .or_insert_with(|| blank(&course, DeliveryState::Waiting));
        fate.state = match attempt.result {
            AttemptResult::Delivered => DeliveryState::Delivered,
            AttemptResult::Retry => DeliveryState::Postponed,
            AttemptResult::Dead => DeliveryState::Dead,
            AttemptResult::Dropped => DeliveryState::Dropped,
        };
        fate.attempts += 1;
        fate.last_attempt_at = Some(attempt.time);
        fate.next_attempt_at = attempt.retry_at;
        fate.error.clone_from(&attempt.error);
        fate.became.clone_from(&attempt.became);
    }
    deliveries
}

pub(super) fn earlier(time: Timestamp) -> Timestamp {
    Timestamp::from_millis(time.as_millis().saturating_sub(60_000))
}
