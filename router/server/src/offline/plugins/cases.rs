//! The cases of a plugin: files of JSON, one case or an array of them each.
//!
//! ```json
//! { "name": "an order becomes a line", "config": {}, "event": { "source": "shop", "detail-type": "T", "detail": {} },
//!   "expect": [ { "body": "1 item", "attributes": { "content-type": "text/plain" } } ] }
//! ```
//!
//! # Invariants
//!
//! - A case says the same on every machine and every day: what its event leaves out is always filled with the same
//!   values.
//! - A key that nobody knows is an error with its place: a case never tests less than it says.
//! - The numbers, escapes and spaces of an event reach the plugin as they are written.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use bus::plugin::{Grant, Grants};
use bus::ruleset::Diagnostic;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::pretend::{Entries, from_base64};
use crate::config::{at, byte_at, nearest};

const ID: &str = "00000000-0000-0000-0000-000000000001";
const TIME: &str = "2026-01-01T00:00:00Z";
const KEYS_MEND: &str = "a case has `name`, `event`, `expect`, and may have `config`, `attributes`, `grant`, `state`, `expect-state`";

/// Where a reader of a problem goes on.
pub(super) const PAGE: &str = "docs/plugins.md#cases";

/// What is wrong, at which bytes, and the mend.
type Fault = (Range<usize>, String, String);

/// One case, read; the spans are bytes of its file.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) name: String,
    pub(super) config: String,
    pub(super) event: event::Event,
    pub(super) attributes: Vec<(String, String)>,
    pub(super) grants: Grants,
    /// Before the event.
    pub(super) state: Entries,
    /// After it; none: nobody looks at it.
    pub(super) expect_state: Option<Entries>,
    /// What comes out; none while nobody has said.
    pub(super) expect: Option<Expect>,
    pub(super) place: Places,
}

