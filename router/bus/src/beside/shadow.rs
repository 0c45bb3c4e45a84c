//! A plugin that sees what another one sees, and of which nothing is delivered.

use std::ops::Range;
use std::sync::Arc;

use event::Event;
use plugin::{Done, Host, Queue, QueueOptions};
use ruleset::{Beside, PluginStep, Purpose, StepError, StepInput, StepOutput};

use super::{Figures, is_same, shown, unlike};

pub(crate) struct Shadow {
    live: Arc<dyn PluginStep>,
    other: Arc<dyn PluginStep>,
    queue: Queue<Seen, ()>,
    figures: Arc<Figures>,
}

/// What the plugin in the rule got, and made of it.
struct Seen {
    event: Event,
    id: String,
    source: String,
    detail_type: String,
    time: String,
    json: String,
    detail: Range<usize>,
    attributes: Vec<(String, String)>,
    facts: usize,
    position: u32,
    made: Result<Vec<StepOutput>, StepError>,
}

impl Shadow {
    pub(crate) fn new(
        host: &Host,
        live: Arc<dyn PluginStep>,
        (name, other): (&str, Arc<dyn PluginStep>),
    ) -> Self {
        let figures = Arc::new(Figures::new("shadow", name));
        let (noted, called) = (Arc::clone(&figures), Arc::clone(&other));
        let run = move |seen: Vec<Seen>| {
            let inputs: Vec<StepInput<'_>> = seen.iter().map(Seen::input).collect();
            let outcomes = called.call_batch(&inputs);
            let compare = |(seen, made): (Seen, _)| match made {
                Err(StepError::Cut) => Done::Not(seen),
                made => {
                    seen.compare(made, &noted);
                    Done::With(())
                }
            };
            seen.into_iter().zip(outcomes).map(compare).collect()
        };
        let queue = host.queue(&format!("shadow {name}"), QueueOptions::default(), run);
        Self { live, other, queue, figures }
    }
}

impl PluginStep for Shadow {
    fn call_batch(&self, inputs: &[StepInput<'_>]) -> Vec<Result<Vec<StepOutput>, StepError>> {
        if inputs.first().is_some_and(|input| input.purpose == Purpose::TestBeside) {
            return self.other.call_batch(inputs); // A test comes alone.
        }
        let outcomes = self.live.call_batch(inputs);
        let made = inputs.iter().zip(&outcomes);
        let made = made.filter(|(input, _)| input.purpose.is_counted());
        for (input, made) in made.filter(|(_, made)| **made != Err(StepError::Cut)) {
            match self.queue.try_admit() {
                Some(room) => room.leave(Seen::new(input, made.clone())),
                None => self.figures.note(|beside| beside.skipped += 1),
            }
        }
        outcomes
    }

    fn keeps_state(&self) -> Option<&str> {
        self.live.keeps_state()
    }

    fn beside(&self) -> Option<Beside> {
        Some(self.figures.note(|beside| beside.clone()))
    }
}

impl Seen {
    fn new(input: &StepInput<'_>, made: Result<Vec<StepOutput>, StepError>) -> Self {
        let owned = |text: &str| text.to_owned();
        Self {
            event: input.event.clone(),
            id: owned(input.id),
            source: owned(input.source),
            detail_type: owned(input.detail_type),
            time: owned(input.time),
            json: owned(input.json),
            detail: input.detail.clone(),
            attributes: input.attributes.to_vec(),
            facts: input.facts,
            position: input.position,
            made,
        }
    }

    fn input(&self) -> StepInput<'_> {
        StepInput {
            event: &self.event,
            id: &self.id,
            source: &self.source,
            detail_type: &self.detail_type,
            time: &self.time,
            json: &self.json,
            detail: self.detail.clone(),
            attributes: &self.attributes,
            facts: self.facts,
            position: self.position,
            purpose: Purpose::Delivery,
            // A plugin that keeps state is no shadow.
            state: None,
        }
    }

    fn compare(&self, made: Result<Vec<StepOutput>, StepError>, figures: &Figures) {
        figures.note(|beside| {
            beside.calls += 1;
            match (&self.made, &made) {
                (Ok(live), Ok(other)) if is_same(live, other) => beside.same += 1,
                (Err(_), Err(_)) => beside.same += 1,
                (live, other) => {
                    match other {
                        Ok(_) => beside.different += 1,
                        Err(_) => beside.failed += 1,
                    }
                    let words = |made: &Result<Vec<StepOutput>, StepError>| match made {
                        Ok(outputs) => shown(outputs),
                        Err(error) => format!("error: {error}"),
                    };
                    beside.last = Some(unlike(&self.id, &words(live), &words(other)));
                }
            }
        });
    }
}
