//! How much a replay would send, before it sends anything.
//!
//! # Invariants
//!
//! - bounded: no more than [`LOOKED_AT_MAX`] offsets are looked at. A longer span is sampled in
//!   stretches that lie evenly in it, and the answer says that it is an estimate.

use std::collections::BTreeMap;
use std::sync::Arc;

use journal::{Offset, ReadError};
use serde::Serialize;

use super::{Replay, ReplayError, Source, StartReplay, ratio};
use crate::core::Core;
use crate::key::Key;
use crate::record;
use crate::router::Router;
use crate::routes::Routes;
use crate::selection::Asking;

/// Offsets of the journal, of all buses.
const LOOKED_AT_MAX: u64 = 200_000;
/// Stretches that a longer span is sampled in.
const STRETCHES: u64 = 100;

/// What a replay would do.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Estimate {
    /// In the span.
    pub events: u64,
    /// Of these, the ones that the replay's pattern leaves and some chosen rule matches.
    pub matched: u64,
    pub targets: Vec<TargetEstimate>,
    /// Whether every event was looked at. If not, the numbers are those of a sample, scaled up.
    pub exact: bool,
    /// Events that were looked at.
    pub looked_at: u64,
    /// Events that cannot be read, of those that were looked for: their blocks are damaged.
    pub damaged: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TargetEstimate {
    pub rule: String,
    pub target: String,
    /// A transform may make none or several deliveries of one.
    pub events: u64,
}

impl Router {
    /// Looks at the past that a replay would send, and starts nothing.
    ///
    /// # Errors
    ///
    /// As of a replay that is started.
    pub async fn estimate_replay(&self, start: StartReplay) -> Result<Estimate, ReplayError> {
        let core = &self.core;
        let replay = core.plan(start, core.clock.now())?;
        let keys = core.subscriptions_of(&replay)?;
        let (looking, routes) = (Arc::clone(core), core.routes.load_full());
        let looked = core.outside.blocking(move || {
            let source = Source::of(&replay, &looking.archives.load());
            let mut look = Look::new(&replay, &keys, &routes);
            let is_exact = look.over(&looking, &source)?;
            // Asked last: what is damaged is known when it was met.
            let damaged = source.damaged(&looking.journal, replay.from_offset..replay.to_offset);
            Ok::<_, ReadError>(look.estimate(is_exact, damaged))
        });
        Ok(looked.await?)
    }
}

struct Look<'a> {
    replay: &'a Replay,
    routes: &'a Routes,
    counts: BTreeMap<&'a Key, u64>,
    events: u64,
    matched: u64,
    asking: Asking,
    scratch: ruleset::Scratch,
}

impl<'a> Look<'a> {
    fn new(replay: &'a Replay, keys: &'a [Key], routes: &'a Routes) -> Self {
        Self {
            replay,
            routes,
            counts: keys.iter().map(|key| (key, 0)).collect(),
            events: 0,
            matched: 0,
            asking: Asking::default(),
            scratch: ruleset::Scratch::default(),
        }
    }

    /// Whether it was looked at whole.
    fn over(&mut self, core: &Core, source: &Source) -> Result<bool, ReadError> {
        let (from, to) = (self.replay.from_offset.get(), self.replay.to_offset.get());
        let span = to.saturating_sub(from);
        if span <= LOOKED_AT_MAX {
            self.stretch(core, source, (from, to))?;
            return Ok(true);
        }
        let (step, length) = (span / STRETCHES, LOOKED_AT_MAX / STRETCHES);
        for number in 0..STRETCHES {
            let begin = from + number * step;
            self.stretch(core, source, (begin, (begin + length).min(to)))?;
        }
        Ok(false)
    }

    fn stretch(
        &mut self,
        core: &Core,
        source: &Source,
        (from, to): (u64, u64),
    ) -> Result<(), ReadError> {
        let mut past = source.read_whole(&core.journal, Offset::new(from));
        while past.position().get() < to {
            let at = past.position();
            let batch = match past.next_batch() {
                Ok(Some(batch)) => batch,
                Ok(None) => break,
                // A replay passes over it, too.
                Err(ReadError::Damaged { .. }) if at < past.position() => continue,
                Err(error) => return Err(error),
            };
            for record in batch.iter().filter(|record| record.offset.get() < to) {
                self.event(record, source);
            }
        }
        Ok(())
    }

    fn event(&mut self, record: &journal::Record, source: &Source) {
        self.events += 1;
        let Ok((event, _)) = record::decode(&record.payload) else { return };
        let event = event.replayed(&self.replay.name);
        if !source.wants(event.bytes(), &mut self.asking) {
            return;
        }
        let Some(on_bus) = self.routes.rules.on(&self.replay.bus) else { return };
        let Ok(matched) = on_bus.matches(event.bytes(), &mut self.scratch) else { return };
        let mut is_wanted = false;
        for (key, count) in &mut self.counts {
            if matched.iter().any(|rule| *rule.name == *key.rule) {
                *count += 1;
                is_wanted = true;
            }
        }
        self.matched += u64::from(is_wanted);
    }

    fn estimate(self, exact: bool, damaged: u64) -> Estimate {
        let span = self.replay.to_offset.get().saturating_sub(self.replay.from_offset.get());
        let factor = if exact { 1.0 } else { ratio(span, LOOKED_AT_MAX) };
        let target = |(key, count): (&Key, u64)| TargetEstimate {
            rule: key.rule.as_ref().to_owned(),
            target: key.target.as_ref().to_owned(),
            events: scaled(count, factor),
        };
        Estimate {
            events: scaled(self.events, factor),
            matched: scaled(self.matched, factor),
            targets: self.counts.into_iter().map(target).collect(),
            exact,
            looked_at: self.events,
            damaged,
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an estimate, of counts far below 2^53"
)]
fn scaled(count: u64, factor: f64) -> u64 {
    (count as f64 * factor).round() as u64
}