#[derive(Debug)]
pub(super) struct Places {
    pub(super) case: Range<usize>,
    /// The case itself when it has no configuration.
    pub(super) config: Range<usize>,
    pub(super) expect: Option<Range<usize>>,
    pub(super) expect_state: Option<Range<usize>>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Expect {
    /// Of a filter.
    Kept(bool),
    Outputs(Vec<Wanted>),
    Error {
        kind: String,
        /// A part of the words.
        message: String,
    },
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// JSON text.
    pub(super) body: String,
    /// Those that are named must be there; none: nobody looks at them.
    pub(super) attributes: BTreeMap<String, String>,
}

/// The words for how a call fails.
pub(super) const ERRORS: [&str; 6] = ["invalid", "retry", "fatal", "trap", "output", "limit"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Written<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    config: Option<&'a RawValue>,
    #[serde(borrow)]
    event: &'a RawValue,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
    #[serde(borrow)]
    grant: Option<&'a RawValue>,
    #[serde(borrow)]
    state: Option<&'a RawValue>,
    #[serde(borrow)]
    expect: Option<&'a RawValue>,
    #[serde(borrow)]
    expect_state: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct WrittenEvent<'a> {
    #[serde(borrow)]
    version: Option<Cow<'a, str>>,
    #[serde(borrow)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    detail_type: Option<Cow<'a, str>>,
    #[serde(borrow)]
    source: Option<Cow<'a, str>>,
    #[serde(borrow)]
    account: Option<Cow<'a, str>>,
    #[serde(borrow)]
    time: Option<Cow<'a, str>>,
    #[serde(borrow)]
    region: Option<Cow<'a, str>>,
    #[serde(borrow)]
    replay_name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    resources: Option<&'a RawValue>,
    #[serde(borrow)]
    cloudevents: Option<&'a RawValue>,
    #[serde(borrow)]
    detail: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenError<'a> {
    #[serde(borrow)]
    error: Cow<'a, str>,
    #[serde(borrow)]
    message: Option<Cow<'a, str>>,
}

/// Reads a file of cases; all faults of all cases are told.
pub(super) fn parse(path: &str, text: &str) -> Result<Vec<Case>, Vec<Diagnostic>> {
    let told = |(span, message, mend): Fault| {
        let found = at(path, text, span, [message, String::new(), mend]);
        Diagnostic { page: PAGE, ..found }
    };
    let written = if text.trim_start().starts_with('[') {
        serde_json::from_str::<Vec<&RawValue>>(text)
    } else {
        serde_json::from_str::<&RawValue>(text).map(|one| vec![one])
    };
    let written = written.map_err(|error| vec![told(explain(text, 0, &error))])?;
    let mut cases = Vec::new();
    let mut faults = Vec::new();
    for one in written {
        match Case::read(text, one) {
            Ok(case) => cases.push(case),
            Err(fault) => faults.push(told(fault)),
        }
    }
    if faults.is_empty() { Ok(cases) } else { Err(faults) }
}

impl Case {
    fn read(text: &str, raw: &RawValue) -> Result<Self, Fault> {
        let place = span(text, raw);
        let written: Written<'_> = serde_json::from_str(raw.get())
            .map_err(|error| explain(raw.get(), place.start, &error))?;
        let expect = written.expect.map(|raw| Expect::read(text, raw)).transpose()?;
        Ok(Self {
            name: written.name.into_owned(),
            config: written.config.map_or("{}", RawValue::get).to_owned(),
            event: envelope(text, written.event)?,
            attributes: written.attributes.into_iter().collect(),
            grants: written.grant.map_or(Ok(Grants::none()), |raw| grants(text, raw))?,
            state: written.state.map_or(Ok(Entries::new()), |raw| state(text, raw))?,
            expect_state: written.expect_state.map(|raw| state(text, raw)).transpose()?,
            expect,
            place: Places {
                config: written.config.map_or(place.start..place.start + 1, |raw| span(text, raw)),
                case: place,
                expect: written.expect.map(|raw| span(text, raw)),
                expect_state: written.expect_state.map(|raw| span(text, raw)),
            },
        })
    }
}

impl Expect {
    fn read(text: &str, raw: &RawValue) -> Result<Self, Fault> {
        let place = span(text, raw);
        match raw.get().as_bytes().first() {
            Some(b'[') => {
                let outputs: Vec<&RawValue> = serde_json::from_str(raw.get())
                    .map_err(|error| explain(raw.get(), place.start, &error))?;
                let wanted = outputs.into_iter().map(|output| Wanted::read(text, output));
                wanted.collect::<Result<_, _>>().map(Self::Outputs)
            }
            Some(b'{') => {
                let written: WrittenError<'_> = serde_json::from_str(raw.get())
                    .map_err(|error| explain(raw.get(), place.start, &error))?;
                if !ERRORS.contains(&written.error.as_ref()) {
                    let message = format!("there is no error `{}`", written.error);
                    let mend = match nearest(&written.error, &ERRORS) {
                        Some(word) => format!("did you mean `{word}`?"),
                        None => format!("write one of {}", ERRORS.join(", ")),
                    };
                    return Err((place, message, mend));
                }
                let message = written.message.unwrap_or_default().into_owned();
                Ok(Self::Error { kind: written.error.into_owned(), message })
            }
            Some(b't') => Ok(Self::Kept(true)),
            Some(b'f') => Ok(Self::Kept(false)),
            _ => {
                let message = "this is nothing that can come out of a plugin".to_owned();
                let mend = "write an array of outputs ([] when the event is dropped), true or false for a filter, \
                            or { \"error\": \"invalid\" }";
                Err((place, message, mend.to_owned()))
            }
        }
    }
}

impl Wanted {
    /// An object with no other keys than `body` and `attributes` is an output, any other value a body alone.
    fn read(text: &str, raw: &RawValue) -> Result<Self, Fault> {
        #[derive(Deserialize)]
        struct Whole<'a> {
            #[serde(borrow)]
            body: &'a RawValue,
            #[serde(default)]
            attributes: BTreeMap<String, String>,
        }
        let keys: BTreeMap<Cow<'_, str>, &RawValue> =
            serde_json::from_str(raw.get()).unwrap_or_default();
        let is_whole = keys.contains_key("body")
            && keys.keys().all(|key| ["body", "attributes"].contains(&key.as_ref()));
        if !is_whole {
            return Ok(Self { body: raw.get().to_owned(), attributes: BTreeMap::new() });
        }
        let start = span(text, raw).start;
        let whole: Whole<'_> =
            serde_json::from_str(raw.get()).map_err(|error| explain(raw.get(), start, &error))?;
        Ok(Self { body: whole.body.get().to_owned(), attributes: whole.attributes })
    }
}

