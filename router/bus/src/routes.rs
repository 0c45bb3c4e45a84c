//! A rule set with its targets made ready to send: what a swap swaps in.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use delivery::{CircuitOptions, HttpOptions, HttpTarget, LogTarget, Over, RetryPolicy, Target};
use event::Event;
use ruleset::{Rule, RuleSet, TargetKind};
use sha2::{Digest, Sha256};

use crate::core::Core;
use crate::forward::BusTarget;
use crate::key::Key;
use crate::making::{self, Circles, Making, Openings};
use crate::router::SwapError;

const DIGEST_CHARS: usize = 16;

/// One rule and one target of it, ready.
pub(crate) struct Route {
    pub key: Key,
    pub rule: Arc<Rule>,
    pub target: Arc<ruleset::Target>,
    pub sender: Arc<dyn Target>,
    pub policy: RetryPolicy,
    /// For one attempt, where the target has no limit of its own.
    pub timeout: Option<Duration>,
    /// The beginning of the digest of the rules that this route is of.
    pub digest: Arc<str>,
    /// Where its transforms run, when plugins are among them.
    pub making: Option<Arc<Making>>,
    /// Of the circuit of its plugins.
    pub openings: Arc<Openings>,
}

impl Route {
    /// The order that the event is part of, if its target has one. It is on disk: it never changes.
    pub(crate) fn order_of(&self, event: &Event) -> Option<u64> {
        let key = self.target.flow.order_by.as_ref()?.key(event)?;
        let hash = Sha256::digest(key.as_bytes());
        let first = hash.first_chunk::<8>().expect("SHA-256 has 32 bytes");
        Some(u64::from_le_bytes(*first))
    }

    pub(crate) fn circuit(&self) -> CircuitOptions {
        let ruleset::Circuit { failures, probe_after } = self.target.flow.circuit;
        CircuitOptions { failures, probe_after }
    }
}

impl std::fmt::Debug for Route {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.key)
    }
}

/// An immutable snapshot: the rules, and a route for each of their targets.
pub(crate) struct Routes {
    pub rules: Arc<RuleSet>,
    pub by_key: BTreeMap<Key, Arc<Route>>,
}

impl Routes {
    /// # Errors
    ///
    /// When a target cannot be made; nothing is changed then.
    pub(crate) fn new(core: &Arc<Core>, rules: Arc<RuleSet>) -> Result<Self, SwapError> {
        let mut by_key = BTreeMap::new();
        let digest = short_digest(&rules);
        let circles = Circles::of(&rules);
        for rule in rules.rules().iter().filter(|rule| rule.enabled) {
            for target in &rule.targets {
                let key = Key::live(&rule.bus, &rule.name, &target.id);
                let sender = sender(core, &key, target).map_err(|reason| SwapError::Target {
                    rule: rule.name.clone(),
                    target: target.id.clone(),
                    reason,
                })?;
                let route = Route {
                    key: key.clone(),
                    rule: Arc::clone(rule),
                    target: Arc::clone(target),
                    sender,
                    policy: policy(&target.retry),
                    timeout: timeout(target),
                    digest: Arc::clone(&digest),
                    making: making::queue(core, (&key, target), &circles),
                    openings: Arc::default(),
                };
                by_key.insert(key, Arc::new(route));
            }
        }
        Ok(Self { rules, by_key })
    }

    /// The route of a subscription; a replay uses that of the rule it replays to.
    pub(crate) fn of(&self, key: &Key) -> Option<&Arc<Route>> {
        match key.replay {
            None => self.by_key.get(key),
            Some(_) => self.by_key.get(&key.without_replay()),
        }
    }

    /// The pattern of a subscription's rule; none where it has no rule.
    pub(crate) fn pattern_of(&self, key: &Key) -> Option<&str> {
        self.of(key).map(|route| route.rule.pattern.text())
    }
}

/// Enough of a rule set's digest to know it by.
pub(crate) fn short_digest(rules: &RuleSet) -> Arc<str> {
    rules.digest().chars().take(DIGEST_CHARS).collect::<String>().into()
}

fn sender(
    core: &Arc<Core>,
    key: &Key,
    target: &ruleset::Target,
) -> Result<Arc<dyn Target>, String> {
    if let Some(made) = core.outside.target(key, &target.kind) {
        return Ok(made);
    }
    Ok(match &target.kind {
        TargetKind::Http(http) => {
            let options = HttpOptions {
                url: http.url.clone(),
                headers: http.headers.clone(),
                timeout: target.flow.timeout,
                connection: http
                    .connection
                    .clone()
                    .map(|name| Over { name, connections: core.options.connections.clone() }),
            };
            let target = HttpTarget::new(core.client.clone(), options);
            Arc::new(target.map_err(|error| error.to_string())?)
        }
        TargetKind::Log(log) => Arc::new(match &log.file {
            Some(file) => LogTarget::file(Path::new(file)),
            None => LogTarget::Console,
        }),
        TargetKind::Bus(bus) => Arc::new(BusTarget::new(core, &bus.bus)),
    })
}

/// An HTTP target counts by itself, and says in which part of the attempt the time went.
fn timeout(target: &ruleset::Target) -> Option<Duration> {
    match target.kind {
        TargetKind::Http(_) => None,
        TargetKind::Log(_) | TargetKind::Bus(_) => Some(target.flow.timeout),
    }
}

fn policy(retry: &ruleset::Retry) -> RetryPolicy {
    RetryPolicy {
        attempts_max: retry.attempts_max,
        age_max: retry.age_max,
        backoff_min: retry.backoff_min,
        backoff_max: retry.backoff_max,
    }
}
