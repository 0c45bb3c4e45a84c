//! What a work told about the target, and about the plugins on the way to it.

use std::time::Duration;

use delivery::{Answer, RetryAfter};
use event::Timestamp;

/// How long a target is left alone at most because it asked for it.
pub(crate) const HOLD_MAX: Duration = Duration::from_secs(60 * 60);

/// What the attempts of a work told about the target.
#[derive(Debug, Default, Clone)]
pub(crate) struct Heard {
    /// Requests that were made.
    pub requests: u32,
    /// Whether one got an answer that says that the target works.
    pub has_answered: bool,
    /// How many failed since.
    pub failures: u32,
    /// That the target is gone, in its words.
    pub gone: Option<String>,
    /// Until when the target wants to be left alone.
    pub hold_until: Option<Timestamp>,
    /// What the transform told of its plugins.
    pub plugins: Plugins,
}

/// What a transform told of the plugins in it.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) enum Plugins {
    /// None was called.
    #[default]
    Silent,
    /// They answered in order, also with an error.
    Answered,
    /// One crashed, or was over a limit: which, on what event and how, in words.
    Failed(String),
    /// The same on an event that has failed before: it may be the event.
    FailedAgain(String),
}

impl Heard {
    /// One request was made.
    pub(crate) fn take_in(&mut self, answer: &Answer, now: Timestamp) {
        self.requests += 1;
        match answer {
            Answer::Accepted | Answer::Refused { .. } => {
                self.has_answered = true;
                self.failures = 0;
            }
            Answer::Gone { reason } => self.gone = Some(reason.clone()),
            Answer::Unavailable { retry_after, .. } => {
                self.failures += 1;
                let until = retry_after.map(|retry_after| match retry_after {
                    RetryAfter::For(span) => now.after(span),
                    RetryAfter::Until(time) => time,
                });
                self.hold_until = self.hold_until.max(until.map(|at| at.min(now.after(HOLD_MAX))));
            }
            Answer::TimedOut { .. } => self.failures += 1,
        }
    }
}
