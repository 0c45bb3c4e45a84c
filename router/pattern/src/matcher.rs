//! Which of many patterns match an event: the interface, whatever works behind it.
//!
//! # Invariants
//!
//! - The answer depends on the patterns and the bytes of the event alone.
//! - A [`Matcher`] never changes: threads share it, each with a [`Scratch`] of its own, and a change
//!   of rules builds another one.
//!
//! # Not here
//!
//! - An engine: this release asks [`crate::naive`]. Whatever takes its place is held against it.

use crate::event::{Event, EventError};
use crate::naive;
use crate::pattern::Pattern;

/// Finds the matching ones of its patterns.
pub struct Matcher {
    engine: naive::Matcher,
}

/// The position of a pattern in the slice that [`Matcher::new`] was given.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PatternIndex(pub u32);

/// Memory that a thread keeps from event to event.
#[derive(Default)]
pub struct Scratch {
    engine: naive::Scratch,
}

impl Matcher {
    /// Prepares the patterns. It cannot fail: a [`Pattern`] is already valid.
    ///
    /// # Panics
    ///
    /// With more than `u32::MAX` patterns.
    pub fn new(patterns: &[Pattern]) -> Self {
        Self { engine: naive::Matcher::new(patterns) }
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
        self.engine.matches(event, &mut scratch.engine, matched)
    }
}
