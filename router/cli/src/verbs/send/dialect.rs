//! What an event is written as, what it travels as, and the way from the one to the other.
//!
//! ```text
//! plain         {"source":…,"detail-type":…,"detail":{…}}
//! cloudevents   {"specversion":"1.0","id":…,"source":…,"type":…,"data":{…}}
//! eventbridge   {"Source":…,"DetailType":…,"Detail":"{…}"}, alone or in {"Entries":[…]}
//! ```
//!
//! # Invariants
//!
//! - What travels as it is written is not read: the router says what is wrong with it.
//! - Else the plain form stands in the middle, and `event` does both ways, as it does for the router.

use clap::ValueEnum;
use event::{Limits, cloudevents, eventbridge};
use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Dialect {
    /// The router's own form
    Plain,
    /// CloudEvents 1.0 in JSON
    Cloudevents,
    /// Entries of EventBridge's PutEvents
    Eventbridge,
}

/// What the user says that the events are written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Written {
    /// Each event shows what it is
    Auto,
    Plain,
    Cloudevents,
    Eventbridge,
}

/// An event on its way.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) json: Box<RawValue>,
    pub(super) bus: String,
    /// Keys for which what it travels as has no place.
    pub(super) lost: Vec<&'static str>,
}

/// The members by which the dialects are told apart.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Marks<'a> {
    #[serde(borrow)]
    specversion: Option<&'a RawValue>,
    #[serde(borrow, rename = "Entries")]
    entries: Option<&'a RawValue>,
    #[serde(borrow, rename = "Source")]
    source: Option<&'a RawValue>,
    #[serde(borrow, rename = "DetailType")]
    detail_type: Option<&'a RawValue>,
    #[serde(borrow, rename = "Detail")]
    detail: Option<&'a RawValue>,
}

impl Written {
    /// The events that one value of the input holds, and what they are written as. What is nothing known is plain,
    /// and the router's to refuse.
    pub(super) fn events(self, value: Box<RawValue>) -> (Dialect, Vec<Box<RawValue>>) {
        // Of an array, the elements would be taken for the marks.
        let object = Some(value.get()).filter(|text| text.starts_with('{'));
        let marks: Marks<'_> =
            object.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        let is_put = [marks.entries, marks.source, marks.detail_type, marks.detail]
            .iter()
            .any(Option::is_some);
        let dialect = match self {
            Self::Plain => Dialect::Plain,
            Self::Cloudevents => Dialect::Cloudevents,
            Self::Eventbridge => Dialect::Eventbridge,
            Self::Auto if marks.specversion.is_some() => Dialect::Cloudevents,
            Self::Auto if is_put => Dialect::Eventbridge,
            Self::Auto => Dialect::Plain,
        };
        let inner = marks.entries.filter(|_| dialect == Dialect::Eventbridge);
        match inner.and_then(|list| serde_json::from_str(list.get()).ok()) {
            Some(entries) => (dialect, entries),
            None => (dialect, vec![value]),
        }
    }
}

impl Dialect {
    /// An event that is written so, as one that is written as `to`, for `bus` or the one that it names itself.
    /// `id` is for one that has none and needs one. The error is in words for who wrote the event.
    pub(super) fn converted(
        self,
        event: Box<RawValue>,
        to: Self,
        bus: Option<&str>,
        id: impl FnOnce() -> String,
    ) -> Result<Outgoing, String> {
        let mut named = None;
        let plain = match self {
            Self::Cloudevents if to == Self::Cloudevents => None,
            Self::Plain => Some(event.get().to_owned()),
            Self::Cloudevents => Some(
                cloudevents::entry_of(event.get().as_bytes(), &UNLIMITED)
                    .map_err(|error| error.to_string())?,
            ),
            Self::Eventbridge => {
                let put = eventbridge::entry_of(event.get())
                    .map_err(|fault| format!("{}: {fault}", fault.code()))?;
                named = put.bus;
                Some(put.entry)
            }
        };
        let bus = bus.map(str::to_owned).or(named).unwrap_or_else(|| "default".to_owned());
        let mut lost = Vec::new();
        let text = match (plain, to) {
            (None, _) => return Ok(Outgoing { json: event, bus, lost }),
            (Some(_), Self::Plain) if self == Self::Plain => {
                return Ok(Outgoing { json: event, bus, lost });
            }
            (Some(plain), Self::Plain) => plain,
            (Some(plain), Self::Cloudevents) => {
                cloudevents::event_of(&plain, &id()).map_err(|error| error.to_string())?
            }
            // Also what was written so: the bus that it is for is named in it.
            (Some(plain), Self::Eventbridge) => {
                let (text, found) =
                    eventbridge::put_of(&plain, &bus).map_err(|error| error.to_string())?;
                lost = found;
                text
            }
        };
        let json = RawValue::from_string(text).map_err(|error| format!("not JSON: {error}"))?;
        Ok(Outgoing { json, bus, lost })
    }

