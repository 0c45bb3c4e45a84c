//! Some patterns, compiled; and how an event that was read meets them.
//!
//! # Invariants
//!
//! - A pattern of the layer is found once, and only if one of its branches is satisfied.
//! - A candidate costs its conditions, each at most once an event however many candidates share it;
//!   where arrays are involved, each candidate also looks at the leaves of its own fields again.

use std::collections::HashMap;

use super::blocks::Blocks;
use super::condition::Condition;
use super::draft::{ConditionId, Draft};
use super::field_index::{FieldIndex, Finds, Sources};
use super::leaves::Leaves;
use super::paths::{Field, Paths};
use super::read::read;
use super::seen::Seen;
use super::table::{Atom, Table};
use super::tree::{Candidate, FLAG, NONE, Node, Planter, Tree};
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
    conditions: Vec<Condition>,
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

/// Memory that a thread keeps from event to event.
#[derive(Default)]
pub(crate) struct Scratch {
    blocks: Blocks,
    leaves: Leaves,
    finds: Finds,
    /// By field: where in `finds` its atoms are.
    found: Vec<(u32, u32)>,
    /// Which of `found` are there.
    is_found: Seen,
    /// Answers by condition.
    conditions: Seen,
    /// Patterns that matched.
    patterns: Seen,
    /// The nodes that are met below the root.
    met: Vec<Node>,
    join: Memory,
    order: Vec<ConditionId>,
    accepted: Vec<usize>,
    present: Vec<usize>,
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
        paths: &Paths,
    ) -> Self {
        let mut draft = Draft::default();
        let mut patterns_end = 0;
        for (number, pattern) in patterns {
            draft.add(number, pattern, paths);
            patterns_end = patterns_end.max(index(number.0) + 1);
        }
        let mut literals = Literals::default();
        for (field, wanted) in &draft.atoms {
            literals.count(*field, wanted);
        }
        let founds: Vec<Found> =
            draft.atoms.iter().map(|(field, wanted)| way::way(*field, wanted, &literals)).collect();
        let (tree, is_needed) = Planter::new(&draft, &founds).plant();
        let (table, indexes, index_of) = index_fields(&draft, &founds, (&tree, &is_needed));
        let atoms = draft.atoms.iter().map(|(_, wanted)| (*wanted).clone()).collect();
        let mut listed = Vec::new();
        let mut conditions = Vec::with_capacity(draft.conditions.len());
        for condition in &draft.conditions {
            let start = small(listed.len());
            listed.extend_from_slice(&condition.atoms);
            let atoms = (start, small(listed.len()));
            let wanted: Vec<&Wanted> =
                condition.atoms.iter().map(|atom| draft.atoms[index(*atom)].1).collect();
            conditions.push(Condition::new(condition.field, condition.or_absent, atoms, &wanted));
        }
        listed.shrink_to_fit();
        Self { atoms, conditions, listed, tree, table, indexes, index_of, patterns_end }
    }

    /// Adds the patterns that match the event in the scratch.
    pub(crate) fn matches(
        &self,
        (event, paths): (Event<'_>, &Paths),
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
            met,
            join,
            order,
            accepted,
            present,
            ..
        } = scratch;
        finds.clear(self.atoms.len());
        is_found.clear(self.index_of.len());
        if found.len() < self.index_of.len() {
            found.resize(self.index_of.len(), (0, 0));
        }
        conditions.clear(self.conditions.len());
        patterns.clear(self.patterns_end);
        let mut visit = Visit {
            layer: self,
            paths,
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
            met,
            join,
            order,
            accepted,
            present,
            matched,
        };
        visit.root()
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        let indexes: usize = self.indexes.iter().map(FieldIndex::memory_bytes).sum();
        self.atoms.capacity() * size_of::<Wanted>()
            + self.conditions.capacity() * size_of::<Condition>()
            + 4 * self.listed.capacity()
            + indexes
            + self.tree.memory_bytes()
            + self.table.memory_bytes()
            + 4 * self.index_of.capacity()
    }
}

impl Layer {
    fn index(&self, field: Field) -> Option<&FieldIndex> {
        // A field without one has a number that is beyond all indexes.
        self.indexes.get(index(*self.index_of.get(index(field))?))
    }

