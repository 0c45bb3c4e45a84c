//! Rules and targets that go: what becomes of their subscriptions, and of the replays to them.
//!
//! ```text
//! has a rule ──▶ retired: is sent what it was owed ─────────────────▶ over, with the last of it
//!    ▲  │                 │ its target takes nothing
//!    │  │ at a start      ├────────────────────────────────────────▶ over, after `removed_kept`
//!    │  ▼                 │ restart
//!    │ dormant: keeps its place ◀──┘ ──────────────────────────────▶ over, after `removed_kept`
//!    └──── the rule comes back, to either of them: it goes on from its place
//! ```
//!
//! # Invariants
//!
//! - nothing silent: what a subscription had not looked at when its time was over is said and counted.
//! - A replay that cannot reach its end says so at once, and sends nothing more.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use event::Timestamp;
use journal::Offset;
use rusqlite::Transaction;

use crate::core::Core;
use crate::key::Key;
use crate::lane::{Forced, Lane, Written, then};

use crate::replay::ReplayState;
use crate::routes::Routes;
use crate::state::{Postponed, Recall, ReplayRow, StateError, Stopped, Subscription};

/// What a swap does to the subscriptions that are there: all of it is written down before any of it
/// is done.
pub(crate) struct Removals {
    now: Timestamp,
    /// Dormant ones whose rule is back.
    back: Vec<Subscription>,
    /// Dormant ones that have none.
    orphans: Vec<Subscription>,
    /// Lanes that lose their rule, with the time of now, or have it again.
    lanes: Vec<(Key, Option<Timestamp>)>,
    /// The patterns of those that have another one from now on.
    versions: Vec<(Key, Written)>,
}

impl Removals {
    pub(crate) fn brings_back(&self, key: &Key) -> bool {
        self.back.iter().any(|stored| stored.key == *key)
    }

    /// What [`Core::carry_out_removals`] will do.
    pub(crate) fn writing(
        &self,
        recall: Box<Recall>,
    ) -> impl FnOnce(&Transaction<'_>) -> Result<(), StateError> + Send + 'static {
        let now = self.now;
        let back = self.back.iter().filter(|one| one.removed.is_some());
        let back: Vec<Key> = back.map(|one| one.key.clone()).collect();
        let (lanes, versions) = (self.lanes.clone(), self.versions.clone());
        let of_replays = self.orphans.iter().filter(|one| one.key.replay.is_some());
        let over: Vec<Key> = of_replays.map(|one| one.key.clone()).collect();
        // One that was on its way to its end when the process was has rows, too.
        let is_new = |one: &&Subscription| one.removed.is_none() || !one.waiting.is_empty();
        let live = self.orphans.iter().filter(|one| one.key.replay.is_none()).filter(is_new);
        let removed: Vec<(Key, Timestamp)> =
            live.map(|one| (one.key.clone(), one.removed.unwrap_or(now))).collect();
        move |tx| {
            for key in &back {
                Subscription::remove(tx, key, None)?;
            }
            for (key, since) in &lanes {
                Subscription::remove(tx, key, *since)?;
            }
            for (key, versions) in &versions {
                Subscription::write_versions(tx, key, versions)?;
            }
            for (key, since) in &removed {
                let why = (now, "its rule or target was removed or disabled");
                Postponed::bury_all(tx, key, why, &*recall)?;
                Subscription::let_go(tx, key)?;
                Subscription::remove(tx, key, Some(*since))?;
            }
            for key in &over {
                ReplayRow::fold(tx, key)?;
                Subscription::end(tx, key)?;
            }
            if over.is_empty() { Ok(()) } else { ReplayRow::complete(tx, now) }
        }
    }
}

impl Core {
    /// What the next rules do to the subscriptions that are there, from `position` on.
    pub(crate) fn removals(&self, next: &Routes, position: Offset) -> Removals {
        let now = self.clock.now();
        let dormant = self.dormant().clone();
        let (mut back, unknown): (Vec<_>, Vec<_>) =
            dormant.into_iter().partition(|stored| next.of(&stored.key).is_some());
        // Without any rules, what was on disk waits for them.
        let orphans = if next.rules.rules().is_empty() { Vec::new() } else { unknown };
        let lanes = self.lanes();
        let live = lanes.iter().filter(|(key, _)| key.replay.is_none());
        let moved = live.filter_map(|(key, lane)| {
            match (next.of(key).is_some(), lane.lock().retired().is_some()) {
                (true, true) => Some((key.clone(), None)),
                (false, false) => Some((key.clone(), Some(now))),
                (true, false) | (false, true) => None,
            }
        });
        let lanes_moved = moved.collect();
        let mut versions = Vec::new();
        for stored in back.iter_mut().filter(|stored| stored.key.replay.is_none()) {
            let before = std::mem::take(&mut stored.versions);
            // All that came while it was away meets the rule as it came back.
            let known = if stored.removed.is_some() { &Written::new() } else { &before };
            stored.versions = then(known, self.began_at, next.pattern_of(&stored.key));
            if stored.versions != before {
                versions.push((stored.key.clone(), stored.versions.clone()));
            }
        }
        for (key, lane) in lanes.iter().filter(|(key, _)| key.replay.is_none()) {
            let before = lane.lock().written_versions();
            let after = then(&before, position, next.pattern_of(key));
            if after != before {
                versions.push((key.clone(), after));
            }
        }
        Removals { now, back, orphans, lanes: lanes_moved, versions }
    }

