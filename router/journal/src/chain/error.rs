//! The ways a chain can fail to be written.

use std::{io, path::PathBuf, sync::Arc};

/// Why a chain was not changed. What was in it is in it still.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    #[error("{path}: {action}: {source}")]
    Io { path: PathBuf, action: &'static str, source: io::Error },

    #[error("{path}: a record of {size} bytes is too large, the limit is {limit}")]
    TooLarge { path: PathBuf, size: usize, limit: usize },

    #[error("{path}: it is being written already")]
    Busy { path: PathBuf },

    /// Until the chain is opened again: what is on the disk is unknown.
    #[error("{path}: it takes nothing more until the next start: {reason}")]
    Stopped { path: PathBuf, reason: Arc<str> },
}
