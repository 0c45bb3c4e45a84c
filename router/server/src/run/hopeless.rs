//! Which failures to open a data folder stay until somebody changes something.
//!
//! # Invariants
//!
//! - What may pass by itself is named here; all that is not named does not.

use std::io::ErrorKind;

use bus::{OpenError, StateError, SwapError, journal};

/// SQLite's primary result codes for what may pass: busy, locked, no memory, disk I/O, disk full.
const SQLITE_PASSING: [i32; 5] = [5, 6, 7, 10, 13];

/// Whether the same start fails again as long as nobody changes the configuration or the folder.
pub(super) fn is_hopeless(error: &OpenError) -> bool {
    match error {
        OpenError::Folder { .. } | OpenError::Rules(SwapError::Target { .. }) => true,
        OpenError::Rules(SwapError::Stopping) => false,
        OpenError::Journal(error) => is_journal_hopeless(error),
        OpenError::State(error) | OpenError::Rules(SwapError::State(error)) => {
            is_state_hopeless(error)
        }
    }
}

fn is_journal_hopeless(error: &journal::OpenError) -> bool {
    match error {
        journal::OpenError::NewerFormat { .. }
        | journal::OpenError::ReadOnly { .. }
        | journal::OpenError::Damaged { .. }
        | journal::OpenError::Behind { .. }
        | journal::OpenError::Options { .. } => true,
        journal::OpenError::Locked { .. } => false,
        // Something else stands where a file or a folder should.
        journal::OpenError::Io { source, .. } => matches!(
            source.kind(),
            ErrorKind::AlreadyExists
                | ErrorKind::IsADirectory
                | ErrorKind::NotADirectory
                | ErrorKind::NotFound
                | ErrorKind::Unsupported
        ),
    }
}

fn is_state_hopeless(error: &StateError) -> bool {
    match error {
        StateError::NewerFormat { .. } | StateError::Open { .. } => true,
        StateError::NoRoom { .. }
        | StateError::Failed { .. }
        | StateError::Ended
        | StateError::Stopping => false,
        // The low byte of an extended code is the primary one.
        StateError::Sqlite(error) => error
            .sqlite_error()
            .is_none_or(|error| !SQLITE_PASSING.contains(&(error.extended_code & 0xff))),
    }
}
