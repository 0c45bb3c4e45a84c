//! Trees that are made and not read: each part has the place of what it was made of.

use crate::yaml::{Member, Node, Span, Value};

pub(super) fn text(span: &Span, text: &str) -> Node {
    Node::new(span.clone(), Value::Text(text.to_owned()))
}

pub(super) fn number(span: &Span, number: u64) -> Node {
    Node::new(span.clone(), Value::Number(number.to_string()))
}

pub(super) fn map(span: &Span, members: Vec<Member>) -> Node {
    Node::new(span.clone(), Value::Map(members))
}

pub(super) fn list(span: &Span, items: Vec<Node>) -> Node {
    Node::new(span.clone(), Value::List(items))
}

pub(super) fn member(key: &str, value: Node) -> Member {
    Member { key: key.to_owned(), key_span: value.span.clone(), value }
}

/// The same with one place for all of it: of a text within a text nothing better is known.
pub(super) fn placed(node: Node, span: &Span) -> Node {
    let value = match node.value {
        Value::List(items) => Value::List(items.into_iter().map(|it| placed(it, span)).collect()),
        Value::Map(members) => {
            let members = members.into_iter();
            Value::Map(members.map(|it| member(&it.key, placed(it.value, span))).collect())
        }
        other => other,
    };
    Node { span: span.clone(), value, filling: node.filling }
}

/// The members of a map; none of anything else.
pub(super) fn members(node: &Node) -> &[Member] {
    match &node.value {
        Value::Map(members) => members,
        _ => &[],
    }
}

pub(super) fn as_text(node: &Node) -> Option<&str> {
    match &node.value {
        Value::Text(text) => Some(text),
        _ => None,
    }
}

/// Sets a key of a map, in its place or at the end.
pub(super) fn set(node: &mut Node, key: &str, value: Node) {
    let Value::Map(members) = &mut node.value else { return };
    match members.iter_mut().find(|member| member.key == key) {
        Some(found) => found.value = value,
        None => members.push(member(key, value)),
    }
}

/// A text of somebody else's as a text of ours: no part of it is taken for a value from outside.
pub(super) fn literal(text: &str) -> String {
    text.replace("${", "$${")
}
