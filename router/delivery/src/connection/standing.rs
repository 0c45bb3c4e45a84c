//! What is known of how targets take a connection.

use std::sync::PoisonError;

use event::Timestamp;
use serde::Serialize;

use super::Connection;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum Standing {
    /// Nothing was sent since it was made or its secrets were read anew.
    #[default]
    Unused,
    /// The last answer was none of 401, 403 and 407.
    Authorized { since: Timestamp },
    /// There was no token, no certificate or no such host, or a target said that this is not enough.
    Unauthorized { since: Timestamp, last_error: String },
}

impl Standing {
    pub(super) fn unauthorized(since: Timestamp, reason: &str) -> Self {
        Self::Unauthorized { since, last_error: reason.to_owned() }
    }
}

impl Connection {
    /// A state that goes on keeps the time when it began.
    pub(super) fn note(&self, next: Standing) {
        let mut standing = self.standing.lock().unwrap_or_else(PoisonError::into_inner);
        match (&mut *standing, next) {
            (Standing::Authorized { .. }, Standing::Authorized { .. }) => (),
            (
                Standing::Unauthorized { last_error, .. },
                Standing::Unauthorized { last_error: next, .. },
            ) => *last_error = next,
            (standing, next) => *standing = next,
        }
    }

    pub(super) fn standing(&self) -> Standing {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
