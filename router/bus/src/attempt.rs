//! One run of an event through a subscription, or one more attempt at a postponed delivery.

use std::sync::Arc;
use std::time::Duration;

use delivery::{Answer, Attempt, Delivery, ErrorKind, Receipt, Verdict};
use event::{Event, Timestamp};
use journal::Offset;
use ruleset::{Purpose, TransformError};

use crate::core::Core;
pub(crate) use crate::heard::{HOLD_MAX, Heard, Plugins};
use crate::key::Key;
use crate::lane::{Lane, Owed, Part};
use crate::making::{self, Effect, Outputs, Room};
use crate::recall::Missing;
use crate::routes::Route;
use crate::state::{Dead, Made, Payload, Place, Postponed};
use crate::trail::{AttemptResult, Line, Sent};

/// Said of what waits behind an earlier delivery of its order.
pub(crate) const NOT_TRIED: &str = "not tried yet: an earlier delivery of the same order is owed";
/// Said of what is written down with the state of its plugins before it is sent.
pub(crate) const WRITTEN_FIRST: &str =
    "not tried yet: it is written down first, with the state of its plugins";
/// Said of what was given to plugins whose circuit opened before its turn came.
const HELD: &str = "not tried yet: the circuit of its plugins is open";

/// What became of one output.
#[derive(Debug)]
pub(crate) enum End {
    Delivered,
    /// Written down first, with the state of its plugins, and sent then.
    Written(Postponed),
    Postponed(Postponed),
    /// The router itself could not make the attempt: it is made later.
    PutOff(Timestamp),
    Dead(Dead),
}

/// What became of all outputs of one run; none when a transform dropped the event.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub ends: Vec<End>,
    pub failed_attempts: u32,
    /// The order that the event is part of, if it is.
    pub order: Option<u64>,
    pub heard: Heard,
}

/// A postponed delivery that is due.
#[derive(Debug)]
pub(crate) struct Retry {
    pub place: Place,
    /// None when it is to be read from its row.
    pub row: Option<Box<Postponed>>,
    /// Whether it was never tried before.
    pub is_untried: bool,
    /// Whether its payload is still to be made.
    pub is_unmade: bool,
    /// Room for it then, where its transform runs.
    pub room: Option<Room>,
}

/// The delivery that an attempt is part of.
pub(crate) struct Course<'a> {
    core: &'a Core,
    route: &'a Route,
    event_id: &'a str,
    hops: u8,
    /// Attempts before this one.
    attempts: u32,
    owed_at: Timestamp,
    order: Option<u64>,
}

/// Runs an event for the first time.
/// None when the outcome has taken effect already.
pub(crate) async fn event(
    core: &Core,
    lane: &Arc<Lane>,
    owed: Owed,
    room: Option<Room>,
) -> Option<Outcome> {
    let course = Course::new(core, &owed);
    let part = (lane, Part::Event(owed.offset));
    course.run(&lane.key, owed.offset, (&owed.event, owed.ingested), (part, room)).await
}

/// Tries a postponed delivery again. Its payload is made when there is none yet. None when the outcome has taken
/// effect already.
pub(crate) async fn retry(
    core: &Core,
    lane: &Arc<Lane>,
    route: &Route,
    mut retry: Retry,
) -> Option<Outcome> {
    let key = &lane.key;
    let part = (lane, Part::Retry(retry.place.clone()));
    let (is_written, room) = (retry.is_written(), retry.room.take());
    let waiting = match core.row(key, retry).await {
        Ok(Some(row)) => row,
        Ok(None) => return Some(Outcome::default()),
        Err(reason) => return Some(core.put_off(key, route, &reason)),
    };
    let course = Course {
        core,
        route,
        event_id: &waiting.event_id,
        hops: waiting.hops,
        attempts: waiting.attempts,
        owed_at: waiting.owed_at,
        order: waiting.order,
    };
    match waiting.made {
        Made::Here(payload) => {
            let mut outcome = Outcome { order: waiting.order, ..Outcome::default() };
            course.send(waiting.id, payload, &mut outcome).await;
            if is_written {
                outcome.keep_rows();
            }
            Some(outcome)
        }
        Made::NotYet | Made::OnDisk => {
            let offset = Offset::new(waiting.id.offset);
            // A replay's delivery that the live subscription has taken over stays one.
            let own = Key { replay: waiting.id.replay.clone(), ..key.clone() };
            match core.event_or_copy(&waiting.id).await {
                Ok((event, ingested)) => {
                    course.run(&own, offset, (&event, ingested), (part, room)).await
                }
                Err(Missing::Unread(reason)) => Some(core.put_off(key, route, &reason)),
                Err(Missing::Gone(reason)) => Some(course.lose(key, &waiting, &reason)),
            }
        }
    }
}

