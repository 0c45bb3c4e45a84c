//! Which branches an event can satisfy at all, from the atoms that its leaves find.
//!
//! Each branch is put under an atom of one of its conditions, the one that the fewest others share;
//! where many branches share all of theirs, those under one atom are parted again by another, and so
//! on. An event walks down only where its own atoms lead, so it meets the few branches that agree
//! with it in several fields, however many there are that agree in one.
//!
//! ```text
//! root ─ detail-type "Paid"  ─ { branch 7 }                      few share it
//!      └ source "shop"       ─ detail.state "new"  ─ { branch 1, branch 2 }
//!                            └ detail.state "done" ─ { branch 3 }
//! ```
//!
//! # Invariants
//!
//! - A branch that an event satisfies is met by it: it is under every atom of the condition chosen.
//! - A branch is copied at most [`COPIES_MAX`] times below the first choice.

use std::collections::HashMap;

use super::draft::{Condition, ConditionId, Draft};
use super::overlap::Overlaps;
use super::paths::Field;
use super::table::Atom;
use super::way::{Found, Way, generality};
use super::{index, small};
use crate::matcher::PatternIndex;
use crate::value::Wanted;

/// So few branches are looked at one by one.
const FEW: usize = 16;

/// Copies of a branch below the first choice.
const COPIES_MAX: usize = 4;

/// Words that the copies of one branch at the root may take, unless it has few conditions: a long list
/// is not worth keeping many long conditions once for each of its entries.
const COPIED_MAX: usize = 4_096;

const DEPTH_MAX: u32 = 8;

pub(super) type NodeId = u32;

/// A node and its ranges in the lists of [`Tree`].
#[derive(Copy, Clone, Debug, Default)]
pub(super) struct Node {
    /// Its number, for what is below it.
    pub(super) id: NodeId,
    accepted: (u32, u32),
    candidates: (u32, u32),
    fields: (u32, u32),
}

/// A branch that may match, with all that is to be asked of it: one piece of memory.
///
/// ```text
/// pattern, length, how many to ask, (field, condition) × length
/// ```
#[derive(Copy, Clone, Debug)]
pub(super) struct Candidate<'a> {
    pub(super) pattern: PatternIndex,
    /// First those to ask, and of these first the ones that others may have asked already; then
    /// those that hold because the branch was met at all.
    pub(super) asks: &'a [[u32; 2]],
    pub(super) to_ask: usize,
}

/// What is said of a condition beside its number: no other branch has it, so that there is no use in
/// remembering the answer; and beside its field: it may be absent.
pub(super) const FLAG: u32 = 1 << 31;

/// No node.
pub(super) const NONE: NodeId = NodeId::MAX;

#[derive(Debug, Default)]
pub(super) struct Tree {
    nodes: Vec<Node>,
    /// Patterns that match outright.
    accepted: Vec<PatternIndex>,
    /// See [`Candidate`].
    candidates: Vec<u32>,
    /// The fields that part a node, below the root.
    fields: Vec<Field>,
    /// The root's children by atom; nodes without anything where there is none.
    by_atom: Vec<Node>,
    /// The children of all other nodes.
    edges: Edges,
}

impl Tree {
    pub(super) const ROOT: NodeId = 0;

    #[inline]
    pub(super) fn node(&self, node: NodeId) -> Node {
        self.nodes[index(node)]
    }

    /// The pattern that matches outright wherever the atom is found, if nothing else follows from it.
    pub(super) fn sole(&self, atom: Atom) -> Option<PatternIndex> {
        let node = self.below_root(atom);
        let is_end = self.candidates(node).next().is_none() && self.fields(node).is_empty();
        match self.accepted(node) {
            [pattern] if is_end => Some(*pattern),
            _ => None,
        }
    }

    #[inline]
    pub(super) fn accepted(&self, node: Node) -> &[PatternIndex] {
        slice(&self.accepted, node.accepted)
    }

