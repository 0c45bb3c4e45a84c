//! Whether anything may start in a lane now: not while it is paused or disabled, and not faster
//! than its rate.
//!
//! # Invariants
//!
//! - Shut, a lane starts nothing and reads nothing; what is under way ends.

use std::time::Duration;

use delivery::Rate;

use super::Now;
use crate::state::Stopped;

/// What may start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pass {
    Free,
    /// Nothing, for as long as is known.
    Shut(Option<Duration>),
}

#[derive(Debug, Default)]
pub(super) struct Gate {
    pub(super) paused: Option<Stopped>,
    pub(super) disabled: Option<Stopped>,
    rate: Option<Rate>,
    /// What somebody asked for, instead of what the rule says.
    asked: Option<f64>,
}

impl Gate {
    pub(super) fn new(paused: Option<Stopped>, disabled: Option<Stopped>) -> Self {
        Self { paused, disabled, ..Self::default() }
    }

    /// The rule's rate, or another one that was asked for.
    pub(super) fn limit(&mut self, of_rule: Option<f64>, now: Duration) {
        match (self.asked.or(of_rule), &mut self.rate) {
            (None, rate) => *rate = None,
            (Some(next), Some(rate)) if rate.per_second() == next => (),
            (Some(next), Some(rate)) => rate.change(next, now),
            (Some(next), rate) => *rate = Some(Rate::new(next, now)),
        }
    }

    pub(super) fn ask(&mut self, rate: Option<f64>) {
        self.asked = rate;
    }

    pub(super) fn pass(&self, now: Now) -> Pass {
        if self.is_stopped() {
            return Pass::Shut(None);
        }
        match self.rate.as_ref().map(|rate| rate.wait(now.steady)) {
            Some(wait) if !wait.is_zero() => Pass::Shut(Some(wait)),
            Some(_) | None => Pass::Free,
        }
    }

    /// An attempt starts; or more of them have than was known.
    pub(super) fn take(&mut self, attempts: u32, now: Now) {
        if let Some(rate) = &mut self.rate {
            rate.take(attempts, now.steady);
        }
    }

    /// By a person, or by the target for good.
    pub(super) fn is_stopped(&self) -> bool {
        self.paused.is_some() || self.disabled.is_some()
    }

    /// Whether the backlog should wait in the journal, and not here.
    pub(super) fn keeps_nothing(&self) -> bool {
        self.is_stopped()
    }
}
