//! The parser's errors in words for people who write rules.

use granit_parser::ErrorKind;

use crate::diagnostic::Fault;

/// What is wrong at byte `at`.
pub(super) fn syntax(kind: &ErrorKind, at: usize, text: &str) -> Fault {
    use ErrorKind as E;

    let (message, label, mend) = match kind {
        E::TabInBlockIndentation | E::TabInIndentation | E::TabNotAllowed | E::TabInPlainScalar => {
            ("YAML does not allow a tab here".to_owned(), "a tab", "indent with spaces")
        }
        E::UnclosedQuotedScalar => (
            "a text in quotes has no end".to_owned(),
            "the closing quote is missing",
            "close the quotes, or put the whole text in the other kind of quotes",
        ),
        E::UnclosedFlowCollection { open } => (
            format!("`{open}` is never closed"),
            "the closing bracket is missing",
            "close it; is the file cut off?",
        ),
        E::UnexpectedEofFlowSequence
        | E::UnexpectedEofFlowMapping
        | E::UnexpectedEofImplicitFlowMapping
        | E::UnexpectedEofBlockSequence
        | E::UnexpectedEofBlockMapping
        | E::UnexpectedEof => (
            "the file ends in the middle of a value".to_owned(),
            "ends here",
            "is the file cut off?",
        ),
        E::MismatchedFlowCollectionEnd { open, close } => (
            format!("`{open}` is closed by `{close}`"),
            "the wrong bracket",
            "close brackets in the order they were opened",
        ),
        E::UnknownAnchor => (
            "an alias (`*name`) has no anchor (`&name`) before it".to_owned(),
            "unknown alias",
            "put the text in quotes if the star is part of it",
        ),
        E::RecursionLimitExceeded => (
            "lists and maps stand too deep within each other".to_owned(),
            "too deep",
            "nothing in a rule needs this many levels",
        ),
        E::UnexpectedCharacter { character } => (
            format!("no value begins with `{}`", character.escape_default()),
            "unexpected",
            "put the text in quotes",
        ),
        E::UnknownQuotedScalarEscape => (
            "an unknown escape in a text in double quotes".to_owned(),
            "unknown escape",
            "write `\\\\` for a backslash, or use single quotes, in which nothing is escaped",
        ),
        E::MappingValueNotAllowed | E::InvalidColonPlacement => (
            "a `:` where no key can be".to_owned(),
            "not expected here",
            "put a text that contains `: ` in quotes, and check the indentation of this line",
        ),
        other => (
            format!("not YAML: {other}"),
            "here",
            "check the indentation, the brackets and the quotes here and on the line above",
        ),
    };
    Fault::new(place(at, text), (message, label, mend))
}

/// The character at `at`, or the last of the text when that is its end.
fn place(at: usize, text: &str) -> std::ops::Range<usize> {
    let at = text.floor_char_boundary(at);
    let end = text.trim_end().len();
    if end <= at {
        let start = text.floor_char_boundary(end.saturating_sub(1));
        return start..end;
    }
    let width = text.get(at..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
    at..at + width
}
