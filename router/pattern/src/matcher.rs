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

/// Why bytes are not an event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} (at byte {offset})")]
pub struct EventError {
    /// Where in the event.
    pub offset: usize,
    pub message: String,
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

    /// Puts the patterns that match `event`, one JSON object, into `matched`: ascending, each once.
    ///
    /// `matched` is cleared first, and stays empty on an error.
    pub fn matches(
        &self,
        event: &[u8],
        scratch: &mut Scratch,
        matched: &mut Vec<PatternIndex>,
    ) -> Result<(), EventError> {
        self.engine.matches(event, &mut scratch.engine, matched)
    }
}
