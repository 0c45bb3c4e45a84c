//! The engine: patterns compiled so that an event is read once and meets only what it can match.
//!
//! ```text
//! bytes ─ blocks ─ read ─ leaves ─ field_index ─ tree ─ layer ─ the patterns that match
//!         where the       the      the entries    the    all conditions
//!         brackets are    values   that accept    branches  of these
//!                         asked    them           to look at
//!                         for
//! ```
//!
//! `draft`, `way` and the builders in `tree` and `field_index` compile; the rest matches.
//!
//! # Invariants
//!
//! - The answers are those of [`crate::naive`].
//! - Matching allocates nothing once its scratch has grown to the events at hand.
//! - What is compiled is linear in the size of the patterns, and never changes.

mod blocks;
mod condition;
mod draft;
mod field_index;
mod hash;
mod layer;
mod leaves;
mod overlap;
mod paths;
mod ranges;
mod read;
mod seen;
mod table;
mod tree;
mod way;

pub(crate) use layer::{Layer, Scratch};
pub(crate) use paths::Paths;

/// A number as a position.
#[inline(always)]
fn index(number: u32) -> usize {
    number as usize
}

/// A position as a number: what is counted here is bounded by the bytes of patterns or of one event.
#[inline(always)]
fn small(position: usize) -> u32 {
    u32::try_from(position).expect("fewer than 2^32 of anything")
}
