//! What a sender may send: an envelope of which `source`, `detail-type` and `detail` must be there.
//!
//! Nothing that is sent is dropped in silence: a key that is not part of the envelope is refused
//! with the key that was probably meant.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::cloudevents::CloudEventError;
use crate::envelope::{Event, Fields};
use crate::json::{JsonError, Limits, check_bounds};
use crate::key::{IdempotencyKey, KeyError};
use crate::time::{TimeError, Timestamp};

/// The longest id, in bytes.
const ID_BYTES_MAX: usize = 256;

/// What an entry gets where it says nothing itself.
#[derive(Debug, Clone, Copy)]
pub struct Stamp<'a> {
    pub id: &'a str,
    pub time: Timestamp,
    pub account: &'a str,
    pub region: &'a str,
}

/// Why an entry is not an event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    #[error(transparent)]
    Json(#[from] JsonError),

    #[error(
        "an event is a JSON object with `source`, `detail-type` and `detail`, and this is {found}"
    )]
    NotAnObject { found: &'static str },

    #[error("`{key}` is missing; an event needs `source`, `detail-type` and `detail`")]
    Missing { key: &'static str },

    #[error("`{key}` must be {expected}, and is {found}")]
    WrongType { key: &'static str, expected: &'static str, found: &'static str },

    #[error("`{key}` must not be empty")]
    Empty { key: &'static str },

    #[error("`{key}` is given twice")]
    Twice { key: String },

    #[error("`{key}` is no part of an event; {mend}")]
    UnknownKey { key: String, mend: String },

    #[error("`id` is {bytes} bytes long, and {ID_BYTES_MAX} are allowed")]
    IdTooLong { bytes: usize },

    #[error("`time`: {0}")]
    Time(#[from] TimeError),

    #[error("`version` is {found}, and only \"0\" is known")]
    Version { found: String },

    #[error("`idempotency-key`: {0}")]
    Key(#[from] KeyError),

    #[error(transparent)]
    CloudEvent(#[from] CloudEventError),
}

impl EntryError {
    /// Whether only the size is wrong.
    pub fn is_too_large(&self) -> bool {
        matches!(self.json(), Some(JsonError::TooLarge { .. }))
    }

    /// What is wrong with the text, before it is anything.
    pub fn json(&self) -> Option<&JsonError> {
        match self {
            Self::Json(error)
            | Self::CloudEvent(
                CloudEventError::Json(error) | CloudEventError::Data { reason: error, .. },
            ) => Some(error),
            _ => None,
        }
    }
}

/// What a sender sent: an event, and what is said of the sending alone.
#[derive(Debug, Clone)]
pub struct Entry {
    pub event: Event,
    /// Not part of the event.
    pub key: Option<IdempotencyKey>,
    /// The id is the sender's, not the stamp's.
    pub has_own_id: bool,
}

impl Entry {
    /// Reads `{source, detail-type, detail}` and, optionally, `id`, `time`, `account`, `region`,
    /// `resources`, `version`, `cloudevents`, and `idempotency-key`.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong with `json`, in words for its sender.
    pub fn read(json: &[u8], limits: &Limits, stamp: &Stamp<'_>) -> Result<Entry, EntryError> {
        let mut raw = RawEntry::parse(check_bounds(json, limits)?)?;
        let (key, has_own_id) = (raw.idempotency_key.take(), raw.id.is_some());
        let event = fields(raw, None, stamp)?.into_event();
        let key = match key.map(|key| text("idempotency-key", key)).transpose()? {
            Some(key) => Some(IdempotencyKey::new(&key)?),
            None => None,
        };
        Ok(Entry { event, key, has_own_id })
    }
}

impl Event {
    /// The event of what a sender sent; see [`Entry::read`].
    ///
    /// # Errors
    ///
    /// The first thing that is wrong with `json`, in words for its sender.
    pub fn from_entry(
        json: &[u8],
        limits: &Limits,
        stamp: &Stamp<'_>,
    ) -> Result<Event, EntryError> {
        Entry::read(json, limits, stamp).map(|entry| entry.event)
    }

    /// Appends the envelope of what a sender sent to `text`, without making an [`Event`] of it, and
    /// returns its id. An entry with an idempotency key is left to [`Entry::read`]: then there is no id.
    ///
    /// # Errors
    ///
    /// As [`Event::from_entry`]; `text` is as it was.
    pub fn write_entry(
        json: &[u8],
        limits: &Limits,
        stamp: &Stamp<'_>,
        text: &mut Vec<u8>,
    ) -> Result<Option<String>, EntryError> {
        let raw = RawEntry::parse(check_bounds(json, limits)?)?;
        if raw.idempotency_key.is_some() {
            return Ok(None);
        }
        let fields = fields(raw, None, stamp)?;
        text.reserve(fields.room());
        fields.write_to(text);
        Ok(Some(fields.id.into_owned()))
    }

    /// Makes the event of what one bus passes on to another: an entry that may be a replayed one.
    ///
    /// # Errors
    ///
    /// As [`Event::from_entry`].
    pub fn from_forwarded(
        json: &[u8],
        limits: &Limits,
        stamp: &Stamp<'_>,
    ) -> Result<Event, EntryError> {
        let mut raw = RawEntry::parse_any(check_bounds(json, limits)?)?;
        if raw.idempotency_key.is_some() {
            raw.wrong.get_or_insert_with(|| unknown("idempotency-key"));
        }
        let replay_name = optional_text("replay-name", raw.replay_name.take())?;
        Ok(fields(raw, replay_name, stamp)?.into_event())
    }
}

/// What the envelope is written from, all of it checked.
fn fields<'a>(
    raw: RawEntry<'a>,
    replay_name: Option<Cow<'a, str>>,
    stamp: &Stamp<'a>,
) -> Result<Fields<'a>, EntryError> {
    if let Some(wrong) = raw.wrong {
        return Err(wrong);
    }
    let missing = |key| EntryError::Missing { key };

    let source = required_text("source", raw.source.ok_or(missing("source"))?)?;
    let detail_type = required_text("detail-type", raw.detail_type.ok_or(missing("detail-type"))?)?;
    let detail = raw.detail.ok_or(missing("detail"))?.get();
    if !detail.starts_with('{') {
        let found = kind_of(detail);
        return Err(EntryError::WrongType { key: "detail", expected: "an object", found });
    }
    if let Some(version) = raw.version.map(RawValue::get).filter(|text| *text != "\"0\"") {
        return Err(EntryError::Version { found: version.chars().take(32).collect() });
    }
    let id = optional_text("id", raw.id)?;
    if let Some(id) = id.as_deref().filter(|id| id.len() > ID_BYTES_MAX) {
        return Err(EntryError::IdTooLong { bytes: id.len() });
    }
    let time_text = optional_text("time", raw.time)?;
    let time = match &time_text {
        Some(text) => Timestamp::parse(text)?,
        None => stamp.time,
    };
    Ok(Fields {
        id: id.unwrap_or(Cow::Borrowed(stamp.id)),
        detail_type,
        source,
        account: optional_text("account", raw.account)?.unwrap_or(stamp.account.into()),
        time_text: time_text.unwrap_or_else(|| stamp.time.to_string().into()),
        time,
        region: optional_text("region", raw.region)?.unwrap_or(stamp.region.into()),
        replay_name,
        resources: resources(raw.resources)?,
        cloudevents: raw.cloudevents.map(object).transpose()?,
        detail,
    })
}

/// The keys of an entry with their values as they stand in the text.
#[derive(Default)]
pub(crate) struct RawEntry<'a> {
    pub(crate) version: Option<&'a RawValue>,
    pub(crate) id: Option<&'a RawValue>,
    pub(crate) detail_type: Option<&'a RawValue>,
    pub(crate) source: Option<&'a RawValue>,
    pub(crate) account: Option<&'a RawValue>,
    pub(crate) time: Option<&'a RawValue>,
    pub(crate) region: Option<&'a RawValue>,
    pub(crate) resources: Option<&'a RawValue>,
    pub(crate) cloudevents: Option<&'a RawValue>,
    pub(crate) detail: Option<&'a RawValue>,
    pub(crate) replay_name: Option<&'a RawValue>,
    pub(crate) idempotency_key: Option<&'a RawValue>,
    /// The first problem with a key; syntax errors go before it.
    pub(crate) wrong: Option<EntryError>,
}

impl<'a> RawEntry<'a> {
    /// What a sender may say: `replay-name` is not his.
    pub(crate) fn parse(text: &'a str) -> Result<Self, EntryError> {
        let mut entry = Self::parse_any(text)?;
        if entry.replay_name.is_some() {
            entry.wrong.get_or_insert_with(|| unknown("replay-name"));
        }
        Ok(entry)
    }

    fn parse_any(text: &'a str) -> Result<Self, EntryError> {
        // Said before the parser would say it in words about maps.
        if let Some(first) = text.trim_ascii_start().chars().next().filter(|first| *first != '{') {
            serde_json::from_str::<serde::de::IgnoredAny>(text)
                .map_err(|error| JsonError::syntax(&error))?;
            return Err(EntryError::NotAnObject { found: kind_of(first.encode_utf8(&mut [0; 4])) });
        }
        let mut reader = serde_json::Deserializer::from_str(text);
        let entry = reader
            .deserialize_map(EntryVisitor)
            .and_then(|entry| reader.end().map(|()| entry))
            .map_err(|error| JsonError::syntax(&error))?;
        Ok(entry)
    }

    fn put(&mut self, key: &str, value: &'a RawValue) {
        let slot = match key {
            "version" => &mut self.version,
            "id" => &mut self.id,
            "detail-type" => &mut self.detail_type,
            "source" => &mut self.source,
            "account" => &mut self.account,
            "time" => &mut self.time,
            "region" => &mut self.region,
            "resources" => &mut self.resources,
            "cloudevents" => &mut self.cloudevents,
            "detail" => &mut self.detail,
            "replay-name" => &mut self.replay_name,
            "idempotency-key" => &mut self.idempotency_key,
            _ => {
                self.wrong.get_or_insert_with(|| unknown(key));
                return;
            }
        };
        if slot.replace(value).is_some() {
            self.wrong.get_or_insert(EntryError::Twice { key: key.to_owned() });
        }
    }
}

struct EntryVisitor;

impl<'de> Visitor<'de> for EntryVisitor {
    type Value = RawEntry<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawEntry<'de>, A::Error> {
        let mut entry = RawEntry::default();
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            entry.put(&key, map.next_value()?);
        }
        Ok(entry)
    }
}

fn unknown(key: &str) -> EntryError {
    let folded: String = key
        .chars()
        .filter(|letter| letter.is_ascii_alphanumeric())
        .map(|letter| letter.to_ascii_lowercase())
        .collect();
    let mend = match folded.as_str() {
        "detailtype" | "type" | "eventtype" => "write `detail-type`".to_owned(),
        "data" | "details" | "payload" | "body" => "the event's content is `detail`".to_owned(),
        "idempotencykey" => {
            "write `idempotency-key`, where an event is sent; nothing else has one".to_owned()
        }
        "replayname" => "the router writes it when it replays".to_owned(),
        "eventbusname" | "bus" => "the bus is named in the path: POST /buses/{bus}/events".into(),
        "source" | "detail" | "id" | "time" | "resources" | "account" | "region" | "version" => {
            format!("write `{folded}`")
        }
        _ => "put what is yours into `detail`".to_owned(),
    };
    EntryError::UnknownKey { key: key.chars().take(64).collect(), mend }
}

pub(crate) fn kind_of(json: &str) -> &'static str {
    match json.bytes().next() {
        Some(b'{') => "an object",
        Some(b'[') => "an array",
        Some(b'"') => "a string",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        Some(_) => "a number",
        None => "nothing",
    }
}

