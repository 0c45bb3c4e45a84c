//! Events by the dozen through one plugin: which instance serves which, and who is tried again.
//!
//! # Invariants
//!
//! - no neighbour: an event that breaks the instance fails alone; the others get the answers they would have had.
//! - An event sees at most two instances: one that served others before, and, if that broke, a fresh one, alone. What
//!   it wrote to the state the first time is undone before the second.
//! - no neighbour: after an event that took long no other is begun in this turn. The first is, so that each turn does
//!   some work; what one event has become is not divided.
//! - Answers come in the events' order, one for each.

use std::cell::Cell;
use std::sync::Arc;

use crate::configured::Inner;
use crate::contract::Role;
use crate::instance::{Answer, Instance};
use crate::output;
use crate::ticker::Running;
use crate::{CallError, Event, Grant, Isolation, StateAccess, clock, turn_is_over};

/// Events that a batch transformer is given at once, at most.
const LIST_MAX: usize = 64;

/// One run of a batch, with the instance that serves it now.
pub(crate) struct Batch<'a> {
    inner: &'a Inner,
    running: Running<'a>,
    instance: Option<Instance>,
}

impl<'a> Batch<'a> {
    pub(crate) fn new(inner: &'a Inner) -> Self {
        let running = inner.plugin.host.ticker.enter();
        Self { inner, running, instance: None }
    }

    pub(crate) fn run(
        mut self,
        events: &[Event<'_>],
        states: &[Option<Arc<dyn StateAccess>>],
    ) -> Vec<Answer> {
        let began = clock::thread_cpu();
        let state = |index: usize| states.get(index).and_then(Option::as_ref);
        let answers: Vec<Answer> = if self.goes_in_lists() && events.len() > 1 {
            let lists = events.chunks(LIST_MAX).enumerate();
            lists.flat_map(|(index, list)| self.list(list, index == 0)).collect()
        } else {
            let is_cut = cut(events);
            let events = events.iter().enumerate();
            let one = |(index, event)| match is_cut(index) {
                true => Err(CallError::Cut),
                false => self.one(event, state(index)),
            };
            events.map(one).collect()
        };
        let cpu = clock::thread_cpu().saturating_sub(began);
        self.inner.plugin.counters.add(&answers, cpu);
        self.finish();
        answers
    }

    /// One event and nothing else.
    pub(crate) fn single(
        mut self,
        event: &Event<'_>,
        state: Option<&Arc<dyn StateAccess>>,
    ) -> Answer {
        let answer = self.one(event, state);
        self.finish();
        answer
    }

    /// The time and the numbers belong to one event each, so who asks for them gets events one by one.
    fn goes_in_lists(&self) -> bool {
        let Inner { plugin, isolation, .. } = self.inner;
        let is_by_event = |import: &Grant| matches!(import, Grant::Clock | Grant::Random);
        plugin.role() == Role::BatchTransformer
            && *isolation != Isolation::Event
            && !plugin.imports().iter().any(is_by_event)
    }

    fn one(&mut self, event: &Event<'_>, state: Option<&Arc<dyn StateAccess>>) -> Answer {
        let answer = match self.seat() {
            Ok(instance) if instance.is_used() => match self.attempt(instance, event, state) {
                // The instance may carry what an earlier event left behind; a fresh one cannot.
                Err(error) if error.may_be_the_instance() => self.again(event, state),
                answer => answer,
            },
            Ok(instance) => self.attempt(instance, event, state),
            Err(error) => Err(error),
        };
        self.inner.judged(answer, event)
    }

    fn list(&mut self, events: &[Event<'_>], is_first: bool) -> Vec<Answer> {
        if !is_first && turn_is_over() {
            return events.iter().map(|_| Err(CallError::Cut)).collect();
        }
        let instance = match self.seat() {
            Ok(instance) => instance,
            Err(error) => {
                let judge = |event| self.inner.judged(Err(error.clone()), event);
                return events.iter().map(judge).collect();
            }
        };
        let (answers, instance) = instance.call_list(events, &self.running);
        self.instance = instance;
        let judge = |(answer, event)| self.inner.judged(answer, event);
        match answers {
            Ok(answers) => answers.into_iter().zip(events).map(judge).collect(),
            // One of them did it, and each shows alone whether it was it.
            Err(_) => {
                let is_cut = cut(events);
                let alone = |(index, event)| match is_cut(index) {
                    true => Err(CallError::Cut),
                    false => self.alone(event),
                };
                events.iter().enumerate().map(alone).collect()
            }
        }
    }

    /// On an instance of its own, which nobody uses after it.
    fn alone(&mut self, event: &Event<'_>) -> Answer {
        let answer = self.again(event, None);
        self.instance = None;
        self.inner.judged(answer, event)
    }

    fn again(&mut self, event: &Event<'_>, state: Option<&Arc<dyn StateAccess>>) -> Answer {
        if let Some(state) = state {
            state.undo();
        }
        let instance = self.inner.fresh_for_event(&self.running)?;
        self.attempt(instance, event, state)
    }

    fn attempt(
        &mut self,
        instance: Instance,
        event: &Event<'_>,
        state: Option<&Arc<dyn StateAccess>>,
    ) -> Answer {
        let (answer, instance) = instance.call(event, state, &self.running);
        self.instance = instance.filter(|_| self.inner.isolation != Isolation::Event);
        answer
    }

    /// The instance for the next event.
    fn seat(&mut self) -> Result<Instance, CallError> {
        let calls_max = self.inner.plugin.host.options.calls_per_instance_max;
        match self.instance.take().filter(|instance| !instance.is_worn(calls_max)) {
            Some(instance) => Ok(instance),
            None => match self.inner.idle.take() {
                Some(instance) => Ok(instance),
                None => self.inner.fresh_for_event(&self.running),
            },
        }
    }

    fn finish(self) {
        if let Some(instance) = self.instance {
            self.inner.give_back(instance);
        }
    }
}

/// Whether the turn ends before the event of this index; asked for one after the other.
fn cut<'e>(events: &'e [Event<'_>]) -> impl Fn(usize) -> bool + 'e {
    let is_over = Cell::new(false);
    move |index| {
        let is_another = index > 0 && events[index].id != events[index - 1].id;
        is_over.set(is_over.get() || is_another && turn_is_over());
        is_over.get()
    }
}

impl Inner {
    /// The answer, unless what was put out is refused.
    fn judged(&self, answer: Answer, event: &Event<'_>) -> Answer {
        let answer = answer.and_then(|outputs| {
            output::check(&outputs, event, &self.setup.limits).map(|()| outputs)
        });
        if let Err(error) = &answer
            && error.is_plugins_fault()
        {
            self.plugin.counters.fault(event, error);
            self.faults.report(&self.plugin, event, error, self.setup.lines.as_deref());
        }
        answer
    }
}
