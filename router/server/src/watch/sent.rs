//! The reloader's turn for a rule that somebody sends.

use tracing::info;

use super::{Reloader, Swapped};
use crate::load::Running;
use crate::sent_rules::{self, Change, Refusal, RuleName, Taken, Tried};

impl Reloader {
    /// Tries a change of a rule, and takes it into service.
    pub(super) async fn change_rule(
        &mut self,
        rule: RuleName,
        change: Change,
    ) -> Result<Taken, Refusal> {
        let (source, of) = (self.source.clone(), rule.clone());
        let (rules, shelf, texts) = self.running();
        let trying = tokio::task::spawn_blocking(move || {
            let (shelf, texts) = (shelf.as_deref(), texts.as_ref());
            let running = Running { rules: Some(&rules), shelf, texts };
            sent_rules::try_change(&source, running, &of, change)
        });
        let taken = match trying.await.expect("a panic ends the process") {
            Ok(tried) => self.take_rule(tried).await,
            Err(refusal) => Err(refusal),
        };
        let (bus, rule) = (rule.bus(), rule.name());
        match &taken {
            Ok(Taken { generation, is_new: true, .. }) => {
                info!(bus, rule, generation, "rule changed over an interface");
            }
            Ok(_) => (),
            Err(refusal) => info!(bus, rule, %refusal, "change of a rule refused"),
        }
        taken
    }

    async fn take_rule(&mut self, tried: Tried) -> Result<Taken, Refusal> {
        let digest = tried.seen.digest;
        let is_in_service = match &tried.broken {
            None => self.in_service == Some(digest) && self.seen.digest == digest,
            Some(_) => tried.is_running,
        };
        let is_created = tried.is_created;
        if is_in_service {
            let generation = self.board.read().generation.number;
            return Ok(Taken { generation, is_new: false, is_created, removed: Vec::new() });
        }
        let (seen, compiled) = (tried.seen.clone(), tried.compiled.clone());
        match self.swap(compiled, tried.broken.is_none().then_some(digest)).await {
            Ok(Swapped { generation, removed }) => {
                self.seen = seen;
                if let Some(rejection) = &tried.broken {
                    self.reject(rejection);
                }
                Ok(Taken { generation, is_new: true, is_created, removed })
            }
            Err(reason) => {
                let undoing = tokio::task::spawn_blocking(move || tried.undo());
                undoing.await.expect("a panic ends the process")?;
                Err(Refusal::NotSwapped(reason))
            }
        }
    }
}
