//! Patterns against events, from files of lines.

use std::collections::HashMap;
use std::io::{BufRead, Write};

use bus::ruleset::pattern::{Event, Matcher, ParseError, Pattern, PatternIndex, Scratch};
use bus::ruleset::{Code, Diagnostic};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::config;

/// A line that is longer is no pattern and no event.
const LINE_BYTES_MAX: u64 = 64 << 20;

/// Lines to read, and what people call the file they are in.
#[derive(Debug)]
pub struct Named<R> {
    pub name: String,
    pub reader: R,
}

/// Why lines could not be matched. Each names its file.
#[derive(Debug, thiserror::Error)]
pub enum MatchError {
    #[error("{name} line {line}: {message}; write {{\"id\": …, \"pattern\": {{…}}}}, one a line")]
    PatternLine { name: String, line: usize, message: String },

    #[error("{name} line {line}, column {column}, pattern {id}: {message}; {mend}")]
    Pattern { name: String, line: usize, column: usize, id: String, message: String, mend: String },

    #[error(
        "{name} line {line}: the id {id} is that of line {first} already; give each pattern one of its own"
    )]
    SameId { name: String, line: usize, first: usize, id: String },

    #[error("{name} line {line}, column {column}: {message}; write one event a line")]
    Event { name: String, line: usize, column: usize, message: String },

    #[error("{name} line {line}: {source}")]
    Read { name: String, line: usize, source: std::io::Error },

    #[error("write the matches: {0}")]
    Write(std::io::Error),
}

/// Parses one pattern.
///
/// # Errors
///
/// The first problem, with its place in `text`.
#[expect(clippy::result_large_err, reason = "asked once a process, for a person")]
pub fn pattern_check(text: &str) -> Result<(), Diagnostic> {
    match Pattern::parse(text) {
        Ok(_) => Ok(()),
        Err(ParseError { span, message, mend }) => {
            let words = [message, "here".to_owned(), mend];
            let found = config::at("pattern", text, span, words);
            let code = Code::InvalidPattern;
            Err(Diagnostic { code, page: code.page(), ..found })
        }
    }
}

#[derive(Deserialize)]
struct PatternLine<'a> {
    #[serde(borrow)]
    id: &'a RawValue,
    #[serde(borrow)]
    pattern: &'a RawValue,
}

/// Matches each line of `events` against all `patterns`; writes `{"event":0,"matched":["id",…]}` for each.
///
/// An event may be any JSON; one that is no object matches nothing.
///
/// # Errors
///
/// At the first line that is none, by its number. What was written before it stands.
pub fn pattern_match(
    patterns: Named<impl BufRead>,
    events: Named<impl BufRead>,
    out: impl Write,
) -> Result<(), MatchError> {
    let (ids, patterns) = read_patterns(patterns)?;
    let matcher = Matcher::new(&patterns);
    let mut scratch = Scratch::default();
    let mut matched = Vec::new();
    let mut out = std::io::BufWriter::new(out);
    let mut event = 0_usize;
    let name = events.name.clone();
    let mut lines = Lines::new(events);
    while let Some((line, text)) = lines.next()? {
        matched.clear();
        if let Some(checked) = read_event(&name, line, text)? {
            matcher
                .matches(checked, &mut scratch, &mut matched)
                .map_err(|error| event_error(&name, line, text, error.offset, error.message))?;
            matched.sort_unstable();
        }
        write_matches(&mut out, event, &ids, &matched).map_err(MatchError::Write)?;
        event += 1;
    }
    out.flush().map_err(MatchError::Write)
}

/// Each pattern with its id: JSON as it is written, but for white space and escapes, since numbers could be rounded.
pub(super) fn read_patterns(
    source: Named<impl BufRead>,
) -> Result<(Vec<Box<RawValue>>, Vec<Pattern>), MatchError> {
    let (mut ids, mut patterns) = (Vec::new(), Vec::new());
    let mut lines_by_id = HashMap::new();
    let name = source.name.clone();
    let mut lines = Lines::new(source);
    while let Some((line, text)) = lines.next()? {
        let found = pattern_line(text).map_err(|message| MatchError::PatternLine {
            name: name.clone(),
            line,
            message,
        })?;
        let id = id_text(found.id.get());
        if let Some(first) = lines_by_id.insert(id.clone(), line) {
            return Err(MatchError::SameId { name, line, first, id });
        }
        let pattern = Pattern::parse(found.pattern.get()).map_err(|error| {
            // The pattern is a slice of the line.
            let start = found.pattern.get().as_ptr().addr() - text.as_ptr().addr();
            MatchError::Pattern {
                name: name.clone(),
                line,
                column: column(text, start + error.span.start),
                id: id.clone(),
                message: error.message,
                mend: error.mend,
            }
        })?;
        ids.push(RawValue::from_string(id).expect("JSON without its white space is JSON"));
        patterns.push(pattern);
    }
    Ok((ids, patterns))
}

