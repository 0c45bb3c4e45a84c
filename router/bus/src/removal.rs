//! Rules and targets that go: what becomes of their subscriptions, and of the replays to them.
//!
//! # Invariants
//!
//! - A replay that cannot reach its end says so at once, and sends nothing more.

use std::collections::BTreeMap;
use std::sync::Arc;

use journal::Offset;

use crate::core::Core;
use crate::key::Key;
use crate::lane::{Forced, Lane};
use crate::replay::ReplayState;
use crate::routes::Routes;
use crate::state::{Postponed, ReplayRow, StateError, Stopped, Subscription};

impl Core {
    /// Ends the replays of which the next rules do not have every target.
    ///
    /// # Errors
    ///
    /// When that cannot be written down; they go on then.
    pub(crate) async fn fail_replays(&self, next: &Routes) -> Result<(), StateError> {
        let lost: BTreeMap<Arc<str>, Key> = {
            let (lanes, dormant) = (self.lanes(), self.dormant());
            // Without any rules, what was on disk waits for them.
            let on_disk = dormant.iter().filter(|stored| {
                let is_done = stored.until.is_some_and(|until| until <= stored.settled);
                !(next.rules.rules().is_empty() || is_done && stored.waiting.is_empty())
            });
            let running = lanes.iter().filter(|(_, lane)| !lane.lock().has_ended_or_will());
            let all = running.map(|(key, _)| key).chain(on_disk.map(|stored| &stored.key));
            let gone = all.filter(|key| next.of(key).is_none());
            gone.filter_map(|key| Some((key.replay.clone()?, key.clone()))).collect()
        };
        for (name, gone) in lost {
            self.fail_replay(&name, gone).await?;
        }
        Ok(())
    }

    async fn fail_replay(&self, name: &Arc<str>, gone: Key) -> Result<(), StateError> {
        let now = self.clock.now();
        let lanes = self.lanes_of(name);
        let before: Vec<(Arc<Lane>, Option<Stopped>)> = lanes
            .into_iter()
            .map(|lane| (Arc::clone(&lane), lane.lock().paused().cloned()))
            .collect();
        for (lane, _) in &before {
            lane.pause(Some(Stopped {
                since: now,
                reason: format!("the replay `{name}` has failed"),
            }));
        }
        let written = self.write_failure(name, gone.clone(), &before).await;
        if let Err(error) = written {
            for (lane, paused) in before {
                lane.pause(paused);
            }
            return Err(error);
        }
        self.lanes().retain(|key, _| key.replay.as_ref() != Some(name));
        self.dormant().retain(|stored| stored.key.replay.as_ref() != Some(name));
        self.players.remove(name);
        tracing::error!(replay = %name, rule = %gone.rule, target = %gone.target, "the replay has failed: this rule or its target was removed; what waited for a retry are dead letters");
        Ok(())
    }

    /// What it had postponed becomes dead letters; where it was, and why it ended, is kept.
    async fn write_failure(
        &self,
        name: &Arc<str>,
        gone: Key,
        lanes: &[(Arc<Lane>, Option<Stopped>)],
    ) -> Result<(), StateError> {
        // What its lanes know has to be in the rows that are buried.
        self.flush(Forced::Yes).await;
        let mut ending: Vec<(Key, Offset)> =
            lanes.iter().map(|(lane, _)| (lane.key.clone(), lane.lock().settled())).collect();
        let on_disk = |stored: &Subscription| (stored.key.clone(), stored.settled);
        let is_of_it = |stored: &&Subscription| stored.key.replay.as_ref() == Some(name);
        ending.extend(self.dormant().iter().filter(is_of_it).map(on_disk));
        let (now, recall, name) = (self.clock.now(), self.recall(), Arc::clone(name));
        self.letters.set_stale();
        let written = self.state.run(move |tx| {
            ReplayRow::fail(tx, &gone)?;
            for (key, _) in &ending {
                Postponed::bury_all(tx, key, (now, "its replay has failed"), &*recall)?;
                ReplayRow::fold(tx, key)?;
                Subscription::end(tx, key)?;
            }
            let position = ending.iter().map(|(_, settled)| *settled).min().unwrap_or(Offset::ZERO);
            ReplayRow::end(tx, &name, (ReplayState::Failed, position), now)
        });
        written.await
    }
}
