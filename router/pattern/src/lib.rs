//! Amazon EventBridge's event patterns: parsed, and matched against raw events.
//!
//! `docs/patterns.md` is the definition; each MUST in it has a case in `testdata/musts.jsonl`.
//!
//! ```
//! use slipswitch_pattern::{Event, Matcher, Pattern, PatternIndex, Scratch};
//!
//! let pattern = Pattern::parse(r#"{"detail": {"total": [{"numeric": [">", 100]}]}}"#)?;
//! let matcher = Matcher::new(&[pattern]);
//! let mut matched = Vec::new();
//! let event = Event::check(br#"{"detail": {"total": 250}}"#)?;
//! matcher.matches(event, &mut Scratch::default(), &mut matched)?;
//! assert_eq!(matched, [PatternIndex(0)]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Invariants
//!
//! - Patterns and events may be hostile: whatever the bytes, there is an answer or an error, never a
//!   panic, at a cost that the [`limits`] bound.
//!
//! # Not here
//!
//! - Rules, targets, files, and events as a type: an [`Event`] is the bytes of one JSON object.

mod address;
mod engine;
mod event;
pub mod explain;
mod flatten;
mod ignore_case;
mod join;
mod json;
pub mod keys;
pub mod limits;
mod matcher;
pub mod naive;
pub mod never;
mod number;
mod parse;
mod pattern;
mod regex;
mod value;
mod wildcard;

pub use event::{Event, EventError};
pub use explain::{Explanation, explain, nearest};
pub use matcher::{Matcher, PatternIndex, Scratch};
pub use pattern::{Dialect, ParseError, Pattern};
