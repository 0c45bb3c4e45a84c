//! Dead letters: looking at them, and sending them again.

use std::sync::Arc;

use delivery::DeadLetter;
use event::Timestamp;
use journal::Offset;
use serde_json::value::RawValue;

use crate::core::Core;
use crate::key::Key;
use crate::lane::Lane;
use crate::router::Router;
use crate::state::{self, Dead, Made, Postponed, StateError};

/// How many are moved in one transaction.
const PAGE: usize = 500;

/// Which dead letters; all of them by default, newest first.
#[derive(Debug, Clone, Default)]
pub struct DeadLetterFilter {
    pub bus: Option<String>,
    pub rule: Option<String>,
    pub target: Option<String>,
    /// Only those with a smaller id: the next page.
    pub before: Option<i64>,
    pub limit: usize,
}

/// What to send again.
#[derive(Debug, Clone)]
pub enum Redrive {
    Ids(Vec<i64>),
    /// All that match; `before` and `limit` are not looked at.
    Matching(DeadLetterFilter),
}

/// What a redrive did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Redriven {
    pub redriven: usize,
    /// Each with the reason; these stay dead letters.
    pub refused: Vec<(i64, String)>,
}

impl Router {
    /// Dead letters, newest first.
    ///
    /// # Errors
    ///
    /// When the state database cannot be read.
    pub async fn dead_letters(
        &self,
        filter: DeadLetterFilter,
    ) -> Result<Vec<DeadLetter>, StateError> {
        let found = self.core.state.run(move |tx| state::select_dead(tx, &filter)).await?;
        Ok(found.into_iter().map(|(id, dead)| self.core.letter(id, dead)).collect())
    }

    /// Gives dead letters back to their subscriptions, as deliveries that are due at once and
    /// count their attempts anew.
    ///
    /// # Errors
    ///
    /// When the state database fails; what was moved before stays moved.
    pub async fn redrive(&self, which: Redrive) -> Result<Redriven, StateError> {
        let mut sum = Redriven::default();
        match which {
            Redrive::Ids(ids) => {
                for ids in ids.chunks(PAGE) {
                    self.core.redrive(ids.to_vec(), &mut sum).await?;
                }
            }
            Redrive::Matching(filter) => {
                let mut page = DeadLetterFilter { before: None, limit: PAGE, ..filter };
                loop {
                    let asked = page.clone();
                    let found =
                        self.core.state.run(move |tx| state::select_dead(tx, &asked)).await?;
                    let ids: Vec<i64> = found.into_iter().map(|(id, _)| id).collect();
                    let Some(last) = ids.last() else { break };
                    page.before = Some(*last);
                    self.core.redrive(ids, &mut sum).await?;
                }
            }
        }
        Ok(sum)
    }
}

impl Core {
    async fn redrive(&self, ids: Vec<i64>, sum: &mut Redriven) -> Result<(), StateError> {
        // No subscription comes or goes meanwhile.
        let _roster = self.roster.lock().await;
        let lanes = self.lanes().clone();
        let (now, postponed_max) = (self.clock.now(), self.options.postponed_max);
        let moved = self.state.run(move |tx| {
            let mut moved: Vec<(Arc<Lane>, Postponed)> = Vec::new();
            let mut refused = Vec::new();
            for id in ids {
                let Some(dead) = state::find_dead(tx, id)? else {
                    refused.push((id, "there is no dead letter of this id".to_owned()));
                    continue;
                };
                let key = owner(&dead);
                match fit(lanes.get(&key), &key, &dead, &moved, postponed_max) {
                    Err(reason) => refused.push((id, reason)),
                    Ok(lane) => {
                        let waiting = again(dead, now);
                        state::postpone(tx, &key, &waiting)?;
                        state::remove_dead(tx, id)?;
                        moved.push((Arc::clone(lane), waiting));
                    }
                }
            }
            Ok((moved, refused))
        });
        let (moved, refused) = moved.await?;
        sum.redriven += moved.len();
        sum.refused.extend(refused);
        for (lane, mut waiting) in moved {
            if let Made::Here(_) = waiting.made {
                waiting.made = Made::OnDisk;
            }
            lane.resume(vec![waiting]);
        }
        Ok(())
    }

    fn letter(&self, id: i64, dead: Dead) -> DeadLetter {
        let Dead { last, died_at } = dead;
        let (payload, content_type) = match last.made {
            Made::Here(payload) => (
                Some(String::from_utf8_lossy(&payload.body).into_owned()),
                Some(payload.content_type),
            ),
            Made::NotYet | Made::OnDisk => (None, None),
        };
        let event = self.event_at(Offset::new(last.id.offset), last.id.replay.as_deref()).ok();
        DeadLetter {
            id,
            delivery_id: last.id.to_string(),
            bus: last.id.bus.as_ref().to_owned(),
            rule: last.id.rule.as_ref().to_owned(),
            target: last.id.target.as_ref().to_owned(),
            replay: last.id.replay.as_deref().map(ToOwned::to_owned),
            offset: last.id.offset,
            event_id: last.event_id,
            event: event.and_then(|(event, _)| RawValue::from_string(event.json().to_owned()).ok()),
            payload,
            content_type,
            error: last.error,
            attempts: last.attempts,
            owed_at: last.owed_at,
            last_attempt_at: last.last_attempt_at,
            died_at,
        }
    }
}

/// The subscription a dead letter goes back to: the live one, because a replay's is gone.
fn owner(dead: &Dead) -> Key {
    let id = &dead.last.id;
    Key::live(&id.bus, &id.rule, &id.target)
}

fn fit<'a>(
    lane: Option<&'a Arc<Lane>>,
    key: &Key,
    dead: &Dead,
    moved: &[(Arc<Lane>, Postponed)],
    postponed_max: usize,
) -> Result<&'a Arc<Lane>, String> {
    let gone = || {
        format!(
            "there is no rule `{}` with a target `{}` on bus `{}` now",
            key.rule, key.target, key.bus
        )
    };
    let lane = lane.ok_or_else(gone)?;
    let inner = lane.lock();
    if inner.is_retired() {
        return Err(gone());
    }
    let (_, _, waiting) = inner.sizes();
    let joining = moved.iter().filter(|(other, _)| Arc::ptr_eq(other, lane)).count();
    if waiting + joining >= postponed_max {
        return Err(format!(
            "{postponed_max} deliveries of this target wait already; redrive this one later"
        ));
    }
    let is_moved = |(_, other): &(Arc<Lane>, Postponed)| other.id == dead.last.id;
    if inner.is_waiting(&dead.last.id) || moved.iter().any(is_moved) {
        return Err("this delivery is being tried again already".to_owned());
    }
    Ok(lane)
}

fn again(dead: Dead, now: Timestamp) -> Postponed {
    Postponed { attempts: 0, owed_at: now, due_at: now, ..dead.last }
}
