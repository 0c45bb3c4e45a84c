//! Some patterns, compiled; and how an event that was read meets them.
//!
//! # Invariants
//!
//! - A pattern of the layer is found once, and only if one of its branches is satisfied.
//! - A candidate costs its conditions, each at most once an event however many candidates share it.

use std::collections::HashMap;

use super::blocks::Blocks;
use super::draft::{Condition, ConditionId, Draft};
use super::field_index::{FieldIndex, Finds, Sources};
use super::leaves::Leaves;
use super::paths::{Field, Paths};
use super::read::read;
use super::seen::Seen;
use super::table::{Atom, Table};
use super::tree::{Candidate, NONE, NodeId, Planter, Tree};
use super::way::{self, Found, Literals, Way};
use super::{index, small};
use crate::event::{Event, EventError};
use crate::join::{Join, Memory, TooMany};
use crate::matcher::PatternIndex;
use crate::pattern::Pattern;
use crate::value::Wanted;

#[derive(Debug)]
pub(crate) struct Layer {
    atoms: Vec<Wanted>,
    conditions: Vec<Asked>,
    /// The atoms of the conditions.
    listed: Vec<Atom>,
    tree: Tree,
    table: Table,
    indexes: Vec<FieldIndex>,
    /// By field: its index, or [`NO_INDEX`].
    index_of: Vec<u32>,
    /// One more than the largest number of a pattern.
    patterns_end: usize,
}

const NO_INDEX: u32 = u32::MAX;

/// A condition, and where its atoms are in the list of all.
#[derive(Copy, Clone, Debug)]
struct Asked {
    field: Field,
    atoms: (u32, u32),
    or_absent: bool,
}

/// Memory that a thread keeps from event to event.
#[derive(Default)]
pub(crate) struct Scratch {
    blocks: Blocks,
    leaves: Leaves,
    finds: Finds,
    /// By field: where in `finds` its atoms are.
    found: Vec<Range>,
    /// Which of `found` are there.
    is_found: Seen,
    /// Answers by condition.
    conditions: Seen,
    /// Patterns that matched.
    patterns: Seen,
    join: Memory,
    accepted: Vec<usize>,
    present: Vec<usize>,
}

#[derive(Copy, Clone, Default)]
struct Range {
    atoms: (u32, u32),
    ranges: (u32, u32),
}

impl Scratch {
    /// Reads the event's values at the paths.
    pub(crate) fn read(&mut self, event: Event<'_>, paths: &Paths) -> Result<(), EventError> {
        read(event.bytes(), paths, &mut self.blocks, &mut self.leaves)
    }
}

impl Layer {
    /// Compiles patterns whose paths all have numbers.
    pub(crate) fn new<'a>(
        patterns: impl Iterator<Item = (PatternIndex, &'a Pattern)>,
        fields: &HashMap<Box<[u8]>, Field>,
    ) -> Self {
        let mut draft = Draft::default();
        let mut patterns_end = 0;
        for (number, pattern) in patterns {
            draft.add(number, pattern, fields);
            patterns_end = patterns_end.max(index(number.0) + 1);
        }
        let mut literals = Literals::default();
        for (field, wanted) in &draft.atoms {
            literals.count(*field, wanted);
        }
        let founds: Vec<Found> =
            draft.atoms.iter().map(|(field, wanted)| way::way(*field, wanted, &literals)).collect();
        let (tree, is_needed) = Planter::new(&draft, &founds).plant();
        let (table, indexes, index_of) = index_fields(&draft, &founds, &is_needed);
        let atoms = draft.atoms.iter().map(|(_, wanted)| (*wanted).clone()).collect();
        let mut listed = Vec::new();
        let mut conditions = Vec::with_capacity(draft.conditions.len());
        for Condition { field, or_absent, atoms } in &draft.conditions {
            let start = small(listed.len());
            listed.extend_from_slice(atoms);
            let atoms = (start, small(listed.len()));
            conditions.push(Asked { field: *field, atoms, or_absent: *or_absent });
        }
        Self { atoms, conditions, listed, tree, table, indexes, index_of, patterns_end }
    }

