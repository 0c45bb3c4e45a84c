//! Transforms, run to be looked at.

use event::{Event, Timestamp};
use plugin::{Done, Host, Queue, QueueOptions, turn_is_over};
use ruleset::compare::Side;
use ruleset::{About, Finds, Payload, Purpose, TransformError};
use tokio::runtime::Handle;

type Job = (Side, Event, Timestamp);
type Made = Result<Vec<Payload>, TransformError>;

/// Templates run where they are asked for; plugins on the host's threads, in their turn.
pub(super) struct Making {
    queue: Queue<Job, Made>,
    runtime: Handle,
}

impl Making {
    /// For threads that are none of the runtime's.
    pub(super) fn new(host: &Host) -> Self {
        let options = QueueOptions::default();
        let queue = host.queue("comparison of rules", options, make_each);
        Self { queue, runtime: Handle::current() }
    }

    /// `finds` is the thread's own.
    pub(super) fn make(
        &self,
        side: &Side,
        (event, ingested): (&Event, Timestamp),
        finds: &Finds,
    ) -> Made {
        if !side.target.calls_plugins() {
            return make(side, (event, ingested), Some(finds));
        }
        let job = (side.clone(), event.clone(), ingested);
        self.runtime.block_on(async { self.queue.admit().await.run(job).await })
    }
}

fn make(side: &Side, (event, ingested): (&Event, Timestamp), finds: Option<&Finds>) -> Made {
    let about = About {
        rule: &side.rule.name,
        target: &side.target.id,
        bus: &side.rule.bus,
        replay: event.replay_name(),
        ingested,
        purpose: Purpose::Look,
    };
    side.target.transform_with(event, &about, finds)
}

fn make_each(jobs: Vec<Job>) -> Vec<Done<Job, Made>> {
    let jobs = jobs.into_iter().enumerate();
    let make = |(index, job): (usize, Job)| {
        if index > 0 && turn_is_over() {
            return Done::Not(job);
        }
        let (side, event, ingested) = &job;
        match make(side, (event, *ingested), None) {
            Err(TransformError::Cut) => Done::Not(job),
            made => Done::With(made),
        }
    };
    jobs.map(make).collect()
}