fn pattern_line(text: &[u8]) -> Result<PatternLine<'_>, String> {
    let words = |error| format!("{} (column {})", without_place(&error), error.column());
    // An array would do for serde.
    if text.trim_ascii_start().first() != Some(&b'{') {
        serde_json::from_slice::<&RawValue>(text).map_err(words)?;
        return Err("not an object".to_owned());
    }
    serde_json::from_slice(text).map_err(words)
}

/// A string can be written in several ways and is one id; anything else stays as it is written.
fn id_text(written: &str) -> String {
    match serde_json::from_str::<String>(written) {
        Ok(text) => serde_json::Value::from(text).to_string(),
        Err(_) => compact(written),
    }
}

/// JSON without the white space between its parts.
fn compact(json: &str) -> String {
    let (mut is_string, mut is_escaped) = (false, false);
    let mut is_kept = |c: char| {
        let is_kept = is_string || !c.is_ascii_whitespace();
        is_string ^= c == '"' && !is_escaped;
        is_escaped = is_string && c == '\\' && !is_escaped;
        is_kept
    };
    json.chars().filter(|c| is_kept(*c)).collect()
}

/// The event of a line; `None` for JSON that is no object, which nothing matches.
pub(super) fn read_event<'a>(
    name: &str,
    line: usize,
    text: &'a [u8],
) -> Result<Option<Event<'a>>, MatchError> {
    if text.trim_ascii_start().first() == Some(&b'{') {
        let checked = Event::check(text)
            .map_err(|error| event_error(name, line, text, error.offset, error.message))?;
        return Ok(Some(checked));
    }
    // Its column is a byte of this one line, from 1.
    serde_json::from_slice::<&RawValue>(text).map_err(|error| {
        let message = format!("not JSON: {}", without_place(&error));
        event_error(name, line, text, error.column().saturating_sub(1), message)
    })?;
    Ok(None)
}

/// Without the place within the line, which would seem to be one of the file.
fn without_place(error: &serde_json::Error) -> String {
    let words = error.to_string();
    match words.rsplit_once(" at line ") {
        Some((message, _)) => message.to_owned(),
        None => words,
    }
}

pub(super) fn event_error(
    name: &str,
    line: usize,
    text: &[u8],
    offset: usize,
    message: String,
) -> MatchError {
    MatchError::Event { name: name.to_owned(), line, column: column(text, offset), message }
}

/// From a byte to a column in characters, from 1.
fn column(text: &[u8], byte: usize) -> usize {
    String::from_utf8_lossy(text.get(..byte).unwrap_or(text)).chars().count() + 1
}

