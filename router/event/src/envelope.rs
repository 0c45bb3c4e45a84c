//! The envelope as it is stored, matched and delivered: one JSON text, written once.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::time::{TimeError, Timestamp};

/// A valid event. Cheap to clone: the text and what was read from it are shared.
#[derive(Clone)]
pub struct Event {
    json: Bytes,
    head: Arc<Head>,
}

struct Head {
    id: String,
    detail_type: String,
    source: String,
    account: String,
    time_text: String,
    time: Timestamp,
    region: String,
    replay_name: Option<String>,
    spans: Spans,
}

/// Where the parts that are kept as text stand in the envelope.
#[derive(Clone)]
pub(crate) struct Spans {
    resources: Range<usize>,
    cloudevents: Option<Range<usize>>,
    detail: Range<usize>,
}

/// Why bytes that should be an envelope are none.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("not UTF-8: {0}")]
    Utf8(#[from] std::str::Utf8Error),

    #[error("no envelope: {0}")]
    Json(#[from] serde_json::Error),

    #[error("`time` of the envelope: {0}")]
    Time(#[from] TimeError),
}

impl Event {
    /// Reads an envelope that the router wrote.
    ///
    /// # Errors
    ///
    /// When `envelope` is not such a text.
    pub fn read(envelope: Bytes) -> Result<Event, ReadError> {
        #[derive(Deserialize)]
        struct Stored<'a> {
            #[serde(borrow)]
            id: Cow<'a, str>,
            #[serde(borrow, rename = "detail-type")]
            detail_type: Cow<'a, str>,
            #[serde(borrow)]
            source: Cow<'a, str>,
            #[serde(borrow)]
            account: Cow<'a, str>,
            #[serde(borrow)]
            time: Cow<'a, str>,
            #[serde(borrow)]
            region: Cow<'a, str>,
            #[serde(borrow, rename = "replay-name")]
            replay_name: Option<Cow<'a, str>>,
            #[serde(borrow)]
            resources: &'a RawValue,
            #[serde(borrow)]
            cloudevents: Option<&'a RawValue>,
            #[serde(borrow)]
            detail: &'a RawValue,
        }

        let text = std::str::from_utf8(&envelope)?;
        let stored: Stored<'_> = serde_json::from_str(text)?;
        let span_of = |part: &RawValue| {
            let start = part.get().as_ptr().addr() - text.as_ptr().addr();
            start..start + part.get().len()
        };
        let spans = Spans {
            resources: span_of(stored.resources),
            cloudevents: stored.cloudevents.map(span_of),
            detail: span_of(stored.detail),
        };
        let head = Head {
            id: stored.id.into_owned(),
            detail_type: stored.detail_type.into_owned(),
            source: stored.source.into_owned(),
            account: stored.account.into_owned(),
            time: Timestamp::parse(&stored.time)?,
            time_text: stored.time.into_owned(),
            region: stored.region.into_owned(),
            replay_name: stored.replay_name.map(Cow::into_owned),
            spans,
        };
        Ok(Event { head: Arc::new(head), json: envelope })
    }

    pub(crate) fn assemble(json: Bytes, fields: Fields<'_>, spans: Spans) -> Event {
        let head = Head {
            id: fields.id.into_owned(),
            detail_type: fields.detail_type.into_owned(),
            source: fields.source.into_owned(),
            account: fields.account.into_owned(),
            time_text: fields.time_text.into_owned(),
            time: fields.time,
            region: fields.region.into_owned(),
            replay_name: fields.replay_name.map(Cow::into_owned),
            spans,
        };
        Event { json, head: Arc::new(head) }
    }

    pub fn id(&self) -> &str {
        &self.head.id
    }

    pub fn source(&self) -> &str {
        &self.head.source
    }

    pub fn detail_type(&self) -> &str {
        &self.head.detail_type
    }

    pub fn account(&self) -> &str {
        &self.head.account
    }

    pub fn region(&self) -> &str {
        &self.head.region
    }

    pub fn time(&self) -> Timestamp {
        self.head.time
    }

    /// The time as the sender wrote it.
    pub fn time_text(&self) -> &str {
        &self.head.time_text
    }

    pub fn replay_name(&self) -> Option<&str> {
        self.head.replay_name.as_deref()
    }

    /// Where the detail stands in [`json`](Self::json), in bytes.
    pub fn detail_span(&self) -> Range<usize> {
        self.head.spans.detail.clone()
    }

    /// The detail as the sender wrote it, byte for byte.
    pub fn detail(&self) -> &str {
        self.part(&self.head.spans.detail)
    }

    /// The resources, a JSON array of strings.
    pub fn resources(&self) -> &str {
        self.part(&self.head.spans.resources)
    }

    /// What the event was as a CloudEvent and has no other place for, a JSON object; see
    /// [`cloudevents`](crate::cloudevents).
    pub fn cloudevents(&self) -> Option<&str> {
        self.head.spans.cloudevents.as_ref().map(|span| self.part(span))
    }

    /// The whole envelope.
    pub fn json(&self) -> &str {
        std::str::from_utf8(&self.json).expect("an envelope is checked to be UTF-8 when made")
    }

    pub fn bytes(&self) -> &Bytes {
        &self.json
    }

    /// The same event as a replay sends it: with `replay-name` between region and resources.
    #[must_use]
    pub fn replayed(&self, name: &str) -> Event {
        let fields = Fields {
            id: self.id().into(),
            detail_type: self.detail_type().into(),
            source: self.source().into(),
            account: self.account().into(),
            time_text: self.time_text().into(),
            time: self.time(),
            region: self.region().into(),
            replay_name: Some(name.into()),
            resources: self.resources(),
            cloudevents: self.cloudevents(),
            detail: self.detail(),
        };
        let (text, spans) = fields.write();
        Event::assemble(Bytes::from(text), fields, spans)
    }

    fn part(&self, span: &Range<usize>) -> &str {
        self.json().get(span.clone()).expect("spans are those of whole values")
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.json())
    }
}

