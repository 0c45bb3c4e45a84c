//! A rule file as a tree in which every node knows its place.
//!
//! # Invariants
//!
//! - A number keeps its text: `1.10` stays `1.10`, and thirty digits stay thirty digits.
//! - Only what YAML 1.2's core schema calls a boolean is one: `NO`, `on` and `yes` are texts.
//! - No key stands twice in a map, and the tree has a bounded size, however its aliases multiply.
//!
//! # Not here
//!
//! - What the keys mean: `schema` walks the tree.
//! - Merge keys (`<<`) and tags of applications: both are refused, because nobody sees what they do.

mod explain;
mod read;
mod scalar;
mod to_json;

use std::ops::Range;

pub(crate) use read::read;
pub(crate) use to_json::to_json;

/// Bytes of the file.
pub(crate) type Span = Range<usize>;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub span: Span,
    pub value: Value,
    /// Whether some of its text came from a `${…}`: then it may be a secret and is not shown.
    pub is_filled: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    /// As written; not necessarily a number of JSON's (`0x1F`, `+1`, `.5`).
    Number(String),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Member>),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Member {
    pub key: String,
    pub key_span: Span,
    pub value: Node,
}

impl Node {
    pub(crate) fn new(span: Span, value: Value) -> Self {
        Self { span, value, is_filled: false }
    }

    /// What it is, for a sentence such as "this is …".
    pub(crate) fn kind(&self) -> String {
        match &self.value {
            Value::Null => "nothing".to_owned(),
            Value::Bool(is) => format!("the boolean `{is}`"),
            Value::Number(text) => format!("the number `{text}`"),
            Value::Text(_) => "a text".to_owned(),
            Value::List(_) => "a list".to_owned(),
            Value::Map(_) => "a map".to_owned(),
        }
    }

    pub(crate) fn member(&self, key: &str) -> Option<&Member> {
        match &self.value {
            Value::Map(members) => members.iter().find(|member| member.key == key),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) | Value::List(_) => {
                None
            }
        }
    }

    /// Where bytes `part` of this text stand in the file `source`; the whole node when that is not
    /// plain to see, because the text was escaped, folded or filled in.
    pub(crate) fn place_of(&self, part: Range<usize>, source: &str) -> Span {
        let Value::Text(text) = &self.value else { return self.span.clone() };
        let raw = source.get(self.span.clone()).unwrap_or_default();
        let Some(wanted) = text.get(part.clone()) else { return self.span.clone() };
        let shift = [0, 1].into_iter().find(|&skip| {
            raw.get(skip..raw.len().saturating_sub(skip)).is_some_and(|inner| inner == text)
        });
        if let Some(shift) = shift {
            let start = self.span.start + shift;
            return start + part.start..start + part.end;
        }
        let mut found = raw.match_indices(wanted);
        match (wanted.is_empty(), found.next(), found.next()) {
            (false, Some((at, _)), None) => {
                self.span.start + at..self.span.start + at + wanted.len()
            }
            _ => self.span.clone(),
        }
    }
}
