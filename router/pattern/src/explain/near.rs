//! Which of many patterns come nearest to an event.

use super::judge::{Case, Score};
use super::said::Said;
use super::survey::Survey;
use super::{report, too_many};
use crate::event::{Event, EventError};
use crate::join::{Memory, TooMany};
use crate::matcher::PatternIndex;
use crate::pattern::Pattern;

/// The patterns that come nearest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nearest {
    /// Those that match, in their order; then those that nearly do.
    pub patterns: Vec<Near>,
    /// How many match, also those that are not in the list.
    pub matched: usize,
}

/// How near a pattern comes, by its nearest alternative.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Near {
    pub pattern: PatternIndex,
    pub is_match: bool,
    /// How many fields fit.
    pub fits: usize,
    /// How many fields there are.
    pub of: usize,
    /// The reason in one line, what failed first: `detail.total: 5 is not > 100`.
    pub why: String,
}

/// Finds the `limit` nearest of the patterns, the nearest first.
///
/// A pattern is as near as the nearest of its alternatives. Those that match come first. Of the rest
/// one is nearer
///
/// 1. when a larger part of its fields fits (of fields that fit only in different elements of an array
///    one counts as not fitting);
/// 2. when the first field that does not fit is nearer: it fits in another element; only case, white
///    space or quotes differ; a value of the right type is there; one of another type; none;
/// 3. when fewer of its fields do not fit;
/// 4. when it comes first.
///
/// # Errors
///
/// As [`crate::Matcher::matches`].
///
/// # Panics
///
/// With more than `u32::MAX` patterns.
pub fn nearest(
    patterns: &[Pattern],
    event: Event<'_>,
    limit: usize,
) -> Result<Nearest, EventError> {
    assert!(u32::try_from(patterns.len()).is_ok(), "patterns are numbered in 32 bits");
    let survey = Survey::read(event)?;
    let mut memory = Memory::default();
    let mut ranked: Vec<(Score, u32)> = Vec::with_capacity(patterns.len());
    for (index, pattern) in (0..).zip(patterns) {
        let (_, score) =
            Case::new(pattern, &survey).best(&mut memory).map_err(|TooMany| too_many())?;
        ranked.push((score, index));
    }
    // Equal ones stay in their order.
    ranked.sort_by(|(left, _), (right, _)| left.order(right));
    let matched = ranked.iter().filter(|(score, _)| score.is_match).count();
    ranked.truncate(limit);
    let patterns = ranked.into_iter().map(|(_, index)| {
        let pattern = &patterns[usize::try_from(index).expect("it is a position in memory")];
        near(pattern, PatternIndex(index), &survey, &mut memory)
    });
    Ok(Nearest { patterns: patterns.collect::<Result<_, _>>()?, matched })
}

fn near(
    pattern: &Pattern,
    index: PatternIndex,
    survey: &Survey<'_>,
    memory: &mut Memory,
) -> Result<Near, EventError> {
    let case = Case::new(pattern, survey);
    let best = case.best(memory).map_err(|TooMany| too_many())?;
    let nearest = report::alternative(&case, &Said::entries(pattern), best, memory);
    Ok(Near {
        pattern: index,
        is_match: nearest.is_match,
        fits: nearest.fits_total,
        of: nearest.fields_total,
        why: nearest.why(),
    })
}
