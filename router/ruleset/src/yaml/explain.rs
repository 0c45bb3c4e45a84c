//! The parser's errors in words for people who write rules.

use std::ops::Range;

use granit_parser::ErrorKind as E;

use crate::code::Code;
use crate::diagnostic::Fault;

/// Message, label and mend.
type Words = (String, &'static str, &'static str);

/// What is wrong at byte `at`.
pub(super) fn syntax(kind: &E, at: usize, text: &str) -> Fault {
    let mut span = place(at, text);
    let words = if matches!(kind, E::UnknownAnchor) {
        let alias = word(at, text);
        span.end = span.end.max(span.start + alias.len());
        (
            format!("the alias `{alias}` has no anchor before it"),
            "unknown alias",
            "put the text in quotes if the star is part of it",
        )
    } else {
        layout(kind).or_else(|| scalar(kind)).unwrap_or_else(|| {
            (
                format!("not YAML: {kind}"),
                "here",
                "check the indentation, the brackets and the quotes here and on the line above",
            )
        })
    };
    Fault::new(Code::Syntax, span, words)
}

/// Errors of brackets, indentation and ends.
fn layout(kind: &E) -> Option<Words> {
    let (message, label, mend) = match kind {
        E::UnclosedFlowCollection { open } => {
            let message = format!("`{open}` is never closed");
            let words = ("the closing bracket is missing", "close it; is the file cut off?");
            return Some((message, words.0, words.1));
        }
        E::MismatchedFlowCollectionEnd { open, close } => {
            let message = format!("`{open}` is closed by `{close}`");
            let mend = "close brackets in the order they were opened";
            return Some((message, "the wrong bracket", mend));
        }
        E::TabInBlockIndentation | E::TabInIndentation | E::TabNotAllowed | E::TabInPlainScalar => {
            ("YAML does not allow a tab here", "a tab", "indent with spaces")
        }
        E::UnexpectedEofFlowSequence
        | E::UnexpectedEofFlowMapping
        | E::UnexpectedEofImplicitFlowMapping
        | E::UnexpectedEofBlockSequence
        | E::UnexpectedEofBlockMapping
        | E::UnexpectedEof => {
            ("the file ends in the middle of a value", "ends here", "is the file cut off?")
        }
        E::ExpectedBlockMappingKey => (
            "a key is expected here, as far to the left as the keys above",
            "not a key of the map above",
            "align the keys of one map",
        ),
        E::ExpectedBlockSequenceEntry => (
            "a `-` is expected here, as far to the left as those above",
            "not an entry of the list above",
            "align the dashes of one list",
        ),
        E::ExpectedFlowMappingSeparator => (
            "a `,` or `}` is missing here",
            "not expected",
            "separate keys and values with `: `, and members with commas",
        ),
        E::ExpectedFlowSequenceSeparator => {
            ("a `,` or `]` is missing here", "not expected", "separate the values with commas")
        }
        E::RecursionLimitExceeded => (
            "lists and maps stand too deep within each other",
            "too deep",
            "nothing here needs this many levels",
        ),
        _ => return None,
    };
    Some((message.to_owned(), label, mend))
}

/// Errors of texts and of what stands around them.
fn scalar(kind: &E) -> Option<Words> {
    let (message, label, mend) = match kind {
        E::UnexpectedCharacter { character } => {
            let message = format!("no value begins with `{}`", character.escape_default());
            return Some((message, "unexpected", "put the text in quotes"));
        }
        E::UnclosedQuotedScalar => (
            "a text in quotes has no end",
            "the closing quote is missing",
            "close the quotes, or put the whole text in the other kind of quotes",
        ),
        E::UnknownQuotedScalarEscape => (
            "an unknown escape in a text in double quotes",
            "unknown escape",
            "write `\\\\` for a backslash, or use single quotes, in which nothing is escaped",
        ),
        E::MappingValueNotAllowed | E::InvalidColonPlacement => (
            "a `:` where no key can be",
            "not expected here",
            "put a text that contains `: ` in quotes, and check the indentation of this line",
        ),
        _ => return None,
    };
    Some((message.to_owned(), label, mend))
}

/// What stands at `at`, up to a blank or a bracket.
fn word(at: usize, text: &str) -> &str {
    let rest = text.get(at..).unwrap_or_default();
    rest.split([' ', '\t', '\r', '\n', ',', '[', ']', '{', '}']).next().unwrap_or_default()
}

/// The character at `at`, or the last of the text when that is its end.
fn place(at: usize, text: &str) -> Range<usize> {
    let at = text.floor_char_boundary(at);
    let end = text.trim_end().len();
    if end <= at {
        let start = text.floor_char_boundary(end.saturating_sub(1));
        return start..end;
    }
    let width = text.get(at..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
    at..at + width
}
