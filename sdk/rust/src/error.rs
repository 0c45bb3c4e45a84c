//! Why an event has no answer, and whether trying again may help.

use alloc::string::{String, ToString as _};
use core::fmt;

/// Why an event has no answer.
///
/// Every [`core::error::Error`] becomes [`Error::Invalid`] through `?`: a plugin sees nothing but the event, so what
/// failed once would fail again. Say [`Error::retry`] where that is not so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// This event can never work: it becomes a dead letter at once.
    Invalid(String),
    /// It may work later: the target's retry policy decides when, and how often.
    Retry(String),
    /// The instance is broken: it is thrown away, and the event treated as with [`Error::Retry`].
    Fatal(String),
}

impl Error {
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::Invalid(message.into())
    }

    pub fn retry(message: impl Into<String>) -> Self {
        Self::Retry(message.into())
    }

    pub fn fatal(message: impl Into<String>) -> Self {
        Self::Fatal(message.into())
    }

    pub fn message(&self) -> &str {
        match self {
            Self::Invalid(message) | Self::Retry(message) | Self::Fatal(message) => message,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

// This is why `Error` itself is no `core::error::Error`: the two would overlap.
impl<E: core::error::Error> From<E> for Error {
    fn from(error: E) -> Self {
        Self::Invalid(error.to_string())
    }
}
