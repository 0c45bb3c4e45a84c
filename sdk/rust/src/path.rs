//! A place in an event, as a configuration names it: `$.detail.customer.id`.

use alloc::borrow::{Cow, ToOwned as _};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::{Error, Event, Schema, SchemaText};

/// Keys from the event down: `$.detail.items`, `$.detail-type`. A field of a configuration; [`Event::at`] follows it.
///
/// Keys with dots in them, and elements of arrays, cannot be named.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Path {
    text: String,
    keys: Vec<String>,
}

impl Path {
    /// A path that is written in the program: a default.
    ///
    /// # Panics
    ///
    /// When it is none.
    pub fn new(text: &str) -> Self {
        Self::try_from(text.to_owned()).unwrap_or_else(|words| panic!("{words}"))
    }
}

impl TryFrom<String> for Path {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let keys: Vec<String> = text.split('.').skip(1).map(str::to_owned).collect();
        let is_plain = keys.iter().all(|key| !key.is_empty() && !key.contains(['[', ']', '*']));
        if !text.starts_with("$.") || !is_plain {
            return Err(format!(
                "path `{text}`: expected keys from the event down, such as `$.detail.items`"
            ));
        }
        Ok(Self { text, keys })
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Schema for Path {
    fn write(to: &mut SchemaText) {
        to.push(r#"{"type":"string","pattern":"^\\$(\\.[^.*\\[\\]]+)+$"}"#);
    }
}

impl Event {
    /// The value at a place of the event, as its own text; none where there is no such place.
    pub fn at<'a>(&'a self, path: &Path) -> Result<Option<&'a RawValue>, Error> {
        let mut keys = path.keys.iter();
        // The router has found the detail already.
        let mut value: &RawValue = match keys.as_slice().first() {
            Some(key) if key == "detail" && !self.detail.is_empty() => {
                keys.next();
                self.detail()?
            }
            _ => self.read()?,
        };
        for key in keys {
            if !value.get().starts_with('{') {
                return Ok(None);
            }
            let mut reader = serde_json::Deserializer::from_str(value.get());
            match reader.deserialize_map(Member(key))? {
                Some(found) => value = found,
                None => return Ok(None),
            }
        }
        Ok(Some(value))
    }
}

/// Looks for the value of one key.
struct Member<'k>(&'k str);

impl<'de> Visitor<'de> for Member<'_> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(is_it) = members.next_key_seed(Is(self.0))? {
            if is_it {
                found = Some(members.next_value()?);
            } else {
                members.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

/// Whether a key is this one.
struct Is<'k>(&'k str);

impl<'de> DeserializeSeed<'de> for Is<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<bool, D::Error> {
        #[derive(Deserialize)]
        struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

        Ok(Key::deserialize(reader)?.0 == self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_to_the_value_as_it_was_sent() {
        let json = r#"{"detail-type":"T","detail":{"a":{"b":1.10,"\u0063":[1]},"a2":null}}"#;
        let event = Event::parse(json).unwrap();
        let at = |path: &str| {
            let path = Path::try_from(path.to_owned()).unwrap();
            event.at(&path).unwrap().map(|value| value.get().to_owned())
        };
        for (path, expected) in [
            ("$.detail.a.b", Some("1.10")),
            ("$.detail.a.c", Some("[1]")),
            ("$.detail-type", Some("\"T\"")),
            ("$.detail.a2", Some("null")),
            ("$.detail.a2.b", None),
            ("$.detail.x", None),
        ] {
            assert_eq!(at(path).as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn what_is_no_path_is_refused_with_one_that_is() {
        for text in ["detail.items", "$", "$.", "$.a..b", "$.items[*]"] {
            let error = Path::try_from(text.to_owned()).unwrap_err();
            let words = "expected keys from the event down, such as `$.detail.items`";
            assert_eq!(error, format!("path `{text}`: {words}"));
        }
    }
}
