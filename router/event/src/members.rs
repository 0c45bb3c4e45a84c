//! The members of a JSON object, as they stand in its text.

use std::borrow::Cow;
use std::fmt;

use serde::Deserializer as _;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::json::JsonError;

/// A name and its value, the value's own bytes.
pub(crate) type Member<'a> = (Cow<'a, str>, &'a RawValue);

/// All members in their order, also those that are given twice.
///
/// # Errors
///
/// When `text` is no JSON object.
pub(crate) fn members(text: &str) -> Result<Vec<Member<'_>>, JsonError> {
    struct Members;
    impl<'de> Visitor<'de> for Members {
        type Value = Vec<Member<'de>>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut members = Vec::new();
            while let Some(member) = map.next_entry::<Cow<'de, str>, &RawValue>()? {
                members.push(member);
            }
            Ok(members)
        }
    }
    let mut reader = serde_json::Deserializer::from_str(text);
    let members = reader.deserialize_map(Members).and_then(|found| reader.end().map(|()| found));
    members.map_err(|error| JsonError::syntax(&error))
}

/// The first name that is there a second time.
pub(crate) fn given_twice<'a>(members: &'a [Member<'_>]) -> Option<&'a str> {
    let mut names: Vec<&str> = members.iter().map(|(name, _)| name.as_ref()).collect();
    names.sort_unstable();
    names.windows(2).find(|pair| pair.first() == pair.last()).and_then(|pair| pair.first().copied())
}

/// Appends a member to an object that is being written: all between its braces.
pub(crate) fn put(text: &mut String, name: &str, json: &str) {
    if !text.is_empty() {
        text.push(',');
    }
    text.push_str(&quoted(name));
    text.push(':');
    text.push_str(json);
}

pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// What a sender wrote, no longer than anybody reads.
pub(crate) fn shown(text: &str) -> String {
    text.chars().take(64).collect()
}