    #[inline]
    pub(super) fn candidates(&self, node: Node) -> impl Iterator<Item = Candidate<'_>> {
        let mut rest = slice(&self.candidates, node.candidates);
        std::iter::from_fn(move || {
            let ([pattern, len, to_ask], after) = rest.split_first_chunk()?;
            let (asks, after) = after.split_at(2 * index(*len));
            rest = after;
            let (asks, _) = asks.as_chunks();
            Some(Candidate { pattern: PatternIndex(*pattern), asks, to_ask: index(*to_ask) })
        })
    }

    #[inline]
    pub(super) fn fields(&self, node: Node) -> &[Field] {
        slice(&self.fields, node.fields)
    }

    /// The first word of a node's candidates, so that the memory is on its way when they are asked.
    #[inline]
    pub(super) fn touch(&self, node: Node) -> u32 {
        self.candidates.get(index(node.candidates.0)).copied().unwrap_or(0)
    }

    #[inline]
    pub(super) fn below_root(&self, atom: Atom) -> Node {
        self.by_atom[index(atom)]
    }

    #[inline]
    pub(super) fn below(&self, node: NodeId, atom: Atom) -> NodeId {
        self.edges.find(node, atom)
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.nodes.capacity() * size_of::<Node>()
            + self.accepted.capacity() * size_of::<PatternIndex>()
            + 4 * self.candidates.capacity()
            + self.fields.capacity() * size_of::<Field>()
            + self.by_atom.capacity() * size_of::<Node>()
            + self.edges.slots.capacity() * size_of::<Edge>()
    }
}

#[inline]
fn slice<T>(all: &[T], (start, end): (u32, u32)) -> &[T] {
    &all[index(start)..index(end)]
}

/// From a node and an atom to a node: a hash table, at most half full.
#[derive(Debug, Default)]
struct Edges {
    slots: Vec<Edge>,
}

#[derive(Copy, Clone, Debug)]
struct Edge {
    node: NodeId,
    atom: Atom,
    child: NodeId,
}

impl Edges {
    fn of(edges: &[Edge]) -> Self {
        let free = Edge { node: NONE, atom: 0, child: NONE };
        let mut table = Self { slots: vec![free; (2 * edges.len().max(1)).next_power_of_two()] };
        for edge in edges {
            let mut at = table.first(edge.node, edge.atom);
            while table.slots[at].child != NONE {
                at = (at + 1) & (table.slots.len() - 1);
            }
            table.slots[at] = *edge;
        }
        table
    }

    #[inline]
    fn find(&self, node: NodeId, atom: Atom) -> NodeId {
        let mut at = self.first(node, atom);
        loop {
            let edge = self.slots[at];
            if edge.child == NONE || edge.node == node && edge.atom == atom {
                return edge.child;
            }
            at = (at + 1) & (self.slots.len() - 1);
        }
    }

    #[inline(always)]
    fn first(&self, node: NodeId, atom: Atom) -> usize {
        let key = u64::from(node) << 32 | u64::from(atom);
        let mixed = (key ^ key >> 29).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        index((mixed >> 32) as u32) & (self.slots.len() - 1)
    }
}

/// Grows the tree of some branches.
pub(super) struct Planter<'a> {
    draft: &'a Draft<'a>,
    founds: &'a [Found],
    /// Branches of each pattern, as far as one or more matters: whether the branch is the only one.
    is_only: Vec<bool>,
    tree: Tree,
    edges: Vec<Edge>,
    /// The atoms that lead somewhere: they have to be found.
    pub(super) is_needed: Vec<bool>,
}

/// A branch on its way down, and the conditions that are settled.
#[derive(Copy, Clone)]
struct Member {
    branch: u32,
    held: u32,
    /// How many of it there may be below the root.
    copies: usize,
}

/// How many branches of a group have each atom, and, among the conditions of a field that can only be
/// asked or measured, how many an event would meet beside the one that it is for.
#[derive(Default)]
struct Counts {
    by_atom: HashMap<Atom, u64>,
    asked: HashMap<Field, u64>,
    ranges: HashMap<Field, Overlaps>,
}

impl<'a> Planter<'a> {
    pub(super) fn new(draft: &'a Draft<'a>, founds: &'a [Found]) -> Self {
        let mut is_only = vec![true; draft.branches.len()];
        for at in 1..draft.branches.len() {
            if draft.branches[at - 1].pattern == draft.branches[at].pattern {
                is_only[at - 1] = false;
                is_only[at] = false;
            }
        }
        let tree = Tree { by_atom: vec![Node::default(); founds.len()], ..Tree::default() };
        Self {
            draft,
            founds,
            is_only,
            tree,
            edges: Vec::new(),
            is_needed: vec![false; founds.len()],
        }
    }

