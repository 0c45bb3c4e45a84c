//! Time as a value that somebody gives.

use std::time::Duration;

use event::Timestamp;

/// What tells the time: the system's clock in the server, a made-up one in tests.
pub trait Clock: Send + Sync {
    /// The wall clock. May step back.
    fn now(&self) -> Timestamp;

    /// Time since some fixed moment; never steps back. For measuring.
    fn monotonic(&self) -> Duration;
}
