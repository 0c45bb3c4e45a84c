//! What arrived at the receivers, sorted by delivery.

use std::collections::{BTreeMap, BTreeSet};

use receiver::Request;

use crate::demo::expected::{Body, Key};

/// What the attempts of one delivery came to.
#[derive(Default)]
pub(super) struct Delivery {
    pub(super) ids: BTreeSet<String>,
    pub(super) attempts: usize,
    pub(super) accepted: usize,
    /// Answered with something final that is no acceptance.
    pub(super) refused: usize,
    pub(super) last_attempt: u32,
    /// Of the accepted attempt.
    pub(super) body: String,
}

pub(super) type Arrived = BTreeMap<Key, Delivery>;

/// Live deliveries, or those of one replay. Requests that are no deliveries are left out.
pub(super) fn sort<'a>(
    requests: impl IntoIterator<Item = &'a Request>,
    replay: Option<&str>,
) -> Arrived {
    let mut arrived = Arrived::new();
    for request in requests {
        let Some((key, found_replay)) = key(request) else { continue };
        if found_replay != replay {
            continue;
        }
        let delivery = arrived.entry(key).or_default();
        delivery.ids.extend(request.delivery_id().map(str::to_owned));
        delivery.attempts += 1;
        delivery.last_attempt = delivery.last_attempt.max(request.attempt().unwrap_or(0));
        if request.was_accepted() {
            delivery.accepted += 1;
            delivery.body = request.text();
        } else if request.answered == 400 {
            delivery.refused += 1;
        }
    }
    arrived
}

/// `<bus>/<offset>/<rule>/<target>/<output>[;replay=<name>]`, and the event's id from its own header.
fn key(request: &Request) -> Option<(Key, Option<&str>)> {
    let id = request.delivery_id()?;
    let (id, replay) = match id.split_once(";replay=") {
        Some((id, replay)) => (id, Some(replay)),
        None => (id, None),
    };
    let output = id.rsplit('/').next()?.parse().ok()?;
    let own = |name: &str| request.header(name).map(str::to_owned);
    let key = Key {
        rule: own("slipswitch-rule")?,
        target: own("slipswitch-target")?,
        event_id: own("slipswitch-event-id")?,
        output,
    };
    Some((key, replay))
}

/// What is wrong with what arrived: missing, unexpected, or of another content. Empty when all is well.
pub(super) fn compare(expected: &BTreeMap<Key, Body>, arrived: &Arrived) -> Vec<String> {
    let mut wrong = Vec::new();
    for (key, body) in expected {
        match arrived.get(key).filter(|delivery| delivery.accepted > 0) {
            None => wrong.push(format!("missing: {}", shown(key))),
            Some(delivery) if delivery.ids.len() != 1 => {
                wrong.push(format!(
                    "one delivery under {} names: {}",
                    delivery.ids.len(),
                    shown(key)
                ));
            }
            Some(delivery) if !body.fits(&delivery.body) => {
                wrong.push(format!(
                    "other than expected: {}\n    arrived:  {}",
                    shown(key),
                    delivery.body
                ));
                wrong.push(format!("    expected: {body:?}"));
            }
            Some(_) => (),
        }
    }
    let unexpected = arrived.keys().filter(|key| !expected.contains_key(key));
    wrong.extend(unexpected.map(|key| format!("not expected: {}", shown(key))));
    wrong
}

/// How many of the expected deliveries have been accepted.
pub(super) fn accepted(expected: &BTreeMap<Key, Body>, arrived: &Arrived) -> usize {
    let is_there = |key: &&Key| arrived.get(key).is_some_and(|delivery| delivery.accepted > 0);
    expected.keys().filter(is_there).count()
}

fn shown(key: &Key) -> String {
    format!(
        "rule {}, target {}, event {}, output {}",
        key.rule, key.target, key.event_id, key.output
    )
}
