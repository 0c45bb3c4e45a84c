//! Several events in one request.
//!
//! ```text
//! events ─▶ transforms ─▶ deliveries ─▶ requests of at most so many bytes
//!                                         accepted: all of it is delivered
//!                                         not now:  each is postponed by itself
//!                                         refused:  each is sent alone, at once
//! ```
//!
//! # Invariants
//!
//! - A bad event takes no other one with it.
//! - Of one order nothing is sent after something that is still owed.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use delivery::{Answer, Delivery};
use journal::Offset;

use crate::attempt::{Course, End, Outcome, Plugins};
use crate::core::Core;
use crate::lane::{Lane, Owed, Part};
use crate::making::{self, Outputs, Room};
use crate::state::{Made, Payload};
use crate::trail::Sent;

/// How large a request may become; one payload alone may be larger.
const REQUEST_BYTES_MAX: usize = 4 * 1024 * 1024;

/// One output of one of the events.
struct Output {
    /// Which event.
    event: usize,
    delivery: Delivery,
}

/// Runs events for the first time, together.
///
/// Those whose outcome has taken effect already are not among the outcomes.
pub(crate) async fn events(
    core: &Core,
    lane: &Arc<Lane>,
    all: Vec<(Owed, Option<Room>)>,
) -> Vec<(Offset, Outcome)> {
    let key = &lane.key;
    let (all, rooms): (Vec<Owed>, Vec<Option<Room>>) = all.into_iter().unzip();
    let courses: Vec<Course<'_>> = all.iter().map(|owed| Course::new(core, owed)).collect();
    let mut together = Together { courses: &courses, outcomes: Vec::new(), held: BTreeSet::new() };
    let mut parts = Vec::new();
    let made = all.iter().zip(&courses).zip(rooms);
    let made = made.map(|((owed, course), room)| {
        let effect = course.effect((lane, Part::Event(owed.offset)), (key, owed.offset));
        course.transform((&owed.event, owed.ingested), key, (effect, room))
    });
    let mut taken = BTreeSet::new();
    // Together: a plugin gets as many of them at once as it takes.
    let made = making::together(made).await;
    for ((event, owed), made) in all.iter().enumerate().zip(made) {
        let course = &courses[event];
        let mut outcome = course.outcome();
        match made {
            Ok(Outputs::Taken(outputs)) => {
                taken.insert(owed.offset);
                if outputs == 0 {
                    course.dropped(key.delivery(owed.offset, 0));
                }
            }
            Ok(Outputs::ToSend(payloads)) => {
                outcome.heard.plugins = Plugins::Answered;
                if payloads.is_empty() {
                    course.dropped(key.delivery(owed.offset, 0));
                }
                for (output, payload) in (0_u32..).zip(payloads) {
                    let delivery = course.delivery(key.delivery(owed.offset, output), &payload);
                    parts.push(Output { event, delivery });
                }
            }
            Ok(Outputs::Held) => {
                outcome.ends.push(course.held(key.delivery(owed.offset, 0)));
            }
            Err(error) => course.unmade(key.delivery(owed.offset, 0), error, &mut outcome),
        }
        together.outcomes.push(outcome);
        together.note(event);
    }
    let parts = together.without_held(parts);
    for span in requests(&parts) {
        let part = parts.get(span).expect("spans are of the parts");
        together.send(part).await;
    }
    let outcomes = together.outcomes;
    let outcomes = all.iter().map(|owed| owed.offset).zip(outcomes);
    outcomes.filter(|(offset, _)| !taken.contains(offset)).collect()
}

/// Spans of parts that go into one request each.
fn requests(parts: &[Output]) -> Vec<Range<usize>> {
    let mut spans: Vec<Range<usize>> = Vec::new();
    let mut bytes = 0;
    for (at, part) in parts.iter().enumerate() {
        let len = part.delivery.body.len() + 1;
        match spans.last_mut() {
            Some(last) if bytes + len <= REQUEST_BYTES_MAX => last.end = at + 1,
            Some(_) | None => {
                spans.push(at..at + 1);
                bytes = 0;
            }
        }
        bytes += len;
    }
    spans
}

struct Together<'a> {
    courses: &'a [Course<'a>],
    outcomes: Vec<Outcome>,
    /// Orders of which something is still owed.
    held: BTreeSet<u64>,
}

impl Together<'_> {
    /// An order is held from the first of its events on that is still owed.
    fn note(&mut self, event: usize) {
        let outcome = &self.outcomes[event];
        if let Some(order) = outcome.order
            && outcome.ends.iter().any(|end| matches!(end, End::Postponed(_)))
        {
            self.held.insert(order);
        }
    }

    /// Puts what is behind something of its order in line.
    fn without_held(&mut self, parts: Vec<Output>) -> Vec<Output> {
        let mut free = Vec::new();
        for part in parts {
            if self.is_held(&part) { self.put_in_line(&part) } else { free.push(part) }
        }
        free
    }

    fn is_held(&self, part: &Output) -> bool {
        self.outcomes[part.event].order.is_some_and(|order| self.held.contains(&order))
    }

    fn put_in_line(&mut self, part: &Output) {
        let waiting = self.courses[part.event].in_line(part.delivery.id.clone(), payload(part));
        self.outcomes[part.event].ends.push(End::Postponed(waiting));
    }

    async fn send(&mut self, parts: &[Output]) {
        let first = parts.first().expect("a request has parts");
        let is_behind = parts.iter().any(|part| self.is_held(part));
        if !is_behind {
            let deliveries: Vec<Delivery> =
                parts.iter().map(|part| part.delivery.clone()).collect();
            let (answer, took) = self.courses[first.event].attempt(&deliveries).await;
            let is_alone = parts.len() == 1;
            if is_alone || !matches!(answer, Answer::Refused { .. }) {
                self.outcomes[first.event].heard.take_in(&answer, self.courses[first.event].now());
                for (part, sent) in parts.iter().zip(deliveries) {
                    let sent = Sent::of(sent.receipt, took, &answer);
                    self.judge(part, sent, &answer);
                }
                return;
            }
            // It says nothing of the parts, but that the target is there, and cost a request.
            self.outcomes[first.event].heard.requests += 1;
        }
        for part in parts {
            if self.is_held(part) {
                self.put_in_line(part);
                continue;
            }
            let course = &self.courses[part.event];
            // A receipt of its own: the refused batch has left its status in none.
            let delivery = part.delivery.clone();
            let (answer, took) = course.attempt(std::slice::from_ref(&delivery)).await;
            self.outcomes[part.event].heard.take_in(&answer, course.now());
            let sent = Sent::of(delivery.receipt, took, &answer);
            self.judge(part, sent, &answer);
        }
    }

    fn judge(&mut self, part: &Output, sent: Sent, answer: &Answer) {
        let (id, made) = (part.delivery.id.clone(), (Made::Here(payload(part)), sent));
        self.courses[part.event].judge(id, made, answer, &mut self.outcomes[part.event]);
        self.note(part.event);
    }
}

fn payload(part: &Output) -> Payload {
    let Delivery { body, content_type, attributes, .. } = &part.delivery;
    let (content_type, attributes) = (content_type.clone(), attributes.clone());
    Payload { body: body.clone(), content_type, attributes }
}
