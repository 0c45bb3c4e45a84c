//! JSON as text: found, copied and compared without ever becoming a number or a tree.
//!
//! # Invariants
//!
//! - What is taken out of a text is a slice of it: the sender's bytes.
//! - Any text is safe to read; only of valid JSON is the answer right.

mod compare;
mod decimal;
mod raw;
mod string;

pub use compare::{Difference, difference};
pub(crate) use decimal::same_number;
pub(crate) use raw::{Kind, Nested, bare, compact, elements, kind, members};
pub(crate) use string::{push_quoted, unescape};

/// Checks that `text` is one JSON value no deeper than `limits` allow; its size is not judged.
pub(crate) fn check(text: &str, limits: &event::Limits) -> Result<(), event::JsonError> {
    let limits = event::Limits { event_bytes_max: usize::MAX, ..*limits };
    event::check_json(text.as_bytes(), &limits).map(|_| ())
}
