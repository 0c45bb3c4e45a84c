//! Why patterns match an event, or do not.

use std::io::BufRead;
use std::ops::Range;

use bus::ruleset::pattern::explain::{Near, Nearest};
use bus::ruleset::pattern::{self, Event, EventError, Explanation, ParseError, Pattern};
use bus::ruleset::{Code, Diagnostic};
use serde_json::value::RawValue;

use super::patterns::{MatchError, Named, read_patterns};
use crate::config;

const EVENT_MEND: &str =
    "an event is one JSON object, such as {\"source\": \"shop\", \"detail\": {}}";

/// A text, and what people call where it is from.
#[derive(Clone, Debug)]
pub struct NamedText {
    pub name: String,
    pub text: String,
}

/// Why nothing was explained. Each names the text.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    /// The pattern or the event is wrong; the text belongs to it.
    #[error("{problem}")]
    Text { problem: Box<Diagnostic>, text: String },

    /// A line of the patterns is wrong.
    #[error(transparent)]
    Lines(#[from] MatchError),
}

/// How near the patterns of a file come to an event.
#[derive(Clone, Debug)]
pub struct NearestReport {
    /// How many patterns there are.
    pub patterns: usize,
    /// How many match.
    pub matched: usize,
    /// The nearest, those that match first, each with its id as it is written.
    pub nearest: Vec<(Box<RawValue>, Near)>,
}

/// Explains why `pattern` matches `event`, or does not.
///
/// # Errors
///
/// The first problem of either, with its place.
pub fn pattern_explain(
    pattern: &NamedText,
    event: &NamedText,
) -> Result<Explanation, ExplainError> {
    let parsed = Pattern::parse(&pattern.text).map_err(|error| {
        let ParseError { span, message, mend } = error;
        problem(pattern, span, message, mend)
    })?;
    let checked = Event::check(event.text.as_bytes()).map_err(|error| of_event(event, error))?;
    pattern::explain(&parsed, checked).map_err(|error| of_event(event, error))
}

/// Finds up to `limit` patterns that match `event`, and up to `limit` more that come nearest without.
///
/// # Errors
///
/// At the first line that is no pattern, with the words of [`super::pattern_match`], or with the problem of the
/// event.
pub fn pattern_nearest(
    patterns: Named<impl BufRead>,
    event: &NamedText,
    limit: usize,
) -> Result<NearestReport, ExplainError> {
    let checked = Event::check(event.text.as_bytes()).map_err(|error| of_event(event, error))?;
    let (ids, patterns) = read_patterns(patterns)?;
    let ask =
        |limit| pattern::nearest(&patterns, checked, limit).map_err(|error| of_event(event, error));
    let Nearest { patterns: mut nearest, matched } = ask(limit)?;
    if 0 < matched {
        // Those that match come first.
        nearest = ask(limit.saturating_add(matched))?.patterns;
        nearest.drain(limit.min(matched)..matched);
    }
    let with_id = |near: Near| {
        let id = usize::try_from(near.pattern.0).ok().and_then(|index| ids.get(index));
        (id.expect("only our patterns were asked").clone(), near)
    };
    let nearest = nearest.into_iter().map(with_id).collect();
    Ok(NearestReport { patterns: patterns.len(), matched, nearest })
}

fn of_event(event: &NamedText, error: EventError) -> ExplainError {
    let EventError { offset, message } = error;
    let rest = event.text.get(offset..).unwrap_or_default();
    let len = rest.chars().next().map_or(0, char::len_utf8);
    problem(event, offset..offset + len, message, EVENT_MEND.to_owned())
}

fn problem(
    NamedText { name, text }: &NamedText,
    span: Range<usize>,
    message: String,
    mend: String,
) -> ExplainError {
    let words = [message, "here".to_owned(), mend];
    let code = Code::InvalidPattern;
    let found = config::at(name, text, span, words);
    let problem = Box::new(Diagnostic { code, page: code.page(), ..found });
    ExplainError::Text { problem, text: text.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str, text: &str) -> NamedText {
        NamedText { name: name.to_owned(), text: text.to_owned() }
    }

    fn explain(pattern: &str, event: &str) -> Result<String, String> {
        pattern_explain(&named("p", pattern), &named("e", event))
            .map(|explanation| explanation.why())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_mistake_is_named_with_its_text_and_place() {
        assert_eq!(explain(r#"{"a":[1]}"#, r#"{"a":2}"#).unwrap(), "a: 2 is not 1");
        let error = explain("{\n \"a\": 1}", "{}").unwrap_err();
        assert!(error.starts_with("p:2:7: \"a\" must be an object or an array ("), "{error}");
        for (event, start) in [
            ("{\n  \"é\": }", "e:2:8: "),
            ("[1]", "e:1:1: Event must be a JSON object ("),
            ("{}é", "e:1:3: "),
            ("{\"a\":", "e:1:6: Unexpected end-of-input"),
            ("", "e:1:1: Event must be a JSON object ("),
        ] {
            let error = explain(r#"{"a":[1]}"#, event).unwrap_err();
            assert!(error.starts_with(start) && error.contains(EVENT_MEND), "{error}");
        }
    }

    #[test]
    fn many_that_match_do_not_hide_those_that_nearly_do() {
        let lines: String = [1, 2, 3, 9, 9, 9]
            .iter()
            .zip(0..)
            .map(|(value, id)| format!("{{\"id\":{id},\"pattern\":{{\"a\":[{value}]}}}}\n"))
            .collect();
        let ids = |event: &str, limit| {
            let file = Named { name: "p.jsonl".to_owned(), reader: lines.as_bytes() };
            let report = pattern_nearest(file, &named("e", event), limit).unwrap();
            let ids = report.nearest.iter().map(|(id, _)| id.to_string());
            (report.matched, ids.collect::<Vec<_>>().join(" "))
        };
        assert_eq!(ids(r#"{"a":9}"#, 2), (3, "3 4 0 1".to_owned()));
        assert_eq!(ids(r#"{"a":9}"#, 9), (3, "3 4 5 0 1 2".to_owned()));
        assert_eq!(ids(r#"{"a":9}"#, 0), (3, String::new()));
        assert_eq!(ids(r#"{"a":9}"#, usize::MAX), (3, "3 4 5 0 1 2".to_owned()));
        assert_eq!(ids(r#"{"a":8}"#, 2), (0, "0 1".to_owned()));
    }

    #[test]
    fn the_nearest_patterns_of_a_file_keep_their_ids() {
        let lines = "{\"id\":7,\"pattern\":{\"a\":[1]}}\n{\"id\":\"x\",\"pattern\":{\"a\":[2]}}\n";
        let file = || Named { name: "p.jsonl".to_owned(), reader: lines.as_bytes() };
        let report = pattern_nearest(file(), &named("e", r#"{"a":2}"#), 5).unwrap();
        assert_eq!((report.patterns, report.matched), (2, 1));
        let ids: Vec<String> = report.nearest.iter().map(|(id, _)| id.to_string()).collect();
        assert_eq!(ids, ["\"x\"", "7"]);
        assert_eq!(report.nearest[1].1.why, "a: 2 is not 1");
        let error = pattern_nearest(file(), &named("e", "5"), 5).unwrap_err();
        assert!(error.to_string().starts_with("e:1:1: "), "{error}");
        let broken = Named { name: "p.jsonl".to_owned(), reader: b"nonsense".as_slice() };
        let error = pattern_nearest(broken, &named("e", "{}"), 5).unwrap_err();
        assert!(error.to_string().starts_with("p.jsonl line 1: "), "{error}");
    }
}