    /// The member that holds an event's idempotency key, where there is one.
    pub(super) fn key_member(self) -> &'static str {
        match self {
            Self::Cloudevents => "slipswitchkey",
            Self::Plain | Self::Eventbridge => "idempotency-key",
        }
    }
}

/// The router has the limits.
const UNLIMITED: Limits = Limits { event_bytes_max: usize::MAX, depth_max: usize::MAX };

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    fn sent(text: &str, to: Dialect, bus: Option<&str>) -> Result<(String, String), String> {
        let (written, mut events) = Written::Auto.events(raw(text));
        let out = written.converted(events.remove(0), to, bus, || "made-up".to_owned())?;
        Ok((out.json.get().to_owned(), out.bus))
    }

    const PLAIN: &str = r#"{"source":"s","detail-type":"t","detail":{"n":1.10, "a":1e400}}"#;
    const CLOUD: &str = r#"{"specversion":"1.0","id":"made-up","source":"s","type":"t","data":{"n":1.10, "a":1e400}}"#;
    const PUT: &str = r#"{"Source":"s","DetailType":"t","Detail":"{\"n\":1.10, \"a\":1e400}","EventBusName":"shop"}"#;

    #[test]
    fn each_dialect_is_recognised_and_becomes_every_other() {
        let as_plain = |text| sent(text, Dialect::Plain, Some("shop")).unwrap().0;
        assert_eq!(as_plain(PLAIN), PLAIN);
        assert_eq!(as_plain(PUT), PLAIN);
        let with_id = r#"{"id":"made-up","source":"s","detail-type":"t","cloudevents":{"specversion":"1.0"},"detail":{"n":1.10, "a":1e400}}"#;
        assert_eq!(as_plain(CLOUD), with_id);
        for text in [PLAIN, CLOUD, PUT, with_id] {
            assert_eq!(sent(text, Dialect::Cloudevents, None).unwrap().0, CLOUD, "{text}");
            assert_eq!(sent(text, Dialect::Eventbridge, Some("shop")).unwrap().0, PUT, "{text}");
        }
    }

    #[test]
    fn a_request_holds_its_entries_and_each_may_name_its_bus() {
        let request = format!(r#"{{"Entries":[{PUT},{PUT}]}}"#);
        let (dialect, events) = Written::Auto.events(raw(&request));
        assert_eq!((dialect, events.len()), (Dialect::Eventbridge, 2));
        assert_eq!(sent(&request, Dialect::Plain, None).unwrap().1, "shop");
        assert_eq!(sent(&request, Dialect::Plain, Some("other")).unwrap().1, "other");
        assert_eq!(sent(PLAIN, Dialect::Plain, None).unwrap().1, "default");
    }

    #[test]
    fn what_cannot_be_converted_is_told_in_the_words_of_its_dialect() {
        let error = sent(r#"{"specversion":"0.3"}"#, Dialect::Plain, None).unwrap_err();
        assert!(error.starts_with("`id` is missing; a CloudEvent"), "{error}");
        let error = sent(r#"{"Source":"s","Detail":"x"}"#, Dialect::Plain, None).unwrap_err();
        assert!(error.starts_with("InvalidArgument: Parameter DetailType"), "{error}");
        let error = sent("[1]", Dialect::Cloudevents, None).unwrap_err();
        assert!(error.contains("this is an array"), "{error}");
    }
}
