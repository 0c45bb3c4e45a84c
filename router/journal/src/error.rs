//! The ways each operation can fail.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{Offset, Size};

/// Why a journal could not be opened. Nothing was changed, unless the variant says so.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(
        "open journal {path}: another process has it open; stop that process, or choose another data folder (--data)"
    )]
    Locked { path: PathBuf },

    #[error(
        "open journal {path}: its format is version {found}, this program knows {known}; use a newer slipswitch"
    )]
    NewerFormat { path: PathBuf, found: u32, known: u32 },

    #[error(
        "open journal {path}: it cannot be written ({source}); \
         give the process write permission, or choose another data folder"
    )]
    ReadOnly { path: PathBuf, source: io::Error },

    #[error("open journal {path}: {action}: {source}{}", mend(.path, .source))]
    Io { path: PathBuf, action: &'static str, source: io::Error },

    /// Acknowledged records may be missing or changed. A torn tail is not damage: it is cut and
    /// reported.
    #[error(
        "open journal {path}: damaged at byte {position}: {what}; \
         restore the file from a copy, or give the damaged part up and keep the rest: \
         `slipswitch journal verify` says what is lost, `slipswitch journal repair` does it"
    )]
    Damaged { path: PathBuf, position: u64, what: String },

    /// What was sealed reaches further than what it was sealed from.
    #[error(
        "open journal {path}: it ends at offset {end}, but what is sealed in {sealed} reaches offset {sealed_end}: \
         the journal that belongs to it is gone or has lost its end, and no offset is given twice; \
         restore the data folder from a backup, or move it aside to begin an empty one: \
         `slipswitch journal export` reads what is sealed in it"
    )]
    Behind { path: PathBuf, end: Offset, sealed: PathBuf, sealed_end: Offset },

    #[error("open journal: {what}")]
    Options { what: String },
}

/// What to do about it, where there is something.
fn mend(path: &Path, source: &io::Error) -> String {
    if source.kind() != io::ErrorKind::StorageFull {
        return String::new();
    }
    let folder = path.ancestors().find(|folder| folder.is_dir());
    let free = folder.and_then(crate::free_bytes).map(Size);
    let free = free.map_or_else(String::new, |free| format!(" ({free} are free on it)"));
    format!("; the disk is full{free}: make room on that disk, and start again")
}

/// Why records were not appended. None of the call's records is in the journal, except where the
/// variant says so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// The journal takes nothing more until it is opened again. When the append was in flight as it
    /// stopped, its records are all there after that, or none is.
    #[error("the journal has stopped: {reason}")]
    Stopped { reason: Arc<str> },

    /// There is no room for another segment. Later appends are tried afresh.
    #[error("the journal has no room: {reason}")]
    Full { reason: Arc<str> },

    #[error("too large for the journal: {what} of {size} bytes, the limit is {limit} ({option})")]
    TooLarge { what: &'static str, size: usize, limit: usize, option: &'static str },

    #[error("not a bus name for the journal: {length} bytes long, it must have 1 to 255")]
    BusName { length: usize },
}

/// Why records could not be read. The cursor stays where it was.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("read journal: offset {offset} is gone, the first is {first}")]
    Gone { offset: Offset, first: Offset },

    #[error("read journal: offset {offset} is not written yet, the end is {end}")]
    NotYet { offset: Offset, end: Offset },

    #[error(
        "read journal {path}: damaged at byte {position}: {what}; restore the file from a copy, or \
         stop the router and let `slipswitch journal repair` keep the rest"
    )]
    Damaged { path: PathBuf, position: u64, what: String },

    #[error("read journal {path}: {source}")]
    Io { path: PathBuf, source: io::Error },
}

/// The journal had stopped before it was closed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the journal had stopped before it was closed: {reason}")]
pub struct CloseError {
    pub reason: Arc<str>,
}

/// Sorts an error of opening by what the caller can do about it.
pub(crate) fn open_error(path: PathBuf, action: &'static str, source: io::Error) -> OpenError {
    match source.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            OpenError::ReadOnly { path, source }
        }
        _ => OpenError::Io { path, action, source },
    }
}