    /// Opens the lanes of what was on disk and has a rule; what has none keeps its place for a while.
    pub(crate) fn carry_out_removals(
        self: &Arc<Self>,
        removals: Removals,
        next: &Routes,
        position: Offset,
    ) {
        if !removals.orphans.is_empty() {
            self.letters.set_stale();
            let mut dormant = self.dormant();
            dormant.retain(|stored| stored.key.replay.is_none() || next.of(&stored.key).is_some());
            for stored in dormant.iter_mut().filter(|stored| next.of(&stored.key).is_none()) {
                // They are dead letters now.
                stored.counts.dead += u64::try_from(stored.waiting.len()).unwrap_or(u64::MAX);
                stored.waiting.clear();
                if stored.removed.is_some() {
                    continue;
                }
                let behind = self.behind(stored);
                tracing::warn!(subscription = %stored.key, behind, kept = ?self.options.removed_kept, "its rule or target is not among the rules: it keeps its place for a while, in case it comes back; what waited for a retry are dead letters");
                stored.removed = Some(removals.now);
            }
        }
        for Subscription { key, versions, .. } in removals.back {
            let route = Arc::clone(next.of(&key).expect("its rule is back"));
            let stored = self.dormant().iter().find(|stored| stored.key == key).cloned();
            let stored = stored.expect("nothing leaves while the roster is held");
            if stored.removed.is_some() {
                tracing::info!(subscription = %key, from = stored.settled.get(), "its rule or target is back: it goes on from its place");
            }
            // It is in one of the two at every moment: whatever it needs is kept.
            self.open_lane(Subscription { removed: None, versions, ..stored }, route, position);
            self.dormant().retain(|stored| stored.key != key);
        }
        self.adopt(next, position, removals.now);
    }

    /// How many events of the journal one without a rule has not looked at.
    fn behind(&self, stored: &Subscription) -> u64 {
        let first = self.journal.first_offset(&stored.key.bus);
        let end = self.journal.durable_end().get();
        end.saturating_sub(stored.settled.max(first).get())
    }

    /// Says at a start how many were without a rule before, and still are.
    pub(crate) fn say_still_removed(&self, before: &[Key]) {
        let dormant = self.dormant();
        let still = |one: &&Subscription| one.removed.is_some() && before.contains(&one.key);
        let still: Vec<&Subscription> = dormant.iter().filter(still).collect();
        let first = still.iter().filter_map(|one| one.removed).min();
        if let Some(ends) = first.map(|since| since.after(self.options.removed_kept)) {
            let behind = still.iter().map(|one| self.behind(one)).max().unwrap_or(0);
            tracing::warn!(subscriptions = still.len(), behind_max = behind, first_ends = %ends, "some have had no rule since before this start: they keep their places for a while, in case it comes back; `slipswitch status` shows them");
        }
    }

    /// Ends the subscriptions that have been without a rule for too long.
    pub(crate) async fn end_removed(&self) {
        let (now, kept) = (self.clock.now(), self.options.removed_kept);
        let is_over =
            |stored: &Subscription| stored.removed.is_some_and(|since| since.after(kept) <= now);
        self.end_retired(now.before(kept)).await;
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
            let behind = self.journal.durable_end().get().saturating_sub(stored.settled.get());
            let unseen = behind.saturating_sub(stored.done.len());
            self.given_up.fetch_add(unseen, Ordering::Relaxed);
            say_ended(&stored.key, unseen);
        }
    }

    /// The same of those that lost their rule in this process, and whose targets take nothing.
    async fn end_retired(&self, since: Timestamp) {
        let is_late = |lane: &Arc<Lane>| lane.lock().retired().is_some_and(|at| at <= since);
        if !self.state_is_well() || !self.lanes().values().any(is_late) {
            return;
        }
        let _roster = self.roster.lock().await;
        let lanes: Vec<Arc<Lane>> = self.lanes().values().cloned().collect();
        let over: Vec<(Arc<Lane>, u64)> = lanes
            .into_iter()
            .filter_map(|lane| lane.give_up(since).map(|unseen| (lane, unseen)))
            .collect();
        if over.is_empty() {
            return;
        }
        let keys: Vec<Key> = over.iter().map(|(lane, _)| lane.key.clone()).collect();
        let written =
            self.state.run(move |tx| keys.iter().try_for_each(|key| Subscription::end(tx, key)));
        if let Err(error) = written.await {
            tracing::warn!(%error, "the end of a removed subscription is not yet written down");
            return over.iter().for_each(|(lane, _)| lane.go_on());
        }
        for (lane, unseen) in over {
            self.given_up.fetch_add(unseen, Ordering::Relaxed);
            self.lanes().remove(&lane.key);
            say_ended(&lane.key, unseen);
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
            .map(|lane| (Arc::clone(&lane), lane.lock().paused_itself().cloned()))
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
        tracing::error!(replay = %name, rule = %gone.rule, target = %gone.target, "the replay has failed: this rule or its target was removed or disabled; what waited for a retry are dead letters");
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

/// The subscriptions on disk that had lost their rule already.
pub(crate) fn without_rule(stored: &[Subscription]) -> Vec<Key> {
    let removed = stored.iter().filter(|one| one.removed.is_some());
    removed.map(|one| one.key.clone()).collect()
}

fn say_ended(key: &Key, unseen: u64) {
    tracing::warn!(subscription = %key, unseen, "its rule or target did not come back: it ends, and what it had not looked at is given up");
}
