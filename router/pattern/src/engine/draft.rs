//! Patterns taken apart: what several of them share is kept once.
//!
//! ```text
//! branch     a way to satisfy a pattern: all of its conditions
//! condition  a field and its list: one of its atoms, or absence where that is allowed
//! atom       an entry of a list
//! ```

use std::collections::HashMap;

use super::paths::{Field, Paths};
use super::small;
use super::table::Atom;
use crate::matcher::PatternIndex;
use crate::pattern::Pattern;
use crate::value::Wanted;

pub(super) type ConditionId = u32;

#[derive(Debug)]
pub(super) struct Condition {
    pub(super) field: Field,
    /// It is also enough that there is no value.
    pub(super) or_absent: bool,
    pub(super) atoms: Box<[Atom]>,
    /// The branches that have it.
    pub(super) branches: u32,
}

#[derive(Debug)]
pub(super) struct Branch {
    pub(super) pattern: PatternIndex,
    /// In the order of the paths, which `{"exists": false}` depends on.
    pub(super) conditions: Box<[ConditionId]>,
}

#[derive(Default)]
pub(super) struct Draft<'a> {
    pub(super) atoms: Vec<(Field, &'a Wanted)>,
    pub(super) conditions: Vec<Condition>,
    pub(super) branches: Vec<Branch>,
    known_atoms: HashMap<(Field, Vec<u8>), Atom>,
    known_conditions: HashMap<(Field, bool, Box<[Atom]>), ConditionId>,
}

impl<'a> Draft<'a> {
    pub(super) fn add(&mut self, index: PatternIndex, pattern: &'a Pattern, paths: &Paths) {
        let conditions: Vec<ConditionId> = pattern
            .fields()
            .iter()
            .map(|field| {
                let number =
                    paths.number(&field.path).expect("the paths of all patterns have numbers");
                let mut atoms: Vec<Atom> =
                    field.wanted.iter().map(|wanted| self.atom(number, wanted)).collect();
                atoms.sort_unstable();
                atoms.dedup();
                self.condition(number, field.or_absent, atoms)
            })
            .collect();
        for branch in pattern.branches() {
            let conditions: Box<[ConditionId]> =
                branch.iter().map(|field| conditions[*field]).collect();
            for condition in &conditions {
                self.conditions[super::index(*condition)].branches += 1;
            }
            self.branches.push(Branch { pattern: index, conditions });
        }
    }

    fn atom(&mut self, field: Field, wanted: &'a Wanted) -> Atom {
        let next = small(self.atoms.len());
        let atom = *self.known_atoms.entry((field, spelling(wanted))).or_insert(next);
        if atom == next {
            self.atoms.push((field, wanted));
        }
        atom
    }

    fn condition(&mut self, field: Field, or_absent: bool, atoms: Vec<Atom>) -> ConditionId {
        let next = small(self.conditions.len());
        let atoms: Box<[Atom]> = atoms.into();
        let known = self.known_conditions.entry((field, or_absent, atoms.clone())).or_insert(next);
        if *known == next {
            self.conditions.push(Condition { field, or_absent, atoms, branches: 0 });
        }
        *known
    }
}

/// Bytes that are the same for entries that mean the same.
fn spelling(wanted: &Wanted) -> Vec<u8> {
    let tagged = |tag: u8, text: &[u8]| [&[tag], text].concat();
    match wanted {
        Wanted::Text(text) => tagged(b't', text),
        Wanted::Prefix(text) => tagged(b'p', text),
        Wanted::Suffix(text) => tagged(b's', text),
        Wanted::Wildcard(wildcard) => {
            let mut spelling = vec![b'w'];
            for literal in wildcard.literals() {
                let len = u64::try_from(literal.len()).expect("a length fits in 64 bits");
                spelling.extend_from_slice(&len.to_le_bytes());
                spelling.extend_from_slice(literal);
            }
            spelling
        }
        Wanted::Number(number) => match &number.value {
            Some(value) if value.is_key() => {
                let (low, high) = value.key().parts();
                tagged(b'n', &[low.to_le_bytes(), high.to_le_bytes()].concat())
            }
            Some(_) => format!("{wanted:?}").into_bytes(),
            None => tagged(b'l', &number.spelling),
        },
        // The words for debugging name every part.
        other => format!("{other:?}").into_bytes(),
    }
}
