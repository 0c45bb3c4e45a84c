//! What exactly is in the way of a branch that does not match.
//!
//! A field can be in the way by itself. But fields below one array can also each fit and yet never
//! together: then a set of them is the reason, and the smaller the set, the better people see it.
//!
//! # Not here
//!
//! - A guarantee that the set is the smallest there is: pairs are tried first, and then the fields
//!   are left out one after the other. With `{"exists": false}` a part of a set that can be satisfied
//!   may be one that cannot.

use std::collections::HashSet;

use super::judge::Case;
use super::survey::NodeId;
use crate::join::Memory;

/// Elements that an inquiry may ask about.
const WORK_MAX: usize = 2_000_000;

/// Conflicts that are told of one branch.
const CONFLICTS_MAX: usize = 8;

/// Fields before one that are tried with it alone.
const PAIRS_MAX: usize = 500;

/// Elements of a field that are looked at to see which arrays it is about.
const ELEMENTS_LOOKED_AT_MAX: usize = 32;

/// What keeps some fields of a branch from fitting. Numbers are places in the branch.
#[derive(Default)]
pub(super) struct Ruling {
    /// No value fits, or one is there that must not be; ascending.
    pub(super) misses: Vec<usize>,
    /// Each fits, but they never fit together; the last is where it showed.
    pub(super) conflicts: Vec<Vec<usize>>,
}

/// Finding out what exactly is in the way. It asks many joins, so its work has a budget, beyond which
/// it says less.
pub(super) struct Inquiry<'a> {
    case: &'a Case<'a>,
    branch: &'a [usize],
    memory: &'a mut Memory,
    /// Elements that may still be asked about.
    budget: usize,
}

impl<'a> Inquiry<'a> {
    pub(super) fn new(case: &'a Case<'a>, branch: &'a [usize], memory: &'a mut Memory) -> Self {
        Self { case, branch, memory, budget: WORK_MAX }
    }

    /// For a branch that does not match.
    pub(super) fn ruling(mut self) -> Ruling {
        let mut ruling = Ruling::default();
        let (misses, mut places): (Vec<usize>, Vec<usize>) =
            (0..self.branch.len()).partition(|place| self.case.is_lacking(self.branch[*place]));
        ruling.misses = misses;
        // Each round takes out one field more. Without it, later ones may fit.
        while let Some(over) = self.over_at(&places) {
            let place = places.remove(over);
            let conflict = self.conflict(&places[..over], place);
            match &conflict[..] {
                [_] => ruling.misses.push(place),
                _ => ruling.conflicts.push(conflict),
            }
            if CONFLICTS_MAX <= ruling.conflicts.len() {
                break;
            }
        }
        if ruling.misses.is_empty() && ruling.conflicts.is_empty() {
            // Too much work to find out more.
            ruling.conflicts.push((0..self.branch.len()).collect());
        }
        ruling.misses.sort_unstable();
        ruling.conflicts.sort_unstable_by_key(|conflict| conflict.last().copied());
        ruling
    }

    /// The smallest set we find of the fields `before` with which the one at `place` has no choice.
    fn conflict(&mut self, before: &[usize], place: usize) -> Vec<usize> {
        let about = self.arrays(place);
        let related: Vec<usize> = before
            .iter()
            .rev()
            .take(PAIRS_MAX)
            .rev()
            .copied()
            .filter(|other| !self.arrays(*other).is_disjoint(&about))
            .collect();
        if related.is_empty() && self.case.seen(self.branch[place]).accepted.is_empty() {
            return vec![place];
        }
        for other in &related {
            if self.is_conflict(&[*other], place) {
                return vec![*other, place];
            }
        }
        let mut kept = if self.is_conflict(&related, place) { related } else { before.to_vec() };
        let mut at = kept.len();
        while 0 < at && 1 < kept.len() {
            at -= 1;
            let mut fewer = kept.clone();
            fewer.remove(at);
            if self.is_conflict(&fewer, place) {
                kept = fewer;
            }
        }
        kept.push(place);
        kept
    }

    fn arrays(&self, place: usize) -> HashSet<NodeId> {
        arrays_of(self.case, self.branch[place]).into_iter().collect()
    }

    /// The fields `before` can be satisfied together, but not with the one at `place`.
    fn is_conflict(&mut self, before: &[usize], place: usize) -> bool {
        let mut places = before.to_vec();
        places.push(place);
        self.over_at(&places) == Some(before.len())
    }

    /// `None` also when it is too much work to find out.
    fn over_at(&mut self, places: &[usize]) -> Option<usize> {
        let fields: Vec<usize> = places.iter().map(|place| self.branch[*place]).collect();
        let work = |field: &usize| {
            let seen = self.case.seen(*field);
            1 + seen.accepted.len() + seen.present.len()
        };
        let work: usize = fields.iter().map(work).sum();
        self.budget = self.budget.checked_sub(work)?;
        self.case.over_at(&fields, self.memory).unwrap_or(None)
    }
}

/// Where the arrays stand around the values that count for the field.
pub(super) fn arrays_of(case: &Case<'_>, field: usize) -> Vec<NodeId> {
    let survey = case.survey;
    let elements = elements_of(case, field).iter().take(ELEMENTS_LOOKED_AT_MAX);
    let mut arrays: Vec<NodeId> = elements
        .flat_map(|element| survey.around(*element))
        .map(|element| survey.array_of(element))
        .collect();
    arrays.sort_unstable();
    arrays.dedup();
    arrays
}

/// The elements with the values that fit, or that are there and must not be.
pub(super) fn elements_of<'c>(case: &'c Case<'_>, field: usize) -> &'c [usize] {
    let seen = case.seen(field);
    if seen.accepted.is_empty() { &seen.present } else { &seen.accepted }
}
