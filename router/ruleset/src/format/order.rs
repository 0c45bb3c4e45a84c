//! The order of keys: that of `docs/rules.md`, and of an input its paths before its template.

use super::layout::{Document, Item, Shape, Written};
use crate::schema::keys;

const INPUT: [&str; 5] = ["path", "constant", "paths", "template", "format"];

/// A part of a rule whose keys have an order.
#[derive(Clone, Copy)]
enum Place {
    Rule,
    Target,
    Step,
    Input,
    Test,
    /// With the keys of its kind.
    Leaf(&'static [&'static str]),
    Retry,
    /// Somebody else's map.
    Foreign,
}

impl Place {
    fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Rule => keys::RULE.keys,
            Self::Target => keys::TARGET.keys,
            Self::Step => keys::STEP.keys,
            Self::Input => &INPUT,
            Self::Test => keys::TEST.keys,
            Self::Retry => keys::RETRY.keys,
            Self::Leaf(keys) => keys,
            Self::Foreign => &[],
        }
    }

    fn below(self, key: &str) -> Self {
        match (self, key) {
            (Self::Rule, "targets") => Self::Target,
            (Self::Rule, "tests") => Self::Test,
            (Self::Target, "transform") => Self::Step,
            (Self::Target, "http") => Self::Leaf(keys::HTTP.keys),
            (Self::Target, "batch") => Self::Leaf(keys::BATCH.keys),
            (Self::Target, "circuit") => Self::Leaf(keys::CIRCUIT.keys),
            (Self::Target, "retry") => Self::Retry,
            (Self::Retry, "backoff") => Self::Leaf(keys::BACKOFF.keys),
            (Self::Step, "input") => Self::Input,
            (Self::Step, "canary") => Self::Leaf(keys::CANARY.keys),
            _ => Self::Foreign,
        }
    }
}

pub(super) fn sort(document: &mut Document) {
    if document.has_anchors {
        return;
    }
    if let Some(root) = &mut document.root {
        within(root, Place::Rule);
    }
}

/// Keys that the place does not know stay behind those it knows.
fn within(value: &mut Written, place: Place) {
    let (is_list, items) = match &mut value.shape {
        Shape::Block { is_list, items } | Shape::Flow { is_list, items, .. } => (*is_list, items),
        Shape::Scalar(_) | Shape::Lines { .. } | Shape::Verbatim => return,
    };
    let known = place.keys();
    if !is_list && !known.is_empty() {
        let rank = |item: &Item| known.iter().position(|key| *key == name(item));
        items.sort_by_key(|item| rank(item).unwrap_or(known.len()));
    }
    for item in items {
        let place = if is_list { place } else { place.below(name(item)) };
        within(&mut item.value, place);
    }
}

fn name(item: &Item) -> &str {
    item.key.as_deref().unwrap_or_default().trim_matches(['"', '\''])
}
