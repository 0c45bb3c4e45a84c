//! What somebody asks of the reloader: a change of the plugins or of a rule, or a look at the folders now.
//!
//! ```text
//! request ─▶ Intake ─▶ the reloader's own task, one after the other ─▶ answer
//! ```
//!
//! # Not here
//!
//! - What is done: [`crate::watch`] does it, between two looks of its own.

use tokio::sync::{mpsc, oneshot};

use crate::load::Rejection;
use crate::owed::Owed;
use crate::plugins::intake::{Change, Refusal, Taken};
use crate::sent_rules::{self, RuleName};

/// Requests that wait for their turn.
const WAITING_MAX: usize = 16;

pub(crate) enum Asked {
    Plugin {
        change: Change,
        answer: oneshot::Sender<Result<Taken, Refusal>>,
    },
    Rule {
        rule: RuleName,
        change: sent_rules::Change,
        answer: oneshot::Sender<Result<sent_rules::Taken, sent_rules::Refusal>>,
    },
    Reload {
        answer: oneshot::Sender<Result<Reloaded, ReloadError>>,
    },
}

/// The rules that lie in the folder run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reloaded {
    pub(crate) generation: u64,
    /// False when rules and plugins are what they were before.
    pub(crate) is_new: bool,
    pub(crate) rules: usize,
    pub(crate) files: usize,
    pub(crate) tests: usize,
    /// What lost its rule by it, and is owed something.
    pub(crate) removed: Vec<Owed>,
}

/// Why the old rules stay.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReloadError {
    #[error("{}", .0.message)]
    Rejected(Rejection),

    #[error("the new rules could not be taken into service: {0}")]
    NotSwapped(String),

    #[error("the router is stopping")]
    Stopping,
}

/// The way to the reloader.
#[derive(Clone)]
pub(crate) struct Intake(mpsc::Sender<Asked>);

impl Intake {
    pub(crate) fn new() -> (Self, mpsc::Receiver<Asked>) {
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        (Self(sender), receiver)
    }

    /// Returns when the change is in service, or refused.
    pub(crate) async fn change_plugin(&self, change: Change) -> Result<Taken, Refusal> {
        let (answer, answered) = oneshot::channel();
        let sent = self.0.send(Asked::Plugin { change, answer }).await;
        sent.map_err(|_stopped| Refusal::Stopping)?;
        answered.await.unwrap_or(Err(Refusal::Stopping))
    }

    /// Returns when the change is in service, or refused. Every interface that makes rules comes in here.
    pub(crate) async fn change_rule(
        &self,
        rule: RuleName,
        change: sent_rules::Change,
    ) -> Result<sent_rules::Taken, sent_rules::Refusal> {
        let (answer, answered) = oneshot::channel();
        let sent = self.0.send(Asked::Rule { rule, change, answer }).await;
        sent.map_err(|_stopped| sent_rules::Refusal::Stopping)?;
        answered.await.unwrap_or(Err(sent_rules::Refusal::Stopping))
    }

    /// Returns when what lies in the folders runs, or is refused.
    pub(crate) async fn reload(&self) -> Result<Reloaded, ReloadError> {
        let (answer, answered) = oneshot::channel();
        let sent = self.0.send(Asked::Reload { answer }).await;
        sent.map_err(|_stopped| ReloadError::Stopping)?;
        answered.await.unwrap_or(Err(ReloadError::Stopping))
    }
}
