//! Starting, pausing, resuming and cancelling replays.
//!
//! # Invariants
//!
//! - What a replay was told is on disk before it is done: a restart finds it so.

use std::sync::Arc;

use super::pace::Pace;
use super::{Replay, ReplayError, ReplayState, StartReplay};
use crate::core::Core;
use crate::key::Key;
use crate::router::Router;
use crate::state::{ReplayRow, Stopped, Subscription};

impl Router {
    /// Starts a replay of what there is now; it goes on by itself, and over restarts.
    ///
    /// # Errors
    ///
    /// When what it names is not there or cannot be read. Nothing is sent then.
    pub async fn start_replay(&self, start: StartReplay) -> Result<Replay, ReplayError> {
        let core = Arc::clone(&self.core);
        self.core.carried_out(async move { core.start_replay(start).await }).await?
    }

    /// Starts nothing more of it until it is resumed; what is under way ends.
    ///
    /// # Errors
    ///
    /// When it is not running.
    pub async fn pause_replay(&self, name: &str) -> Result<Replay, ReplayError> {
        let (core, name) = (Arc::clone(&self.core), name.to_owned());
        self.core.carried_out(async move { core.pause_replay(&name).await }).await?
    }

    /// # Errors
    ///
    /// When it is not paused.
    pub async fn resume_replay(&self, name: &str) -> Result<Replay, ReplayError> {
        let (core, name) = (Arc::clone(&self.core), name.to_owned());
        self.core.carried_out(async move { core.resume_replay(&name).await }).await?
    }

    /// Ends it where it is. What is under way ends, and is counted; what it had not delivered, or was
    /// trying again, is let go.
    ///
    /// # Errors
    ///
    /// When it has ended already.
    pub async fn cancel_replay(&self, name: &str) -> Result<Replay, ReplayError> {
        let (core, name) = (Arc::clone(&self.core), name.to_owned());
        self.core.carried_out(async move { core.cancel_replay(&name).await }).await?
    }

    /// Forgets one that has ended. Its dead letters stay.
    ///
    /// # Errors
    ///
    /// When it has not ended.
    pub async fn remove_replay(&self, name: &str) -> Result<(), ReplayError> {
        let asked = name.to_owned();
        let was = self.core.state.run(move |tx| ReplayRow::remove(tx, &asked)).await?;
        let name: String = name.chars().take(super::NAME_CHARS_MAX).collect();
        match was {
            None => Err(ReplayError::Unknown { name }),
            Some(state) if state.is_over() => {
                tracing::info!(replay = %name, "replay removed");
                Ok(())
            }
            Some(state) => {
                let wanted = "completed, cancelled or failed";
                Err(ReplayError::NotNow { name, state, wanted, verb: "removed" })
            }
        }
    }
}

impl Core {
    async fn start_replay(&self, start: StartReplay) -> Result<Replay, ReplayError> {
        let _roster = self.roster.lock().await;
        let replay = self.plan(start, self.clock.now())?;
        let keys = self.subscriptions_of(&replay)?;

        let (planned, begun) = (replay.clone(), keys.clone());
        let is_new = self.state.run(move |tx| {
            let is_new = ReplayRow::insert(tx, &planned)?;
            if is_new {
                for key in &begun {
                    Subscription::begin(tx, key, planned.from_offset, Some(planned.to_offset))?;
                }
            }
            Ok(is_new)
        });
        if !is_new.await? {
            return Err(ReplayError::NameTaken { name: replay.name });
        }
        self.register(&replay);
        let routes = self.routes.load_full();
        for key in keys {
            // A swap waits for the roster: what was there a moment ago still is.
            let route = routes.of(&key).expect("the keys are of these routes");
            let stored = Subscription {
                until: Some(replay.to_offset),
                ..Subscription::new(key, replay.from_offset)
            };
            self.open_lane(stored, Arc::clone(route), self.dispatched());
        }
        tracing::info!(replay = %replay.name, from = replay.from_offset.get(), to = replay.to_offset.get(), "replay started");
        Ok(replay)
    }

    async fn pause_replay(&self, name: &str) -> Result<Replay, ReplayError> {
        let from = ReplayState::Running;
        let roster = self.roster.lock().await;
        let stopped =
            Stopped { since: self.clock.now(), reason: format!("the replay `{name}` is paused") };
        self.turn(name, (from, ReplayState::Paused, "paused"), Some(&stopped)).await?;
        for lane in self.lanes_of(name) {
            lane.pause(Some(stopped.clone()));
        }
        if let Some(playing) = self.players.get(name) {
            *playing.pace() = None;
        }
        tracing::info!(replay = %name, "replay paused");
        drop(roster);
        self.replay(name).await
    }

    async fn resume_replay(&self, name: &str) -> Result<Replay, ReplayError> {
        let from = ReplayState::Paused;
        let roster = self.roster.lock().await;
        self.turn(name, (from, ReplayState::Running, "resumed"), None).await?;
        let lanes = self.lanes_of(name);
        let position = lanes.iter().map(|lane| lane.lock().settled()).min();
        if let Some(playing) = self.players.get(name) {
            let now = self.clock.monotonic();
            *playing.pace() = position.map(|position| Pace::from(now, position));
        }
        for lane in lanes {
            lane.pause(None);
        }
        tracing::info!(replay = %name, "replay resumed");
        drop(roster);
        self.replay(name).await
    }

    async fn cancel_replay(&self, name: &str) -> Result<Replay, ReplayError> {
        let roster = self.roster.lock().await;
        let before = self.replay(name).await?;
        if before.state.is_over() {
            let name = name.to_owned();
            let wanted = "running or paused";
            return Err(ReplayError::NotNow {
                name,
                state: before.state,
                wanted,
                verb: "cancelled",
            });
        }
        let (now, position, asked) = (self.clock.now(), before.position, name.to_owned());
        let written = self.state.run(move |tx| {
            ReplayRow::end(tx, &asked, (ReplayState::Cancelled, position), now)?;
            ReplayRow::forget_ended(tx)
        });
        written.await?;
        // They leave, and their figures are added, when what is under way has ended.
        let reason = format!("the replay `{name}` is cancelled");
        for lane in self.lanes_of(name) {
            lane.cancel(Stopped { since: now, reason: reason.clone() });
        }
        self.lane_over.notify_one();
        tracing::info!(replay = %name, "replay cancelled");
        drop(roster);
        self.replay(name).await
    }

    /// Writes down that a replay goes from one state to another, and whether its lanes stand still.
    async fn turn(
        &self,
        name: &str,
        (from, to, verb): (ReplayState, ReplayState, &'static str),
        stopped: Option<&Stopped>,
    ) -> Result<(), ReplayError> {
        let (asked, stopped) = (name.to_owned(), stopped.cloned());
        let keys: Vec<Key> = self.lanes_of(name).iter().map(|lane| lane.key.clone()).collect();
        let was = self.state.run(move |tx| {
            let was = ReplayRow::turn(tx, &asked, from, to)?;
            if was == Some(from) {
                for key in &keys {
                    Subscription::pause(tx, key, stopped.as_ref())?;
                }
            }
            Ok(was)
        });
        match was.await? {
            None => Err(ReplayError::Unknown {
                name: name.chars().take(super::NAME_CHARS_MAX).collect(),
            }),
            Some(was) if was == from => Ok(()),
            Some(state) => {
                let (name, wanted) = (name.to_owned(), from.as_str());
                Err(ReplayError::NotNow { name, state, wanted, verb })
            }
        }
    }
}