/// Gives a postponed delivery up whose rule is gone.
pub(crate) async fn bury(core: &Core, key: &Key, route: &Route, retry: Retry) -> Outcome {
    let is_written = retry.is_written();
    match core.row(key, retry).await {
        Ok(None) => Outcome::default(),
        Ok(Some(mut last)) => {
            last.error = format!(
                "{} (not tried again: its rule or target was removed or disabled)",
                last.error
            );
            let order = last.order;
            let (died_at, kind) = (core.clock.now(), ErrorKind::TargetGone);
            let rules = Some(Arc::clone(&route.digest));
            let dead = Dead { last: *last, died_at, kind, rules };
            let mut outcome = Outcome { ends: vec![End::Dead(dead)], order, ..Outcome::default() };
            if is_written {
                outcome.keep_rows();
            }
            outcome
        }
        Err(reason) => core.put_off(key, route, &reason),
    }
}

impl Retry {
    /// Whether the payload is in its row.
    fn is_written(&self) -> bool {
        self.row.as_ref().is_none_or(|row| row.made == Made::OnDisk)
    }
}

impl Outcome {
    /// Whether something of it is still to be delivered.
    pub(crate) fn is_owed(&self) -> bool {
        self.ends
            .iter()
            .any(|end| matches!(end, End::Postponed(_) | End::Written(_) | End::PutOff(_)))
    }

    /// A payload that was read from its row is still there.
    fn keep_rows(&mut self) {
        for end in &mut self.ends {
            let (End::Postponed(last) | End::Dead(Dead { last, .. })) = end else { continue };
            if let Made::Here(_) = last.made {
                last.made = Made::OnDisk;
            }
        }
    }
}

impl Core {
    async fn row(&self, key: &Key, retry: Retry) -> Result<Option<Box<Postponed>>, String> {
        let Retry { place, row, .. } = retry;
        let mut newer = match row {
            Some(row) if row.made == Made::OnDisk => Some(row),
            Some(row) => return Ok(Some(row)),
            None => None,
        };
        let owner = key.clone();
        match self.state.run(move |tx| Postponed::find(tx, &owner, &place)).await {
            Ok(Some(row)) => Ok(Some(match newer.take() {
                Some(newer) => Box::new(Postponed { made: row.made, ..*newer }),
                None => Box::new(row),
            })),
            Ok(None) => {
                tracing::error!(subscription = %key, "somebody removed a postponed delivery from the state database: it is not made");
                Ok(None)
            }
            Err(error) => Err(error.to_string()),
        }
    }

    /// The router's own disk did not give what the attempt needs: this is no attempt, it is made later.
    fn put_off(&self, key: &Key, route: &Route, reason: &str) -> Outcome {
        tracing::warn!(subscription = %key, %reason, "an attempt could not be made; it is put off");
        let due_at = self.clock.now().after(route.policy.backoff_max);
        Outcome { ends: vec![End::PutOff(due_at)], ..Outcome::default() }
    }
}

impl<'a> Course<'a> {
    /// Of an event's first run.
    pub(crate) fn new(core: &'a Core, owed: &'a Owed) -> Self {
        Self {
            core,
            route: &owed.route,
            event_id: owed.event.id(),
            hops: owed.hops,
            attempts: 0,
            owed_at: owed.ingested,
            order: owed.order,
        }
    }

    pub(crate) fn outcome(&self) -> Outcome {
        Outcome { order: self.order, ..Outcome::default() }
    }

    /// The event comes with its time of ingestion, which templates may show.
    async fn run(
        &self,
        key: &Key,
        offset: Offset,
        event: (&Event, Timestamp),
        (part, room): ((&Arc<Lane>, Part), Option<Room>),
    ) -> Option<Outcome> {
        let mut outcome = self.outcome();
        let effect = self.effect(part, (key, offset));
        match self.transform(event, key, (effect, room)).await {
            Ok(Outputs::Taken(outputs)) => {
                if outputs == 0 {
                    self.dropped(key.delivery(offset, 0));
                }
                return None;
            }
            Ok(Outputs::ToSend(payloads)) => {
                outcome.heard.plugins = Plugins::Answered;
                if payloads.is_empty() {
                    self.dropped(key.delivery(offset, 0));
                }
                for (output, payload) in (0_u32..).zip(payloads) {
                    let id = key.delivery(offset, output);
                    let is_behind_another = self.order.is_some()
                        && outcome.ends.iter().any(|end| matches!(end, End::Postponed(_)));
                    if is_behind_another {
                        outcome.ends.push(End::Postponed(self.in_line(id, payload)));
                    } else {
                        self.send(id, payload, &mut outcome).await;
                    }
                }
            }
            Ok(Outputs::Held) => outcome.ends.push(self.held(key.delivery(offset, 0))),
            Err(error) => self.unmade(key.delivery(offset, 0), error, &mut outcome),
        }
        Some(outcome)
    }

