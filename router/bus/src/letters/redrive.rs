//! Sending dead letters again: to their own target as they are, or through the rules anew.
//!
//! # Invariants
//!
//! - A letter leaves the state `dead` in the transaction that makes a postponed delivery of it, or
//!   puts it into the queue for one.
//! - What is made anew takes along every letter that there is of it: no delivery has two letters.
//! - Every delivery of a redrive has the id that the event, the rule and the target gave it the first
//!   time: a target that has had it can tell.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use delivery::{DeliveryId, LetterState};
use event::Timestamp;
use journal::Offset;

use super::{Chosen, DeadLetterFilter};
use crate::core::Core;
use crate::key::Key;
use crate::lane::Lane;
use crate::router::Router;
use crate::routes::Routes;
use crate::state::letters;
use crate::state::{Letter, Made, Postponed, Recall, StateError, postpone};

/// How many are moved in one transaction.
const PAGE: usize = 200;
/// Refusals that are named one by one; of the others there is a count.
const REFUSED_MAX: usize = 100;

/// Which dead letters.
#[derive(Debug, Clone)]
pub enum Redrive {
    Ids(Vec<i64>),
    /// All that match; `before` and `limit` are not looked at.
    Matching(DeadLetterFilter),
}

/// Where a letter is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RedriveTo {
    /// Its own target, with the payload it had. One without is made anew.
    Target,
    /// Every target of the rules that match the event now, made anew; of these rules only, when
    /// some are named.
    Rules(Vec<String>),
}

/// What a redrive did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Redriven {
    pub redriven: u64,
    /// They follow when their targets have room.
    pub queued: u64,
    pub refused_total: u64,
    /// Each with the reason; these stay dead letters. The first ones only.
    pub refused: Vec<(i64, String)>,
}

impl Router {
    /// Gives dead letters back to their subscriptions, as deliveries that are due at once and
    /// count their attempts anew.
    ///
    /// # Errors
    ///
    /// When the state database fails; what was moved before stays moved.
    pub async fn redrive(&self, which: Redrive, to: RedriveTo) -> Result<Redriven, StateError> {
        let mut sum = Redriven::default();
        let which = match which {
            Redrive::Matching(filter) => {
                Redrive::Matching(DeadLetterFilter { before: None, ..filter })
            }
            ids @ Redrive::Ids(_) => ids,
        };
        let mut chosen = Chosen::new(which);
        while let Some(ids) = chosen.page(&self.core, PAGE).await? {
            self.core.redrive(ids, &to, &mut sum).await?;
        }
        Ok(sum)
    }
}

impl Core {
    /// Whoever asked for many may hang up between two of these, and not within one.
    async fn redrive(
        self: &Arc<Self>,
        ids: Vec<i64>,
        to: &RedriveTo,
        sum: &mut Redriven,
    ) -> Result<(), StateError> {
        let (core, to) = (Arc::clone(self), to.clone());
        let given = self.carried_out(async move { core.give_back(ids, to).await }).await??;
        sum.redriven += given.redriven;
        sum.queued += given.queued;
        sum.refused_total += given.refused_total;
        let room = REFUSED_MAX.saturating_sub(sum.refused.len());
        sum.refused.extend(given.refused.into_iter().take(room));
        Ok(())
    }

    async fn give_back(&self, ids: Vec<i64>, to: RedriveTo) -> Result<Redriven, StateError> {
        // No subscription comes or goes meanwhile.
        let _roster = self.roster.lock().await;
        let mut course = Course::new(self);
        let given = self.state.run(move |tx| {
            for id in ids {
                match letters::find(tx, id)? {
                    None => course.refuse(id, "there is no dead letter of this id"),
                    Some(_) if course.along.contains(&id) => course.given += 1,
                    Some(letter) => match standing(letter.state) {
                        Some(reason) => course.refuse(id, reason),
                        None => course.give(tx, letter, &to)?,
                    },
                }
            }
            Ok(course)
        });
        let course = given.await?;
        self.letters.set_stale();
        let to_u64 = |count| u64::try_from(count).unwrap_or(u64::MAX);
        let given = Redriven {
            redriven: to_u64(course.given),
            queued: to_u64(course.queued),
            refused_total: to_u64(course.refused.len()),
            refused: course.refused.clone(),
        };
        if 0 < course.queued {
            self.letters.set_queued();
        }
        course.wake();
        Ok(given)
    }
}