    /// Adds the patterns that match the event in the scratch.
    pub(crate) fn matches(
        &self,
        event: Event<'_>,
        scratch: &mut Scratch,
        matched: &mut Vec<PatternIndex>,
    ) -> Result<(), TooMany> {
        let Scratch {
            leaves,
            finds,
            found,
            is_found,
            conditions,
            patterns,
            join,
            accepted,
            present,
            ..
        } = scratch;
        finds.clear(self.atoms.len());
        is_found.clear(self.index_of.len());
        if found.len() < self.index_of.len() {
            found.resize(self.index_of.len(), Range::default());
        }
        conditions.clear(self.conditions.len());
        patterns.clear(self.patterns_end);
        let mut visit = Visit {
            layer: self,
            sources: Sources {
                event: event.bytes(),
                leaves,
                table: &self.table,
                atoms: &self.atoms,
            },
            finds,
            found,
            is_found,
            conditions,
            patterns,
            join,
            accepted,
            present,
            matched,
        };
        visit.root()
    }

    /// The numbers of the patterns are below this.
    pub(crate) fn memory_bytes(&self) -> usize {
        let indexes: usize = self.indexes.iter().map(FieldIndex::memory_bytes).sum();
        self.atoms.capacity() * size_of::<Wanted>()
            + self.conditions.capacity() * size_of::<Asked>()
            + 4 * self.listed.capacity()
            + indexes
            + self.tree.memory_bytes()
            + self.table.memory_bytes()
            + 4 * self.index_of.capacity()
    }
}

impl Layer {
    fn listed(&self, condition: &Asked) -> &[Atom] {
        &self.listed[index(condition.atoms.0)..index(condition.atoms.1)]
    }

    /// The elements in which a condition is met by a leaf; and, where absence counts, all that have one.
    fn elements(
        &self,
        condition: &Asked,
        sources: Sources<'_>,
        (accepted, present): (&mut Vec<usize>, &mut Vec<usize>),
    ) {
        let Sources { event, leaves, atoms, .. } = sources;
        accepted.clear();
        present.clear();
        for leaf in leaves.at(condition.field) {
            let element = index(leaf.element);
            if condition.or_absent {
                present.push(element);
            }
            let value = leaves.value(leaf, event);
            if self.listed(condition).iter().any(|atom| atoms[index(*atom)].accepts(&value)) {
                accepted.push(element);
            }
        }
        // Leaves come in the order of their elements only as long as keys do not repeat.
        for list in [accepted, present] {
            list.sort_unstable();
            list.dedup();
        }
    }
}

/// The indexes of the fields that have atoms to be found, and by field which it is.
fn index_fields(
    draft: &Draft<'_>,
    founds: &[Found],
    is_needed: &[bool],
) -> (Table, Vec<FieldIndex>, Vec<u32>) {
    let mut by_field: HashMap<Field, Vec<(Atom, Found, &Wanted)>> = HashMap::new();
    let mut keys = 0;
    for (atom, (field, wanted)) in (0..).zip(&draft.atoms) {
        if is_needed[index(atom)] {
            let found = founds[index(atom)].clone();
            keys += usize::from(matches!(found.way, Way::Key(..) | Way::Number(_)));
            by_field.entry(*field).or_default().push((atom, found, wanted));
        }
    }
    let mut fields: Vec<_> = by_field.into_iter().collect();
    fields.sort_unstable_by_key(|(field, _)| *field);
    let mut table = Table::new(keys);
    let mut index_of = Vec::new();
    let mut indexes = Vec::new();
    for (field, atoms) in fields {
        index_of.resize(index(field), NO_INDEX);
        index_of.push(small(indexes.len()));
        indexes.push(FieldIndex::new(field, &atoms, &mut table));
    }
    (table, indexes, index_of)
}

/// One event in one layer.
struct Visit<'a> {
    layer: &'a Layer,
    sources: Sources<'a>,
    finds: &'a mut Finds,
    found: &'a mut [Range],
    is_found: &'a mut Seen,
    conditions: &'a mut Seen,
    patterns: &'a mut Seen,
    join: &'a mut Memory,
    accepted: &'a mut Vec<usize>,
    present: &'a mut Vec<usize>,
    matched: &'a mut Vec<PatternIndex>,
}

impl<'a> Visit<'a> {
    fn root(&mut self) -> Result<(), TooMany> {
        let layer = self.layer;
        self.node(Tree::ROOT)?;
        let leaves = self.sources.leaves;
        for field in leaves.touched() {
            let Some(range) = self.find(*field) else { continue };
            for at in range.atoms.0..range.atoms.1 {
                self.child(layer.tree.below_root(self.finds.atoms[index(at)]))?;
            }
            for at in range.ranges.0..range.ranges.1 {
                self.child(layer.tree.below_root(self.finds.ranges[index(at)]))?;
            }
        }
        Ok(())
    }