    /// The elements in which a condition is met by a leaf; and, where absence counts, all that have one.
    fn elements(
        &self,
        condition: &Condition,
        sources: Sources<'_>,
        (accepted, present): (&mut Vec<usize>, &mut Vec<usize>),
    ) {
        accepted.clear();
        present.clear();
        for leaf in sources.leaves.at(condition.field) {
            let element = index(leaf.element);
            if condition.or_absent {
                present.push(element);
            }
            if condition.accepts(leaf, sources, &self.listed) {
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
    (tree, is_needed): (&Tree, &[bool]),
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
        indexes.push(FieldIndex::new(field, &atoms, tree, &mut table));
    }
    (table, indexes, index_of)
}

/// One event in one layer.
struct Visit<'a> {
    layer: &'a Layer,
    paths: &'a Paths,
    sources: Sources<'a>,
    finds: &'a mut Finds,
    found: &'a mut [(u32, u32)],
    is_found: &'a mut Seen,
    conditions: &'a mut Seen,
    patterns: &'a mut Seen,
    met: &'a mut Vec<Node>,
    join: &'a mut Memory,
    order: &'a mut Vec<ConditionId>,
    accepted: &'a mut Vec<usize>,
    present: &'a mut Vec<usize>,
    matched: &'a mut Vec<PatternIndex>,
}

impl<'a> Visit<'a> {
    /// Goes through the root and all that is met below it.
    ///
    /// In steps, each over everything that is met: so the processor waits for many places in memory
    /// at a time, and not for one after the other.
    fn root(&mut self) -> Result<(), TooMany> {
        let layer = self.layer;
        self.node(layer.tree.node(Tree::ROOT))?;
        let leaves = self.sources.leaves;
        if layer.table.is_large() {
            let index = |field: &Field| layer.index(*field).map_or(0, |of| of.touch(self.sources));
            std::hint::black_box(
                leaves.touched().iter().fold(0, |touched, field| touched ^ index(field)),
            );
        }
        for field in leaves.touched() {
            self.find(*field);
        }
        self.matched.extend_from_slice(&self.finds.held.patterns);
        let mut met = std::mem::take(self.met);
        met.clear();
        // Atoms that only lead on below the root lead to an empty node here.
        let found = self.finds.atoms.iter().chain(&self.finds.held.atoms);
        met.extend(found.map(|atom| layer.tree.below_root(*atom)));
        let touched = met.iter().fold(0, |touched, node| touched ^ layer.tree.touch(*node));
        std::hint::black_box(touched);
        if layer.table.is_large() {
            let asks = met.iter().flat_map(|node| layer.tree.candidates(*node));
            let own = asks.filter_map(|one| one.asks.first()).map(|[_, ask]| index(ask & !FLAG));
            let touched = own.fold(0, |touched, id| touched ^ layer.conditions[id].field);
            std::hint::black_box(touched);
        }
        let result = met.iter().try_for_each(|node| self.met(*node));
        *self.met = met;
        result
    }

    /// The atoms that accept a leaf of the field, of those that have to be found.
    fn find(&mut self, field: Field) -> Option<(u32, u32)> {
        let of = self.layer.index(field)?;
        if self.is_found.insert(field) {
            let start = small(self.finds.atoms.len());
            of.find(self.sources, self.finds);
            self.found[index(field)] = (start, small(self.finds.atoms.len()));
        }
        Some(self.found[index(field)])
    }

    fn met(&mut self, node: Node) -> Result<(), TooMany> {
        self.node(node)?;
        let layer = self.layer;
        for field in layer.tree.fields(node) {
            if self.sources.leaves.is_absent(*field) {
                continue;
            }
            let Some(range) = self.find(*field) else { continue };
            for at in range.0..range.1 {
                let child = layer.tree.below(node.id, self.finds.atoms[index(at)]);
                if child != NONE {
                    self.met(layer.tree.node(child))?;
                }
            }
        }
        Ok(())
    }

    /// What a node holds itself.
    fn node(&mut self, node: Node) -> Result<(), TooMany> {
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
        let leaves = self.sources.leaves;
        let mut in_elements = 0;
        if 1 < leaves.in_elements {
            let is_in = |ask: &&[u32; 2]| leaves.is_in_elements(ask[0] & !FLAG);
            in_elements = candidate.asks.iter().filter(is_in).count();
        }
        let mut is_maybe_absent = false;
        for [field, ask] in &candidate.asks[..candidate.to_ask] {
            if self.holds(*field, *ask) {
                continue;
            }
            // In the elements that the other fields leave there may be no value.
            if field & FLAG == 0 || !leaves.is_in_elements(field & !FLAG) {
                return Ok(false);
            }
            is_maybe_absent = true;
        }
        if in_elements < 2 { Ok(!is_maybe_absent) } else { self.is_joined(candidate) }
    }

    /// Whether the condition is met by some leaf, whatever the others are, or by there being none.
    fn holds(&mut self, field: u32, ask: u32) -> bool {
        if self.sources.leaves.is_absent(field & !FLAG) {
            return field & FLAG != 0;
        }
        let (layer, id) = (self.layer, ask & !FLAG);
        let ask_it = || layer.conditions[index(id)].accepts_some(self.sources, &layer.listed);
        if ask & FLAG != 0 {
            return ask_it();
        }
        if let Some(known) = self.conditions.answer(id) {
            return known;
        }
        let holds = ask_it();
        self.conditions.note(id, holds);
        holds
    }

    /// Whether the fields are satisfied together, when arrays are involved.
    fn is_joined(&mut self, candidate: Candidate<'_>) -> Result<bool, TooMany> {
        let layer = self.layer;
        let leaves = self.sources.leaves;
        let order = &mut *self.order;
        order.clear();
        order.extend(candidate.asks.iter().map(|[_, ask]| ask & !FLAG));
        // As `{"exists": false}` depends on it.
        order.sort_unstable_by_key(|id| self.paths.rank(layer.conditions[index(*id)].field));
        let mut join = Join::new(&leaves.elements, &leaves.arrays, self.join);
        for (place, id) in order.iter().enumerate() {
            let condition = &layer.conditions[index(*id)];
            layer.elements(condition, self.sources, (self.accepted, self.present));
            join.will_ask(place, self.accepted);
            join.will_ask(place, self.present);
        }
        for (place, id) in order.iter().enumerate() {
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
