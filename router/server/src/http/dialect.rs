//! What a request's events are written as, and the entries that they are.
//!
//! ```text
//! content-type application/cloudevents+json          one CloudEvent
//! content-type application/cloudevents-batch+json    an array of them
//! header ce-specversion                              one CloudEvent: attributes in headers, the body is its data
//! anything else                                      our own form
//! ```
//!
//! # Invariants
//!
//! - An event that cannot be read keeps its place among the others: keys go by places, and so does the answer.
//!
//! # Not here
//!
//! - EventBridge's protocol: it has a path and an answer of its own, in `put_events`.

use axum::http::{HeaderMap, header};
use bus::{Refusal, Taken};
use bytes::Bytes;
use event::cloudevents::{self, CloudEventError};
use event::{EntryError, Limits};

use super::error::{Kind, Problem};
use super::split::{Entries, Media, SplitError, split};

const ATTRIBUTE: &str = "ce-";
const SPEC_VERSION: &str = "ce-specversion";

/// The entries of a request; in the place of one that could not be read stands an empty one.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) entries: Vec<Bytes>,
    /// The request is one event and no list.
    pub(super) alone: bool,
    unread: Vec<(usize, EntryError)>,
}

impl Found {
    fn of(read: Vec<Result<String, CloudEventError>>, alone: bool) -> Self {
        let (mut entries, mut unread) = (Vec::with_capacity(read.len()), Vec::new());
        for (at, entry) in read.into_iter().enumerate() {
            entries.push(match entry {
                Ok(entry) => entry.into(),
                Err(error) => {
                    unread.push((at, error.into()));
                    Bytes::new()
                }
            });
        }
        Self { entries, alone, unread }
    }

    /// The outcomes, with what is really wrong with the events that could not be read.
    pub(super) fn explain(
        unread: Vec<(usize, EntryError)>,
        mut outcomes: Vec<Result<Taken, Refusal>>,
    ) -> Vec<Result<Taken, Refusal>> {
        for (at, error) in unread {
            if let Some(outcome) = outcomes.get_mut(at) {
                *outcome = Err(Refusal::Entry(error));
            }
        }
        outcomes
    }

    pub(super) fn into_parts(self) -> (Vec<Bytes>, bool, Vec<(usize, EntryError)>) {
        (self.entries, self.alone, self.unread)
    }
}

/// What the headers say that the body is.
pub(super) fn media(headers: &HeaderMap) -> Result<Media, Problem> {
    let unsupported = |detail: String| Kind::UnsupportedMediaType.problem(detail);
    let text = |name| match headers.get(&name) {
        None => Ok(None),
        Some(value) => {
            value.to_str().map(Some).map_err(|error| unsupported(format!("header {name}: {error}")))
        }
    };
    if let Some(encoding) =
        text(header::CONTENT_ENCODING)?.filter(|encoding| *encoding != "identity")
    {
        return Err(unsupported(format!("the body is encoded as {encoding}; send it plain")));
    }
    let content_type = text(header::CONTENT_TYPE)?;
    match Media::of(content_type) {
        Some(Media::Any | Media::Lines) | None if is_binary(headers, content_type) => {
            Ok(Media::CloudEventData)
        }
        Some(media) => Ok(media),
        None => Err(unsupported(format!(
            "events do not come as {}; send application/json, application/x-ndjson, application/cloudevents+json or \
             application/cloudevents-batch+json",
            content_type.unwrap_or_default()
        ))),
    }
}

/// The content type goes before the attributes, as the HTTP binding of CloudEvents has it.
fn is_binary(headers: &HeaderMap, content_type: Option<&str>) -> bool {
    let is_whole = content_type.is_some_and(|text| {
        text.get(..23).is_some_and(|start| start.eq_ignore_ascii_case("application/cloudevents"))
    });
    !is_whole && headers.contains_key(SPEC_VERSION)
}

/// The entries of a body of at most `max` events.
pub(super) fn read(
    (headers, body): (&HeaderMap, &Bytes),
    media: Media,
    max: usize,
    limits: &Limits,
) -> Result<Found, SplitError> {
    if media == Media::CloudEventData {
        return Ok(Found::of(vec![binary(headers, body, limits)], true));
    }
    let Entries { entries, alone } = split(body, media, max)?;
    if matches!(media, Media::Any | Media::Lines) {
        return Ok(Found { entries, alone, unread: Vec::new() });
    }
    let read = entries.iter().map(|entry| cloudevents::entry_of(entry, limits)).collect();
    Ok(Found::of(read, alone))
}

fn binary(headers: &HeaderMap, body: &[u8], limits: &Limits) -> Result<String, CloudEventError> {
    let attributes = headers.iter().filter_map(|(name, value)| {
        name.as_str().strip_prefix(ATTRIBUTE).map(|name| (name, value.as_bytes()))
    });
    let media = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    cloudevents::binary::entry_of(attributes, media, body, limits)
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn headers(of: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair =
            |&(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value));
        of.iter().map(pair).collect()
    }

    #[test]
    fn an_encoded_body_is_refused() {
        let refused = |of| media(&headers(of)).unwrap_err().kind();
        assert_eq!(refused(&[("content-encoding", "gzip")]), Kind::UnsupportedMediaType);
        assert_eq!(media(&headers(&[("content-encoding", "identity")])).unwrap(), Media::Any);
        let mut odd = headers(&[]);
        odd.insert("content-type", HeaderValue::from_bytes(b"\xff").unwrap());
        assert_eq!(media(&odd).unwrap_err().kind(), Kind::UnsupportedMediaType);
    }

    #[test]
    fn the_content_type_says_what_the_body_is_before_attributes_do() {
        let ce = ("ce-specversion", "1.0");
        let of = |more: &[(&'static str, &'static str)]| {
            media(&headers(&[&[ce], more].concat())).map_err(|problem| problem.kind())
        };
        assert_eq!(of(&[]), Ok(Media::CloudEventData));
        assert_eq!(of(&[("content-type", "image/png")]), Ok(Media::CloudEventData));
        assert_eq!(
            of(&[("content-type", "application/cloudevents+json; charset=utf-8")]),
            Ok(Media::CloudEvent)
        );
        assert_eq!(
            of(&[("content-type", "application/cloudevents-batch+json")]),
            Ok(Media::CloudEvents)
        );
        let avro = of(&[("content-type", "Application/CloudEvents+avro")]);
        assert_eq!(avro, Err(Kind::UnsupportedMediaType));
    }

    #[test]
    fn what_cannot_be_read_keeps_its_place() {
        let body = Bytes::from_static(
            br#"[{"specversion":"0.3"},{"specversion":"1.0","id":"1","source":"s","type":"t"}]"#,
        );
        let found =
            read((&headers(&[]), &body), Media::CloudEvents, 9, &Limits::default()).unwrap();
        let (entries, alone, unread) = found.into_parts();
        assert_eq!((entries.len(), alone), (2, false));
        assert!(entries[0].is_empty() && entries[1].starts_with(b"{\"id\":\"1\""));
        let taken = || Ok(Taken { id: "1".to_owned(), is_duplicate: false });
        let outcomes = Found::explain(unread, vec![taken(), taken()]);
        assert!(outcomes[0].as_ref().is_err_and(|error| error.to_string().contains("is missing")));
        assert!(outcomes[1].is_ok());
    }
}
