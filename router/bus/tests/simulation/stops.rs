//! Targets that somebody pauses, or that say they are gone.
//!
//! # Invariants that it checks
//!
//! - What was answered stands, over restarts, too: a paused target is paused until it is resumed.
//! - To a paused target nothing is sent, but for what was on its way.

use std::time::Duration;

use slipswitch_bus::delivery::Delivery;
use slipswitch_bus::{Clock, Key as Subscription, Router};

use crate::claims::Found;
use crate::model::{Key, Model};
use crate::rules::Generation;
use crate::world::Sim;

/// Until then an attempt may begin that was about to.
const ON_ITS_WAY: Duration = Duration::from_secs(1);

fn subscription(key: &Key) -> Subscription {
    Subscription::live(&key.bus, &key.rule, &key.target)
}

/// Pauses a target, or resumes it.
pub(crate) async fn change(sim: &Sim, router: &Router) {
    let (key, pauses) = {
        let mut state = sim.lock();
        let rules: Vec<Generation> =
            state.model.versions.last().map(|version| version.rules.clone()).into_iter().collect();
        let keys: Vec<Key> = rules.iter().flat_map(Key::all).collect();
        if keys.is_empty() {
            return;
        }
        let key = keys[state.random.index(keys.len())].clone();
        let pauses = !state.model.paused.contains_key(&key);
        state.model.paused.remove(&key); // Nothing is known of it until there is an answer.
        (key, pauses)
    };
    let subscription = subscription(&key);
    let said = if pauses {
        let said = sim.ask(router.pause(&subscription, "the director wants it")).await;
        said.map(|said| said.map(|_| true))
    } else {
        let said = sim.ask(router.resume(&subscription)).await;
        said.map(|said| said.map(|said| said.was_stopped))
    };
    sim.note(|| format!("{key:?} is paused: {pauses}: {said:?}"));
    if matches!(said, Some(Ok(_))) && pauses {
        let now = sim.monotonic();
        sim.lock().model.paused.insert(key, now);
    }
}

/// Lets all targets go on that are stopped.
pub(crate) async fn end_all(sim: &Sim, router: &Router) {
    sim.lock().model.paused.clear();
    for one in &router.status().subscriptions {
        let key = Subscription::live(&one.bus, &one.rule, &one.target);
        if one.paused.is_some() && one.replay.is_none() {
            let said = router.resume(&key).await;
            sim.note(|| format!("{key} goes on: {said:?}"));
        }
        if one.disabled.is_some() {
            let said = router.enable(&key).await;
            sim.note(|| format!("{key} is enabled: {said:?}"));
        }
    }
}

impl Model {
    /// A subscription that ends is paused no more.
    pub(crate) fn forget_paused(&mut self, rules: &Generation) {
        self.paused.retain(|key, _| Self::has(rules, key));
    }

    pub(crate) fn check_paused(&mut self, delivery: &Delivery, now: Duration) {
        let key = Key::of(&delivery.id);
        // A refused batch is sent one by one, which takes a while.
        let has_batches =
            self.history.iter().flatten().any(|rule| key.is_of(rule) && rule.flow.batch.is_some());
        let since = self.paused.get(&key).filter(|_| delivery.id.replay.is_none());
        if !has_batches && since.is_some_and(|since| *since + ON_ITS_WAY < now) {
            self.wrong(format!("{} is sent to a paused target", delivery.id));
        }
    }

    pub(crate) fn check_stops(&mut self, found: &Found) {
        let lost: Vec<Key> = self
            .paused
            .keys()
            .filter(|key| found.subscriptions.contains_key(*key) && !found.paused.contains(*key))
            .cloned()
            .collect();
        for key in lost {
            self.wrong(format!("{key:?} was paused, and is not on disk"));
        }
        let kept = &found.subscriptions;
        self.paused.retain(|key, _| kept.contains_key(key));
    }
}
