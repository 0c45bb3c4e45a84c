//! Which fields of a pattern an event satisfies: each alone, and all together.
//!
//! # Invariants
//!
//! - [`Case::score`] says that a branch matches when, and only when, [`crate::naive`] does, and fails
//!   as it does. All other numbers only order what is shown.

use std::cmp::Ordering;

use super::closeness::{self, Closeness};
use super::survey::{NodeId, Survey};
use crate::join::{Join, Memory, TooMany};
use crate::pattern::{Field, Pattern};

/// Pairs of value and entry that are looked at to say how near a field is.
const PAIRS_MAX: usize = 1_000;

/// A pattern and an event.
pub(super) struct Case<'a> {
    pub(super) pattern: &'a Pattern,
    pub(super) survey: &'a Survey<'a>,
    /// For each field.
    seen: Vec<Seen>,
}

/// What there is at the path of a field.
pub(super) struct Seen {
    pub(super) node: Option<NodeId>,
    /// How many values.
    pub(super) values: usize,
    /// The elements with values that fit, ascending.
    pub(super) accepted: Vec<usize>,
    /// The elements with values, ascending; only for fields that may be absent.
    pub(super) present: Vec<usize>,
}

/// How near a branch comes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Score {
    pub(super) is_match: bool,
    pub(super) fits: usize,
    pub(super) of: usize,
    /// Of the first field that does not fit.
    closeness: Closeness,
}

impl Score {
    /// Nearest first: what matches; then by the part of the fields that fit, then by how near the
    /// first of the others is, then by how many others there are.
    pub(super) fn order(&self, other: &Self) -> Ordering {
        let by_part = (other.fits * self.of).cmp(&(self.fits * other.of));
        (other.is_match.cmp(&self.is_match))
            .then(by_part)
            .then(self.closeness.cmp(&other.closeness))
            .then((self.of - self.fits).cmp(&(other.of - other.fits)))
    }
}

impl<'a> Case<'a> {
    pub(super) fn new(pattern: &'a Pattern, survey: &'a Survey<'a>) -> Self {
        let seen = pattern.fields().iter().map(|field| Seen::new(field, survey)).collect();
        Self { pattern, survey, seen }
    }

    pub(super) fn field(&self, field: usize) -> &'a Field {
        &self.pattern.fields()[field]
    }

    pub(super) fn seen(&self, field: usize) -> &Seen {
        &self.seen[field]
    }

    /// The nearest branch; of two that are equally near the first.
    pub(super) fn best(&self, memory: &mut Memory) -> Result<(usize, Score), TooMany> {
        let ranked = self.ranked(memory)?;
        Ok(*ranked.first().expect("a pattern has at least one branch"))
    }

    /// All branches, the nearest first.
    pub(super) fn ranked(&self, memory: &mut Memory) -> Result<Vec<(usize, Score)>, TooMany> {
        let mut is_match = false;
        let mut ranked = Vec::with_capacity(self.pattern.branches().len());
        for (number, branch) in self.pattern.branches().iter().enumerate() {
            match self.score(branch, memory) {
                Ok(score) => {
                    is_match |= score.is_match;
                    ranked.push((number, score));
                }
                // The matcher asks no further, once a branch matches.
                Err(TooMany) if is_match => (),
                Err(TooMany) => return Err(TooMany),
            }
        }
        ranked.sort_by(|(_, left), (_, right)| left.order(right));
        Ok(ranked)
    }

    fn score(&self, branch: &[usize], memory: &mut Memory) -> Result<Score, TooMany> {
        let of = branch.len();
        let mut lacking = branch.iter().filter(|field| !self.fits_somewhere(**field)).peekable();
        if branch.iter().any(|field| self.is_lacking(*field)) {
            let closeness =
                lacking.peek().map_or(Closeness::Absent, |field| self.closeness(**field));
            return Ok(Score { is_match: false, fits: of - lacking.count(), of, closeness });
        }
        if self.over_at(branch, memory)?.is_none() {
            return Ok(Score { is_match: true, fits: of, of, closeness: Closeness::Apart });
        }
        let closeness = lacking.peek().map_or(Closeness::Apart, |field| self.closeness(**field));
        Ok(Score { is_match: false, fits: of - lacking.count().max(1), of, closeness })
    }

    /// Nothing can satisfy the field, whatever is chosen for others.
    pub(super) fn is_lacking(&self, field: usize) -> bool {
        self.seen[field].accepted.is_empty() && !self.field(field).or_absent
    }

    fn fits_somewhere(&self, field: usize) -> bool {
        let seen = &self.seen[field];
        // A value that is in no element is there whatever is chosen for others.
        !seen.accepted.is_empty() || self.field(field).or_absent && seen.present.first() != Some(&0)
    }

    /// Satisfied whatever is chosen for others, and without a bearing on them.
    fn is_unconditional(&self, field: usize) -> bool {
        let seen = &self.seen[field];
        seen.accepted == [0] || self.field(field).or_absent && seen.values == 0
    }

    /// The place of the first of some fields that cannot be satisfied together with those before it.
    pub(super) fn over_at(
        &self,
        fields: &[usize],
        memory: &mut Memory,
    ) -> Result<Option<usize>, TooMany> {
        if fields.iter().all(|field| self.is_unconditional(*field)) {
            return Ok(None);
        }
        let mut join = Join::new(&self.survey.elements, &self.survey.arrays, memory);
        for (place, field) in fields.iter().enumerate() {
            join.will_ask(place, &self.seen[*field].accepted);
            join.will_ask(place, &self.seen[*field].present);
        }
        for (place, field) in fields.iter().enumerate() {
            let Seen { accepted, present, .. } = &self.seen[*field];
            let absent = self.field(*field).or_absent.then_some(present.as_slice());
            join.ask(place, accepted, absent)?;
            if join.is_over() {
                return Ok(Some(place));
            }
        }
        Ok(None)
    }

    /// How near the field is, which is not satisfied.
    fn closeness(&self, field: usize) -> Closeness {
        let wanted = &self.field(field).wanted;
        let found = self.seen[field].node.map_or(&[][..], |node| self.survey.found(node));
        if self.field(field).or_absent && 0 < self.seen[field].values {
            return Closeness::Value;
        }
        let values = found.iter().filter_map(|found| found.value());
        let pairs = values.flat_map(|value| wanted.iter().map(move |one| (one, value.clone())));
        let closeness = pairs.take(PAIRS_MAX).map(|(one, value)| closeness::of(one, &value));
        closeness.min().unwrap_or(Closeness::Absent)
    }
}

impl Seen {
    fn new(field: &Field, survey: &Survey<'_>) -> Self {
        let node = survey.node(&field.path);
        let found = node.map_or(&[][..], |node| survey.found(node));
        let (mut values, mut accepted, mut present) = (0, Vec::new(), Vec::new());
        for found in found {
            let Some(value) = found.value() else {
                continue;
            };
            values += 1;
            if field.or_absent {
                present.push(found.element);
            }
            if field.wanted.iter().any(|wanted| wanted.accepts(&value)) {
                accepted.push(found.element);
            }
        }
        for elements in [&mut accepted, &mut present] {
            elements.sort_unstable();
            elements.dedup();
        }
        Self { node, values, accepted, present }
    }
}