    /// What becomes of an event whose plugins keep state: its outputs are written down with the state, and then sent.
    pub(crate) fn effect(
        &self,
        (lane, part): (&Arc<Lane>, Part),
        (key, offset): (&Key, Offset),
    ) -> Option<Effect> {
        if self.route.target.stateful().is_empty() {
            return None;
        }
        let first = self.in_line(key.delivery(offset, 0), Payload::default());
        let first = Postponed { error: WRITTEN_FIRST.to_owned(), ..first };
        let (lane, core_now, key) = (Arc::clone(lane), self.core.now(), key.clone());
        Some(Box::new(move |payloads| {
            let mut outcome = Outcome { order: first.order, ..Outcome::default() };
            outcome.heard.plugins = Plugins::Answered;
            for (output, payload) in (0_u32..).zip(payloads) {
                let made = Made::Here(payload.clone());
                let row = Postponed { id: key.delivery(offset, output), made, ..first.clone() };
                outcome.ends.push(End::Written(row));
            }
            lane.lock().took_effect(part, outcome, core_now);
            lane.wake();
        }))
    }

    /// An event that is nowhere any more: nothing can be made of it.
    fn lose(&self, key: &Key, waiting: &Postponed, reason: &str) -> Outcome {
        let error = format!("its event is gone, and nothing was made of it before: {reason}");
        tracing::error!(subscription = %key, offset = waiting.id.offset, %error, "a delivery cannot be made any more");
        let line = self.line(waiting.id.clone(), self.now(), AttemptResult::Dead);
        self.core.trail.attempt(Line { error: error.clone(), ..line });
        let last = Postponed { error, made: Made::NotYet, ..waiting.clone() };
        let rules = Some(Arc::clone(&self.route.digest));
        let kind = ErrorKind::EventGone;
        let dead = Dead { last, died_at: self.now(), kind, rules };
        Outcome { ends: vec![End::Dead(dead)], ..self.outcome() }
    }

    /// An event that waits until its plugins are tried again.
    pub(crate) fn held(&self, id: delivery::DeliveryId) -> End {
        let (error, made) = (HELD.to_owned(), Made::NotYet);
        End::Postponed(Postponed { error, made, ..self.in_line(id, Payload::default()) })
    }

    /// An event whose transform failed.
    pub(crate) fn unmade(
        &self,
        id: delivery::DeliveryId,
        error: TransformError,
        outcome: &mut Outcome,
    ) {
        outcome.heard.plugins = match &error {
            TransformError::Fault(words) => {
                let words = format!("event {}: {words}", self.event_id);
                if self.attempts == 0 {
                    Plugins::Failed(words)
                } else {
                    Plugins::FailedAgain(words)
                }
            }
            TransformError::Final(_) | TransformError::Retry(_) | TransformError::Cut => {
                Plugins::Answered
            }
        };
        let answer = match error {
            TransformError::Final(reason) => Answer::Refused { reason },
            TransformError::Retry(reason) | TransformError::Fault(reason) => {
                Answer::Unavailable { reason, retry_after: None }
            }
            TransformError::Cut => {
                Answer::Unavailable { reason: error.to_string(), retry_after: None }
            }
        };
        let nothing_sent = Sent::default();
        self.judge(id, (Made::NotYet, nothing_sent), &answer, outcome);
    }

    pub(crate) async fn transform(
        &self,
        (event, ingested): (&Event, Timestamp),
        key: &Key,
        how: (Option<Effect>, Option<Room>),
    ) -> making::Made {
        let what_for = (key.replay.clone(), Purpose::Delivery);
        self.core.transform(self.route, (event, ingested), what_for, how).await
    }

    async fn send(&self, id: delivery::DeliveryId, payload: Payload, outcome: &mut Outcome) {
        let delivery = self.delivery(id, &payload);
        let (answer, took) = self.attempt(std::slice::from_ref(&delivery)).await;
        outcome.heard.take_in(&answer, self.now());
        let sent = Sent::of(delivery.receipt, took, &answer);
        self.judge(delivery.id, (Made::Here(payload), sent), &answer, outcome);
    }

