//! Starting, pausing, resuming and cancelling replays.
//!
//! # Invariants
//!
//! - What a replay was told is on disk before it is done: a restart finds it so.

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
        let core = &self.core;
        let _roster = core.roster.lock().await;
        let replay = core.plan(start, core.clock.now())?;
        let keys = core.subscriptions_of(&replay)?;

        let (planned, begun) = (replay.clone(), keys.clone());
        let is_new = core.state.run(move |tx| {
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
        core.register(&replay);
        let routes = core.routes.load_full();
        for key in keys {
            // A swap waits for the roster: what was there a moment ago still is.
            let route = routes.of(&key).expect("the keys are of these routes");
            let stored = Subscription {
                until: Some(replay.to_offset),
                ..Subscription::new(key, replay.from_offset)
            };
            core.open_lane(stored, std::sync::Arc::clone(route), core.dispatched());
        }
        tracing::info!(replay = %replay.name, from = replay.from_offset.get(), to = replay.to_offset.get(), "replay started");
        Ok(replay)
    }

    /// Starts nothing more of it until it is resumed; what is under way ends.
    ///
    /// # Errors
    ///
    /// When it is not running.
    pub async fn pause_replay(&self, name: &str) -> Result<Replay, ReplayError> {
        let (core, from) = (&self.core, ReplayState::Running);
        let roster = core.roster.lock().await;
        let stopped =
            Stopped { since: core.clock.now(), reason: format!("the replay `{name}` is paused") };
        core.turn(name, (from, ReplayState::Paused, "paused"), Some(&stopped)).await?;
        for lane in core.lanes_of(name) {
            lane.pause(Some(stopped.clone()));
        }
        if let Some(playing) = core.players.get(name) {
            playing.set_mark(None);
        }
        tracing::info!(replay = %name, "replay paused");
        drop(roster);
        self.replay(name).await
    }

    /// # Errors
    ///
    /// When it is not paused.
    pub async fn resume_replay(&self, name: &str) -> Result<Replay, ReplayError> {
        let (core, from) = (&self.core, ReplayState::Paused);
        let roster = core.roster.lock().await;
        core.turn(name, (from, ReplayState::Running, "resumed"), None).await?;
        let lanes = core.lanes_of(name);
        let position = lanes.iter().map(|lane| lane.lock().settled()).min();
        if let Some(playing) = core.players.get(name) {
            playing.set_mark(position.map(|position| (core.clock.monotonic(), position)));
        }
        for lane in lanes {
            lane.pause(None);
        }
        tracing::info!(replay = %name, "replay resumed");
        drop(roster);
        self.replay(name).await
    }

    /// Ends it where it is. What is under way ends, and is counted; what it had not delivered, or was
    /// trying again, is let go.
    ///
    /// # Errors
    ///
    /// When it has ended already.
    pub async fn cancel_replay(&self, name: &str) -> Result<Replay, ReplayError> {
        let core = &self.core;
        let roster = core.roster.lock().await;
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
        let (now, position, asked) = (core.clock.now(), before.position, name.to_owned());
        let written = core
            .state
            .run(move |tx| ReplayRow::end(tx, &asked, (ReplayState::Cancelled, position), now));
        written.await?;
        // They leave, and their figures are added, when what is under way has ended.
        let reason = format!("the replay `{name}` is cancelled");
        for lane in core.lanes_of(name) {
            lane.cancel(Stopped { since: now, reason: reason.clone() });
        }
        core.lane_over.notify_one();
        tracing::info!(replay = %name, "replay cancelled");
        drop(roster);
        self.replay(name).await
    }
}

impl Core {
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
