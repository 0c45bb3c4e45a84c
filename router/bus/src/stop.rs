//! Stopping the deliveries to a target, and letting them go on: paused by a person, disabled by the
//! target itself.
//!
//! # Invariants
//!
//! - What was answered is on disk: a stopped target is stopped after a restart, too.
//! - What is under way ends; what is owed waits, in the journal and in the postponed rows.

use std::sync::Arc;

use crate::core::Core;
use crate::key::Key;
use crate::lane::Lane;
use crate::router::Router;
use crate::state::{StateError, Stopped, Subscription};

/// How much of a reason is kept.
const REASON_CHARS_MAX: usize = 500;

/// Why nothing was stopped or let go on.
#[derive(Debug, thiserror::Error)]
pub enum StopError {
    #[error("there is no subscription `{key}`; `slipswitch target ls` shows all of them")]
    Unknown { key: Key },

    #[error(transparent)]
    State(#[from] StateError),
}

impl Router {
    /// Starts no more deliveries to a target until [`Router::resume`].
    ///
    /// # Errors
    ///
    /// When there is no such subscription, or it cannot be written down. Nothing is changed then.
    pub async fn pause(&self, key: &Key, reason: &str) -> Result<Stopped, StopError> {
        let (core, key) = (Arc::clone(&self.core), key.clone());
        let reason = reason.chars().take(REASON_CHARS_MAX).collect();
        self.core.carried_out(async move { core.pause(key, reason).await }).await?
    }

    /// Undoes [`Router::pause`]. False when it was not paused.
    ///
    /// # Errors
    ///
    /// The same.
    pub async fn resume(&self, key: &Key) -> Result<bool, StopError> {
        let (core, key) = (Arc::clone(&self.core), key.clone());
        self.core.carried_out(async move { core.resume(key).await }).await?
    }

    /// Sends again to a target that has said it is gone, replays of its subscription included. False
    /// when it had not.
    ///
    /// # Errors
    ///
    /// The same.
    pub async fn enable(&self, key: &Key) -> Result<bool, StopError> {
        let (core, key) = (Arc::clone(&self.core), key.clone());
        self.core.carried_out(async move { core.enable(key).await }).await?
    }
}

impl Core {
    async fn pause(&self, key: Key, reason: String) -> Result<Stopped, StopError> {
        let _roster = self.roster.lock().await;
        let lane = self.lane(&key)?;
        let paused = Stopped { since: self.clock.now(), reason };
        let (row, owner) = (paused.clone(), key.clone());
        self.state.run(move |tx| Subscription::pause(tx, &owner, Some(&row))).await?;
        lane.pause(Some(paused.clone()));
        tracing::info!(subscription = %key, reason = %paused.reason, "paused: its backlog waits in the journal");
        Ok(paused)
    }

    async fn resume(&self, key: Key) -> Result<bool, StopError> {
        let _roster = self.roster.lock().await;
        let lane = self.lane(&key)?;
        let owner = key.clone();
        self.state.run(move |tx| Subscription::pause(tx, &owner, None)).await?;
        let was_paused = lane.lock().paused().is_some();
        lane.pause(None);
        tracing::info!(subscription = %key, "resumed");
        Ok(was_paused)
    }

    async fn enable(&self, key: Key) -> Result<bool, StopError> {
        let _roster = self.roster.lock().await;
        self.lane(&key)?;
        let is_its = |lane: &&Arc<Lane>| lane.key == key || lane.key.without_replay() == key;
        let lanes: Vec<Arc<Lane>> = self.lanes().values().filter(is_its).cloned().collect();
        let owners: Vec<Key> = lanes.iter().map(|lane| lane.key.clone()).collect();
        let enabled = self.state.run(move |tx| {
            owners.iter().try_for_each(|owner| Subscription::disable(tx, owner, None).map(drop))
        });
        enabled.await?;
        let mut was_disabled = false;
        for lane in lanes {
            was_disabled |= lane.lock().disabled().is_some();
            lane.disable(None);
        }
        tracing::info!(subscription = %key, "enabled");
        Ok(was_disabled)
    }

    fn lane(&self, key: &Key) -> Result<Arc<Lane>, StopError> {
        let lane = self.lanes().get(key).cloned();
        lane.ok_or_else(|| StopError::Unknown { key: key.clone() })
    }
}
