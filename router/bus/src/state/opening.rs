//! Why the database does not open, or cannot be written, in words that say what to do.
//!
//! # Invariants
//!
//! - A full or failing disk is never taken for a damaged database: nobody is told to move away what
//!   room would have mended.

use std::path::Path;

use journal::Size;
use rusqlite::ErrorCode;

use super::StateError;

/// Less than this, and SQLite has no room for the files beside the database, whatever it says.
const BYTES_NEEDED: u64 = 1 << 20;

impl StateError {
    /// The same, of the database that was to be opened here.
    pub(crate) fn at(self, path: &Path) -> Self {
        match self {
            Self::Sqlite(error) => Self::opening(path, &error),
            named => named,
        }
    }

    /// The same in words, of the database that is open here.
    pub(crate) fn in_use(&self, path: &Path) -> String {
        let Self::Sqlite(error) = self else { return self.to_string() };
        let path_said = path.display();
        match Self::opening(path, error) {
            Self::NoRoom { free, error, .. } => format!(
                "{path_said}: the disk is full ({error}): {free} are free on it; make room on that disk"
            ),
            Self::Failed { reason, .. } => format!("{path_said}: {reason}"),
            _ => format!("{path_said}: {error}"),
        }
    }

    pub(super) fn opening(path: &Path, error: &rusqlite::Error) -> Self {
        let free = path.parent().and_then(journal::free_bytes);
        Self::of(path, error, free)
    }

    fn of(path: &Path, error: &rusqlite::Error, free: Option<u64>) -> Self {
        let (code, named) = (error.sqlite_error_code(), path.display().to_string());
        // It fails in many ways when there is no room for its log and its index of that.
        let has_no_room = code == Some(ErrorCode::DiskFull)
            || matches!(code, Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen))
                && free.is_some_and(|free| free < BYTES_NEEDED);
        if has_no_room {
            let free = free.map_or_else(|| "too little".to_owned(), |free| Size(free).to_string());
            return Self::NoRoom { path: named, free, error: error.to_string() };
        }
        let mend = match code {
            Some(ErrorCode::SystemIoFailure) => {
                "its disk or file system fails: the system's log (dmesg) says how"
            }
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                "another process holds it: stop that"
            }
            Some(ErrorCode::OutOfMemory) => "this machine has too little memory left",
            _ => {
                let reason = format!(
                    "{error}; if it is damaged, restore it from a copy, or move it away to begin all subscriptions anew \
                     (the events in the journal can be replayed); this user must be able to write here"
                );
                return Self::Open { path: named, reason };
            }
        };
        Self::Failed { path: named, reason: format!("{error}; {mend}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(code: i32, free: Option<u64>) -> StateError {
        let error = rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None);
        StateError::of(Path::new("data/state.sqlite"), &error, free)
    }

    #[test]
    fn no_room_is_told_from_damage_whatever_sqlite_calls_it() {
        use rusqlite::ffi;
        for code in [ffi::SQLITE_FULL, ffi::SQLITE_IOERR_SHMSIZE, ffi::SQLITE_CANTOPEN] {
            let error = said(code, Some(4096));
            assert!(error.is_full(), "{error}");
            let text = error.to_string();
            assert!(text.contains("data/state.sqlite: the disk is full"), "{text}");
            assert!(text.contains("4.0 KiB are free") && text.contains("make room"), "{text}");
            assert!(!text.contains("move it away"), "{text}");
        }
        assert!(said(ffi::SQLITE_FULL, None).is_full());
    }

    #[test]
    fn what_may_pass_is_told_from_what_stays() {
        use rusqlite::ffi;
        for code in [ffi::SQLITE_IOERR_READ, ffi::SQLITE_BUSY, ffi::SQLITE_NOMEM] {
            let error = said(code, Some(1 << 30));
            assert!(matches!(error, StateError::Failed { .. }), "{error}");
            assert!(!error.to_string().contains("move it away"), "{error}");
        }
        for code in [ffi::SQLITE_CORRUPT, ffi::SQLITE_NOTADB, ffi::SQLITE_CANTOPEN] {
            assert!(matches!(said(code, Some(1 << 30)), StateError::Open { .. }), "{code}");
        }
    }
}
