//! Cases in JSON: one a line, or all of them in an array.
//!
//! Read with the reader of JSON and not with that of YAML: an event keeps its bytes, thousands of them are
//! read in no time, and JSON knows escapes that YAML does not.

use crate::code::Code;
use crate::diagnostic::Fault;
use crate::json::{self, Kind, kind};
use crate::yaml::{Member, Node, Span, Value};

/// How deep a case may be: a few levels more than an event.
const DEPTH_MAX: usize = 100;

/// The cases, each a map whose `event` was not looked into, and what is wrong with the others.
pub(super) fn read(text: &str) -> (Vec<Node>, Vec<Fault>) {
    let mut nodes = Vec::new();
    let mut faults = Vec::new();
    if text.trim_start().starts_with('[') {
        match check(text, 0) {
            Ok(()) => nodes.extend(json::elements(text).map(|one| shallow(one, text))),
            Err(fault) => faults.push(fault),
        }
        return (nodes, faults);
    }
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        if !line.trim().is_empty() {
            match check(line, start) {
                Ok(()) => nodes.push(shallow(line.trim(), text)),
                Err(fault) => faults.push(fault),
            }
        }
        start += line.len();
    }
    (nodes, faults)
}

/// Whether `part`, which begins at byte `start` of the file, is JSON.
fn check(part: &str, start: usize) -> Result<(), Fault> {
    let limits = event::Limits { depth_max: DEPTH_MAX, ..event::Limits::default() };
    let error = match json::check(part, &limits) {
        Ok(()) => return Ok(()),
        Err(error) => error,
    };
    let (at, message) = match &error {
        event::JsonError::Syntax { reason, line, column } => {
            let before: usize = part.split_inclusive('\n').take(line - 1).map(str::len).sum();
            (before + column.saturating_sub(1), format!("not JSON: {reason}"))
        }
        event::JsonError::TooDeep { offset, .. } | event::JsonError::NotUtf8 { offset } => {
            (*offset, error.to_string())
        }
        event::JsonError::TooLarge { .. } => (0, error.to_string()),
    };
    let end = part.trim_end().len();
    let at = part.floor_char_boundary(at.min(end.saturating_sub(1)));
    let len = part.get(at..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
    let mend = "write one case, or one event, on each line, or all of them in an array";
    Err(Fault::new(Code::Syntax, start + at..start + at + len, (message, "here", mend)))
}

/// The value as a node; of a map only what is not an event is gone into.
fn shallow(value: &str, text: &str) -> Node {
    let members = json::members(value).map(|(key, value)| {
        let deep = ["expect", "errors"].contains(&key);
        let is_nested = matches!(kind(value), Kind::Object | Kind::Array);
        let value = match is_nested && !deep {
            true => Node::new(span(value, text), Value::Map(Vec::new())),
            false => node(value, text),
        };
        member(key, value, text)
    });
    match kind(value) {
        Kind::Object => Node::new(span(value, text), Value::Map(members.collect())),
        _ => node(value, text),
    }
}

fn node(value: &str, text: &str) -> Node {
    let value = value.trim();
    let read = match kind(value) {
        Kind::Null => Value::Null,
        Kind::Bool => Value::Bool(value == "true"),
        Kind::Number => Value::Number(value.to_owned()),
        Kind::Text => {
            let inner = value.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
            Value::Text(json::unescape(inner.unwrap_or(value)).into_owned())
        }
        Kind::Array => Value::List(json::elements(value).map(|one| node(one, text)).collect()),
        Kind::Object => {
            let members = json::members(value);
            Value::Map(members.map(|(key, one)| member(key, node(one, text), text)).collect())
        }
    };
    Node::new(span(value, text), read)
}

fn member(key: &str, value: Node, text: &str) -> Member {
    let inner = span(key, text);
    // With its quotes.
    let key_span = inner.start.saturating_sub(1)..inner.end + 1;
    Member { key: json::unescape(key).into_owned(), key_span, value }
}

/// Where a slice of the text stands in it.
fn span(part: &str, text: &str) -> Span {
    let start = part.as_ptr().addr() - text.as_ptr().addr();
    start..start + part.len()
}
