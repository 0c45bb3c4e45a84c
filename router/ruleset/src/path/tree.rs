//! The tree that jsonpath-rust evaluates filters, wildcards and slices over.
//!
//! Its nodes remember their text, so that what is found is a slice of what was searched; numbers
//! become floats for comparisons in filters only.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jsonpath_rust::parser::model::JpQuery;
use jsonpath_rust::query::js_path_process;
use jsonpath_rust::query::queryable::Queryable;

use crate::json::{self, Kind};

/// How deep a tree is built; events are checked to be flatter than this.
const DEPTH_MAX: usize = 128;

/// Slices of `text`: elements in their order, members in that of their keys.
pub(super) fn find<'t>(query: &JpQuery, text: &'t str) -> Vec<&'t str> {
    let root = Tree::read(text, text, 0);
    let found = js_path_process(query, &root).unwrap_or_default();
    found.into_iter().filter_map(|one| text.get(one.val.start..one.val.end)).collect()
}

#[derive(Debug, Clone, Default)]
struct Tree {
    value: Value,
    /// Bytes of the text that was searched.
    start: usize,
    end: usize,
}

#[derive(Debug, Clone, Default, PartialEq)]
enum Value {
    #[default]
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    Array(Vec<Tree>),
    Object(BTreeMap<String, Tree>),
}

impl Tree {
    fn read(text: &str, whole: &str, depth: usize) -> Self {
        let text = text.trim();
        let start = text.as_ptr().addr() - whole.as_ptr().addr();
        let value = match json::kind(text) {
            _ if DEPTH_MAX < depth => Value::Null,
            Kind::Null => Value::Null,
            Kind::Bool => Value::Bool(text == "true"),
            Kind::Number => Value::Number(text.parse().unwrap_or(f64::NAN)),
            Kind::Text => {
                let inside = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
                Value::Text(json::unescape(inside.unwrap_or_default()).into_owned())
            }
            Kind::Array => {
                let items = json::elements(text);
                Value::Array(items.map(|item| Self::read(item, whole, depth + 1)).collect())
            }
            Kind::Object => {
                let read = |(key, value)| {
                    (json::unescape(key).into_owned(), Self::read(value, whole, depth + 1))
                };
                Value::Object(json::members(text).map(read).collect())
            }
        };
        Self { value, start, end: start + text.len() }
    }

    fn of(value: Value) -> Self {
        Self { value, start: 0, end: 0 }
    }
}

impl PartialEq for Tree {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl Queryable for Tree {
    fn get(&self, key: &str) -> Option<&Self> {
        match &self.value {
            Value::Object(members) => members.get(key),
            _ => None,
        }
    }

    fn as_array(&self) -> Option<&Vec<Self>> {
        match &self.value {
            Value::Array(items) => Some(items),
            _ => None,
        }
    }

    fn as_object(&self) -> Option<Vec<(&str, &Self)>> {
        match &self.value {
            Value::Object(members) => {
                Some(members.iter().map(|(key, value)| (key.as_str(), value)).collect())
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

impl From<&str> for Tree {
    fn from(text: &str) -> Self {
        Self::of(Value::Text(text.to_owned()))
    }
}

impl From<String> for Tree {
    fn from(text: String) -> Self {
        Self::of(Value::Text(text))
    }
}

impl From<bool> for Tree {
    fn from(is: bool) -> Self {
        Self::of(Value::Bool(is))
    }
}

impl From<i64> for Tree {
    #[expect(clippy::cast_precision_loss, reason = "numbers of filters compare as floats")]
    fn from(number: i64) -> Self {
        Self::of(Value::Number(number as f64))
    }
}

impl From<f64> for Tree {
    fn from(number: f64) -> Self {
        Self::of(Value::Number(number))
    }
}

impl From<Vec<Self>> for Tree {
    fn from(items: Vec<Self>) -> Self {
        Self::of(Value::Array(items))
    }
}
