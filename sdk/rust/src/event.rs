//! The event as a plugin sees it: fields that are parsed already, and the text as it was sent.

use std::ops::Range;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::Error;

/// One event on its way to one target.
///
/// The envelope's fields are at hand without parsing. [`detail`](Self::detail) reads what the plugin needs into a
/// type; [`json`](Self::json) is the text as it is, with the sender's own digits and key order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub(crate) id: String,
    pub(crate) source: String,
    pub(crate) detail_type: String,
    pub(crate) time: String,
    pub(crate) json: String,
    /// Where the detail's value stands in `json`; empty when nobody has looked.
    pub(crate) detail: Range<usize>,
    pub(crate) attributes: Vec<(String, String)>,
}

/// The fields that [`Event::parse`] takes out of an envelope; those that are missing are empty.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct Envelope {
    id: String,
    source: String,
    detail_type: String,
    time: String,
}

#[derive(Deserialize)]
struct WithDetail<T> {
    detail: T,
}

impl Event {
    /// An event as a test writes it: an envelope as JSON text, of which any field may be missing.
    pub fn parse(json: impl Into<String>) -> Result<Self, Error> {
        let json = json.into();
        let Envelope { id, source, detail_type, time } = serde_json::from_str(&json)?;
        Ok(Self { id, source, detail_type, time, json, detail: 0..0, attributes: Vec::new() })
    }

    /// The same event with one more attribute, for tests.
    #[must_use]
    pub fn with_attribute(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.attributes.push((name.into(), value.into()));
        self
    }

    pub fn id(&self) -> &str {
        &self.id
    }

    pub fn source(&self) -> &str {
        &self.source
    }

    pub fn detail_type(&self) -> &str {
        &self.detail_type
    }

    /// RFC 3339, as the envelope shows it.
    pub fn time(&self) -> &str {
        &self.time
    }

    /// The whole event as JSON text, byte for byte.
    pub fn json(&self) -> &str {
        &self.json
    }

    /// The event's detail, read into `T`. Numbers whose digits matter are best read as
    /// [`serde_json::value::RawValue`] or as `&RawValue`, which keep the sender's text.
    pub fn detail<'a, T: Deserialize<'a>>(&'a self) -> Result<T, Error> {
        let refuse = |error| Error::Invalid(format!("detail: {error}"));
        // The router has found it already: the envelope around it is not read again.
        if let Some(detail) = self.json.get(self.detail.clone()).filter(|text| !text.is_empty()) {
            return serde_json::from_str(detail).map_err(refuse);
        }
        let event: WithDetail<T> = serde_json::from_str(&self.json).map_err(refuse)?;
        Ok(event.detail)
    }

    /// The whole event, read into `T`.
    pub fn read<'a, T: Deserialize<'a>>(&'a self) -> Result<T, Error> {
        serde_json::from_str(&self.json).map_err(|error| Error::Invalid(format!("event: {error}")))
    }

    /// The detail's own JSON text.
    pub fn detail_json(&self) -> Result<&str, Error> {
        Ok(self.detail::<&RawValue>()?.get())
    }

    /// The first attribute of this name: `bus`, `rule`, `target`, ...
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub fn attributes(&self) -> &[(String, String)] {
        &self.attributes
    }
}
