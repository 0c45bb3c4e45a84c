//! Writing outcomes down: a few times a second, all lanes in one transaction.

use std::sync::Arc;
use std::time::Duration;

use crate::core::Core;
use crate::key::Key;
use crate::lane::{Forced, Lane};
use crate::state::{Change, ReplayRow, Round, StateError, Subscription, sweep};

/// A `settled` that moved over events of no interest is written down when so many quiet rounds could have been.
const FORCED_EVERY: u32 = 20;

/// What plugins kept and has expired is removed when so many could have been.
const SWEPT_EVERY: u32 = 40;
/// Keys of a plugin on a bus that are removed at once.
const SWEPT_MAX: u32 = 1000;

/// What is done now and then: by the clock, because rounds follow close on each other while plugins keep state.
struct Sometimes {
    every: Duration,
    last: Duration,
}

impl Sometimes {
    fn is_due(&mut self, now: Duration) -> bool {
        let is_due = self.every <= now.saturating_sub(self.last);
        if is_due {
            self.last = now;
        }
        is_due
    }
}

/// Runs until the router stops; the last round is the shutdown's.
pub(crate) async fn run(core: Arc<Core>) {
    let (flush_every, last) = (core.options.flush_every, core.clock.monotonic());
    let mut forcing = Sometimes { every: flush_every * FORCED_EVERY, last };
    let mut sweeping = Sometimes { every: flush_every * SWEPT_EVERY, last };
    while !core.stop.is_cancelled() {
        tokio::select! {
            biased;
            () = core.stop.cancelled() => return,
            () = core.lane_over.notified() => (),
            () = core.plugin_state.kept.notified() => (),
            () = tokio::time::sleep(flush_every) => (),
        }
        let is_forced = forcing.is_due(core.clock.monotonic());
        let forced = if is_forced { Forced::Yes } else { Forced::No };
        // nothing silent: outcomes wait for the log of the attempts they come from.
        core.trail.room().await;
        core.flush(forced).await;
        core.reap().await;
        core.end_removed().await;
        core.share_rates();
        core.tend_letters().await;
        if sweeping.is_due(core.clock.monotonic()) {
            core.sweep_plugin_state().await;
        }
        core.rounds.send_modify(|rounds| *rounds += 1);
    }
}

impl Core {
    /// Writes down what moved. What could not be written is kept and comes first the next time.
    pub(crate) async fn flush(&self, forced: Forced) {
        let mut unwritten = self.unwritten.lock().await;
        loop {
            let (round, is_again) = match unwritten.take() {
                Some(round) => (round, true),
                None => (Arc::new(self.take_round(forced)), false),
            };
            if round.changes.is_empty() && round.keeping.is_empty() {
                return;
            }
            if let Err(error) = self.write(Arc::clone(&round)).await {
                if self.note_state(Err(&error)) {
                    tracing::error!(%error, "outcomes cannot be written down: deliveries wait until they can");
                }
                *unwritten = Some(round);
                return;
            }
            if self.note_state(Ok(())) {
                tracing::info!("outcomes are written down again: deliveries go on");
            }
            self.plugin_state.written(&round.keeping);
            self.applied(&round.changes);
            if !is_again {
                return;
            }
        }
    }

    async fn write(&self, round: Arc<Round>) -> Result<(), StateError> {
        let (now, recall) = (self.clock.now(), self.recall());
        self.state.apply(round, now, recall).await
    }

    fn take_round(&self, forced: Forced) -> Round {
        // Read first: what the dispatcher offers after this does not count as seen.
        let dispatched = self.dispatched();
        let (changes, keeping) = self.plugin_state.gather(|| {
            // Listed here: a lane that begins before has no effect that is not gathered with its outcome.
            let lanes: Vec<Arc<Lane>> = self.lanes().values().cloned().collect();
            lanes.iter().filter_map(|lane| lane.take_change(dispatched, forced)).collect()
        });
        Round { changes, keeping }
    }

