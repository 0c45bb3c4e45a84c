//! One case of a test file.

use std::borrow::ToOwned as _;
use std::boxed::Box;
use std::collections::BTreeMap;
use std::format;
use std::string::{String, ToString as _};
use std::vec::Vec;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::base64;
use crate::Event;

pub(super) struct Case {
    pub(super) name: String,
    /// JSON text.
    pub(super) config: String,
    event: String,
    attributes: BTreeMap<String, String>,
    pub(super) grants: Vec<String>,
    pub(super) state: BTreeMap<String, Vec<u8>>,
    pub(super) expect: Expect,
    pub(super) expect_state: Option<BTreeMap<String, Vec<u8>>>,
}

pub(super) enum Expect {
    Kept(bool),
    Outputs(Vec<Wanted>),
    Error { kind: String, message: String },
}

pub(super) struct Wanted {
    pub(super) body: Value,
    pub(super) attributes: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Written {
    name: String,
    config: Option<Box<RawValue>>,
    event: BTreeMap<String, Box<RawValue>>,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
    #[serde(default)]
    grant: Vec<String>,
    #[serde(default)]
    state: BTreeMap<String, Bytes>,
    expect: Value,
    expect_state: Option<BTreeMap<String, Bytes>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Bytes {
    Text(String),
    Coded { base64: String },
}

/// What an event has that its case leaves out, in the order of an envelope.
const ENVELOPE: [(&str, &str); 9] = [
    ("version", r#""0""#),
    ("id", r#""00000000-0000-0000-0000-000000000001""#),
    ("detail-type", r#""Test""#),
    ("source", r#""test""#),
    ("account", r#""000000000000""#),
    ("time", r#""2026-01-01T00:00:00Z""#),
    ("region", r#""local""#),
    ("resources", "[]"),
    ("detail", "{}"),
];
const ERRORS: [&str; 6] = ["invalid", "retry", "fatal", "trap", "output", "limit"];
const GRANTS: [&str; 4] = ["metrics", "clock", "random", "state"];

impl Case {
    /// A file's cases, or what is wrong with it.
    pub(super) fn read_all(text: &str) -> Result<Vec<Self>, String> {
        let written: Vec<Written> = if text.trim_start().starts_with('[') {
            serde_json::from_str(text).map_err(|error| error.to_string())?
        } else {
            let one = serde_json::from_str(text).map_err(|error| error.to_string())?;
            std::vec![one]
        };
        written.into_iter().map(Self::of).collect()
    }

    fn of(written: Written) -> Result<Self, String> {
        let name = written.name;
        let told = |words: String| format!("{name}: {words}");
        if let Some(other) = written.grant.iter().find(|grant| !GRANTS.contains(&grant.as_str())) {
            return Err(told(format!("there is no grant `{other}`: write {}", GRANTS.join(", "))));
        }
        Ok(Self {
            config: written.config.map_or("{}".to_owned(), |config| config.get().to_owned()),
            event: envelope(written.event).map_err(told)?,
            attributes: written.attributes,
            grants: written.grant,
            state: bytes(written.state).map_err(told)?,
            expect: Expect::of(written.expect).map_err(told)?,
            expect_state: written.expect_state.map(bytes).transpose().map_err(told)?,
            name,
        })
    }

    pub(super) fn event(&self) -> Result<Event, String> {
        let event = Event::parse(self.event.clone());
        let event = event.map_err(|error| format!("  the event cannot be read: {error}\n"))?;
        let attributes = self.attributes.iter();
        Ok(attributes.fold(event, |event, (name, value)| event.with_attribute(name, value)))
    }

    pub(super) fn is_about_limits(&self) -> bool {
        matches!(&self.expect, Expect::Error { kind, .. } if kind == "limit")
    }
}

fn envelope(mut written: BTreeMap<String, Box<RawValue>>) -> Result<String, String> {
    let mut fields = Vec::new();
    for (name, default) in ENVELOPE {
        let value = written.remove(name);
        fields.push(format!("\"{name}\":{}", value.as_deref().map_or(default, RawValue::get)));
    }
    for name in ["replay-name", "cloudevents"] {
        if let Some(value) = written.remove(name) {
            fields.push(format!("\"{name}\":{}", value.get()));
        }
    }
    match written.into_keys().next() {
        Some(name) => Err(format!("an event has no field `{name}`")),
        None => Ok(format!("{{{}}}", fields.join(","))),
    }
}

fn bytes(written: BTreeMap<String, Bytes>) -> Result<BTreeMap<String, Vec<u8>>, String> {
    let decode = |(key, bytes): (String, Bytes)| match bytes {
        Bytes::Text(text) => Ok((key, text.into_bytes())),
        Bytes::Coded { base64: coded } => match base64::decode(&coded) {
            Some(bytes) => Ok((key, bytes)),
            None => Err(format!("the state `{key}` is not base64")),
        },
    };
    written.into_iter().map(decode).collect()
}

impl Expect {
    fn of(written: Value) -> Result<Self, String> {
        match written {
            Value::Bool(is_kept) => Ok(Self::Kept(is_kept)),
            Value::Array(outputs) => {
                Ok(Self::Outputs(outputs.into_iter().map(Wanted::of).collect::<Result<_, _>>()?))
            }
            Value::Object(fields) => {
                let word = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or("");
                let (kind, message) = (word("error").to_owned(), word("message").to_owned());
                let is_known = ERRORS.contains(&kind.as_str())
                    && fields.keys().all(|key| ["error", "message"].contains(&key.as_str()));
                if is_known {
                    return Ok(Self::Error { kind, message });
                }
                let words =
                    "`expect` is no error: write {\"error\": \"…\", \"message\": \"…\"} with";
                Err(format!("{words} {}", ERRORS.join(", ")))
            }
            Value::Null | Value::Number(_) | Value::String(_) => {
                Err("`expect` is an array of outputs, true or false for a filter, or an error"
                    .to_owned())
            }
        }
    }
}

impl Wanted {
    /// An object with no other keys than `body` and `attributes` is an output, any other value a body alone.
    fn of(written: Value) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Whole {
            body: Value,
            #[serde(default)]
            attributes: BTreeMap<String, String>,
        }
        let is_whole = written.as_object().is_some_and(|fields| {
            fields.contains_key("body")
                && fields.keys().all(|key| ["body", "attributes"].contains(&key.as_str()))
        });
        if !is_whole {
            return Ok(Self { body: written, attributes: BTreeMap::new() });
        }
        let whole: Whole = serde_json::from_value(written).map_err(|error| error.to_string())?;
        Ok(Self { body: whole.body, attributes: whole.attributes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_case_is_refused_in_words() {
        for (text, words) in [
            (r#"{"name":"n","event":{},"expect":1}"#, "n: `expect` is an array of outputs"),
            (r#"{"name":"n","event":{},"expect":{"error":"x"}}"#, "n: `expect` is no error"),
            (r#"{"name":"n","event":{"a":1},"expect":[]}"#, "n: an event has no field `a`"),
            (r#"{"name":"n","event":{},"expect":[],"grant":["x"]}"#, "n: there is no grant `x`"),
            (
                r#"{"name":"n","event":{},"expect":[],"state":{"k":{"base64":"%"}}}"#,
                "n: the state `k` is not base64",
            ),
            (r#"[{"name":"n","expect":[],"evnt":{}}]"#, "unknown field `evnt`"),
        ] {
            let error = Case::read_all(text).map(|_| ()).unwrap_err();
            assert!(error.starts_with(words), "{error}");
        }
    }

    #[test]
    fn an_event_is_filled_in_and_its_numbers_stay() {
        let text =
            r#"{"name":"n","event":{"detail":{"n":1.10}},"attributes":{"bus":"b"},"expect":[]}"#;
        let event = Case::read_all(text).unwrap().remove(0).event().unwrap();
        assert_eq!((event.source(), event.time()), ("test", "2026-01-01T00:00:00Z"));
        assert_eq!(
            (event.detail_json().unwrap(), event.attribute("bus")),
            (r#"{"n":1.10}"#, Some("b"))
        );
    }
}
