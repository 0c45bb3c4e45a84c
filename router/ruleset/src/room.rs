//! How much one step of a transform may make: counted before it is written.
//!
//! # Invariants
//!
//! - Nothing is written that there is no room for: memory ends at the limit, not behind it.

/// The most bytes that one step may make of one event, all its outputs together.
pub(crate) const STEP_BYTES_MAX: usize = 16 << 20;

/// What is left of [`STEP_BYTES_MAX`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Room {
    left: usize,
}

/// There is no room left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it makes more than {} MiB", STEP_BYTES_MAX >> 20)]
pub(crate) struct Full;

impl Room {
    pub(crate) fn of_step() -> Self {
        Self { left: STEP_BYTES_MAX }
    }

    /// Asked before `len` bytes are written.
    pub(crate) fn take(&mut self, len: usize) -> Result<(), Full> {
        self.left = self.left.checked_sub(len).ok_or(Full)?;
        Ok(())
    }
}
