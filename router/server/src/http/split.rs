//! From a request's body to its entries, without building a tree.
//!
//! ```text
//! {…}              one event                     alone: its refusal is the answer
//! [{…}, {…}]       an array                      whole or not at all: a truncated one is refused
//! {…}⏎{…}⏎         one event a line (NDJSON)     a bad line is refused alone
//! ```
//!
//! # Invariants
//!
//! - An entry is a slice of the body: nothing is copied.
//! - Entries keep their order, and their number is bounded.
//! - Any bytes: an answer, never a panic.
//!
//! # Not here
//!
//! - Whether an entry is an event: `event` decides.

use bytes::Bytes;
use memchr::{memchr, memchr_iter, memmem};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// What the sender's content type says about the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Media {
    /// JSON, or no word about it: one event, an array, or lines when the first event ends with its line.
    Any,
    Lines,
    CloudEvent,
    /// An array of them.
    CloudEvents,
    /// The data of a CloudEvent whose attributes are headers; nothing that can be split.
    CloudEventData,
}

impl Media {
    /// `None` when the type is one that no event comes in.
    pub(crate) fn of(content_type: Option<&str>) -> Option<Self> {
        let Some(content_type) = content_type else { return Some(Self::Any) };
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        let is = |known: &[&str]| known.iter().any(|one| essence.eq_ignore_ascii_case(one));
        if is(&["application/x-ndjson", "application/ndjson", "application/jsonl"])
            || is(&["application/x-jsonlines", "application/jsonlines", "application/json-lines"])
        {
            Some(Self::Lines)
        } else if is(&["", "application/json", "application/x-www-form-urlencoded"]) {
            // The form type is what `curl -d` says when nobody tells it better.
            Some(Self::Any)
        } else if is(&["application/cloudevents+json"]) {
            Some(Self::CloudEvent)
        } else if is(&["application/cloudevents-batch+json"]) {
            Some(Self::CloudEvents)
        } else {
            None
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Entries {
    pub(crate) entries: Vec<Bytes>,
    /// The body is one event and no list.
    pub(crate) alone: bool,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SplitError {
    #[error("the body holds no event; send one event, an array of events, or one event a line")]
    Empty,

    #[error("more than {max} events in one request; send them in several")]
    TooMany { max: usize },

    #[error("the body is not UTF-8 (byte {byte})")]
    NotUtf8 { byte: usize },

    #[error("the body is no whole JSON array: {reason}; nothing of it was taken")]
    Array { reason: String },
}

/// Splits the body into at most `max` entries.
pub(crate) fn split(body: &Bytes, media: Media, max: usize) -> Result<Entries, SplitError> {
    let trimmed = body.trim_ascii();
    let Some(first) = trimmed.first() else { return Err(SplitError::Empty) };
    match media {
        Media::Lines => lines(body, max),
        Media::CloudEvents => array(body, max),
        Media::Any if *first == b'[' => array(body, max),
        Media::Any if is_lines(trimmed) => lines(body, max),
        Media::Any | Media::CloudEvent | Media::CloudEventData => {
            Ok(Entries { entries: vec![body.slice_ref(trimmed)], alone: true })
        }
    }
}

fn lines(body: &Bytes, max: usize) -> Result<Entries, SplitError> {
    let mut entries = Vec::new();
    let mut start = 0;
    for end in memchr_iter(b'\n', body).chain([body.len()]) {
        let line = body.get(start..end).unwrap_or_default().trim_ascii();
        start = end + 1;
        if line.is_empty() {
            continue;
        }
        if entries.len() == max {
            return Err(SplitError::TooMany { max });
        }
        entries.push(body.slice_ref(line));
    }
    Ok(Entries { entries, alone: false })
}

fn array(body: &Bytes, max: usize) -> Result<Entries, SplitError> {
    let text = std::str::from_utf8(body)
        .map_err(|error| SplitError::NotUtf8 { byte: error.valid_up_to() })?;
    let mut entries = Vec::new();
    let mut full = false;
    let mut reader = serde_json::Deserializer::from_str(text);
    let elements = Elements { body, max, entries: &mut entries, full: &mut full };
    let result = elements.deserialize(&mut reader).and_then(|()| reader.end());
    if full {
        return Err(SplitError::TooMany { max });
    }
    result.map_err(|error| SplitError::Array { reason: error.to_string() })?;
    if entries.is_empty() { Err(SplitError::Empty) } else { Ok(Entries { entries, alone: false }) }
}

/// Whether a body that begins with something else than `[` holds one event a line.
///
/// Pretty-printed JSON has lines too; so the first value decides: lines if it ends with its line. When it
/// is broken, a later line that begins with `{` tells lines from one event spread over several.
fn is_lines(trimmed: &[u8]) -> bool {
    if memchr(b'\n', trimmed).is_none() {
        return false;
    }
    let mut values = serde_json::Deserializer::from_slice(trimmed).into_iter::<IgnoredAny>();
    match values.next() {
        Some(Ok(_)) => {
            let rest = trimmed.get(values.byte_offset()..).unwrap_or_default();
            let blank = rest.iter().position(|byte| !matches!(byte, b' ' | b'\t' | b'\r'));
            blank.and_then(|at| rest.get(at)) == Some(&b'\n')
        }
        Some(Err(_)) | None => memmem::find(trimmed, b"\n{").is_some(),
    }
}

/// The elements of an array, each as a slice of the body.
struct Elements<'a> {
    body: &'a Bytes,
    max: usize,
    entries: &'a mut Vec<Bytes>,
    full: &'a mut bool,
}

impl<'de> DeserializeSeed<'de> for Elements<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Elements<'_> {
    type Value = ();

    fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("an array of events")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while let Some(element) = seq.next_element::<&'de RawValue>()? {
            if self.entries.len() == self.max {
                *self.full = true;
                return Err(serde::de::Error::custom("too many"));
            }
            self.entries.push(self.body.slice_ref(element.get().as_bytes()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(body: &str, media: Media) -> Result<(Vec<String>, bool), SplitError> {
        split(&Bytes::copy_from_slice(body.as_bytes()), media, 3).map(|found| {
            let text = |entry: &Bytes| String::from_utf8_lossy(entry).into_owned();
            (found.entries.iter().map(text).collect(), found.alone)
        })
    }

    #[track_caller]
    fn check(body: &str, entries: &[&str], alone: bool) {
        let expected = entries.iter().map(|&entry| entry.to_owned()).collect();
        assert_eq!(parts(body, Media::Any), Ok((expected, alone)), "{body:?}");
    }

    #[test]
    fn one_event_stands_alone_however_it_is_spread() {
        check(r#"{"a":1}"#, &[r#"{"a":1}"#], true);
        check("  {\"a\":1}\r\n\n", &[r#"{"a":1}"#], true);
        check("{\n  \"a\": {\n\"b\":1}\n}\n", &["{\n  \"a\": {\n\"b\":1}\n}"], true);
        check("nonsense", &["nonsense"], true);
        check("{\"a\":1} {\"a\":2}", &["{\"a\":1} {\"a\":2}"], true);
        check("{\"a\":\n  {\"b\":", &["{\"a\":\n  {\"b\":"], true);
    }

    #[test]
    fn an_array_is_cut_at_its_elements() {
        check(r#" [ {"a":[1,2]} ,"x", 1.10 ] "#, &[r#"{"a":[1,2]}"#, r#""x""#, "1.10"], false);
    }

    #[test]
    fn lines_are_entries_and_blank_ones_are_none() {
        check("{\"a\":1}\n\n{\"a\":2}\r\n", &["{\"a\":1}", "{\"a\":2}"], false);
        check("{\"a\":1} \t\n[2]", &["{\"a\":1}", "[2]"], false);
        assert_eq!(parts("[1]\n[2]", Media::Lines).unwrap().0, ["[1]", "[2]"]);
        assert_eq!(parts("{}", Media::Lines), Ok((vec!["{}".to_owned()], false)));
    }

    #[test]
    fn a_broken_line_does_not_hide_that_there_are_lines() {
        check("{\"a\":\n{\"a\":2}", &["{\"a\":", "{\"a\":2}"], false);
        check("oops\n{\"a\":2}", &["oops", "{\"a\":2}"], false);
    }

    #[test]
    fn a_truncated_array_is_refused_whole() {
        for body in ["[{}", "[{},", "[{},{", "[", "[{}]x", "[{}] {}", "[{},]"] {
            let error = parts(body, Media::Any).unwrap_err();
            assert!(matches!(error, SplitError::Array { .. }), "{body}: {error}");
        }
    }

    #[test]
    fn nothing_is_no_event() {
        for body in ["", " \n\r\n\t", "[]", " [ ] "] {
            assert_eq!(parts(body, Media::Any), Err(SplitError::Empty), "{body:?}");
        }
        assert_eq!(parts("\n", Media::Lines), Err(SplitError::Empty));
    }

    #[test]
    fn the_number_of_events_is_bounded() {
        assert_eq!(parts("[1,2,3,4]", Media::Any), Err(SplitError::TooMany { max: 3 }));
        assert_eq!(parts("1\n2\n3\n4", Media::Lines), Err(SplitError::TooMany { max: 3 }));
        check("[1,2,3]", &["1", "2", "3"], false);
    }

    #[test]
    fn an_array_that_is_not_text_is_refused_with_the_byte() {
        let body = Bytes::from_static(b"[\"\xff\"]");
        assert_eq!(split(&body, Media::Any, 3), Err(SplitError::NotUtf8 { byte: 2 }));
    }

    #[test]
    fn a_hundred_thousand_brackets_are_one_entry() {
        let body = Bytes::from(format!("[{}{}]", "[".repeat(100_000), "]".repeat(100_000)));
        assert_eq!(split(&body, Media::Any, 3).unwrap().entries.len(), 1);
    }

    #[test]
    fn content_types_say_what_the_body_is() {
        let of = |text| Media::of(Some(text));
        assert_eq!(Media::of(None), Some(Media::Any));
        assert_eq!(of("application/json; charset=utf-8"), Some(Media::Any));
        assert_eq!(of("Application/JSON"), Some(Media::Any));
        assert_eq!(of("application/x-www-form-urlencoded"), Some(Media::Any));
        assert_eq!(of("application/x-ndjson"), Some(Media::Lines));
        assert_eq!(of("application/cloudevents+json; charset=UTF-8"), Some(Media::CloudEvent));
        assert_eq!(of("application/cloudevents-batch+json"), Some(Media::CloudEvents));
        for other in ["text/html", "application/cloudevents+avro", "application/xml", "json"] {
            assert_eq!(of(other), None, "{other}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_split_or_refused(
            body in proptest::collection::vec(
                proptest::prop_oneof![
                    proptest::sample::select(b"[]{}\",:\n\\ 1ea".to_vec()),
                    proptest::num::u8::ANY,
                ],
                0..200,
            ),
            lines in proptest::bool::ANY,
        ) {
            let media = if lines { Media::Lines } else { Media::Any };
            if let Ok(found) = split(&Bytes::from(body), media, 10) {
                assert!((1..=10).contains(&found.entries.len()));
                assert!(!found.alone || found.entries.len() == 1);
                assert!(found.entries.iter().all(|entry| !entry.is_empty()));
            }
        }
    }
}
