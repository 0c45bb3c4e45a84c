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

/// What one wildcard text may cost where a pattern must be one that EventBridge takes; see
/// [`crate::wildcard`] for how it is counted. Otherwise only the pattern's size bounds it.
pub const WILDCARD_COMPLEXITY_MAX: usize = 10;

/// Bytes of one regex, as it is written.
pub const REGEX_TEXT_BYTES_MAX: usize = 8 * 1024;

/// Groups inside each other in a regex.
pub const REGEX_DEPTH_MAX: usize = 50;

/// Bytes of one regex, compiled to a list of states: what it costs a byte of an event at worst.
pub const REGEX_BYTES_MAX: usize = 128 * 1024;

/// Bytes of all regexes of a pattern, compiled so.
pub const REGEXES_BYTES_MAX: usize = 1024 * 1024;

/// Bytes of the table that makes a regex fast; one with a larger table goes without.
pub const REGEX_TABLE_BYTES_MAX: usize = 64 * 1024;

/// Bytes of all such tables of a pattern; the regexes after that go without.
pub const REGEX_TABLES_BYTES_MAX: usize = 1024 * 1024;

/// Objects and arrays inside each other in an event.
pub const EVENT_DEPTH_MAX: usize = 512;

/// Combinations of array elements tried for one pattern and one event.
///
/// Only an event whose keys repeat, or join across dots into interleaved arrays, can need more
/// combinations than it has elements.
pub const COMBINATIONS_MAX: usize = 1_000_000;