/// The parts an envelope is written from.
pub(crate) struct Fields<'a> {
    pub id: Cow<'a, str>,
    pub detail_type: Cow<'a, str>,
    pub source: Cow<'a, str>,
    pub account: Cow<'a, str>,
    pub time_text: Cow<'a, str>,
    pub time: Timestamp,
    pub region: Cow<'a, str>,
    pub replay_name: Option<Cow<'a, str>>,
    /// A JSON array of strings.
    pub resources: &'a str,
    /// A JSON object.
    pub cloudevents: Option<&'a str>,
    /// A JSON object.
    pub detail: &'a str,
}

impl Fields<'_> {
    /// The envelope's text, its keys in EventBridge's order.
    pub(crate) fn write(&self) -> (Vec<u8>, Spans) {
        let mut text = Vec::with_capacity(self.room());
        let spans = self.write_to(&mut text);
        (text, spans)
    }

    /// About as many bytes as the text has, seldom less.
    pub(crate) fn room(&self) -> usize {
        256 + self.detail.len() + self.resources.len() + self.cloudevents.map_or(0, str::len)
    }

    /// Appends the envelope's text; the spans are those within `text`.
    pub(crate) fn write_to(&self, text: &mut Vec<u8>) -> Spans {
        text.extend_from_slice(b"{\"version\":\"0\"");
        let mut put = |key: &str, value: &str| {
            text.extend_from_slice(b",\"");
            text.extend_from_slice(key.as_bytes());
            text.extend_from_slice(b"\":");
            push_quoted(text, value);
        };
        put("id", &self.id);
        put("detail-type", &self.detail_type);
        put("source", &self.source);
        put("account", &self.account);
        put("time", &self.time_text);
        put("region", &self.region);
        if let Some(name) = &self.replay_name {
            put("replay-name", name);
        }
        text.extend_from_slice(b",\"resources\":");
        let resources = text.len()..text.len() + self.resources.len();
        text.extend_from_slice(self.resources.as_bytes());
        let cloudevents = self.cloudevents.map(|object| {
            text.extend_from_slice(b",\"cloudevents\":");
            text.extend_from_slice(object.as_bytes());
            text.len() - object.len()..text.len()
        });
        text.extend_from_slice(b",\"detail\":");
        let detail = text.len()..text.len() + self.detail.len();
        text.extend_from_slice(self.detail.as_bytes());
        text.push(b'}');
        Spans { resources, cloudevents, detail }
    }
}

/// The characters of a JSON string; none where an escape stands for half a character.
pub(crate) fn unquote(json: &str) -> Option<Cow<'_, str>> {
    let inner = json.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        serde_json::from_str::<String>(json).ok().map(Cow::Owned)
    } else {
        Some(Cow::Borrowed(inner))
    }
}

fn push_quoted(text: &mut Vec<u8>, value: &str) {
    let plain = value.bytes().all(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\');
    if plain {
        text.push(b'"');
        text.extend_from_slice(value.as_bytes());
        text.push(b'"');
    } else {
        text.extend_from_slice(serde_json::Value::from(value).to_string().as_bytes());
    }
}
