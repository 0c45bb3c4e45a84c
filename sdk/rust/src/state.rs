//! Keys and values that outlive the instance: durable, per plugin and bus. A rule grants them by `grant: [state]`.
//!
//! What a call writes takes effect with the outcome of its event, all or nothing: an event that is retried sees the
//! state from before. Not for batch transformers.
//!
//! ```
//! use core::time::Duration;
//! use slipswitch_sdk::{Error, Event, filter, state};
//!
//! #[filter]
//! fn first_of_the_hour(event: &Event) -> Result<bool, Error> {
//!     let seen = state::increment_for(event.source(), 1, Duration::from_secs(3600))?;
//!     Ok(seen == 1)
//! }
//! # fn main() {}
//! ```
//!
//! In native tests each thread, so each test, has a state of its own in memory, which starts empty.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

/// Keys have 1 to this many bytes.
pub const KEY_BYTES_MAX: usize = 256;
/// A value has at most this many bytes.
pub const VALUE_BYTES_MAX: usize = 64 << 10;

/// Why the state was not read or written. `?` makes the right [`Error`](crate::Error) of it: what is too large stays
/// so and is *invalid*, what is unavailable is worth a *retry*.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// The key, the value, or the plugin's state on this bus is over its bound: which, in words.
    TooLarge(String),
    /// The router cannot read or write state now.
    Unavailable(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge(words) | Self::Unavailable(words) => write!(f, "state: {words}"),
        }
    }
}

impl From<Error> for crate::Error {
    fn from(error: Error) -> Self {
        let words = alloc::format!("{error}");
        match error {
            Error::TooLarge(_) => Self::Invalid(words),
            Error::Unavailable(_) => Self::Retry(words),
        }
    }
}

/// The value of a key, if there is one.
pub fn get(key: &str) -> Result<Option<Vec<u8>>, Error> {
    router::get(key)
}

/// The value stays until it is written again or deleted.
pub fn set(key: &str, value: impl AsRef<[u8]>) -> Result<(), Error> {
    router::set(key, value.as_ref(), None)
}

/// The value is gone when `ttl` has passed since the event's time.
pub fn set_for(key: &str, value: impl AsRef<[u8]>, ttl: Duration) -> Result<(), Error> {
    router::set(key, value.as_ref(), Some(millis(ttl)))
}

/// A key that is not there is no error.
pub fn delete(key: &str) -> Result<(), Error> {
    router::delete(key)
}

/// Adds to a number, where none is 0, and returns the sum. It is kept as its decimal text; it stops at the ends of `i64`.
/// A value that is no number is [`Error::Unavailable`], and stays.
pub fn increment(key: &str, by: i64) -> Result<i64, Error> {
    router::increment(key, by, None)
}

/// The same; the number is gone when `ttl` has passed since this event's time.
pub fn increment_for(key: &str, by: i64, ttl: Duration) -> Result<i64, Error> {
    router::increment(key, by, Some(millis(ttl)))
}

fn millis(ttl: Duration) -> u64 {
    u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(target_arch = "wasm32")]
use crate::abi::imports as router;
#[cfg(not(target_arch = "wasm32"))]
use crate::native as router;
