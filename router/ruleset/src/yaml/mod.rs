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
//! - Merge keys (`<<`) and tags of applications: both are refused, because nobody sees what they do. Only the reading
//!   of a CloudFormation template takes the tags of its functions.

mod explain;
mod read;
mod scalar;
mod to_json;
mod write;

use std::ops::Range;

use crate::diagnostic::Diagnostic;

pub use read::outline;
pub(crate) use read::{read, read_template};
pub(crate) use to_json::to_json;
pub(crate) use write::write;

/// JSON as YAML that people read: numbers keep their digits, keys their order. None when the text is no JSON, or more
/// than a file may hold.
pub fn of_json(text: &str) -> Option<String> {
    match read(text) {
        (documents, faults) if faults.is_empty() => documents.first().map(write),
        _ => None,
    }
}

/// Where the parts of a file are.
#[derive(Debug, Clone, PartialEq)]
pub struct Outline {
    /// Of its maps and lists, the inner before the outer.
    pub entries: Vec<Entry>,
    /// Where it begins, if there is one.
    pub second_document: Option<usize>,
    /// What the reading stopped at, if it did: the entries before it are there.
    pub broken: Option<Diagnostic>,
}

/// A key with its value, or an item of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// From the key, or the item, to the end of the value: bytes of the text.
    pub span: Range<usize>,
    /// Where the key ends; none for an item.
    pub key_end: Option<usize>,
    /// It stands within brackets.
    pub is_flow: bool,
}

/// Bytes of the file.
pub(crate) type Span = Range<usize>;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub span: Span,
    pub value: Value,
    pub filling: Filling,
}

/// Whether a text had values from outside put into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Filling {
    None,
    /// It may be a secret and is not shown.
    Done,
    /// A value is missing, which is reported; nothing more is said about the text.
    Failed,
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
        Self { span, value, filling: Filling::None }
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
        if let Some(place) = self.place_in_lines(text, &part, raw) {
            return place;
        }
        let mut found = raw.match_indices(wanted);
        match (wanted.is_empty(), found.next(), found.next()) {
            (false, Some((at, _)), None) => {
                self.span.start + at..self.span.start + at + wanted.len()
            }
            _ => self.span.clone(),
        }
    }

    /// The place within a literal block, each line of which stands in the file behind its indentation.
    fn place_in_lines(&self, text: &str, part: &Range<usize>, raw: &str) -> Option<Span> {
        let before = text.get(..part.start)?;
        let number = before.matches('\n').count();
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = text.get(line_start..)?.lines().next()?;
        let raw_line = raw.split('\n').nth(number)?;
        let raw_start: usize = raw.split_inclusive('\n').take(number).map(str::len).sum();
        let indentation = raw_line.trim_end_matches('\r').strip_suffix(line)?;
        if !indentation.trim().is_empty() || !text.contains('\n') {
            return None;
        }
        let at = self.span.start + raw_start + indentation.len() + (part.start - line_start);
        Some(at..at + part.len())
    }
}