fn grants(text: &str, raw: &RawValue) -> Result<Grants, Fault> {
    let place = span(text, raw);
    let names: Vec<Cow<'_, str>> = serde_json::from_str(raw.get()).map_err(|_no_names| {
        let mend = "write an array of names, such as [\"state\", \"clock\"]".to_owned();
        (place.clone(), "these are no grants".to_owned(), mend)
    })?;
    let found = names.iter().map(|name| name.parse::<Grant>());
    found.collect::<Result<_, _>>().map_err(|error| {
        let mend = match nearest(&error.name, &Grant::ALL.map(Grant::name)) {
            Some(word) => format!("did you mean `{word}`?"),
            None => "the log needs no grant".to_owned(),
        };
        (place, error.to_string(), mend)
    })
}

/// Keys and their values: texts, or `{"base64": …}`.
fn state(text: &str, raw: &RawValue) -> Result<Entries, Fault> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Value {
        Text(String),
        Bytes { base64: String },
    }
    let fault = |problem: String| {
        let mend =
            "write keys with texts, or with {\"base64\": \"…\"} for what is no text".to_owned();
        (span(text, raw), problem, mend)
    };
    let values: BTreeMap<String, Value> = serde_json::from_str(raw.get())
        .map_err(|_no_state| fault("this is no state of a plugin".to_owned()))?;
    let entries = values.into_iter().map(|(key, value)| match value {
        Value::Text(text) => Ok((key, (text.into_bytes(), None))),
        Value::Bytes { base64 } => match from_base64(&base64) {
            Some(bytes) => Ok((key, (bytes, None))),
            None => Err(fault(format!("the value of `{key}` is no base64"))),
        },
    });
    entries.collect()
}

/// An event by itself, as in a case; the error is in words.
pub(super) fn envelope_of(text: &str) -> Result<event::Event, String> {
    let raw: &RawValue = serde_json::from_str(text).map_err(|error| error.to_string())?;
    envelope(text, raw).map_err(|(_, message, mend)| format!("{message}; {mend}"))
}