    fn applied(&self, changes: &[Change]) {
        let lanes = self.lanes();
        if changes.iter().any(|change| !change.dead.is_empty()) {
            self.letters.set_stale();
        }
        for change in changes {
            if let Some(last) = change.dead.last() {
                let (count, error) = (change.dead.len(), &last.last.error);
                tracing::warn!(subscription = %change.key, count, %error, "deliveries became dead letters");
            }
            if let Some(lane) = lanes.get(&change.key)
                && lane.lock().applied(change)
            {
                lane.wake();
            }
        }
    }

    async fn sweep_plugin_state(&self) {
        let over = self.plugin_state.over(self.clock.now());
        if over.is_empty() {
            return;
        }
        match self.state.run(move |tx| sweep(tx, &over, SWEPT_MAX)).await {
            Ok(swept) => self.plugin_state.swept(&swept),
            Err(error) => tracing::debug!(%error, "what plugins kept and has expired stays"),
        }
    }

    /// Ends the subscriptions whose span is over: of removed rules, and of replays.
    pub(crate) async fn reap(&self) {
        if !self.state_is_well() {
            return; // What ended subscriptions have to say last may not be written down yet.
        }
        // Most rounds find nothing, and wait for nobody who changes the roster.
        if !self.lanes().values().any(|lane| lane.lock().is_ended()) {
            return;
        }
        let _roster = self.roster.lock().await;
        let over: Vec<Key> = {
            let lanes = self.lanes();
            let over = lanes.iter().filter(|(_, lane)| lane.lock().is_ended());
            over.map(|(key, _)| key.clone()).collect()
        };
        if over.is_empty() {
            return;
        }
        let (replaying, retired): (Vec<Key>, Vec<Key>) =
            over.into_iter().partition(|key| key.replay.is_some());
        let completed = self.completed(&replaying);
        let ended: Vec<Key> = {
            let of_completed = replaying.into_iter().filter(|key| completed.contains(&key.replay));
            retired.into_iter().chain(of_completed).collect()
        };
        let now = self.clock.now();
        let keys = ended.clone();
        let unread: Vec<_> = completed
            .iter()
            .flatten()
            .cloned()
            .map(|name| {
                let damaged = self.damaged_of(&name);
                (name, damaged)
            })
            .collect();
        let written = self.state.run(move |tx| {
            for (name, damaged) in unread.into_iter().filter(|(_, damaged)| 0 < *damaged) {
                ReplayRow::damaged(tx, &name, damaged)?;
            }
            for key in &keys {
                ReplayRow::fold(tx, key)?;
                Subscription::end(tx, key)?;
            }
            ReplayRow::complete(tx, now)?;
            ReplayRow::forget_ended(tx)
        });
        match written.await {
            Ok(()) => {
                let mut lanes = self.lanes();
                for key in &ended {
                    lanes.remove(key);
                }
                for name in completed.iter().flatten() {
                    self.players.remove(name);
                    self.plugin_state.forget(name);
                    tracing::info!(replay = %name, "replay over");
                }
            }
            Err(error) => tracing::warn!(%error, "an ended subscription is not yet written down"),
        }
    }

    /// The replays of which every subscription has ended.
    fn completed(&self, ended: &[Key]) -> Vec<Option<Arc<str>>> {
        let lanes = self.lanes();
        let mut names: Vec<Option<Arc<str>>> = ended.iter().map(|key| key.replay.clone()).collect();
        names.sort();
        names.dedup();
        names.retain(|name| {
            lanes.iter().all(|(key, lane)| key.replay != *name || lane.lock().is_ended())
        });
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_done_sometimes_goes_by_the_clock_and_not_by_the_rounds() {
        let second = Duration::from_secs(1);
        let mut sometimes = Sometimes { every: 5 * second, last: second };
        let mut due = |at: Duration| sometimes.is_due(at);
        assert!((0..1000).all(|round| !due(second + second / 1000 * round)));
        assert!(due(6 * second) && !due(6 * second) && !due(10 * second));
        assert!(due(30 * second) && !due(34 * second));
    }
}
