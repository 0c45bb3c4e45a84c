//! The limits on everything that grows with what somebody sends.
//!
//! A pattern or an event beyond one of them is refused with an error that says so.

/// Bytes of one pattern's text.
pub const PATTERN_BYTES_MAX: usize = 256 * 1024;

/// Objects and arrays inside each other in a pattern.
pub const PATTERN_DEPTH_MAX: usize = 128;

/// Ways to satisfy one pattern: the product of its `$or` lists.
pub const OR_BRANCHES_MAX: usize = 1_000;

/// Fields summed over all the ways to satisfy one pattern, counting each time one is written or copied
/// while the ways are made.
pub const BRANCH_FIELDS_MAX: usize = 100_000;

/// What one wildcard text may cost; see [`crate::wildcard`] for how it is counted.
pub const WILDCARD_COMPLEXITY_MAX: usize = 10;

/// Objects and arrays inside each other in an event.
pub const EVENT_DEPTH_MAX: usize = 512;

/// Combinations of array elements tried for one pattern and one event.
///
/// Only an event whose keys repeat, or join across dots into interleaved arrays, can need more
/// combinations than it has elements.
pub const COMBINATIONS_MAX: usize = 1_000_000;
