//! The event as a plugin sees it: fields that are parsed already, and the text as it was sent.

use alloc::borrow::ToOwned as _;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::ops::{Deref, Range};

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::Error;

/// One event on its way to one target.
///
/// The envelope's fields are at hand without parsing. [`detail`](Self::detail) reads what the plugin needs into a
/// type; [`json`](Self::json) is the text as it is, with the sender's own digits and key order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub(crate) id: Text,
    pub(crate) source: Text,
    pub(crate) detail_type: Text,
    pub(crate) time: Text,
    pub(crate) json: Text,
    /// Where the detail's value stands in `json`; empty when nobody has looked.
    pub(crate) detail: Range<usize>,
    pub(crate) attributes: Attributes,
}

/// A text of an event.
pub(crate) enum Text {
    Owned(String),
    /// In memory that outlives the event, though not for ever: it is given out for a borrow of the event alone, and a
    /// clone is a copy.
    #[cfg_attr(not(target_arch = "wasm32"), expect(dead_code, reason = "natively all is owned"))]
    Shown(&'static str),
}

pub(crate) enum Attributes {
    Owned(Vec<(String, String)>),
    /// As a text that is shown.
    #[cfg_attr(not(target_arch = "wasm32"), expect(dead_code, reason = "natively all is owned"))]
    Shown(&'static [(&'static str, &'static str)]),
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
    ///
    /// In native tests [`clock`](crate::clock) and [`random`](crate::random) follow the event that was parsed last.
    pub fn parse(json: impl Into<String>) -> Result<Self, Error> {
        let json = json.into();
        let Envelope { id, source, detail_type, time } = serde_json::from_str(&json)?;
        let [id, source, detail_type, time, json] =
            [id, source, detail_type, time, json].map(Text::Owned);
        let attributes = Attributes::Owned(Vec::new());
        let event = Self { id, source, detail_type, time, json, detail: 0..0, attributes };
        #[cfg(not(target_arch = "wasm32"))]
        crate::native::begin(&event);
        Ok(event)
    }

    /// The same event with one more attribute, for tests.
    #[must_use]
    pub fn with_attribute(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let mut attributes = self.attributes.to_owned();
        attributes.push((name.into(), value.into()));
        self.attributes = Attributes::Owned(attributes);
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

    /// RFC 3339, as the envelope shows it. [`clock::now`](crate::clock::now) has it in milliseconds.
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
        match self.json.get(self.detail.clone()) {
            Some(detail) if !detail.is_empty() => Ok(detail),
            _ => Ok(self.detail::<&RawValue>()?.get()),
        }
    }

    /// The attribute of this name: `bus`, `rule`, `target`, ... Of several the last one counts.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes().filter(|(key, _)| *key == name).last().map(|(_, value)| value)
    }

    pub fn attributes(&self) -> impl Iterator<Item = (&str, &str)> {
        let (owned, shown) = match &self.attributes {
            Attributes::Owned(owned) => (Some(owned), None),
            Attributes::Shown(shown) => (None, Some(shown)),
        };
        let owned = owned.into_iter().flatten();
        let owned = owned.map(|(name, value)| (name.as_str(), value.as_str()));
        owned.chain(shown.into_iter().copied().flatten().copied())
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Owned(text) => text,
            Self::Shown(text) => text,
        }
    }
}

impl Clone for Text {
    fn clone(&self) -> Self {
        Self::Owned((**self).to_owned())
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Text {}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl Attributes {
    fn to_owned(&self) -> Vec<(String, String)> {
        match self {
            Self::Owned(attributes) => attributes.clone(),
            Self::Shown(attributes) => {
                attributes.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
            }
        }
    }
}

impl Clone for Attributes {
    fn clone(&self) -> Self {
        Self::Owned(self.to_owned())
    }
}

impl PartialEq for Attributes {
    fn eq(&self, other: &Self) -> bool {
        self.to_owned() == other.to_owned()
    }
}

impl Eq for Attributes {}

impl fmt::Debug for Attributes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.to_owned(), f)
    }
}
