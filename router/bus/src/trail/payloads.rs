//! What the deliveries of an event carried.
//!
//! ```text
//! waits for a retry, or died ──▶ as it was made: it is kept
//! everything else            ──▶ made anew, by the rules that run: what was sent is not kept
//! ```
//!
//! # Invariants
//!
//! - What is made anew says so, and whether the rules have changed since. No figure of a plugin moves by it.
//! - bounded: so many transforms are run for one answer, and so many bytes are told.

use std::collections::BTreeMap;

use bytes::Bytes;
use event::{Event, Timestamp};
use journal::Offset;
use ruleset::Purpose;
use serde::Serialize;

use super::fate::{DeliveryFate, Fate, Place};
use crate::core::Core;
use crate::key::Key;
use crate::making::Outputs;
use crate::router::Router;
use crate::state::{self, Made, Payload, Postponed};

/// Transforms that are run for one answer.
const RUNS_MAX: usize = 100;
/// Payloads that are told in one answer, in bytes.
const BYTES_MAX: usize = 8 << 20;

/// What a delivery carried, as far as it can be told.
#[derive(Debug, Clone, Serialize)]
pub struct DeliveryPayload {
    pub made: PayloadMade,
    /// Made anew by other rules than those of its last attempt; none when no attempt is on record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rules_changed: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Why there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PayloadMade {
    /// As it was, or is to be, sent.
    Kept,
    /// For this answer, by the rules that run.
    Now,
}

/// What one target would get of the event now.
type Anew = Result<Vec<Payload>, String>;

/// What is left of the bounds of an answer.
struct Left {
    runs: usize,
    bytes: usize,
}

impl Router {
    /// Adds to each delivery what it carried.
    pub async fn add_payloads(&self, fate: &mut Fate) {
        let mut left = Left { runs: RUNS_MAX, bytes: BYTES_MAX };
        for place in &mut fate.places {
            self.core.add_payloads(place, &fate.rules, &mut left).await;
        }
    }
}

impl Core {
    async fn add_payloads(&self, place: &mut Place, running: &str, left: &mut Left) {
        let event = Event::read(Bytes::from(place.event.event.get().to_owned()));
        let event = event.map_err(|error| error.to_string());
        let mut anew: BTreeMap<Key, Anew> = BTreeMap::new();
        for one in &mut place.deliveries {
            let live = Key::live(&place.event.bus, &one.rule, &one.target);
            let key = one.replay.as_ref().map_or(live.clone(), |name| live.replaying(name));
            let told = match self.kept(&key, place.event.offset, one).await {
                Some(payload) => DeliveryPayload::kept(payload),
                None => {
                    if !anew.contains_key(&key) {
                        let made = self.anew(&key, &event, place.event.taken_at, left).await;
                        anew.insert(key.clone(), made);
                    }
                    let made = anew.get(&key).expect("just inserted");
                    let last = place.attempts.iter().rev().find(|attempt| {
                        let to = attempt.rule == one.rule && attempt.target == one.target;
                        to && attempt.replay == one.replay && attempt.output == one.output
                    });
                    let changed = last.map(|attempt| attempt.rules != running);
                    DeliveryPayload::anew(made, one.output, changed)
                }
            };
            one.payload = Some(told.within(left));
        }
    }

    /// The payload of what waits or has died.
    async fn kept(&self, key: &Key, offset: u64, one: &DeliveryFate) -> Option<Payload> {
        let (letter, owner) = (one.dead_letter, key.clone());
        let id = key.delivery(Offset::new(offset), one.output);
        let found = self.state.run(move |tx| {
            // What a replay has left behind waits in the live subscription.
            for (owner, replay) in [(&owner, None), (&owner.without_replay(), id.replay.clone())] {
                let place = state::Place { offset: id.offset, output: id.output, replay };
                if let Some(row) = Postponed::find(tx, owner, &place)? {
                    return Ok(Some(row.made));
                }
            }
            let letter = letter.map(|number| state::letters::find(tx, number)).transpose()?;
            Ok(letter.flatten().map(|letter| letter.last.made))
        });
        match found.await {
            Ok(Some(Made::Here(payload))) => Some(payload),
            Ok(_) => None,
            Err(error) => {
                tracing::warn!(%error, "the payload of what is owed cannot be read");
                None
            }
        }
    }

    async fn anew(
        &self,
        key: &Key,
        event: &Result<Event, String>,
        ingested: Timestamp,
        left: &mut Left,
    ) -> Anew {
        let event = event.as_ref().map_err(Clone::clone)?;
        let routes = self.routes.load_full();
        let route = routes.of(key).ok_or("its rule or target is not among the running rules")?;
        left.runs = left
            .runs
            .checked_sub(1)
            .ok_or_else(|| format!("not made: one answer runs {RUNS_MAX} transforms at most"))?;
        let event = match &key.replay {
            Some(name) => &event.replayed(name),
            None => event,
        };
        // Without an effect: what its plugins write is thrown away.
        let what_for = (key.replay.clone(), Purpose::Look);
        let made = self.transform(route, (event, ingested), what_for, (None, None)).await;
        match made.map_err(|error| format!("the transform fails: {error}"))? {
            Outputs::ToSend(payloads) => Ok(payloads),
            Outputs::Taken(_) => unreachable!("nobody was there to take them"),
            Outputs::Held => unreachable!("a look is not held back"),
        }
    }
}

impl DeliveryPayload {
    fn kept(payload: Payload) -> Self {
        Self::of(PayloadMade::Kept, Ok(payload))
    }

    fn anew(made: &Anew, output: u32, rules_changed: Option<bool>) -> Self {
        let payload = made.as_ref().map_err(Clone::clone).and_then(|payloads| {
            let found = usize::try_from(output).ok().and_then(|output| payloads.get(output));
            found.cloned().ok_or_else(|| match payloads.len() {
                0 => "its transform lets the event go".to_owned(),
                made => format!("its transform makes {made} of the event, and not this one"),
            })
        });
        Self { rules_changed, ..Self::of(PayloadMade::Now, payload) }
    }

    fn of(made: PayloadMade, payload: Result<Payload, String>) -> Self {
        let (payload, error) = match payload {
            Ok(payload) => (Some(payload), None),
            Err(error) => (None, Some(error)),
        };
        let body = payload.as_ref();
        let body = body.map(|payload| String::from_utf8_lossy(&payload.body).into_owned());
        let content_type = payload.map(|payload| payload.content_type);
        Self { made, rules_changed: None, content_type, body, error }
    }

    fn within(self, left: &mut Left) -> Self {
        let bytes = self.body.as_ref().map_or(0, String::len);
        match left.bytes.checked_sub(bytes) {
            Some(rest) => {
                left.bytes = rest;
                self
            }
            None => {
                let error = format!(
                    "{bytes} bytes, which are not told: one answer tells {BYTES_MAX} at most"
                );
                Self { body: None, error: Some(error), ..self }
            }
        }
    }
}
