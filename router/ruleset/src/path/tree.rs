//! The tree that jsonpath-rust evaluates filters, wildcards and slices over.
//!
//! Its nodes remember their text, so that what is found is a slice of what was searched; numbers
//! become floats for comparisons in filters only.
//!
//! # Invariants
//!
//! - Work and memory are bounded, whatever the path and the text: every look at a value is counted,
//!   and after [`LOOKS_MAX`] of them the values seem empty, so that the evaluation ends.
//! - The keys of the text are kept from jsonpath-rust, which would copy them into the place of every
//!   value below.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::BTreeMap;

use jsonpath_rust::parser::model::JpQuery;
use jsonpath_rust::query::js_path_process;
use jsonpath_rust::query::queryable::Queryable;

use crate::json::{self, Kind};

/// How deep a tree is built; events are checked to be flatter than this.
const DEPTH_MAX: usize = 128;

/// How often one evaluation may look at a value, reading it included.
pub(super) const LOOKS_MAX: usize = 500_000;

/// The path looks at too many values.
pub(super) struct TooMany;

/// Slices of `text`: elements in their order, members in that of their keys.
pub(super) fn find<'t>(query: &JpQuery, text: &'t str) -> Result<Vec<&'t str>, TooMany> {
    let looks = Looks { left: Cell::new(LOOKS_MAX), are_over: Cell::new(false) };
    let root = Tree::read(text, text, 0, &looks);
    if looks.are_over.get() {
        return Err(TooMany);
    }
    let found = js_path_process(query, &root).unwrap_or_default();
    if looks.are_over.get() {
        return Err(TooMany);
    }
    Ok(found.into_iter().filter_map(|one| text.get(one.val.start..one.val.end)).collect())
}

#[derive(Debug)]
struct Looks {
    left: Cell<usize>,
    are_over: Cell<bool>,
}

impl Looks {
    /// Whether there were `count` left.
    fn take(&self, count: usize) -> bool {
        match self.left.get().checked_sub(count) {
            Some(left) => self.left.set(left),
            None => self.are_over.set(true),
        }
        !self.are_over.get()
    }
}

#[derive(Debug, Clone, Default)]
struct Tree<'l> {
    value: Value<'l>,
    /// Bytes of the text that was searched.
    start: usize,
    end: usize,
    /// None for a value of the path itself.
    looks: Option<&'l Looks>,
}

#[derive(Debug, Clone, Default, PartialEq)]
enum Value<'l> {
    #[default]
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    Array(Vec<Tree<'l>>),
    Object(BTreeMap<String, Tree<'l>>),
}

impl<'l> Tree<'l> {
    fn read(text: &str, whole: &str, depth: usize, looks: &'l Looks) -> Self {
        let text = text.trim();
        let start = text.as_ptr().addr() - whole.as_ptr().addr();
        let value = match json::kind(text) {
            _ if DEPTH_MAX < depth || !looks.take(1) => Value::Null,
            Kind::Null => Value::Null,
            Kind::Bool => Value::Bool(text == "true"),
            Kind::Number => Value::Number(text.parse().unwrap_or(f64::NAN)),
            Kind::Text => {
                let inside = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
                Value::Text(json::unescape(inside.unwrap_or_default()).into_owned())
            }
            Kind::Array => {
                let items = json::elements(text);
                Value::Array(items.map(|item| Self::read(item, whole, depth + 1, looks)).collect())
            }
            Kind::Object => {
                let read = |(key, value)| {
                    (json::unescape(key).into_owned(), Self::read(value, whole, depth + 1, looks))
                };
                Value::Object(json::members(text).map(read).collect())
            }
        };
        Self { value, start, end: start + text.len(), looks: Some(looks) }
    }

    fn of(value: Value<'l>) -> Self {
        Self { value, start: 0, end: 0, looks: None }
    }

    fn may_look(&self, count: usize) -> bool {
        self.looks.is_none_or(|looks| looks.take(count))
    }
}

impl PartialEq for Tree<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl Queryable for Tree<'_> {
    fn get(&self, key: &str) -> Option<&Self> {
        match &self.value {
            Value::Object(members) if self.may_look(1) => members.get(key),
            _ => None,
        }
    }

    fn as_array(&self) -> Option<&Vec<Self>> {
        match &self.value {
            Value::Array(items) if self.may_look(1 + items.len()) => Some(items),
            _ => None,
        }
    }

    fn as_object(&self) -> Option<Vec<(&str, &Self)>> {
        match &self.value {
            Value::Object(members) if self.may_look(1 + members.len()) => {
                Some(members.values().map(|value| ("", value)).collect())
            }
            _ => None,
        }
    }

    fn as_str(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    fn as_i64(&self) -> Option<i64> {
        None // Every number compares as a float.
    }

    fn as_f64(&self) -> Option<f64> {
        match self.value {
            Value::Number(number) => Some(number),
            _ => None,
        }
    }

    fn as_bool(&self) -> Option<bool> {
        match self.value {
            Value::Bool(is) => Some(is),
            _ => None,
        }
    }

    fn null() -> Self {
        Self::default()
    }

    fn extension_custom(_name: &str, _args: Vec<Cow<'_, Self>>) -> Self {
        Self::null()
    }
}

impl From<&str> for Tree<'_> {
    fn from(text: &str) -> Self {
        Self::of(Value::Text(text.to_owned()))
    }
}

impl From<String> for Tree<'_> {
    fn from(text: String) -> Self {
        Self::of(Value::Text(text))
    }
}

impl From<bool> for Tree<'_> {
    fn from(is: bool) -> Self {
        Self::of(Value::Bool(is))
    }
}

impl From<i64> for Tree<'_> {
    #[expect(clippy::cast_precision_loss, reason = "numbers of filters compare as floats")]
    fn from(number: i64) -> Self {
        Self::of(Value::Number(number as f64))
    }
}

impl From<f64> for Tree<'_> {
    fn from(number: f64) -> Self {
        Self::of(Value::Number(number))
    }
}

impl From<Vec<Self>> for Tree<'_> {
    fn from(items: Vec<Self>) -> Self {
        Self::of(Value::Array(items))
    }
}
