//! What other rules would have done: two rule sets over the same events.
//!
//! ```text
//! running   ─┐                     ┌─ the same: never matched again
//!            ├─▶ Comparison (plan) ┤
//! candidate ─┘                     └─ differs: one Matcher for both sides, by bus
//!                                       │ each event once
//!                                       ▼
//!           gained · lost · another output · another destination · the same     ─▶ Tally ─▶ Report
//! ```
//!
//! # Invariants
//!
//! - Counts are those of running both sets whole: what is left out cannot differ.
//! - An event is parsed and matched once for both sides, and transformed only for a subscription whose
//!   outcome may differ.
//! - Nothing is sent, and nothing is counted: transforms run to be looked at.
//! - **bounded**: a [`Tally`] keeps counts and a few offsets for each subscription, however many events.
//!
//! # Not here
//!
//! - Where events come from, threads, and running plugins: whoever asks brings them.
//! - What a bus target passes on: it is compared where it goes, not followed further.
//! - State of plugins: each event meets none.

mod example;
mod look;
mod plan;
mod report;
mod tally;
mod verdict;
mod words;

use std::collections::BTreeMap;
use std::sync::Arc;

use pattern::keys::Needs;
use pattern::{Matcher, Pattern};

use crate::rule::{Rule, Target};
use crate::rule_set::RuleSet;

pub use example::Example;
pub use look::{Look, Make, Seen};
pub use report::{Compared, Find, Report, Totals};
pub use tally::{Kind, Tally};

/// A block of events is judged by the keys that so many patterns need; by none when there are more.
const NEEDS_MAX: usize = 64;

/// Two rule sets, and where they differ.
pub struct Comparison {
    running: Arc<RuleSet>,
    candidate: Arc<RuleSet>,
    /// Those that differ, by bus, rule and target.
    differing: Vec<Differing>,
    /// Subscriptions that are the same.
    same: usize,
    /// Rules of both sets, each name once, and those of them that differ.
    rules: usize,
    rules_differ: usize,
    buses: BTreeMap<String, OnBus>,
}

/// A subscription that is not the same on both sides.
struct Differing {
    bus: String,
    before: Option<Side>,
    after: Option<Side>,
    change: Change,
    /// What changed, for people.
    words: Vec<String>,
    differs: Differs,
}

/// A rule and one of its targets.
#[derive(Clone)]
pub struct Side {
    pub rule: Arc<Rule>,
    pub target: Arc<Target>,
}

/// What became of a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    Added,
    Removed,
    Changed,
    /// One is gone, and another one that does the same has come.
    Renamed,
}

/// In what respect the two sides differ, where both are there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Differs {
    pattern: bool,
    /// Outputs may differ.
    outputs: bool,
    destination: bool,
    /// Retries, rates, headers and the like: no event goes elsewhere for it.
    delivery: bool,
}

/// What is asked of the events of one bus.
struct OnBus {
    matcher: Matcher,
    /// By number of the pattern: who wants it.
    wants: Vec<Vec<Wants>>,
    needs: Option<Vec<Needs>>,
}

/// A pattern is that of these sides of a subscription.
#[derive(Debug, Clone, Copy)]
struct Wants {
    /// Its position among those that differ.
    at: usize,
    sides: u8,
}

const BEFORE: u8 = 1;
const AFTER: u8 = 2;

impl Comparison {
    pub fn new(running: Arc<RuleSet>, candidate: Arc<RuleSet>) -> Self {
        plan::plan(running, candidate)
    }

    /// The buses on which an event may meet a difference, in the order of their names.
    pub fn buses(&self) -> impl Iterator<Item = &str> {
        self.buses.keys().map(String::as_str)
    }

    /// Whether both sets say the same of every subscription.
    pub fn is_same(&self) -> bool {
        self.differing.is_empty()
    }

    /// What events must hold to meet a difference: one of these. None where any event may.
    pub fn needs(&self, bus: &str) -> Option<&[Needs]> {
        self.buses.get(bus)?.needs.as_deref()
    }

    /// Whether a plugin runs in what differs, and whether one that keeps state does.
    pub fn plugins(&self) -> (bool, bool) {
        let looked_at = self.differing.iter().filter(|one| one.is_looked_at());
        let targets = looked_at.flat_map(|one| [&one.before, &one.after]).flatten();
        let targets: Vec<&Side> = targets.collect();
        (
            targets.iter().any(|side| side.target.calls_plugins()),
            targets.iter().any(|side| !side.target.stateful().is_empty()),
        )
    }
}

impl Differing {
    /// The side that is there; of two the new one.
    fn side(&self) -> &Side {
        self.after.as_ref().or(self.before.as_ref()).expect("one side is there")
    }

    /// Whether what becomes of an event may differ.
    fn is_looked_at(&self) -> bool {
        let Differs { pattern, outputs, destination, .. } = self.differs;
        self.before.is_none() || self.after.is_none() || pattern || outputs || destination
    }
}

impl Side {
    fn pattern(&self) -> &Pattern {
        &self.rule.pattern
    }
}
