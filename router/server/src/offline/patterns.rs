//! Patterns against events, from files of lines.

use std::io::{BufRead, Write};

use bus::ruleset::Diagnostic;
use bus::ruleset::pattern::{Matcher, ParseError, Pattern, PatternIndex, Scratch};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::config;

/// A line that is longer is no pattern and no event.
const LINE_BYTES_MAX: u64 = 64 << 20;

/// Why lines could not be matched.
#[derive(Debug, thiserror::Error)]
pub enum MatchError {
    #[error(
        "patterns, line {line}: {message}; write {{\"id\": …, \"pattern\": {{…}}}}, one a line"
    )]
    PatternLine { line: usize, message: String },

    #[error("patterns, line {line}, column {column}, pattern {id}: {message}; {mend}")]
    Pattern { line: usize, column: usize, id: String, message: String, mend: String },

    #[error("events, line {line}, column {column}: {message}")]
    Event { line: usize, column: usize, message: String },

    #[error("{what}, line {line}: {source}")]
    Read { what: &'static str, line: usize, source: std::io::Error },

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
            Err(config::at("pattern", text, span, words))
        }
    }
}

#[derive(Deserialize)]
struct PatternLine<'a> {
    id: serde_json::Value,
    #[serde(borrow)]
    pattern: &'a RawValue,
}

/// Matches each line of `events` against all `patterns`; writes `{"event":0,"matched":["id",…]}` for each.
///
/// # Errors
///
/// At the first line that is none, by its number. What was written before it stands.
pub fn pattern_match(
    patterns: impl BufRead,
    events: impl BufRead,
    out: impl Write,
) -> Result<(), MatchError> {
    let (ids, patterns) = read_patterns(patterns)?;
    let matcher = Matcher::new(&patterns);
    let mut scratch = Scratch::default();
    let mut matched = Vec::new();
    let mut out = std::io::BufWriter::new(out);
    let mut event = 0_usize;
    let mut lines = Lines::new(events, "events");
    while let Some((line, text)) = lines.next()? {
        matcher
            .matches(text, &mut scratch, &mut matched)
            .map_err(|error| event_error(line, text, error.offset, error.message))?;
        write_matches(&mut out, event, &ids, &matched).map_err(MatchError::Write)?;
        event += 1;
    }
    out.flush().map_err(MatchError::Write)
}

fn read_patterns(
    source: impl BufRead,
) -> Result<(Vec<serde_json::Value>, Vec<Pattern>), MatchError> {
    let (mut ids, mut patterns) = (Vec::new(), Vec::new());
    let mut lines = Lines::new(source, "patterns");
    while let Some((line, text)) = lines.next()? {
        let found: PatternLine<'_> = serde_json::from_slice(text)
            .map_err(|error| MatchError::PatternLine { line, message: error.to_string() })?;
        let pattern = Pattern::parse(found.pattern.get()).map_err(|error| {
            // The pattern is a slice of the line.
            let start = found.pattern.get().as_ptr().addr() - text.as_ptr().addr();
            MatchError::Pattern {
                line,
                column: column(text, start + error.span.start),
                id: found.id.to_string(),
                message: error.message,
                mend: error.mend,
            }
        })?;
        ids.push(found.id);
        patterns.push(pattern);
    }
    Ok((ids, patterns))
}

fn event_error(line: usize, text: &[u8], offset: usize, message: String) -> MatchError {
    MatchError::Event { line, column: column(text, offset), message }
}

/// From a byte to a column in characters, from 1.
fn column(text: &[u8], byte: usize) -> usize {
    String::from_utf8_lossy(text.get(..byte).unwrap_or(text)).chars().count() + 1
}

fn write_matches(
    out: &mut impl Write,
    event: usize,
    ids: &[serde_json::Value],
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
struct Lines<R> {
    source: R,
    what: &'static str,
    number: usize,
    line: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    fn new(source: R, what: &'static str) -> Self {
        Self { source, what, number: 0, line: Vec::new() }
    }

    fn next(&mut self) -> Result<Option<(usize, &[u8])>, MatchError> {
        loop {
            self.line.clear();
            self.number += 1;
            let (what, line) = (self.what, self.number);
            let failed = |source| MatchError::Read { what, line, source };
            let mut bounded = std::io::Read::take(&mut self.source, LINE_BYTES_MAX);
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
        pattern_match(patterns.as_bytes(), events.as_bytes(), &mut out)
            .map_err(|error| error.to_string())?;
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
        assert!(error.starts_with("patterns, line 3: "), "{error}");
        let error =
            run(&format!("{good}{{\"id\":\"b\",\"pattern\":{{\"é\":[{{\"prefx\":1}}]}}}}"), "")
                .unwrap_err();
        assert!(error.starts_with("patterns, line 2, column "), "{error}");
        assert!(error.contains("pattern \"b\""), "{error}");
        let error = run(good, "{\"x\":1}\n{\"x\":").unwrap_err();
        assert!(error.starts_with("events, line 2, column "), "{error}");
    }

    #[test]
    fn a_pattern_is_checked_with_the_place() {
        assert_eq!(pattern_check(r#"{"source":["a"]}"#), Ok(()));
        let diagnostic = pattern_check("{\n \"source\": \"a\"}").unwrap_err();
        assert_eq!(diagnostic.line, 2, "{diagnostic:?}");
    }
}
