//! What a target is sent of an event: its transform, on the threads of the plugin host when a plugin is on the way.
//!
//! # Invariants
//!
//! - **no neighbour**: each subscription has a queue of its own, which shares the threads with the others by the CPU
//!   time it uses; a lane takes no event while its queue has no room.
//!
//! # Not here
//!
//! - What a step does: `ruleset`. When an event is taken: `lane`.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use event::{Event, Timestamp};
use plugin::{Admission, Queue, QueueOptions};
use ruleset::{About, Given, Rule, Target, TransformError};

use crate::core::Core;
use crate::key::Key;
use crate::outside::Outside;
use crate::routes::Route;
use crate::state::Payload;

/// An event to be transformed.
pub(crate) struct Job {
    rule: Arc<Rule>,
    target: Arc<Target>,
    event: Event,
    ingested: Timestamp,
    replay: Option<Arc<str>>,
}

pub(crate) type Made = Result<Vec<Payload>, TransformError>;
pub(crate) type Room = Admission<Job, Made>;
pub(crate) type Making = Queue<Job, Made>;

/// The queue of a target that plugins are on the way to.
pub(crate) fn queue(core: &Core, key: &Key, target: &Target) -> Option<Making> {
    let is_here = match &core.outside {
        Outside::System => target.calls_plugins(),
        #[cfg(feature = "simulation")]
        Outside::Simulated(_) => false,
    };
    let run = |jobs: Vec<Job>| make_all(&jobs);
    is_here.then(|| core.host.queue(&key.to_string(), QueueOptions::default(), run))
}

impl Core {
    /// What a target is sent of an event. `room` is of the route's queue.
    pub(crate) async fn transform(
        &self,
        route: &Route,
        event: &Event,
        ingested: Timestamp,
        (replay, room): (Option<Arc<str>>, Option<Room>),
    ) -> Made {
        let job = Job {
            rule: Arc::clone(&route.rule),
            target: Arc::clone(&route.target),
            event: event.clone(),
            ingested,
            replay,
        };
        match (&route.making, room) {
            // Templates take microseconds, and run here.
            (None, _) => make_all(std::slice::from_ref(&job)).pop().expect("there was a job"),
            (Some(_), Some(room)) => room.run(job).await,
            (Some(queue), None) => queue.admit().await.run(job).await,
        }
    }
}

impl Job {
    fn given(&self) -> Given<'_> {
        let about = About {
            rule: &self.rule.name,
            target: &self.target.id,
            bus: &self.rule.bus,
            replay: self.replay.as_deref(),
            ingested: self.ingested,
        };
        Given { event: &self.event, about, state: None }
    }
}

/// All of one target.
fn make_all(jobs: &[Job]) -> Vec<Made> {
    let Some(first) = jobs.first() else { return Vec::new() };
    let given: Vec<Given<'_>> = jobs.iter().map(Job::given).collect();
    first.target.transform_batch(&given).into_iter().map(|made| made.map(payloads)).collect()
}

/// Waits for all of them, which go on beside each other.
pub(crate) async fn together<F: Future>(all: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut waiting: Vec<_> = all.map(|one| (Box::pin(one), None)).collect();
    let all_done = poll_fn(|context| {
        for (one, done) in waiting.iter_mut().filter(|(_, done)| done.is_none()) {
            if let Poll::Ready(output) = one.as_mut().poll(context) {
                *done = Some(output);
            }
        }
        if waiting.iter().all(|(_, done)| done.is_some()) { Poll::Ready(()) } else { Poll::Pending }
    });
    all_done.await;
    waiting.into_iter().filter_map(|(_, done)| done).collect()
}

fn payloads(made: Vec<ruleset::Payload>) -> Vec<Payload> {
    let made = made.into_iter();
    made.map(|made| Payload { body: Bytes::from(made.body), content_type: made.content_type })
        .collect()
}
