//! One run of an event through a subscription, or one more attempt at a postponed delivery.

use std::sync::Arc;

use bytes::Bytes;
use delivery::{Answer, Attempt, Delivery, ErrorKind, Verdict};
use event::{Event, Timestamp};
use journal::Offset;
use ruleset::{About, TransformError};

use crate::core::Core;
use crate::key::Key;
use crate::lane::Owed;
use crate::routes::Route;
use crate::state::{Dead, Made, Payload, Postponed};

/// What became of one output.
#[derive(Debug)]
pub(crate) enum End {
    Delivered,
    Postponed(Postponed),
    Dead(Dead),
}

/// What became of all outputs of one run; none when a transform dropped the event.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub ends: Vec<End>,
    pub failed_attempts: u32,
}

impl Outcome {
    /// The outcome of a retry of `before`: a payload that was on disk still is.
    pub(crate) fn over(mut self, before: &Postponed) -> Self {
        if before.made == Made::OnDisk {
            for end in &mut self.ends {
                if let End::Postponed(again) = end {
                    again.made = Made::OnDisk;
                }
            }
        }
        self
    }
}

/// The delivery that an attempt is part of.
struct Course<'a> {
    core: &'a Core,
    route: &'a Route,
    event_id: &'a str,
    hops: u8,
    /// Attempts before this one.
    attempts: u32,
    owed_at: Timestamp,
}

/// Runs an event for the first time.
pub(crate) async fn event(core: Arc<Core>, key: Key, owed: Owed) -> Outcome {
    let Owed { offset, event, hops, ingested, route } = owed;
    let course = Course {
        core: &core,
        route: &route,
        event_id: event.id(),
        hops,
        attempts: 0,
        owed_at: ingested,
    };
    course.run(&key, offset, (&event, ingested)).await
}

/// Tries a postponed delivery again. Its payload is loaded, or made when there is none yet.
pub(crate) async fn retry(
    core: Arc<Core>,
    key: Key,
    route: Arc<Route>,
    waiting: Postponed,
) -> Outcome {
    let course = Course {
        core: &core,
        route: &route,
        event_id: &waiting.event_id,
        hops: waiting.hops,
        attempts: waiting.attempts,
        owed_at: waiting.owed_at,
    };
    let payload = match &waiting.made {
        Made::Here(payload) => Ok(payload.clone()),
        Made::OnDisk => core.payload(&key, &waiting.id).await,
        Made::NotYet => {
            let offset = Offset::new(waiting.id.offset);
            return match core.event_or_copy(offset, waiting.id.replay.as_deref()).await {
                Ok((event, ingested)) => course.run(&key, offset, (&event, ingested)).await,
                Err(reason) => course.put_off(waiting.clone(), reason),
            };
        }
    };
    match payload {
        Ok(payload) => {
            let mut outcome = Outcome::default();
            let id = waiting.id.clone();
            course.send(id, payload, &mut outcome).await;
            outcome
        }
        Err(reason) => course.put_off(waiting.clone(), reason),
    }
}

impl Course<'_> {
    /// The event comes with its time of ingestion, which templates may show.
    async fn run(&self, key: &Key, offset: Offset, event: (&Event, Timestamp)) -> Outcome {
        let mut outcome = Outcome::default();
        match self.transform(event.0, event.1).await {
            Ok(payloads) => {
                for (output, payload) in (0_u32..).zip(payloads) {
                    self.send(key.delivery(offset, output), payload, &mut outcome).await;
                }
            }
            Err(error) => {
                let answer = match error {
                    TransformError::Final(reason) => Answer::Refused { reason },
                    TransformError::Retry(reason) => {
                        Answer::Unavailable { reason, retry_after: None }
                    }
                };
                self.judge(key.delivery(offset, 0), Made::NotYet, &answer, &mut outcome);
            }
        }
        outcome
    }

    /// Plugins run on the plugin host's threads; templates take microseconds and run here.
    async fn transform(
        &self,
        event: &Event,
        ingested: Timestamp,
    ) -> Result<Vec<Payload>, TransformError> {
        let route = self.route;
        let payloads = if route.target.calls_plugins() {
            // no neighbour: a subscription whose plugin is slow leaves threads to the others.
            let _turn = route.plugin_turns.acquire().await.expect("turns are never closed");
            let (rule, target, event) =
                (Arc::clone(&route.rule), Arc::clone(&route.target), event.clone());
            self.core
                .host
                .run(move || {
                    let about =
                        About { rule: &rule.name, target: &target.id, bus: &rule.bus, ingested };
                    target.transform(&event, &about)
                })
                .await
        } else {
            let (rule, target) = (&route.rule, &route.target);
            let about = About { rule: &rule.name, target: &target.id, bus: &rule.bus, ingested };
            target.transform(event, &about)
        }?;
        let payloads = payloads.into_iter();
        Ok(payloads
            .map(|made| Payload { body: Bytes::from(made.body), content_type: made.content_type })
            .collect())
    }

    async fn send(&self, id: delivery::DeliveryId, payload: Payload, outcome: &mut Outcome) {
        let delivery = Delivery {
            id,
            event_id: self.event_id.into(),
            hops: self.hops,
            attempt: self.attempts + 1,
            body: payload.body.clone(),
            content_type: payload.content_type.clone(),
        };
        let answer = self.route.sender.send(&delivery).await;
        self.judge(delivery.id, Made::Here(payload), &answer, outcome);
    }

    fn judge(&self, id: delivery::DeliveryId, made: Made, answer: &Answer, outcome: &mut Outcome) {
        let now = self.core.clock.now();
        let attempt = Attempt { number: self.attempts + 1, owed_at: self.owed_at, now };
        let verdict = self.route.policy.judge(answer, attempt, self.core.random());
        let error = match answer {
            Answer::Accepted => String::new(),
            Answer::Refused { reason }
            | Answer::Unavailable { reason, .. }
            | Answer::TimedOut { reason } => reason.clone(),
        };
        let kind = kind(answer, &made);
        let waits = |due_at| Postponed {
            id,
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
            Verdict::Dead => End::Dead(Dead { last: waits(now), died_at: now, kind }),
        };
        outcome.failed_attempts += u32::from(!matches!(end, End::Delivered));
        outcome.ends.push(end);
    }

    /// The router's own disk did not give what the attempt needs: this is no attempt, it is made later.
    fn put_off(&self, mut waiting: Postponed, reason: String) -> Outcome {
        waiting.error = reason;
        waiting.due_at = self.core.clock.now().after(self.route.policy.backoff_max);
        Outcome { ends: vec![End::Postponed(waiting)], failed_attempts: 0 }
    }
}

/// What kind of error an answer is, should it be the last one.
fn kind(answer: &Answer, made: &Made) -> ErrorKind {
    match (answer, made) {
        (_, Made::NotYet) => ErrorKind::Transform,
        (Answer::Refused { .. }, _) => ErrorKind::Refused,
        (Answer::TimedOut { .. }, _) => ErrorKind::Timeout,
        (Answer::Accepted | Answer::Unavailable { .. }, _) => ErrorKind::Unavailable,
    }
}
