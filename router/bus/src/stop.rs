//! Stopping the deliveries to a target, and letting them go on: paused by a person, disabled by the
//! target itself.
//!
//! # Invariants
//!
//! - What was answered is on disk: a stopped target is stopped after a restart, too.
//! - A paused target gets nothing, also from replays; what a replay was told by itself stands apart.
//! - Who lets go thinks that the target is there: when its circuit is open, that is tried at once.
//! - What is under way ends; what is owed waits, in the journal and in the postponed rows.
//! - One that was removed and waits for its rule may be stopped and let go on like any other: it comes
//!   back so.

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
    /// Starts no more deliveries to a target, of replays neither, until [`Router::resume`]. One that
    /// is paused stays so since when it was, and without a new reason for the reason it was.
    ///
    /// # Errors
    ///
    /// When there is no such subscription, or it cannot be written down. Nothing is changed then.
    pub async fn pause(&self, key: &Key, reason: &str) -> Result<Stopped, StopError> {
        let (core, key) = (Arc::clone(&self.core), key.clone());
        let reason = reason.chars().take(REASON_CHARS_MAX).collect();
        self.core.carried_out(async move { core.pause(key, reason).await }).await?
    }

    /// Undoes [`Router::pause`].
    ///
    /// # Errors
    ///
    /// The same.
    pub async fn resume(&self, key: &Key) -> Result<LetGo, StopError> {
        let (core, key) = (Arc::clone(&self.core), key.clone());
        self.core.carried_out(async move { core.resume(key).await }).await?
    }

    /// Sends again to a target that has said it is gone, replays included.
    ///
    /// # Errors
    ///
    /// The same.
    pub async fn enable(&self, key: &Key) -> Result<LetGo, StopError> {
        let (core, key) = (Arc::clone(&self.core), key.clone());
        self.core.carried_out(async move { core.enable(key).await }).await?
    }
}

/// What [`Router::resume`] and [`Router::enable`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LetGo {
    /// Whether it was stopped in that way.
    pub was_stopped: bool,
    /// Whether its target was down, and is probed now instead of at its time.
    pub probes: bool,
}

impl Core {
    async fn pause(&self, key: Key, reason: String) -> Result<Stopped, StopError> {
        let _roster = self.roster.lock().await;
        let whose = self.whose(&key)?;
        let before = match &whose {
            Whose::Lane(lane) => lane.lock().paused().cloned(),
            Whose::Dormant(stored) => stored.paused.clone(),
        };
        let paused = match before {
            None => Stopped { since: self.clock.now(), reason },
            Some(before) if reason.is_empty() => before,
            Some(before) => Stopped { reason, ..before },
        };
        let (row, owner) = (paused.clone(), key.clone());
        self.state.run(move |tx| Subscription::pause(tx, &owner, Some(&row))).await?;
        match whose {
            Whose::Lane(lane) => lane.pause(Some(paused.clone())),
            Whose::Dormant(_) => self.change_dormant(&key, |one| one.paused = Some(paused.clone())),
        }
        self.replays_to(&key).iter().for_each(|lane| lane.pause_target(Some(paused.clone())));
        tracing::info!(subscription = %key, reason = %paused.reason, "paused: its backlog waits in the journal");
        Ok(paused)
    }

    async fn resume(&self, key: Key) -> Result<LetGo, StopError> {
        let _roster = self.roster.lock().await;
        let whose = self.whose(&key)?;
        let owner = key.clone();
        self.state.run(move |tx| Subscription::pause(tx, &owner, None)).await?;
        let was_stopped = match whose {
            Whose::Lane(lane) => {
                let was_paused = lane.lock().paused().is_some();
                lane.pause(None);
                was_paused
            }
            Whose::Dormant(stored) => {
                self.change_dormant(&key, |one| one.paused = None);
                stored.paused.is_some()
            }
        };
        self.replays_to(&key).iter().for_each(|lane| lane.pause_target(None));
        let probes = self.probe_now(&key);
        tracing::info!(subscription = %key, probes, "resumed");
        Ok(LetGo { was_stopped, probes })
    }

    async fn enable(&self, key: Key) -> Result<LetGo, StopError> {
        let _roster = self.roster.lock().await;
        let (lane, dormant) = match self.whose(&key)? {
            Whose::Lane(lane) => (Some(lane), None),
            Whose::Dormant(stored) => (None, Some(stored)),
        };
        let lanes: Vec<Arc<Lane>> = self.replays_to(&key).into_iter().chain(lane).collect();
        let owners = lanes.iter().map(|lane| &lane.key).chain(dormant.as_ref().map(|one| &one.key));
        let owners: Vec<Key> = owners.cloned().collect();
        let enabled = self.state.run(move |tx| {
            owners.iter().try_for_each(|owner| Subscription::disable(tx, owner, None).map(drop))
        });
        enabled.await?;
        let mut was_stopped = false;
        for lane in lanes {
            was_stopped |= lane.lock().disabled().is_some();
            lane.disable(None);
        }
        if let Some(stored) = dormant {
            was_stopped |= stored.disabled.is_some();
            self.change_dormant(&key, |one| one.disabled = None);
        }
        let probes = self.probe_now(&key);
        tracing::info!(subscription = %key, probes, "enabled");
        Ok(LetGo { was_stopped, probes })
    }

    /// Somebody thinks that a target is back.
    fn probe_now(&self, key: &Key) -> bool {
        let now = self.clock.now();
        let live = self.lanes().get(key).cloned();
        let lanes = live.into_iter().chain(self.replays_to(key));
        lanes.filter(|lane| lane.probe_now(now)).count() > 0
    }

    /// The lanes of the replays to a target.
    fn replays_to(&self, key: &Key) -> Vec<Arc<Lane>> {
        let lanes = self.lanes();
        let is_its =
            |lane: &&Arc<Lane>| lane.key.replay.is_some() && lane.key.without_replay() == *key;
        lanes.values().filter(is_its).cloned().collect()
    }

    fn whose(&self, key: &Key) -> Result<Whose, StopError> {
        if let Some(lane) = self.lanes().get(key).cloned() {
            return Ok(Whose::Lane(lane));
        }
        let dormant = self.dormant();
        let stored = dormant.iter().find(|one| one.removed.is_some() && one.key == *key).cloned();
        let stored = stored.ok_or_else(|| StopError::Unknown { key: key.clone() })?;
        Ok(Whose::Dormant(Box::new(stored)))
    }

    /// For when its rule is back.
    fn change_dormant(&self, key: &Key, change: impl FnOnce(&mut Subscription)) {
        let mut dormant = self.dormant();
        if let Some(stored) = dormant.iter_mut().find(|one| one.key == *key) {
            change(stored);
        }
    }
}

/// A subscription that may be stopped, as the roster has it.
enum Whose {
    Lane(Arc<Lane>),
    /// It was removed, and waits for its rule.
    Dormant(Box<Subscription>),
}
