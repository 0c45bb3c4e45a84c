//! Keys: what an index over many events keeps of each, so that whole blocks of events that cannot match
//! a pattern are not read.
//!
//! ```text
//! {"source": "shop", "detail": {"n": [3e2, true], "who": {"ip": "010.0.0.1"}}}
//!
//! keys     source "shop"    detail.n 300    detail.n true    detail.who.ip 10.0.0.1
//! ```
//!
//! A key is a hash of a path and the scalar at it. An index of keys (a set, or a bloom filter) answers
//! whether some event may hold one; [`Needs`] says which of them an event must hold for a pattern to
//! match it.
//!
//! # Invariants
//!
//! - Stable for ever: keys are on disk. `docs/journal-format.md` says how one is made.
//! - Sound: whenever a pattern matches an event, its needs are met by the event's keys. What equals
//!   in a pattern has one key: numbers by value, addresses by value, text after its escapes.
//!
//! # Not here
//!
//! - The index: the journal has it, and knows keys as numbers only.
//! - Prefixes, ranges and whatever else asks for many values: they need nothing.

mod hash;
mod needs;
mod walk;

pub use hash::text_at;
pub use needs::Needs;
pub use walk::of_event;
