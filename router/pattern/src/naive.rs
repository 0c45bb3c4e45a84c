//! The straightforward matcher: flatten the event once, then ask every pattern in turn.
//!
//! It says what matching means; a faster engine is held against it.
//!
//! # Invariants
//!
//! - A branch matches when each of its fields accepts a leaf, and no two of these leaves come from
//!   different elements of one array.
//! - The cost of a pattern is linear in its fields and the leaves they name. It is never the product
//!   of arrays: what later fields cannot see of a combination is forgotten, and equal ones are merged.
//!
//! # Not here
//!
//! - An index over the patterns: a thousand of them cost a thousand looks.

use crate::event::{Event, EventError};
use crate::flatten::{Leaf, Leaves, PathId, Paths};
use crate::join::{Join, Memory, TooMany};
use crate::matcher::PatternIndex;
use crate::pattern::{Field, Pattern};

/// As [`crate::Matcher`].
pub struct Matcher {
    paths: Paths,
    asked: Vec<Asked>,
}

/// Memory that a thread keeps from event to event.
#[derive(Default)]
pub struct Scratch {
    leaves: Leaves,
    /// For each field of the pattern at hand: the elements in which it is accepted, once looked for.
    accepted: Vec<Option<Vec<usize>>>,
}

struct Asked {
    pattern: Pattern,
    /// For each field.
    paths: Vec<PathId>,
}

impl Matcher {
    /// As [`crate::Matcher::new`].
    ///
    /// # Panics
    ///
    /// With more than `u32::MAX` patterns.
    pub fn new(patterns: &[Pattern]) -> Self {
        assert!(u32::try_from(patterns.len()).is_ok(), "patterns are numbered in 32 bits");
        let mut paths = Paths::default();
        let asked = patterns
            .iter()
            .map(|pattern| Asked {
                pattern: pattern.clone(),
                paths: pattern.fields().iter().map(|field| paths.add(&field.path)).collect(),
            })
            .collect();
        Self { paths, asked }
    }

    /// As [`crate::Matcher::matches`].
    pub fn matches(
        &self,
        event: Event<'_>,
        scratch: &mut Scratch,
        matched: &mut Vec<PatternIndex>,
    ) -> Result<(), EventError> {
        matched.clear();
        scratch.leaves.read(event, &self.paths)?;
        for (index, asked) in (0..).zip(&self.asked) {
            let mut question = Question {
                asked,
                event: event.bytes(),
                leaves: &scratch.leaves,
                accepted: &mut scratch.accepted,
            };
            match question.is_matched() {
                Ok(true) => matched.push(PatternIndex(index)),
                Ok(false) => (),
                Err(TooMany) => {
                    matched.clear();
                    let message = "the event's arrays allow too many combinations".to_owned();
                    return Err(EventError { offset: 0, message });
                }
            }
        }
        Ok(())
    }
}

/// One pattern asked of one event.
struct Question<'a> {
    asked: &'a Asked,
    event: &'a [u8],
    leaves: &'a Leaves,
    accepted: &'a mut Vec<Option<Vec<usize>>>,
}

impl Question<'_> {
    fn is_matched(&mut self) -> Result<bool, TooMany> {
        let fields = self.asked.pattern.fields().len();
        self.accepted.clear();
        self.accepted.resize(fields, None);
        for branch in self.asked.pattern.branches() {
            if self.is_satisfied(branch)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn is_satisfied(&mut self, branch: &[usize]) -> Result<bool, TooMany> {
        for field in branch {
            self.look_for(*field);
            if self.accepted(*field).is_empty() && !self.field(*field).or_absent {
                return Ok(false);
            }
        }
        if branch.iter().all(|field| self.is_unconditional(*field)) {
            return Ok(true);
        }
        self.is_joined(branch)
    }

    /// The field is satisfied whatever else is chosen, and nothing chosen for it restricts the others.
    fn is_unconditional(&self, field: usize) -> bool {
        let nowhere = self.leaves_of(field).is_empty();
        self.accepted(field) == [0] || self.field(field).or_absent && nowhere
    }

    /// Whether the fields are satisfied together, when arrays are involved.
    fn is_joined(&self, branch: &[usize]) -> Result<bool, TooMany> {
        let mut present: Vec<Vec<usize>> = Vec::with_capacity(branch.len());
        for field in branch {
            let all = if self.field(*field).or_absent { self.leaves_of(*field) } else { &[] };
            present.push(elements_of(all.iter()));
        }
        let mut memory = Memory::default();
        let mut join = Join::new(&self.leaves.elements, &self.leaves.arrays, &mut memory);
        for (place, field) in branch.iter().enumerate() {
            join.will_ask(place, self.accepted(*field));
            join.will_ask(place, &present[place]);
        }
        for (place, field) in branch.iter().enumerate() {
            let absent = self.field(*field).or_absent.then_some(present[place].as_slice());
            join.ask(place, self.accepted(*field), absent)?;
            if join.is_over() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Notes the elements with leaves that the field accepts.
    fn look_for(&mut self, field: usize) {
        if self.accepted[field].is_some() {
            return;
        }
        let wanted = &self.field(field).wanted;
        let accepts = |leaf: &&Leaf| {
            let value = self.leaves.value(leaf, self.event);
            wanted.iter().any(|wanted| wanted.accepts(&value))
        };
        let accepted = elements_of(self.leaves_of(field).iter().filter(accepts));
        self.accepted[field] = Some(accepted);
    }

    fn accepted(&self, field: usize) -> &[usize] {
        self.accepted[field].as_deref().unwrap_or_default()
    }

    fn field(&self, field: usize) -> &Field {
        &self.asked.pattern.fields()[field]
    }

    fn leaves_of(&self, field: usize) -> &[Leaf] {
        self.leaves.at(self.asked.paths[field])
    }
}

/// The elements of some leaves, ascending, each once.
fn elements_of<'l>(leaves: impl Iterator<Item = &'l Leaf>) -> Vec<usize> {
    let mut elements: Vec<usize> = leaves.map(|leaf| leaf.element).collect();
    elements.sort_unstable();
    elements.dedup();
    elements
}
