//! What rules and targets that a reload removes are still owed.
//!
//! # Invariants
//!
//! - nothing silent: a backlog that loses its rule is told at that reload, with how long it is kept.

use std::collections::BTreeSet;

use bus::{Router, SubscriptionStatus};
use event::Timestamp;
use serde::Serialize;

/// A subscription without a rule, and what it had not sent yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Owed {
    bus: String,
    rule: String,
    target: String,
    /// Events of the journal that it has not looked at.
    behind: u64,
    /// Deliveries that wait for their turn, or are under way.
    under_way: usize,
    /// When it is over, unless its rule is back by then.
    kept_until: Option<Timestamp>,
}

/// The subscriptions that have no rule; replays are none.
pub(crate) struct Removed(BTreeSet<[String; 3]>);

impl Removed {
    pub(crate) fn now(router: &Router) -> Self {
        let all = router.status().subscriptions;
        Self(all.iter().filter(|one| is_removed(one)).map(key).collect())
    }

    /// Those that have become so since, and are owed something.
    pub(crate) fn since(&self, router: &Router) -> Vec<Owed> {
        let all = router.status().subscriptions.into_iter();
        let new = all.filter(|one| is_removed(one) && !self.0.contains(&key(one)));
        let owed = new.map(|one| Owed {
            behind: one.lag,
            under_way: one.queued + one.in_flight,
            kept_until: one.removed_until,
            bus: one.bus,
            rule: one.rule,
            target: one.target,
        });
        owed.filter(|one| 0 < one.behind || 0 < one.under_way).collect()
    }
}

impl Owed {
    pub(crate) fn tell(&self) {
        let Self { bus, rule, target, behind, under_way, kept_until } = self;
        let until = kept_until.map(|at| at.to_string()).unwrap_or_default();
        tracing::warn!(
            subscription = %format_args!("{bus}/{rule}/{target}"),
            behind, under_way, %until,
            "its rule or target was removed while it was owed events: it is still sent them, and keeps its place for a while, in case it comes back"
        );
    }
}

fn is_removed(one: &SubscriptionStatus) -> bool {
    one.removed.is_some() && one.replay.is_none()
}

fn key(one: &SubscriptionStatus) -> [String; 3] {
    [one.bus.clone(), one.rule.clone(), one.target.clone()]
}
