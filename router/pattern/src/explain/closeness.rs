//! How near something is to what was asked.
//!
//! # Not here
//!
//! - Judging: these are comparisons that matching does not make.

use crate::json::{Kind as TokenKind, Tokens};
use crate::value::{Number, Value, Wanted};

/// A text that is longer was not meant to be a number.
const NUMBER_BYTES_MAX: usize = 400;

/// What keeps a field from fitting, the nearest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Closeness {
    /// It fits, but in another element than the other fields.
    Apart,
    /// Only case, white space or quotes differ.
    Almost,
    /// A value of the right type is there.
    Value,
    /// A value of another type is there.
    Kind,
    /// No value is there.
    Absent,
}

/// The type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    String,
    Number,
    Boolean,
    Null,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::Null => "null",
        }
    }

    pub(super) fn is_one(self) -> &'static str {
        match self {
            Self::String => "is a string",
            Self::Number => "is a number",
            Self::Boolean => "is a boolean",
            Self::Null => "is there",
        }
    }
}

pub(super) fn kind(value: &Value<'_>) -> Kind {
    match value {
        Value::Text(_) => Kind::String,
        Value::Number(_) => Kind::Number,
        Value::True | Value::False => Kind::Boolean,
        Value::Null => Kind::Null,
    }
}

/// The only type that can fit, if it is one.
pub(super) fn kind_wanted(wanted: &Wanted) -> Option<Kind> {
    use Wanted as W;
    match wanted {
        W::Present | W::AnythingBut(_) => None,
        W::Number(_) | W::Range(_) => Some(Kind::Number),
        W::True | W::False => Some(Kind::Boolean),
        W::Null => Some(Kind::Null),
        W::Text(_)
        | W::Address(_)
        | W::Prefix(_)
        | W::Suffix(_)
        | W::IgnoreCase(_)
        | W::PrefixIgnoreCase(_)
        | W::SuffixIgnoreCase(_)
        | W::Wildcard(_)
        | W::Regex(_)
        | W::Network(_) => Some(Kind::String),
        // All of them: one type at most can be.
        W::All(wanted) => wanted.iter().find_map(kind_wanted),
    }
}

/// How near a value is that does not fit.
pub(super) fn of(wanted: &Wanted, value: &Value<'_>) -> Closeness {
    let almost = match value {
        Value::Text(text) => almost(wanted, text).is_some(),
        Value::Number(_) | Value::True | Value::False | Value::Null => false,
    };
    if almost || requoted(wanted, value).is_some() {
        Closeness::Almost
    } else if kind_wanted(wanted).is_none_or(|wanted| wanted == kind(value)) {
        Closeness::Value
    } else {
        Closeness::Kind
    }
}

/// What alone keeps the text from fitting: the case of its letters, or white space around it.
pub(super) fn almost(wanted: &Wanted, text: &[u8]) -> Option<&'static str> {
    use Wanted as W;
    let text = std::str::from_utf8(text).ok()?;
    match wanted {
        W::Text(wanted) => {
            let wanted = std::str::from_utf8(wanted).ok()?;
            if !is_same_folded(wanted.trim(), text.trim()) {
                None
            } else if wanted.trim() == text.trim() {
                Some("white space")
            } else if wanted.len() - wanted.trim().len() == text.len() - text.trim().len() {
                Some("case")
            } else {
                Some("case and white space")
            }
        }
        W::IgnoreCase(wanted) => wanted.equals(text.trim().as_bytes()).then_some("white space"),
        W::Prefix(prefix) => {
            let prefix = std::str::from_utf8(prefix).ok()?;
            let mut folded = folded(text);
            self::folded(prefix).all(|c| folded.next() == Some(c)).then_some("the case")
        }
        W::Suffix(suffix) => {
            let suffix = std::str::from_utf8(suffix).ok()?;
            let mut folded = text.chars().rev().flat_map(char::to_lowercase);
            let mut wanted = suffix.chars().rev().flat_map(char::to_lowercase);
            wanted.all(|c| folded.next() == Some(c)).then_some("the case")
        }
        _ => None,
    }
}

/// What to write for the value to fit, when only quotes are wrong.
pub(super) fn requoted(wanted: &Wanted, value: &Value<'_>) -> Option<&'static str> {
    let as_text = |literal| wanted.accepts(&Value::Text(literal));
    match value {
        Value::Text(text) => {
            let other = match *text {
                b"true" => Value::True,
                b"false" => Value::False,
                b"null" => Value::Null,
                text if is_number(text) => Value::Number(Number::read(text)),
                _ => return None,
            };
            wanted.accepts(&other).then_some("without its quotes it would fit")
        }
        Value::Number(number) => as_text(number.literal).then_some("in quotes it would fit"),
        Value::True => as_text(b"true").then_some("in quotes it would fit"),
        Value::False => as_text(b"false").then_some("in quotes it would fit"),
        Value::Null => as_text(b"null").then_some("in quotes it would fit"),
    }
    .filter(|_| kind_wanted(wanted).is_some_and(|wanted| wanted != kind(value)))
}

/// Whether two texts are equal but for the case of their letters.
pub(super) fn is_same_folded(left: &str, right: &str) -> bool {
    folded(left).eq(folded(right))
}

fn folded(text: &str) -> impl Iterator<Item = char> {
    text.chars().flat_map(char::to_lowercase)
}

fn is_number(text: &[u8]) -> bool {
    if NUMBER_BYTES_MAX < text.len() || !matches!(text, [b'-' | b'0'..=b'9', ..]) {
        return false;
    }
    let mut tokens = Tokens::new(text, 1);
    matches!(tokens.next(), Ok(Some(token)) if token.kind == TokenKind::Number && token.span.len() == text.len())
}
