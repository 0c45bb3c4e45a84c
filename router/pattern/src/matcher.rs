//! Which of many patterns match an event: the interface, whatever works behind it.
//!
//! ```text
//! a matcher   base layer: most patterns, compiled together      shared by the matchers made from it
//!             recent layer: those changed since                 compiled anew at each change
//! ```
//!
//! # Invariants
//!
//! - The answer depends on the patterns and the bytes of the event alone.
//! - A [`Matcher`] never changes: threads share it, each with a [`Scratch`] of its own, and a change
//!   of rules makes another one.
//! - A pattern is in one layer; the base layer's place for a pattern that changed is dead.

use std::sync::Arc;

use crate::engine::{self, Layer, Paths};
use crate::event::{Event, EventError};
use crate::pattern::Pattern;

/// So many changes are kept beside the base layer; then, or at a thirty-second of the patterns, all are
/// compiled together again.
const RECENT_MAX: usize = 512;

/// Finds the matching ones of its patterns.
pub struct Matcher {
    patterns: Vec<Option<Pattern>>,
    paths: Arc<Paths>,
    base: Arc<Layer>,
    /// Numbers of the patterns that changed since the base layer was made, ascending.
    changed: Vec<u32>,
    /// By number, one bit each: dead places of the base layer. Empty while nothing changed.
    dead: Vec<u64>,
    recent: Option<Layer>,
}

/// The number of a pattern: its position in the slice that [`Matcher::new`] was given, or the one that
/// [`Matcher::changed`] was given for it.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PatternIndex(pub u32);

/// Memory that a thread keeps from event to event, for any matcher.
#[derive(Default)]
pub struct Scratch {
    engine: engine::Scratch,
}

impl Matcher {
    /// Compiles the patterns. It cannot fail: a [`Pattern`] is already valid.
    ///
    /// # Panics
    ///
    /// With more than `u32::MAX` patterns.
    pub fn new(patterns: &[Pattern]) -> Self {
        Self::compile(patterns.iter().cloned().map(Some).collect())
    }

    /// The matcher after some changes: each number gets the pattern given, or none. Numbers beyond
    /// those in use add patterns; a number that is free again may be given to another pattern.
    ///
    /// The cost is that of the changes, not of all patterns, except in two cases: when more than 512
    /// patterns and a thirty-second of all have changed, everything is compiled together again; and a
    /// path that no pattern named before makes the paths anew.
    ///
    /// # Panics
    ///
    /// With a number of `u32::MAX`.
    #[must_use]
    pub fn changed(&self, changes: &[(PatternIndex, Option<Pattern>)]) -> Self {
        let mut patterns = self.patterns.clone();
        let mut changed = self.changed.clone();
        for (PatternIndex(number), pattern) in changes {
            assert!(*number < u32::MAX, "patterns are numbered in 32 bits");
            let place = position(*number);
            if patterns.len() <= place {
                patterns.resize(place + 1, None);
            }
            patterns[place].clone_from(pattern);
            changed.push(*number);
        }
        changed.sort_unstable();
        changed.dedup();
        if RECENT_MAX.max(patterns.len() / 32) < changed.len() {
            return Self::compile(patterns);
        }

        let now: Vec<(PatternIndex, &Pattern)> = changed
            .iter()
            .filter_map(|number| {
                Some((PatternIndex(*number), patterns[position(*number)].as_ref()?))
            })
            .collect();
        let paths = self.paths.with(paths_of(now.iter().map(|(_, pattern)| *pattern)));
        let paths = paths.map_or_else(|| Arc::clone(&self.paths), Arc::new);
        let recent = (!now.is_empty()).then(|| Layer::new(now.into_iter(), &paths));
        let mut dead = vec![0; patterns.len().div_ceil(64)];
        for number in &changed {
            dead[position(*number) / 64] |= 1 << (number % 64);
        }
        Self { patterns, paths, base: Arc::clone(&self.base), changed, dead, recent }
    }

    fn compile(patterns: Vec<Option<Pattern>>) -> Self {
        assert!(u32::try_from(patterns.len()).is_ok(), "patterns are numbered in 32 bits");
        let numbered =
            || (0..).zip(&patterns).filter_map(|(at, pattern)| Some((at, pattern.as_ref()?)));
        let paths = Paths::default().with(paths_of(numbered().map(|(_, pattern)| pattern)));
        let paths = paths.unwrap_or_default();
        let base = Layer::new(numbered().map(|(at, pattern)| (PatternIndex(at), pattern)), &paths);
        Self {
            paths: Arc::new(paths),
            base: Arc::new(base),
            patterns,
            changed: Vec::new(),
            dead: Vec::new(),
            recent: None,
        }
    }

    /// Puts the patterns that match `event` into `matched`: each once, in no particular order.
    ///
    /// `matched` is cleared first, and stays empty on an error.
    ///
    /// # Errors
    ///
    /// When the event is none after all, or its arrays allow too many combinations.
    pub fn matches(
        &self,
        event: Event<'_>,
        scratch: &mut Scratch,
        matched: &mut Vec<PatternIndex>,
    ) -> Result<(), EventError> {
        matched.clear();
        let scratch = &mut scratch.engine;
        scratch.read(event, &self.paths)?;
        let result = self.ask(event, scratch, matched);
        result.map_err(|_too_many| {
            matched.clear();
            let message = "the event's arrays allow too many combinations".to_owned();
            EventError { offset: 0, message }
        })
    }

    fn ask(
        &self,
        event: Event<'_>,
        scratch: &mut engine::Scratch,
        matched: &mut Vec<PatternIndex>,
    ) -> Result<(), crate::join::TooMany> {
        self.base.matches((event, &self.paths), scratch, matched)?;
        if !self.dead.is_empty() {
            matched.retain(|PatternIndex(number)| {
                self.dead[position(*number) / 64] >> (number % 64) & 1 == 0
            });
        }
        self.recent
            .as_ref()
            .map_or(Ok(()), |recent| recent.matches((event, &self.paths), scratch, matched))
    }

    /// The pattern of a number, if it has one.
    pub fn pattern(&self, PatternIndex(number): PatternIndex) -> Option<&Pattern> {
        self.patterns.get(position(number))?.as_ref()
    }

    /// The bytes that the compiled form keeps, nearly, with the patterns it was made of.
    pub fn memory_bytes(&self) -> usize {
        let patterns: usize = self.patterns.iter().flatten().map(Pattern::memory_bytes).sum();
        let layers = self.base.memory_bytes() + self.recent.as_ref().map_or(0, Layer::memory_bytes);
        patterns + layers + self.paths.memory_bytes() + self.dead.len() * 8 + self.changed.len() * 4
    }
}

fn position(number: u32) -> usize {
    usize::try_from(number).expect("positions have at least 32 bits")
}

fn paths_of<'a>(patterns: impl Iterator<Item = &'a Pattern>) -> impl Iterator<Item = &'a [u8]> {
    patterns.flat_map(Pattern::fields).map(|field| &*field.path)
}