    /// The atoms that accept a leaf of the field, of those that have to be found.
    fn find(&mut self, field: Field) -> Option<Range> {
        let layer = self.layer;
        let of = *layer.index_of.get(index(field))?;
        if of == NO_INDEX {
            return None;
        }
        if self.is_found.insert(field) {
            let (atoms, ranges) = (self.finds.atoms.len(), self.finds.ranges.len());
            layer.indexes[index(of)].find(self.sources, self.finds);
            self.found[index(field)] = Range {
                atoms: (small(atoms), small(self.finds.atoms.len())),
                ranges: (small(ranges), small(self.finds.ranges.len())),
            };
        }
        Some(self.found[index(field)])
    }

    fn child(&mut self, node: NodeId) -> Result<(), TooMany> {
        if node == NONE {
            return Ok(());
        }
        self.node(node)?;
        let layer = self.layer;
        for field in layer.tree.fields(node) {
            if self.sources.leaves.is_absent(*field) {
                continue;
            }
            let Some(range) = self.find(*field) else { continue };
            for at in range.atoms.0..range.atoms.1 {
                self.child(layer.tree.below(node, self.finds.atoms[index(at)]))?;
            }
        }
        Ok(())
    }

    /// What a node holds itself.
    fn node(&mut self, node: NodeId) -> Result<(), TooMany> {
        let layer = self.layer;
        self.matched.extend_from_slice(layer.tree.accepted(node));
        for candidate in layer.tree.candidates(node) {
            if self.is_satisfied(candidate)? && self.patterns.insert(candidate.pattern.0) {
                self.matched.push(candidate.pattern);
            }
        }
        Ok(())
    }

    fn is_satisfied(&mut self, candidate: Candidate<'_>) -> Result<bool, TooMany> {
        let layer = self.layer;
        let leaves = self.sources.leaves;
        let (mut in_elements, mut is_maybe_absent) = (0, false);
        for (place, id) in (0_u32..).zip(candidate.conditions) {
            let is_held = place < 32 && candidate.held & 1 << place != 0;
            if is_held && leaves.in_elements < 2 {
                continue;
            }
            let condition = &layer.conditions[index(*id)];
            in_elements += usize::from(leaves.is_in_elements(condition.field));
            if is_held || self.holds(*id, condition) {
                continue;
            }
            // In the elements that the other fields leave there may be no value.
            if !condition.or_absent || !leaves.is_in_elements(condition.field) {
                return Ok(false);
            }
            is_maybe_absent = true;
        }
        if in_elements < 2 { Ok(!is_maybe_absent) } else { self.is_joined(candidate) }
    }

    /// Whether the condition is met by some leaf, whatever the others are, or by there being none.
    fn holds(&mut self, id: ConditionId, condition: &Asked) -> bool {
        if let Some(known) = self.conditions.answer(id) {
            return known;
        }
        let Sources { event, leaves, atoms, .. } = self.sources;
        let listed = self.layer.listed(condition);
        let holds = if leaves.is_absent(condition.field) {
            condition.or_absent
        } else {
            leaves.at(condition.field).any(|leaf| {
                let value = leaves.value(leaf, event);
                listed.iter().any(|atom| atoms[index(*atom)].accepts(&value))
            })
        };
        self.conditions.note(id, holds);
        holds
    }

    /// Whether the fields are satisfied together, when arrays are involved.
    fn is_joined(&mut self, candidate: Candidate<'_>) -> Result<bool, TooMany> {
        let layer = self.layer;
        let leaves = self.sources.leaves;
        let mut join = Join::new(&leaves.elements, &leaves.arrays, self.join);
        for (place, id) in candidate.conditions.iter().enumerate() {
            let condition = &layer.conditions[index(*id)];
            layer.elements(condition, self.sources, (self.accepted, self.present));
            join.will_ask(place, self.accepted);
            join.will_ask(place, self.present);
        }
        for (place, id) in candidate.conditions.iter().enumerate() {
            let condition = &layer.conditions[index(*id)];
            layer.elements(condition, self.sources, (self.accepted, self.present));
            let absent = condition.or_absent.then_some(self.present.as_slice());
            join.ask(place, self.accepted, absent)?;
            if join.is_over() {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
