//! JSON, one token at a time, over bytes that may be hostile.
//!
//! Both sides of the crate read through [`Tokens`]: the pattern parser needs the place of every
//! token, and has to judge what it has read before it looks at the rest; the event reader needs to
//! pass over what no pattern names without building anything.
//!
//! # Not here
//!
//! - Numbers as values: a token is the sender's own bytes, see [`crate::number`].

mod scan;
mod string;
mod token;

pub(crate) use string::{decode, decode_into};
pub(crate) use token::{Kind, Token, Tokens};

use std::ops::Range;

/// Why bytes are not JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SyntaxError {
    pub(crate) span: Range<usize>,
    pub(crate) message: String,
    pub(crate) mend: &'static str,
}

/// Line and column, both from one, as Java counts them: a column is a UTF-16 code unit.
///
/// They appear in the few messages that name a second place.
pub(crate) fn line_and_column(text: &[u8], offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
    let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    let column = 1 + String::from_utf8_lossy(&before[start..]).encode_utf16().count();
    (line, column)
}

/// A character as the messages quote it.
pub(crate) fn quoted(text: &[u8], offset: usize) -> String {
    let rest = text.get(offset..).unwrap_or_default();
    let rest = &rest[..rest.len().min(4)];
    let first = rest.utf8_chunks().next().and_then(|chunk| chunk.valid().chars().next());
    match first {
        Some(c) if u32::from(c) < 0x20 => format!("(CTRL-CHAR, code {})", u32::from(c)),
        Some(c) if u32::from(c) > 0xff => {
            format!("'{c}' (code {} / 0x{:x})", u32::from(c), u32::from(c))
        }
        Some(c) => format!("'{c}' (code {})", u32::from(c)),
        None => "an invalid byte".to_owned(),
    }
}
