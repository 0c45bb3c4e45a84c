//! Why a pattern matches an event, or does not, in words.
//!
//! ```text
//! ✗ no match: detail.state: "Running" differs from "running" in case only
//!
//!   ✓ source: "com.shop"
//!   ✗ detail.state: "Running" differs from "running" in case only
//!   ✓ detail.total: 250 is > 100
//! ```
//!
//! An event is read whole, into a `survey`; `judge` finds out which fields are satisfied, `inquiry` which
//! of them are in each other's way, and `report` says it.
//!
//! # Invariants
//!
//! - An [`Explanation`] matches when, and only when, the matcher does, and there is none when the
//!   matcher has an error.
//! - Whatever the sizes of pattern and event, an explanation is short: what is left out is counted.
//!
//! # Not here
//!
//! - Speed: it is for people, who ask about one event at a time.

mod closeness;
mod conflict;
mod entry;
mod field;
mod hints;
mod inquiry;
mod judge;
mod near;
mod render;
mod report;
mod said;
mod survey;
mod words;

pub use near::{Near, Nearest, nearest};

use crate::event::{Event, EventError};
use crate::join::{Memory, TooMany};
use crate::pattern::Pattern;
use judge::Case;
use said::Said;
use survey::Survey;

/// Alternatives that are explained.
const ALTERNATIVES_SHOWN_MAX: usize = 6;

/// What was compared with what. `Display` is all of it, as lines for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The ways to satisfy the pattern, of which `$or` makes several: those that match first, then the
    /// nearest. Of many only the first are here.
    pub alternatives: Vec<Alternative>,
    /// How many there are.
    pub alternatives_total: usize,
}

/// One way to satisfy a pattern: all of these fields together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alternative {
    /// Counted from 1, in the order of the pattern's text.
    pub number: usize,
    pub is_match: bool,
    /// In the order of their paths. Of many those that fit are left out first.
    pub fields: Vec<Field>,
    /// How many fields there are.
    pub fields_total: usize,
    /// How many of them fit; of those in a conflict one does not.
    pub fits_total: usize,
    /// Fields that fit one by one, but not together.
    pub conflicts: Vec<Conflict>,
    /// What is in the way, in the order of the paths: the first failed first. Of many only the first.
    pub failures: Vec<Failure>,
    /// How many failures there are.
    pub failures_total: usize,
}

/// What is in the way of an alternative.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Of the field, or of the array in which fields have to fit together.
    pub path: String,
    /// `5 is not > 100`
    pub why: String,
}

/// A path, what was found there, and what was expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    pub path: String,
    pub verdict: Verdict,
    /// `5 is not > 100`
    pub why: String,
    /// What may have been meant.
    pub hints: Vec<String>,
    /// The entries of the list in words, of many only the first.
    pub expected: Vec<String>,
    /// How many entries there are.
    pub expected_total: usize,
    /// Those that fit first, then the nearest. Of many only the first are here.
    pub found: Vec<Found>,
    /// How many there are, values and what stands in the place of one.
    pub found_total: usize,
}

/// How a field did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Fits,
    /// It fits by itself, but not together with others: a [`Conflict`] says how.
    Apart,
    Misses,
}

/// Something at the path of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// `detail.items[0].sku`
    pub place: String,
    /// As JSON writes it, cut when it is long.
    pub shown: String,
    /// `string`, `number`, `boolean`, `null`, `object` or `empty array`.
    pub kind: &'static str,
    /// The entries that it fits, by their positions in the list.
    pub fits: Vec<usize>,
    /// `5 is not > 100`
    pub why: String,
}

/// Fields that fit one by one, but not in one element of an array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The array.
    pub path: String,
    /// `no single element had both sku and qty`
    pub why: String,
    pub parties: Vec<Party>,
}

/// One of the fields in a [`Conflict`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Party {
    /// From the array on.
    pub key: String,
    /// A value is in the way, where none may be.
    pub must_be_absent: bool,
    /// The elements in which it fits, or is in the way: `detail.items[0]`. Of many only the first.
    pub places: Vec<String>,
    pub places_total: usize,
}

/// Explains why `pattern` matches `event`, or does not.
///
/// # Errors
///
/// As [`crate::Matcher::matches`].
pub fn explain(pattern: &Pattern, event: Event<'_>) -> Result<Explanation, EventError> {
    let survey = Survey::read(event)?;
    let case = Case::new(pattern, &survey);
    let mut memory = Memory::default();
    let ranked = case.ranked(&mut memory).map_err(|TooMany| too_many())?;
    let said = Said::entries(pattern);
    let alternatives = ranked
        .into_iter()
        .take(ALTERNATIVES_SHOWN_MAX)
        .map(|(number, score)| report::alternative(&case, &said, (number, score), &mut memory))
        .collect();
    Ok(Explanation { alternatives, alternatives_total: pattern.branches().len() })
}

fn too_many() -> EventError {
    let message = "the event's arrays allow too many combinations".to_owned();
    EventError { offset: 0, message }
}

impl Explanation {
    pub fn is_match(&self) -> bool {
        self.nearest().is_match
    }

    /// The alternative that matches, or comes nearest.
    pub fn nearest(&self) -> &Alternative {
        self.alternatives.first().expect("a pattern has at least one alternative")
    }

    /// The reason in one line.
    pub fn why(&self) -> String {
        let nearest = self.nearest();
        let total = words::grouped(self.alternatives_total);
        let reason = nearest.why();
        match (nearest.is_match, self.alternatives_total) {
            (_, 1) => reason,
            (true, _) => format!("{reason}, by alternative {} of {total}", nearest.number),
            (false, _) => {
                format!(
                    "none of {total} alternatives; the nearest, number {}: {reason}",
                    nearest.number
                )
            }
        }
    }
}

impl Alternative {
    /// The reason in one line: what failed first.
    pub fn why(&self) -> String {
        let more = self.failures_total.saturating_sub(1);
        match self.failures.first() {
            None => "every field fits".to_owned(),
            Some(Failure { path, why }) if more == 0 => format!("{path}: {why}"),
            Some(Failure { path, why }) => format!("{path}: {why} (and {more} more)"),
        }
    }
}