fn write_matches(
    out: &mut impl Write,
    event: usize,
    ids: &[Box<RawValue>],
    matched: &[PatternIndex],
) -> std::io::Result<()> {
    write!(out, r#"{{"event":{event},"matched":["#)?;
    for (place, index) in matched.iter().enumerate() {
        if 0 < place {
            out.write_all(b",")?;
        }
        let id = usize::try_from(index.0).ok().and_then(|index| ids.get(index));
        serde_json::to_writer(&mut *out, id.expect("the matcher knows only our patterns"))?;
    }
    out.write_all(b"]}\n")
}

/// Lines that are not blank, with their numbers from 1, as bytes.
pub(super) struct Lines<R> {
    source: Named<R>,
    number: usize,
    line: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(source: Named<R>) -> Self {
        Self { source, number: 0, line: Vec::new() }
    }

    pub(super) fn next(&mut self) -> Result<Option<(usize, &[u8])>, MatchError> {
        loop {
            self.line.clear();
            self.number += 1;
            let Named { name, reader } = &mut self.source;
            let line = self.number;
            let failed = |source| MatchError::Read { name: name.clone(), line, source };
            let mut bounded = std::io::Read::take(reader, LINE_BYTES_MAX);
            let len = bounded.read_until(b'\n', &mut self.line).map_err(failed)?;
            if len == 0 {
                return Ok(None);
            }
            if u64::try_from(len).is_ok_and(|len| LINE_BYTES_MAX <= len) {
                return Err(failed(std::io::ErrorKind::FileTooLarge.into()));
            }
            if !self.line.trim_ascii().is_empty() {
                return Ok(Some((line, self.line.trim_ascii_end())));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(patterns: &str, events: &str) -> Result<String, String> {
        let mut out = Vec::new();
        let patterns = Named { name: "p.jsonl".to_owned(), reader: patterns.as_bytes() };
        let events = Named { name: "e.jsonl".to_owned(), reader: events.as_bytes() };
        pattern_match(patterns, events, &mut out).map_err(|error| error.to_string())?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn each_event_gets_a_line_with_the_ids_that_match() {
        let patterns = "{\"id\":\"a\",\"pattern\":{\"x\":[1]}}\n\n{\"id\":7,\"pattern\":{\"x\":[{\"exists\":true}]}}\n";
        let events = "{\"x\":1}\n\n{\"x\":2}\n{\"y\":1}";
        assert_eq!(
            run(patterns, events).unwrap(),
            "{\"event\":0,\"matched\":[\"a\",7]}\n{\"event\":1,\"matched\":[7]}\n{\"event\":2,\"matched\":[]}\n"
        );
    }

    #[test]
    fn a_line_that_is_none_is_named() {
        let good = "{\"id\":\"a\",\"pattern\":{\"x\":[1]}}\n";
        let error = run(&format!("{good}\nnonsense"), "").unwrap_err();
        assert!(error.starts_with("p.jsonl line 3: "), "{error}");
        let error =
            run(&format!("{good}{{\"id\":\"b\",\"pattern\":{{\"é\":[{{\"prefx\":1}}]}}}}"), "")
                .unwrap_err();
        assert!(error.starts_with("p.jsonl line 2, column "), "{error}");
        assert!(error.contains("pattern \"b\""), "{error}");
        let error = run(good, "{\"x\":1}\n{\"x\":").unwrap_err();
        assert!(error.starts_with("e.jsonl line 2, column "), "{error}");
        assert!(error.ends_with("; write one event a line"), "{error}");
    }

    #[test]
    fn an_event_that_is_no_object_matches_nothing() {
        let patterns = "{\"id\":\"a\",\"pattern\":{\"x\":[{\"exists\":false}]}}\n";
        let events = "{}\n5\n[1, {\"x\":1}]\n \"t\"\nnull\n1e400\n{\"y\":1}\n";
        let expected: String = ["\"a\"", "", "", "", "", "", "\"a\""]
            .iter()
            .enumerate()
            .map(|(event, ids)| format!("{{\"event\":{event},\"matched\":[{ids}]}}\n"))
            .collect();
        assert_eq!(run(patterns, events).unwrap(), expected);
        for (broken, column) in [("[1,]", 4), ("nope", 2), ("5 5", 3), ("[\"é\",", 5)] {
            let error = run(patterns, &format!("5\n{broken}\n")).unwrap_err();
            let place = format!("e.jsonl line 2, column {column}: not JSON: ");
            assert!(error.starts_with(&place) && !error.contains("line 1"), "{error}");
            assert_eq!(error.matches("; write one event a line").count(), 1, "{error}");
        }
    }

    #[test]
    fn two_patterns_with_one_id_are_refused_with_both_lines() {
        let patterns = "{\"id\":7,\"pattern\":{\"x\":[1]}}\n\n{\"id\":\"7\",\"pattern\":{\"x\":[1]}}\n{\"id\":7,\"pattern\":{\"x\":[2]}}\n";
        let error = run(patterns, "").unwrap_err();
        assert_eq!(
            error,
            "p.jsonl line 4: the id 7 is that of line 1 already; give each pattern one of its own"
        );
    }

    #[test]
    fn ids_stay_as_they_are_written() {
        let ids = [
            ("12345678901234567890123", "12345678901234567890123"),
            ("12345678901234567890124", "12345678901234567890124"),
            ("1e400", "1e400"),
            ("1.0", "1.0"),
            (r#" [ "a \\" , "\" b" , {"c" : 1} ]"#, r#"["a \\","\" b",{"c":1}]"#),
            (r#""gr\u00fcn""#, r#""grün""#),
        ];
        let line = |id: &str| format!("{{\"id\":{id},\"pattern\":{{\"x\":[1]}}}}\n");
        let patterns: String = ids.iter().map(|(written, _)| line(written)).collect();
        let shown = ids.map(|(_, shown)| shown).join(",");
        let expected = format!("{{\"event\":0,\"matched\":[{shown}]}}\n");
        assert_eq!(run(&patterns, "{\"x\":1}").unwrap(), expected);
        let error = run(&format!("{}{}", line("[1,2]"), line("[1, 2]")), "").unwrap_err();
        assert!(error.starts_with("p.jsonl line 2: the id [1,2] is that of line 1"), "{error}");
    }

    #[test]
    fn a_pattern_line_is_an_object() {
        let mend = "; write {\"id\": …, \"pattern\": {…}}, one a line";
        for (line, message) in [
            (r#"["x",{"a":[1]}]"#, "not an object"),
            ("5", "not an object"),
            ("nonsense", "expected ident (column 2)"),
            (r#"{"id":1}"#, "missing field `pattern` (column 8)"),
        ] {
            let error = run(line, "").unwrap_err();
            assert_eq!(error, format!("p.jsonl line 1: {message}{mend}"));
        }
    }

    #[test]
    fn a_pattern_is_checked_with_the_place() {
        assert_eq!(pattern_check(r#"{"source":["a"]}"#), Ok(()));
        let diagnostic = pattern_check("{\n \"source\": \"a\"}").unwrap_err();
        assert_eq!(diagnostic.line, 2, "{diagnostic:?}");
    }
}