fn text<'a>(key: &'static str, raw: &'a RawValue) -> Result<Cow<'a, str>, EntryError> {
    let wrong = || EntryError::WrongType { key, expected: "a string", found: kind_of(raw.get()) };
    if !raw.get().starts_with('"') {
        return Err(wrong());
    }
    crate::envelope::unquote(raw.get()).ok_or(EntryError::WrongType {
        key,
        expected: "a string of whole characters",
        found: "not",
    })
}

fn required_text<'a>(key: &'static str, raw: &'a RawValue) -> Result<Cow<'a, str>, EntryError> {
    let text = text(key, raw)?;
    if text.is_empty() { Err(EntryError::Empty { key }) } else { Ok(text) }
}

fn optional_text<'a>(
    key: &'static str,
    raw: Option<&'a RawValue>,
) -> Result<Option<Cow<'a, str>>, EntryError> {
    raw.map(|raw| required_text(key, raw)).transpose()
}

/// What an event was as a CloudEvent and has no other place for.
fn object(raw: &RawValue) -> Result<&str, EntryError> {
    match kind_of(raw.get()) {
        "an object" => Ok(raw.get()),
        found => Err(EntryError::WrongType { key: "cloudevents", expected: "an object", found }),
    }
}

/// Some string, of which only the form counts.
struct Text;

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Form;
        impl Visitor<'_> for Form {
            type Value = Text;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_str<E>(self, _text: &str) -> Result<Text, E> {
                Ok(Text)
            }
        }
        deserializer.deserialize_str(Form)
    }
}

fn resources(raw: Option<&RawValue>) -> Result<&str, EntryError> {
    let Some(raw) = raw else { return Ok("[]") };
    if serde_json::from_str::<Vec<Text>>(raw.get()).is_err() {
        return Err(EntryError::WrongType {
            key: "resources",
            expected: "an array of strings",
            found: match kind_of(raw.get()) {
                "an array" => "an array of something else",
                other => other,
            },
        });
    }
    Ok(raw.get())
}

impl Fields<'_> {
    fn into_event(self) -> Event {
        let (text, spans) = self.write();
        Event::assemble(Bytes::from(text), self, spans)
    }
}
