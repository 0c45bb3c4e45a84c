//! The `state` import: keys and values that outlive the instance.

/// One event's view of a plugin's state. Keys and values come within the contract's bounds.
///
/// Times are milliseconds since 1970, on the event's clock.
pub trait StateAccess: Send + Sync {
    fn get(&self, key: &str, now_ms: i64) -> Result<Option<Vec<u8>>, StateError>;

    fn set(&self, key: &str, value: Vec<u8>, expires_at_ms: Option<i64>) -> Result<(), StateError>;

    /// A key that is not there is no error.
    fn delete(&self, key: &str) -> Result<(), StateError>;

    /// Adds to a number (one that is not there is 0) and returns the sum, which stops at the ends of `i64`.
    fn increment(
        &self,
        key: &str,
        by: i64,
        expires_at_ms: Option<i64>,
        now_ms: i64,
    ) -> Result<i64, StateError>;

    /// Forgets what was written through it: the call failed, or is made once more on a fresh instance.
    fn undo(&self);
}

/// Why state cannot be read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// What is over its bound, in words.
    #[error("{0}")]
    TooLarge(String),

    /// Not now: the event is best retried.
    #[error("{0}")]
    Unavailable(String),
}