    pub(super) fn plant(mut self) -> (Tree, Vec<bool>) {
        let all: Vec<Member> = (0..)
            .take(self.draft.branches.len())
            .map(|branch| Member { branch, held: 0, copies: 1 })
            .collect();
        let root = self.grow(&all, 0);
        assert_eq!(root, Tree::ROOT, "the root is the first");
        self.tree.edges = Edges::of(&self.edges);
        self.tree.nodes.shrink_to_fit();
        self.tree.accepted.shrink_to_fit();
        self.tree.candidates.shrink_to_fit();
        (self.tree, self.is_needed)
    }

    /// Makes the node of a group, and all below it.
    fn grow(&mut self, group: &[Member], depth: u32) -> NodeId {
        let id = small(self.tree.nodes.len());
        self.tree.nodes.push(Node { id, ..Node::default() });
        let (kept, parted) = self.part(group, depth);
        self.fill(id, &kept);

        let mut fields: Vec<Field> =
            parted.iter().map(|(atom, _)| self.draft.atoms[index(*atom)].0).collect();
        fields.sort_unstable();
        fields.dedup();
        let start = small(self.tree.fields.len());
        self.tree.fields.extend_from_slice(&fields);
        self.tree.nodes[index(id)].fields = (start, small(self.tree.fields.len()));
        for (atom, members) in parted {
            self.is_needed[index(atom)] = true;
            let child = self.grow(&members, depth + 1);
            if id == Tree::ROOT {
                self.tree.by_atom[index(atom)] = self.tree.nodes[index(child)];
            } else {
                self.edges.push(Edge { node: id, atom, child });
            }
        }
        id
    }

    /// What a node keeps for itself.
    fn fill(&mut self, id: NodeId, kept: &[Member]) {
        let (accepted, candidates) =
            (small(self.tree.accepted.len()), small(self.tree.candidates.len()));
        for member in kept {
            let branch = &self.draft.branches[index(member.branch)];
            // The one condition of the only branch, met under the one atom of it: no other way leads
            // to the pattern, so it is neither found twice nor anything left to ask.
            let is_sole = self.is_only[index(member.branch)]
                && member.held == 1
                && branch.conditions.len() == 1
                && self.condition(branch.conditions[0]).atoms.len() == 1;
            if is_sole {
                self.tree.accepted.push(branch.pattern);
            } else {
                self.push_candidate(*member);
            }
        }
        let node = &mut self.tree.nodes[index(id)];
        node.accepted = (accepted, small(self.tree.accepted.len()));
        node.candidates = (candidates, small(self.tree.candidates.len()));
    }

    fn push_candidate(&mut self, member: Member) {
        let branch = &self.draft.branches[index(member.branch)];
        let ask = |(place, id): (u32, &ConditionId)| {
            let condition = self.condition(*id);
            let is_held = place < 32 && member.held & 1 << place != 0;
            let is_own = condition.branches == 1;
            let field = condition.field | if condition.or_absent { FLAG } else { 0 };
            ((is_held, is_own), [field, id | if is_own { FLAG } else { 0 }])
        };
        let mut asks: Vec<_> = (0..).zip(&branch.conditions).map(ask).collect();
        asks.sort_by_key(|(order, _)| *order);
        let to_ask = asks.iter().filter(|((is_held, _), _)| !is_held).count();
        let head = [branch.pattern.0, small(asks.len()), small(to_ask)];
        self.tree.candidates.extend_from_slice(&head);
        self.tree.candidates.extend(asks.iter().flat_map(|(_, ask)| ask));
    }

