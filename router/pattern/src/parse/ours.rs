//! The operators that are ours, not Amazon's. Their names have a colon, which Amazon's never have.
//!
//! # Invariants
//!
//! - A pattern that must be one for EventBridge never comes here.

use super::expression::{self, Entry};
use super::reader::{Reader, error};
use crate::json::{Kind, Token};
use crate::limits::{REGEX_BYTES_MAX, REGEX_TEXT_BYTES_MAX, REGEXES_BYTES_MAX};
use crate::pattern::ParseError;
use crate::regex::{Regex, RegexError};
use crate::value::Wanted;

/// What all names of our operators begin with, and no field's name.
pub(super) const PREFIX: &[u8] = b"slipswitch:";

pub(super) const ALL: &str = "slipswitch:all";
pub(super) const REGEX: &str = "slipswitch:regex";

/// The value of `slipswitch:all`.
pub(super) fn all(reader: &mut Reader<'_>) -> Result<Wanted, ParseError> {
    let start = reader.next()?;
    if start.kind != Kind::ArrayStart {
        let message = format!("Value of {ALL} must be an array");
        let mend = "list what one value must be at the same time: [{\"prefix\": \"a\"}, {\"suffix\": \"z\"}]";
        return Err(error(start.span, message, mend));
    }
    let mut wanted = Vec::new();
    loop {
        let token = reader.next()?;
        if token.kind == Kind::ArrayEnd {
            if wanted.len() < 2 {
                let message = format!("There must be at least 2 entries in {ALL}");
                let mend = "name a second condition, or write the first without it";
                return Err(error(start.span.start..token.span.end, message, mend));
            }
            return Ok(Wanted::All(wanted));
        }
        let first = token.span.start;
        match expression::entry(reader, token)? {
            Entry::Wanted(one) => wanted.push(one),
            Entry::Absent => {
                let message = format!("No value is absent: exists inside {ALL} can only be true");
                let mend = "put {\"exists\": false} beside slipswitch:all in the field's list";
                return Err(error(first..reader.at(), message, mend));
            }
        }
    }
}

/// The value of `slipswitch:regex`.
pub(super) fn regex_value(reader: &mut Reader<'_>) -> Result<Wanted, ParseError> {
    let token = reader.next()?;
    if token.kind != Kind::String {
        let message = format!("{REGEX} match pattern must be a string");
        return Err(error(token.span, message, "write one regex in double quotes"));
    }
    Ok(Wanted::Regex(regex(reader, &token)?))
}

/// A string that is a regex.
pub(super) fn regex(reader: &mut Reader<'_>, token: &Token) -> Result<Regex, ParseError> {
    let text = reader.string(token);
    let Ok(text) = std::str::from_utf8(&text) else {
        let message = format!("{REGEX} has half of a surrogate pair");
        let mend = "a regex is made of whole characters: write both halves, or none";
        return Err(error(token.span.clone(), message, mend));
    };
    Regex::read(text, &mut reader.regexes).map_err(|why| match why {
        RegexError::Syntax(fault) => {
            let span = reader.within(token, fault.span);
            error(span, format!("{REGEX}: {}", fault.message), fault.mend)
        }
        RegexError::TooLong => {
            let message = format!("{REGEX} is too long: it has more than {REGEX_TEXT_BYTES_MAX} bytes");
            error(token.span.clone(), message, "list several shorter ones")
        }
        RegexError::TooLarge => {
            let message = format!("{REGEX} is too large: compiled it has more than {REGEX_BYTES_MAX} bytes");
            let mend = "repeat less: {1000} writes what is before it a thousand times, and large classes count most";
            error(token.span.clone(), message, mend)
        }
        RegexError::TooLargeTogether => {
            let message = format!("the regexes of the pattern are too large: compiled they have more than {REGEXES_BYTES_MAX} bytes");
            error(token.span.clone(), message, "split the pattern into several rules")
        }
    })
}