    pub(crate) fn delivery(&self, id: delivery::DeliveryId, payload: &Payload) -> Delivery {
        Delivery {
            id,
            event_id: self.event_id.into(),
            hops: self.hops,
            attempt: self.attempts + 1,
            body: payload.body.clone(),
            content_type: payload.content_type.clone(),
            attributes: payload.attributes.clone(),
            receipt: Receipt::default(),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.core.clock.now()
    }

    /// One request, and how long it took. A target with batches gets batches of one as well: its
    /// shape is always the same.
    pub(crate) async fn attempt(&self, deliveries: &[Delivery]) -> (Answer, Duration) {
        let started = self.core.clock.monotonic();
        let sender = &self.route.sender;
        let sending = match deliveries {
            [one] if self.route.target.flow.batch.is_none() => sender.send(one),
            together => sender.send_together(together),
        };
        let answer = match self.route.timeout {
            None => sending.await,
            Some(timeout) => {
                let answer = tokio::time::timeout(timeout, sending).await;
                answer.unwrap_or_else(|_elapsed| Answer::TimedOut {
                    reason: format!("no answer within {timeout:?}"),
                })
            }
        };
        (answer, self.core.clock.monotonic().saturating_sub(started))
    }

    /// A later output of an event of which an earlier one is still owed.
    pub(crate) fn in_line(&self, id: delivery::DeliveryId, payload: Payload) -> Postponed {
        let now = self.core.clock.now();
        Postponed {
            id,
            order: self.order,
            event_id: self.event_id.to_owned(),
            hops: self.hops,
            attempts: self.attempts,
            owed_at: self.owed_at,
            due_at: now,
            last_attempt_at: now,
            error: NOT_TRIED.to_owned(),
            made: Made::Here(payload),
        }
    }

    pub(crate) fn judge(
        &self,
        id: delivery::DeliveryId,
        (made, sent): (Made, Sent),
        answer: &Answer,
        outcome: &mut Outcome,
    ) {
        let now = self.core.clock.now();
        let attempt = Attempt { number: self.attempts + 1, owed_at: self.owed_at, now };
        let verdict = self.route.policy.judge(answer, attempt, self.core.random());
        let error = match answer {
            Answer::Accepted => String::new(),
            Answer::Refused { reason }
            | Answer::Gone { reason }
            | Answer::Unavailable { reason, .. }
            | Answer::TimedOut { reason } => reason.clone(),
        };
        let kind = kind(answer, &made);
        let (result, retry_at) = match verdict {
            Verdict::Delivered => (AttemptResult::Delivered, None),
            Verdict::RetryAt(due_at) => (AttemptResult::Retry, Some(due_at)),
            Verdict::Dead => (AttemptResult::Dead, None),
        };
        let line = self.line(id.clone(), now, result);
        self.core.trail.attempt(Line { sent, error: error.clone(), retry_at, ..line });
        let waits = |due_at| Postponed {
            id,
            order: self.order,
            event_id: self.event_id.to_owned(),
            hops: self.hops,
            attempts: self.attempts + 1,
            owed_at: self.owed_at,
            due_at,
            last_attempt_at: now,
            error,
            made,
        };
        let end = match verdict {
            Verdict::Delivered => End::Delivered,
            Verdict::RetryAt(due_at) => End::Postponed(waits(due_at)),
            Verdict::Dead => {
                let rules = Some(Arc::clone(&self.route.digest));
                End::Dead(Dead { last: waits(now), died_at: now, kind, rules })
            }
        };
        outcome.failed_attempts += u32::from(!matches!(end, End::Delivered));
        outcome.ends.push(end);
    }

    /// The transform let the event go: that is all that came of it.
    pub(crate) fn dropped(&self, id: delivery::DeliveryId) {
        let line = self.line(id, self.core.clock.now(), AttemptResult::Dropped);
        self.core.trail.attempt(line);
    }

    fn line(&self, id: delivery::DeliveryId, time: Timestamp, result: AttemptResult) -> Line {
        Line {
            time,
            id,
            event_id: self.event_id.into(),
            attempt: self.attempts + 1,
            result,
            rules: Arc::clone(&self.route.digest),
            sent: Sent::default(),
            error: String::new(),
            retry_at: None,
        }
    }
}

/// What kind of error an answer is, should it be the last one.
fn kind(answer: &Answer, made: &Made) -> ErrorKind {
    match (answer, made) {
        (_, Made::NotYet) => ErrorKind::Transform,
        (Answer::Refused { .. }, _) => ErrorKind::Refused,
        (Answer::Gone { .. }, _) => ErrorKind::TargetGone,
        (Answer::TimedOut { .. }, _) => ErrorKind::Timeout,
        (Answer::Accepted | Answer::Unavailable { .. }, _) => ErrorKind::Unavailable,
    }
}