/// Why a letter is not sent again that does not wait for somebody.
fn standing(state: LetterState) -> Option<&'static str> {
    match state {
        LetterState::Dead => None,
        LetterState::Queued => Some("it waits to be sent again already"),
        LetterState::Redriven => Some("it is being sent again already"),
        LetterState::Delivered => Some("it was delivered when it was sent again"),
        LetterState::Moved => Some("it went through the rules again, to other targets"),
    }
}

/// One transaction's worth of letters that are sent again.
pub(super) struct Course {
    lanes: std::collections::BTreeMap<Key, Arc<Lane>>,
    routes: Arc<Routes>,
    recall: Box<Recall>,
    now: Timestamp,
    postponed_max: usize,
    scratch: ruleset::Scratch,
    /// What the lanes get once it is on disk.
    pub(super) moved: Vec<(Arc<Lane>, Postponed)>,
    /// Letters of deliveries that are made anew for others.
    pub(super) along: BTreeSet<i64>,
    /// Letters, not deliveries.
    given: usize,
    pub(super) queued: usize,
    pub(super) refused: Vec<(i64, String)>,
}

/// Whether a lane takes a delivery back.
enum Fit {
    Yes,
    /// Not now.
    Full,
    No(String),
}

impl Course {
    pub(super) fn new(core: &Core) -> Self {
        Self {
            lanes: core.lanes().clone(),
            routes: core.routes.load_full(),
            recall: core.recall(),
            now: core.clock.now(),
            postponed_max: core.options.postponed_max,
            scratch: ruleset::Scratch::default(),
            moved: Vec::new(),
            along: BTreeSet::new(),
            given: 0,
            queued: 0,
            refused: Vec::new(),
        }
    }

    fn refuse(&mut self, id: i64, reason: impl Into<String>) {
        self.refused.push((id, reason.into()));
    }

    /// Makes postponed deliveries of a letter, or queues it, or refuses it.
    pub(super) fn give(
        &mut self,
        tx: &rusqlite::Transaction<'_>,
        letter: Letter,
        to: &RedriveTo,
    ) -> Result<(), StateError> {
        let waiting = match self.deliveries(&letter, to) {
            Ok(waiting) => waiting,
            Err(reason) => {
                self.refuse(letter.id, reason);
                return Ok(());
            }
        };
        let mut fitting = Vec::new();
        let mut reason = None;
        for (key, delivery) in waiting {
            match self.fit(&key, &delivery) {
                Fit::Yes => fitting.push((key, delivery)),
                Fit::No(why) => reason = Some(why),
                Fit::Full => {
                    self.queued += 1;
                    return letters::mark(tx, &letter, (LetterState::Queued, to), self.now);
                }
            }
        }
        if fitting.is_empty() {
            let reason = reason.unwrap_or_else(|| "no rule matches its event now".to_owned());
            self.refuse(letter.id, reason);
            return Ok(());
        }
        let own = owner(&letter.last.id);
        let is_own = fitting.iter().any(|(key, _)| *key == own);
        let state = if is_own { LetterState::Redriven } else { LetterState::Moved };
        letters::mark(tx, &letter, (state, to), self.now)?;
        for (key, mut delivery) in fitting {
            postpone(tx, &key, &delivery)?;
            if let RedriveTo::Rules(_) = to {
                self.along.extend(letters::send_along(tx, &delivery.id, letter.id, self.now)?);
            }
            if let Made::Here(_) = delivery.made {
                delivery.made = Made::OnDisk;
            }
            self.moved.push((Arc::clone(&self.lanes[&key]), delivery));
        }
        self.given += 1;
        Ok(())
    }

