//! What is done to a lane from outside, so that it starts nothing more, or again.
//!
//! # Invariants
//!
//! - What is under way ends, and is judged as ever; what has not started is in the journal.
//! - A lane whose rule is gone is stopped by its target, and lets itself be let go, like any other.

use event::Timestamp;
use journal::Offset;

use super::Inner;
use crate::state::Stopped;

impl Inner {
    pub(in crate::lane) fn retire(&mut self, until: Offset, now: Timestamp) {
        if self.retired.is_some() {
            return;
        }
        self.retired = Some(now);
        self.feed.end_at(until);
        // What is under way right now is judged when it ends.
        self.waiting.disband();
        self.is_dirty = true;
    }

    /// Ends a lane that had no rule at `since` already and whose target takes nothing, with what it
    /// was owed. How many events it had not looked at; none where it goes on.
    pub(in crate::lane) fn give_up(&mut self, since: Timestamp) -> Option<u64> {
        let is_late = self.retired.is_some_and(|retired| retired <= since);
        let is_idle = self.running == 0 && !self.is_dirty && !self.waiting.has_rows();
        if !is_late || !is_idle || !self.gate.keeps_nothing() || self.has_ended_or_will() {
            return None;
        }
        self.is_cancelled = true;
        let end = self.feed.until.unwrap_or(self.settled);
        let unsettled = end.get().saturating_sub(self.settled.get());
        Some(unsettled.saturating_sub(self.done.range_cardinality(..end.get())))
    }

    /// Undoes [`Inner::give_up`].
    pub(in crate::lane) fn go_on(&mut self) {
        self.is_cancelled = false;
    }

    pub(in crate::lane) fn pause(&mut self, paused: Option<Stopped>) {
        self.gate.paused = paused;
        self.fall_back_if_shut();
    }

    /// The target of a replay is paused, or no longer.
    pub(in crate::lane) fn pause_target(&mut self, paused: Option<Stopped>) {
        self.gate.target_paused = paused;
        self.fall_back_if_shut();
    }

    pub(in crate::lane) fn probe_now(&mut self, now: Timestamp) -> bool {
        self.gate.probe_now(now)
    }

    /// Ends with what is under way; nothing more starts.
    pub(in crate::lane) fn cancel(&mut self, stopped: Stopped) {
        self.is_cancelled = true;
        self.pause(Some(stopped));
    }

    pub(in crate::lane) fn disable(&mut self, disabled: Option<Stopped>) {
        self.gate.disabled = disabled;
        self.newly_disabled = None; // Whoever calls this writes it down.
        self.fall_back_if_shut();
    }

    pub(in crate::lane) fn set_rate(&mut self, rate: Option<f64>) {
        self.gate.ask(rate);
    }
}