/// The event as a router would keep it, what is left away filled in.
fn envelope(text: &str, raw: &RawValue) -> Result<event::Event, Fault> {
    let place = span(text, raw);
    let written: WrittenEvent<'_> =
        serde_json::from_str(raw.get()).map_err(|error| explain(raw.get(), place.start, &error))?;
    let quoted = |text: &Option<Cow<'_, str>>, default: &str| {
        serde_json::Value::from(text.as_deref().unwrap_or(default)).to_string()
    };
    let mut json = format!(
        r#"{{"version":{},"id":{},"detail-type":{},"source":{},"account":{},"time":{},"region":{},"resources":{},"detail":{}"#,
        quoted(&written.version, "0"),
        quoted(&written.id, ID),
        quoted(&written.detail_type, "Test"),
        quoted(&written.source, "test"),
        quoted(&written.account, "000000000000"),
        quoted(&written.time, TIME),
        quoted(&written.region, "local"),
        written.resources.map_or("[]", RawValue::get),
        written.detail.map_or("{}", RawValue::get),
    );
    if written.replay_name.is_some() {
        json.push_str(&format!(r#","replay-name":{}"#, quoted(&written.replay_name, "")));
    }
    if let Some(cloudevents) = written.cloudevents {
        json.push_str(&format!(r#","cloudevents":{}"#, cloudevents.get()));
    }
    json.push('}');
    event::Event::read(json.into()).map_err(|error| {
        (place, error.to_string(), "write the event as it is sent to a bus".to_owned())
    })
}

/// Where a part of the file stands in it.
fn span(text: &str, part: &RawValue) -> Range<usize> {
    let start = part.get().as_ptr().addr() - text.as_ptr().addr();
    start..start + part.get().len()
}

/// An error of the JSON reader in `part` of a file, which begins at byte `start` of it.
fn explain(part: &str, start: usize, error: &serde_json::Error) -> Fault {
    let (line, column) = (error.line(), error.column());
    let line_start = byte_at(part, u64::try_from(line).unwrap_or(u64::MAX), 1);
    let end = (line_start + column).min(part.len());
    let words = error.to_string();
    let words = words.rsplit_once(" at line ").map_or(words.as_str(), |(words, _)| words);
    let quoted = |text: &str| -> Vec<String> {
        text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    };
    let Some(rest) = words.strip_prefix("unknown field ") else {
        let place = start + end.saturating_sub(1)..start + end;
        return (place, words.to_owned(), KEYS_MEND.to_owned());
    };
    let words = quoted(rest);
    let unknown = words.first().cloned().unwrap_or_default();
    let known: Vec<&str> = words.iter().skip(1).map(String::as_str).collect();
    let mend = match nearest(&unknown, &known) {
        Some(word) => format!("did you mean `{word}`?"),
        None => format!("the keys here are {}", known.join(", ")),
    };
    let key = format!("\"{unknown}\"");
    let from = part.get(..end).and_then(|before| before.rfind(&key)).unwrap_or(end);
    let place = start + from..start + from + key.len();
    (place, format!("unknown key `{unknown}`"), mend)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_event_leaves_out_is_filled_in_and_its_numbers_stay() {
        let text = r#"{"name": "a", "event": {"detail": {"n": 1.10}}, "expect": true}"#;
        let cases = parse("a.json", text).unwrap();
        let event = &cases[0].event;
        assert_eq!((event.id(), event.source(), event.detail_type()), (ID, "test", "Test"));
        assert_eq!((event.time_text(), event.detail()), (TIME, r#"{"n": 1.10}"#));
        assert_eq!(cases[0].expect, Some(Expect::Kept(true)));
    }

    #[test]
    fn an_output_may_be_its_body_alone() {
        let read = |expect: &str| {
            let text = format!(r#"[{{"name": "a", "event": {{}}, "expect": [{expect}]}}]"#);
            match parse("a.json", &text).unwrap().remove(0).expect {
                Some(Expect::Outputs(outputs)) => {
                    (outputs[0].body.clone(), outputs[0].attributes.len())
                }
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(read(r#""text""#), (r#""text""#.to_owned(), 0));
        assert_eq!(read(r#"{"body": 1}"#), ("1".to_owned(), 0));
        assert_eq!(read(r#"{"body": 1, "attributes": {"a": "b"}}"#), ("1".to_owned(), 1));
        assert_eq!(read(r#"{"body": 1, "more": 2}"#).0, r#"{"body": 1, "more": 2}"#);
        assert_eq!(read("{}").0, "{}");
    }

    #[track_caller]
    fn fault(text: &str) -> (usize, usize, String, String) {
        let found = parse("a.json", text).unwrap_err().remove(0);
        (found.line, found.column, found.message, found.mend)
    }

    #[test]
    fn a_key_that_nobody_knows_is_named_with_its_place() {
        let text = "[\n  {\"name\": \"a\",\n   \"evnt\": {}, \"expect\": []}\n]";
        let (line, column, message, mend) = fault(text);
        assert_eq!((line, column), (3, 4));
        assert_eq!(
            (message.as_str(), mend.as_str()),
            ("unknown key `evnt`", "did you mean `event`?")
        );

        let inner = "{\"name\": \"a\", \"expect\": [],\n \"event\": {\"detial\": {}}}";
        let (line, column, message, _) = fault(inner);
        assert_eq!((line, column, message.as_str()), (2, 12, "unknown key `detial`"));

        let error = "{\"name\": \"a\", \"event\": {},\n \"expect\": {\"error\": \"retri\"}}";
        let (line, column, message, mend) = fault(error);
        assert_eq!((line, column, message.as_str()), (2, 12, "there is no error `retri`"));
        assert_eq!(mend, "did you mean `retry`?");
    }

    #[test]
    fn what_is_no_case_is_refused() {
        assert_eq!(fault("{\"name\": \"a\"").2, "EOF while parsing an object");
        assert_eq!(fault("{\"event\": {}}").2, "missing field `name`");
        assert_eq!(fault("{\"name\": \"a\", \"event\": {}, \"expect\": 1}").0, 1);
        assert!(fault("{\"name\": \"a\", \"event\": {\"time\": \"noon\"}}").2.contains("time"));
        let (_, column, message, mend) =
            fault("{\"name\": \"a\", \"event\": {}, \"grant\": [\"stat\"]}");
        assert_eq!((column, mend.as_str()), (37, "did you mean `state`?"), "{message}");
    }
}