    /// The deliveries that a letter becomes, and whose they are.
    fn deliveries(
        &mut self,
        letter: &Letter,
        to: &RedriveTo,
    ) -> Result<Vec<(Key, Postponed)>, String> {
        let last = &letter.last;
        let now = self.now;
        match to {
            RedriveTo::Target => {
                let again = Postponed { attempts: 0, owed_at: now, due_at: now, ..last.clone() };
                Ok(vec![(owner(&last.id), again)])
            }
            RedriveTo::Rules(only) => {
                let event = self
                    .event(letter)
                    .ok_or("its event is neither in the letter nor in the journal any more")?;
                let made_anew = |key: Key| {
                    let id = DeliveryId {
                        rule: Arc::clone(&key.rule),
                        target: Arc::clone(&key.target),
                        output: 0,
                        ..last.id.clone()
                    };
                    let made = Made::NotYet;
                    let again = Postponed {
                        id,
                        made,
                        attempts: 0,
                        owed_at: now,
                        due_at: now,
                        ..last.clone()
                    };
                    (key, again)
                };
                Ok(self.matching(&last.id.bus, &event, only)?.into_iter().map(made_anew).collect())
            }
        }
    }

    /// Where a letter would go through the rules; nothing is made of it.
    pub(super) fn targets(&mut self, letter: &Letter, only: &[String]) -> Result<Vec<Key>, String> {
        let event = self.event(letter).ok_or("its event is gone")?;
        self.matching(&letter.last.id.bus, &event, only)
    }

    fn event(&self, letter: &Letter) -> Option<Bytes> {
        let copy = letter.event.as_ref().map(|copy| copy.event.clone());
        copy.or_else(|| (self.recall)(&letter.last.id).map(|recalled| recalled.event))
    }

    /// The subscriptions of the rules that match an event, as the rules are now.
    fn matching(&mut self, bus: &str, event: &Bytes, only: &[String]) -> Result<Vec<Key>, String> {
        let Some(on_bus) = self.routes.rules.on(bus) else {
            return Err(format!("there is no rule on bus `{bus}` now"));
        };
        let matched = on_bus
            .matches(event, &mut self.scratch)
            .map_err(|error| format!("its event cannot be matched: {error}"))?;
        let wanted = matched.iter().filter(|rule| only.is_empty() || only.contains(&rule.name));
        let targets = wanted.flat_map(|rule| rule.targets.iter().map(move |target| (rule, target)));
        Ok(targets.map(|(rule, target)| Key::live(bus, &rule.name, &target.id)).collect())
    }

    fn fit(&self, key: &Key, delivery: &Postponed) -> Fit {
        let gone = || {
            Fit::No(format!(
                "there is no rule `{}` with a target `{}` on bus `{}` now; `--to rules` sends its event to the rules there are",
                key.rule, key.target, key.bus
            ))
        };
        let Some(lane) = self.lanes.get(key) else { return gone() };
        let inner = lane.lock();
        if inner.retired().is_some() {
            return gone();
        }
        let offset = Offset::new(delivery.id.offset);
        // What is made anew has outputs that are not known yet: it does not go beside others.
        let meets = |(id, is_unmade): (DeliveryId, bool)| {
            id.replay == delivery.id.replay
                && (id == delivery.id || is_unmade || delivery.made == Made::NotYet)
        };
        let joining = self.moved.iter().filter(|(other, _)| Arc::ptr_eq(other, lane));
        let is_joined = joining.clone().any(|(_, other)| {
            other.id.offset == delivery.id.offset
                && meets((other.id.clone(), other.made == Made::NotYet))
        });
        if is_joined || inner.waiting_of(offset).any(meets) {
            return Fit::No("its event is being delivered to this target already".to_owned());
        }
        // A replay's deliveries never meet those of the live subscription: their ids differ.
        if delivery.id.replay.is_none() && !inner.is_past(offset) {
            return Fit::No("its event is still to be delivered to this target".to_owned());
        }
        let (_, _, waiting) = inner.sizes();
        if self.postponed_max <= waiting + joining.count() { Fit::Full } else { Fit::Yes }
    }

    /// After the transaction: the lanes go on with what they were given.
    pub(super) fn wake(self) {
        for (lane, waiting) in self.moved {
            lane.resume(vec![waiting]);
        }
    }
}

/// The subscription a dead letter goes back to: the live one, because a replay's is gone.
fn owner(id: &DeliveryId) -> Key {
    Key::live(&id.bus, &id.rule, &id.target)
}
