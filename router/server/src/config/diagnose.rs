//! From the YAML reader's errors to diagnostics: the place as bytes, line and column, and the mend.

use std::ops::Range;

use serde_saphyr::{Error, Location};

use bus::ruleset::{Code, Diagnostic, Severity};

/// The most edits between a wrong word and the word that is proposed for it.
const DISTANCE_MAX: usize = 3;

const SECOND_DOCUMENT: [&str; 3] =
    ["a second document begins", "here", "a configuration is one document: remove the `---`"];

pub(super) const PAGE: &str = "docs/configuration.md#keys";

/// Turns the reader's error into a diagnostic.
pub(crate) fn yaml(path: &str, text: &str, error: &Error) -> Diagnostic {
    let error = error.without_snippet();
    let span = error.location().map_or(0..0, |location| place(text, &location));
    let (message, label, mend) = explain(error);
    let code = match error {
        Error::SerdeUnknownField { .. } => Code::UnknownKey,
        Error::DuplicateMappingKey { .. } => Code::DuplicateKey,
        Error::SerdeUnknownVariant { .. } | Error::SerdeInvalidValue { .. } => Code::InvalidValue,
        Error::SerdeInvalidType { .. } | Error::Unexpected { .. } | Error::InvalidScalar { .. } => {
            Code::WrongType
        }
        _ => Code::Syntax,
    };
    Diagnostic { code, ..at(path, text, span, [message, label, mend]) }
}

/// An invalid value at `span`; `words` are message, label and mend.
pub(crate) fn at(path: &str, text: &str, span: Range<usize>, words: [String; 3]) -> Diagnostic {
    let (line, column) = line_and_column(text, span.start);
    let [message, label, mend] = words;
    let marked = text.get(span.clone()).and_then(|part| part.lines().next());
    let end_column = column + marked.map_or(0, |part| part.chars().count());
    let (severity, code, page) = (Severity::Error, Code::InvalidValue, PAGE);
    Diagnostic {
        severity,
        code,
        path: path.to_owned(),
        span,
        line,
        column,
        end_column,
        message,
        label,
        mend,
        page,
    }
}

/// The bytes of `text` that the reader means by `location`.
pub(crate) fn place(text: &str, location: &Location) -> Range<usize> {
    let span = location.span();
    let bytes = span.byte_offset().zip(span.byte_len());
    let range = bytes.and_then(|(start, len)| {
        let start = usize::try_from(start).ok()?;
        let end = start.checked_add(usize::try_from(len).ok()?)?;
        text.get(start..end).map(|_| start..end)
    });
    range.unwrap_or_else(|| {
        let start = byte_at(text, location.line(), location.column());
        start..start
    })
}

/// The proposal nearest to `word`, when one is near enough to be meant.
pub(crate) fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let lower = word.to_lowercase();
    known
        .iter()
        .map(|&candidate| (strsim::damerau_levenshtein(&lower, candidate), candidate))
        .filter(|&(distance, candidate)| {
            distance <= DISTANCE_MAX && distance * 2 <= candidate.len().max(2)
        })
        .min()
        .map(|(_, candidate)| candidate)
}

/// What is said of the second document of a file.
pub(super) fn one_document(path: &str, text: &str, at: usize) -> Diagnostic {
    let diagnostic = self::at(path, text, at..at, SECOND_DOCUMENT.map(ToOwned::to_owned));
    Diagnostic { code: Code::Syntax, ..diagnostic }
}

fn explain(error: &Error) -> (String, String, String) {
    match error {
        Error::SerdeUnknownField { field, expected, .. } => {
            let mend = match nearest(field, expected) {
                Some(word) => format!("did you mean `{word}`?"),
                None if expected.is_empty() => "this section has no keys yet: remove it".to_owned(),
                None => format!("the keys here are {}", list(expected)),
            };
            (format!("unknown key `{field}`"), "not a key of this section".to_owned(), mend)
        }
        Error::SerdeUnknownVariant { variant, expected, .. } => {
            let mend = match nearest(variant, expected) {
                Some(word) => format!("did you mean `{word}`?"),
                None => format!("one of {}", list(expected)),
            };
            (format!("unknown value `{variant}`"), "not one of the choices".to_owned(), mend)
        }
        Error::DuplicateMappingKey { key, .. } => (
            format!("the key `{}` stands here twice", key.as_deref().unwrap_or("?")),
            "the second one".to_owned(),
            "keep one of them".to_owned(),
        ),
        Error::SerdeInvalidType { unexpected, expected, .. }
        | Error::SerdeInvalidValue { unexpected, expected, .. } => {
            expected_but(format!("found {unexpected}, expected {expected}"), expected)
        }
        Error::Unexpected { expected: "mapping start", .. } => {
            expected_but("expected a section".to_owned(), "`key: value` lines")
        }
        Error::Unexpected { expected: "string scalar", .. } => {
            expected_but("expected a text".to_owned(), "one text")
        }
        Error::InvalidScalar { .. } => {
            expected_but("expected a whole number".to_owned(), "a number without sign and unit")
        }
        Error::Unexpected { expected: "sequence start", .. } => {
            expected_but("expected a list".to_owned(), "`[one, two]`, or a line `- one` for each")
        }
        Error::MultipleDocuments { .. } => {
            let [message, label, mend] = SECOND_DOCUMENT.map(ToOwned::to_owned);
            (message, label, mend)
        }
        other => {
            let mend = "see docs/configuration.md for what may stand here".to_owned();
            (bare(&other.to_string()), "here".to_owned(), mend)
        }
    }
}

pub(super) fn list(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

fn expected_but(message: String, expected: &str) -> (String, String, String) {
    (message, "this value".to_owned(), format!("write {expected}"))
}

/// The reader's message without the place, which the diagnostic shows by itself.
fn bare(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default();
    line.rsplit_once(" at line ").map_or(line, |(words, _)| words).to_owned()
}

fn line_and_column(text: &str, byte: usize) -> (usize, usize) {
    let before = text.get(..byte).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = before.matches('\n').count() + 1;
    let column = before.get(line_start..).map_or(0, |rest| rest.chars().count()) + 1;
    (line, column)
}

/// The byte where a line and column (both from 1, the column in characters) begin.
pub(crate) fn byte_at(text: &str, line: u64, column: u64) -> usize {
    let skip = usize::try_from(line.saturating_sub(1)).unwrap_or(usize::MAX);
    let into = usize::try_from(column.saturating_sub(1)).unwrap_or(usize::MAX);
    let line_start: usize = text.split_inclusive('\n').take(skip).map(str::len).sum();
    let rest = text.get(line_start..).unwrap_or_default();
    let within = rest.char_indices().nth(into).map_or(rest.len(), |(at, _)| at);
    line_start + within
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_word_is_proposed_and_a_far_one_is_not() {
        assert_eq!(nearest("lisen", &["listen", "limits"]), Some("listen"));
        assert_eq!(nearest("LISTEN", &["listen"]), Some("listen"));
        assert_eq!(nearest("zebra", &["listen", "limits"]), None);
        assert_eq!(nearest("", &["listen"]), None);
    }

    #[test]
    fn columns_count_characters() {
        let text = "a\nöö: x";
        assert_eq!(line_and_column(text, text.find('x').unwrap()), (2, 5));
        assert_eq!(byte_at(text, 2, 5), text.find('x').unwrap());
        assert_eq!(byte_at(text, 99, 99), text.len());
    }
}