    /// Divides a group into those that stay and, by atom, those that go further down.
    fn part(&self, group: &[Member], depth: u32) -> (Vec<Member>, Vec<(Atom, Vec<Member>)>) {
        if group.len() <= FEW || depth == DEPTH_MAX {
            return (group.to_vec(), Vec::new());
        }
        let counts = self.count(group, depth);
        let mut kept = Vec::new();
        let mut parted: HashMap<Atom, Vec<Member>> = HashMap::new();
        for member in group {
            let Some((place, condition)) = self.best(*member, &counts, (group.len(), depth)) else {
                kept.push(*member);
                continue;
            };
            let held = member.held | 1_u32.checked_shl(place).unwrap_or(0);
            let copies = if depth == 0 { 1 } else { member.copies * condition.atoms.len() };
            for atom in &condition.atoms {
                let member = Member { branch: member.branch, held, copies };
                parted.entry(*atom).or_default().push(member);
            }
        }
        let mut parted: Vec<(Atom, Vec<Member>)> = parted.into_iter().collect();
        parted.sort_unstable_by_key(|(atom, _)| *atom);
        (kept, parted)
    }

    fn count(&self, group: &[Member], depth: u32) -> Counts {
        let mut counts = Counts::default();
        for member in group {
            for (_, condition) in self.open(*member, depth) {
                for atom in &condition.atoms {
                    *counts.by_atom.entry(*atom).or_default() += 1;
                    let (field, wanted) = &self.draft.atoms[index(*atom)];
                    match (&self.founds[index(*atom)].way, wanted) {
                        (Way::Range, Wanted::Range(range)) => {
                            counts.ranges.entry(*field).or_default().add(range);
                        }
                        (Way::Present | Way::Ask, _) => {
                            *counts.asked.entry(*field).or_default() += 1;
                        }
                        _ => (),
                    }
                }
            }
        }
        for overlaps in counts.ranges.values_mut() {
            overlaps.sort();
        }
        counts
    }

    /// The conditions that a branch could be put under, with their places in the branch.
    fn open(&self, member: Member, depth: u32) -> impl Iterator<Item = (u32, &Condition)> {
        let branch = &self.draft.branches[index(member.branch)];
        (0..32).zip(&branch.conditions).filter_map(move |(place, condition)| {
            let condition = self.condition(*condition);
            let is_open = member.held & 1 << place == 0 && !condition.or_absent;
            (is_open && self.can_part(member, condition, depth)).then_some((place, condition))
        })
    }

    /// Below the root only atoms that few events meet, and few of them, are worth a look.
    fn can_part(&self, member: Member, condition: &Condition, depth: u32) -> bool {
        let atoms = &condition.atoms;
        if depth == 0 {
            let conditions = self.draft.branches[index(member.branch)].conditions.len();
            return conditions <= 3 || atoms.len() * conditions <= COPIED_MAX;
        }
        member.copies * atoms.len() <= COPIES_MAX
            && atoms.iter().all(|atom| {
                !matches!(self.founds[index(*atom)].way, Way::Range | Way::Present | Way::Ask)
            })
    }

    /// The condition under which an event meets the fewest other branches.
    fn best(
        &self,
        member: Member,
        counts: &Counts,
        (len, depth): (usize, u32),
    ) -> Option<(u32, &Condition)> {
        let cost = |condition: &Condition| -> u64 {
            condition.atoms.iter().map(|atom| self.cost(*atom, counts)).sum()
        };
        let (cost, place, condition) = self
            .open(member, depth)
            .map(|(place, condition)| (cost(condition), place, condition))
            .min_by_key(|(cost, place, condition)| (*cost, condition.field, *place))?;
        // Below the root there must be something to gain.
        let is_gain = depth == 0 || cost < u64::try_from(len).unwrap_or(u64::MAX) / 2;
        is_gain.then_some((place, condition))
    }

    /// How many branches of the group an event meets that finds the atom, as a guess.
    fn cost(&self, atom: Atom, counts: &Counts) -> u64 {
        let (field, wanted) = &self.draft.atoms[index(atom)];
        let found = &self.founds[index(atom)];
        let met = match (&found.way, wanted) {
            (Way::Range, Wanted::Range(range)) => counts.ranges[field].around(range),
            (Way::Present | Way::Ask, _) => counts.asked[field],
            _ => counts.by_atom[&atom],
        };
        met + u64::from(generality(found))
    }

    fn condition(&self, id: u32) -> &Condition {
        &self.draft.conditions[index(id)]
    }
}
