//! Rules and targets that go: what becomes of their subscriptions, and of the replays to them.
//!
//! ```text
//! has a rule ──▶ removed: has no rule, keeps its place ──▶ over, after `removed_kept`
//!      ▲                              │ the rule comes back
//!      └──────────────────────────────┘
//! ```
//!
//! # Invariants
//!
//! - nothing silent: what a subscription had not looked at when its time was over is said and counted.
//! - A replay that cannot reach its end says so at once, and sends nothing more.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use journal::Offset;

use crate::core::Core;
use crate::key::Key;
use crate::lane::{Forced, Lane};
use crate::replay::ReplayState;
use crate::routes::Routes;
use crate::state::{Postponed, ReplayRow, StateError, Stopped, Subscription};

impl Core {
    /// Opens the lanes of what was on disk and has a rule; what has none keeps its place for a while.
    ///
    /// # Errors
    ///
    /// When that cannot be written down; all of it stays as it is then.
    pub(crate) async fn wake_dormant(
        self: &Arc<Self>,
        next: &Routes,
        position: Offset,
    ) -> Result<(), StateError> {
        let dormant = std::mem::take(&mut *self.dormant());
        let (known, mut unknown): (Vec<_>, Vec<_>) =
            dormant.into_iter().partition(|stored| next.of(&stored.key).is_some());
        // Without any rules, what was on disk waits for them.
        let orphans = if next.rules.rules().is_empty() { Vec::new() } else { unknown.clone() };
        if let Err(error) = self.write_removals(&known, &orphans).await {
            self.dormant().extend(known.into_iter().chain(unknown));
            return Err(error);
        }
        if !orphans.is_empty() {
            let now = self.clock.now();
            unknown.retain(|stored| stored.key.replay.is_none());
            for stored in unknown.iter_mut().filter(|stored| stored.removed.is_none()) {
                let behind = position.get().saturating_sub(stored.settled.get());
                tracing::warn!(subscription = %stored.key, behind, kept = ?self.options.removed_kept, "its rule or target is not among the rules: it keeps its place for a while, in case it comes back; what waited for a retry are dead letters");
                stored.removed = Some(now);
                stored.waiting.clear();
            }
        }
        self.dormant().extend(unknown);
        for stored in known {
            let route = Arc::clone(next.of(&stored.key).expect("just found"));
            if stored.removed.is_some() {
                tracing::info!(subscription = %stored.key, from = stored.settled.get(), "its rule or target is back: it goes on from its place");
            }
            self.open_lane(Subscription { removed: None, ..stored }, route, position);
        }
        Ok(())
    }

    async fn write_removals(
        &self,
        back: &[Subscription],
        orphans: &[Subscription],
    ) -> Result<(), StateError> {
        let key = |stored: &Subscription| stored.key.clone();
        let back: Vec<Key> = back.iter().filter(|one| one.removed.is_some()).map(key).collect();
        let of_replays = orphans.iter().filter(|one| one.key.replay.is_some());
        let over: Vec<Key> = of_replays.map(key).collect();
        let live = orphans.iter().filter(|one| one.key.replay.is_none() && one.removed.is_none());
        let removed: Vec<Key> = live.map(key).collect();
        if back.is_empty() && over.is_empty() && removed.is_empty() {
            return Ok(());
        }
        let (now, recall) = (self.clock.now(), self.recall());
        self.letters.set_stale();
        let written = self.state.run(move |tx| {
            for key in &back {
                Subscription::remove(tx, key, None)?;
            }
            for key in &removed {
                let why = (now, "its rule or target was removed");
                Postponed::bury_all(tx, key, why, &*recall)?;
                Subscription::let_go(tx, key)?;
                Subscription::remove(tx, key, Some(now))?;
            }
            for key in &over {
                ReplayRow::fold(tx, key)?;
                Subscription::end(tx, key)?;
            }
            ReplayRow::complete(tx, now)
        });
        written.await
    }

    /// Ends the subscriptions that have been without a rule for too long.
    pub(crate) async fn end_removed(&self) {
        let (now, kept) = (self.clock.now(), self.options.removed_kept);
        let is_over =
            |stored: &Subscription| stored.removed.is_some_and(|since| since.after(kept) <= now);
        if !self.dormant().iter().any(is_over) {
            return;
        }
        let _roster = self.roster.lock().await;
        let over: Vec<Subscription> =
            self.dormant().iter().filter(|stored| is_over(stored)).cloned().collect();
        let keys: Vec<Key> = over.iter().map(|stored| stored.key.clone()).collect();
        let written =
            self.state.run(move |tx| keys.iter().try_for_each(|key| Subscription::end(tx, key)));
        if let Err(error) = written.await {
            tracing::warn!(%error, "the end of a removed subscription is not yet written down");
            return;
        }
        self.dormant().retain(|stored| !is_over(stored));
        for stored in over {
            let behind = self.dispatched().get().saturating_sub(stored.settled.get());
            let unseen = behind.saturating_sub(stored.done.len());
            self.given_up.fetch_add(unseen, Ordering::Relaxed);
            tracing::warn!(subscription = %stored.key, unseen, "its rule or target did not come back: it ends, and what it had not looked at is given up");
        }
    }

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
