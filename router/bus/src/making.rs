//! What a target is sent of an event: its transform, on the threads of the plugin host when a plugin is on the way.
//!
//! # Invariants
//!
//! - **no neighbour**: each subscription has a queue of its own, which shares the threads with the others by the CPU
//!   time it uses; a lane takes no event, no batch and no retry while its queue has no room for it. After an event that
//!   took long, the others of its turn wait for the next one, and once the circuit of its plugins has opened, those
//!   that wait in the queue are held back as those in the journal are.
//!
//! # Not here
//!
//! - What a step does: `ruleset`. When an event is taken: `lane`.

use std::collections::{BTreeMap, BTreeSet};
use std::future::poll_fn;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::Poll;

use bytes::Bytes;
use event::{Event, Timestamp};
use plugin::{Admission, Done, Queue, QueueOptions};
use ruleset::{About, Given, Purpose, Rule, RuleSet, Target, TransformError};

use crate::attributes;
use crate::core::Core;
use crate::key::Key;
use crate::outside::Outside;
use crate::plugin_state::{EventState, PluginState};
use crate::routes::Route;
use crate::state::Payload;

/// An event to be transformed.
pub(crate) struct Job {
    rule: Arc<Rule>,
    target: Arc<Target>,
    event: Event,
    ingested: Timestamp,
    replay: Option<Arc<str>>,
    purpose: Purpose,
    state: Option<(Arc<PluginState>, Option<Effect>)>,
    /// None when it is looked at in any case.
    since: Option<Since>,
}

/// How often the circuit of a target's plugins has opened.
#[derive(Debug, Default)]
pub(crate) struct Openings(AtomicU64);

/// How often it had when an event was given to them.
struct Since(Arc<Openings>, u64);

impl Openings {
    pub(crate) fn one_more(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What is to be done with the outputs of an event whose plugins have written state, before any other event sees it.
pub(crate) type Effect = Box<dyn FnOnce(&[Payload]) + Send>;

/// What became of an event.
#[derive(Debug)]
pub(crate) enum Outputs {
    ToSend(Vec<Payload>),
    /// So many; its [`Effect`] has taken them.
    Taken(usize),
    /// None yet: the circuit of its plugins has opened while it waited for its turn.
    Held,
}

pub(crate) type Made = Result<Outputs, TransformError>;
pub(crate) type Room = Admission<Job, Made>;
pub(crate) type Making = Queue<Job, Made>;

/// The queues that several targets have, by name, as long as one of them has it.
pub(crate) struct Shared<T>(Mutex<BTreeMap<String, Weak<T>>>);

impl<T> Default for Shared<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Shared<T> {
    fn of(&self, name: String, make: impl FnOnce(&str) -> T) -> Arc<T> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(one) = all.get(&name).and_then(Weak::upgrade) {
            return one;
        }
        all.retain(|_, one| one.strong_count() > 0);
        let one = Arc::new(make(&name));
        all.insert(name, Arc::downgrade(&one));
        one
    }
}

/// Plugins that keep state, by bus: those that an event meets one after the other are in one circle, and so are those
/// that they share with others.
pub(crate) struct Circles(Vec<(String, BTreeSet<String>)>);

impl Circles {
    pub(crate) fn of(rules: &RuleSet) -> Self {
        let enabled = rules.rules().iter().filter(|rule| rule.enabled);
        let sets = enabled.flat_map(|rule| {
            let targets = rule.targets.iter();
            targets.map(|target| (rule.bus.as_str(), target.stateful()))
        });
        Self::joined(sets)
    }

    fn joined<'r>(sets: impl Iterator<Item = (&'r str, Vec<&'r str>)>) -> Self {
        let mut circles: Vec<(String, BTreeSet<String>)> = Vec::new();
        for (bus, plugins) in sets.filter(|(_, plugins)| !plugins.is_empty()) {
            let mut joined: BTreeSet<String> = plugins.into_iter().map(str::to_owned).collect();
            circles.retain(|(of, circle)| {
                let meets = of == bus && !circle.is_disjoint(&joined);
                if meets {
                    joined.extend(circle.iter().cloned());
                }
                !meets
            });
            circles.push((bus.to_owned(), joined));
        }
        Self(circles)
    }

    /// What the queue of a plugin's circle is called.
    fn name(&self, bus: &str, plugin: &str) -> String {
        let circle = self.0.iter().find(|(of, circle)| of == bus && circle.contains(plugin));
        let names = circle.map(|(_, circle)| circle.iter().map(String::as_str).collect::<Vec<_>>());
        let names = names.map_or_else(|| plugin.to_owned(), |names| names.join(", "));
        format!("{names} of {bus}")
    }
}

/// The queue of a target that plugins are on the way to. Targets whose plugins with state are of one circle share one,
/// in which one event comes after the other: no thread waits for a turn that another one has.
pub(crate) fn queue(
    core: &Core,
    (key, target): (&Key, &Target),
    circles: &Circles,
) -> Option<Arc<Making>> {
    let is_here = match &core.outside {
        Outside::System => target.calls_plugins(),
        #[cfg(feature = "simulation")]
        Outside::Simulated(_) => false,
    };
    let stateful = target.stateful();
    let Some(first) = stateful.first().filter(|_| is_here) else {
        let run = |jobs: Vec<Job>| make_what_fits(jobs);
        let queue = || core.host.queue(&key.to_string(), options_for(target), run);
        return is_here.then(|| Arc::new(queue()));
    };
    let options = QueueOptions { turns_max: 1, ..QueueOptions::default() };
    let queue = |name: &str| core.host.queue(name, options, make_each);
    Some(core.stateful.of(circles.name(&key.bus, first), queue))
}

/// A batch that is sent has one behind it that is being made.
fn options_for(target: &Target) -> QueueOptions {
    let by_default = QueueOptions::default();
    let of_batches = target.flow.batch.map_or(0, |batch| batch.events.saturating_mul(2));
    QueueOptions { jobs_max: by_default.jobs_max.max(of_batches), ..by_default }
}

impl Core {
    /// What a target is sent of an event. Where plugins write state, `effect` is given the outputs, in the moment in
    /// which the state changes; without one the state does not. `room` is of the route's queue.
    pub(crate) async fn transform(
        &self,
        route: &Route,
        (event, ingested): (&Event, Timestamp),
        (replay, purpose): (Option<Arc<str>>, Purpose),
        (effect, room): (Option<Effect>, Option<Room>),
    ) -> Made {
        let is_stateful = !route.target.stateful().is_empty();
        let job = Job {
            rule: Arc::clone(&route.rule),
            target: Arc::clone(&route.target),
            event: event.clone(),
            ingested,
            replay,
            purpose,
            state: is_stateful.then(|| (Arc::clone(&self.plugin_state), effect)),
            since: (purpose == Purpose::Delivery).then(|| Since::now(&route.openings)),
        };
        match (&route.making, room) {
            (None, _) if is_stateful => make_in_turn(job),
            // Templates take microseconds, and run here.
            (None, _) => make_all(std::slice::from_ref(&job)).pop().expect("there was a job"),
            (Some(_), Some(room)) => room.run(job).await,
            (Some(queue), None) => queue.admit().await.run(job).await,
        }
    }
}

impl Since {
    fn now(openings: &Arc<Openings>) -> Self {
        Self(Arc::clone(openings), openings.count())
    }
}

impl Job {
    fn is_held(&self) -> bool {
        self.since.as_ref().is_some_and(|Since(openings, count)| openings.count() != *count)
    }

    fn given<'a>(&'a self, state: Option<&'a EventState>) -> Given<'a> {
        let about = About {
            rule: &self.rule.name,
            target: &self.target.id,
            bus: &self.rule.bus,
            replay: self.replay.as_deref(),
            ingested: self.ingested,
            purpose: self.purpose,
        };
        Given { event: &self.event, about, state: state.map(|state| state as &ruleset::EventState) }
    }
}

const HELD: Done<Job, Made> = Done::With(Ok(Outputs::Held));

/// All of one target.
fn make_all(jobs: &[Job]) -> Vec<Made> {
    let Some(first) = jobs.first() else { return Vec::new() };
    let given: Vec<Given<'_>> = jobs.iter().map(|job| job.given(None)).collect();
    let made = first.target.transform_batch(&given).into_iter();
    made.map(|made| Ok(Outputs::ToSend(payloads(made?)))).collect()
}

/// Those of one target that its turn came to; the others as they were.
fn make_what_fits(jobs: Vec<Job>) -> Vec<Done<Job, Made>> {
    if jobs.iter().any(Job::is_held) {
        let held = |job: Job| if job.is_held() { HELD } else { Done::Not(job) };
        return jobs.into_iter().map(held).collect();
    }
    let made = make_all(&jobs);
    let done = |(job, made)| match made {
        Err(TransformError::Cut) => Done::Not(job),
        made => Done::With(made),
    };
    jobs.into_iter().zip(made).map(done).collect()
}

/// Events whose plugins keep state, one after the other, as far as the turn goes.
fn make_each(jobs: Vec<Job>) -> Vec<Done<Job, Made>> {
    let jobs = jobs.into_iter().enumerate();
    let make = |(index, job): (usize, Job)| match index > 0 && plugin::turn_is_over() {
        true => Done::Not(job),
        false if job.is_held() => HELD,
        false => Done::With(make_in_turn(job)),
    };
    jobs.map(make).collect()
}

/// One event whose plugins keep state.
fn make_in_turn(mut job: Job) -> Made {
    let Some((store, effect)) = job.state.take() else {
        return make_all(std::slice::from_ref(&job)).pop().expect("there was a job");
    };
    let bus: Arc<str> = job.rule.bus.as_str().into();
    let of = (&bus, job.replay.as_ref(), job.event.time());
    store.in_turn(&job.target.stateful(), of, |state| {
        let mut made = job.target.transform_batch(&[job.given(Some(state))]);
        let outputs = payloads(made.pop().expect("there was an event")?);
        let Some(effect) = effect else { return Ok(Outputs::ToSend(outputs)) };
        store.take_effect(state, || effect(&outputs));
        Ok(Outputs::Taken(outputs.len()))
    })
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
    made.map(|made| Payload {
        body: Bytes::from(made.body),
        content_type: made.content_type,
        attributes: attributes::kept(made.attributes),
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn job(openings: &Arc<Openings>, purpose: Purpose) -> Job {
        let route = testing::route();
        let stamp = event::Stamp {
            id: "1",
            time: Timestamp::from_millis(0),
            account: "0",
            region: "local",
        };
        let entry = br#"{"source":"a","detail-type":"T","detail":{}}"#;
        let event = Event::from_entry(entry, &event::Limits::default(), &stamp).unwrap();
        Job {
            rule: Arc::clone(&route.rule),
            target: Arc::clone(&route.target),
            event,
            ingested: Timestamp::from_millis(0),
            replay: None,
            purpose,
            state: None,
            since: (purpose == Purpose::Delivery).then(|| Since::now(openings)),
        }
    }

    #[test]
    fn what_waits_when_the_circuit_of_its_plugins_opens_is_held_and_what_comes_later_is_made() {
        let openings = Arc::<Openings>::default();
        let deliver = || job(&openings, Purpose::Delivery);
        let (early, look) = (deliver(), job(&openings, Purpose::Look));
        openings.one_more();
        let mut done = make_what_fits(vec![look, early, deliver()]).into_iter();
        let (Some(Done::Not(look)), Some(held), Some(Done::Not(later))) =
            (done.next(), done.next(), done.next())
        else {
            panic!("who is not held keeps its place")
        };
        assert!(matches!(held, Done::With(Ok(Outputs::Held))));
        let made = make_what_fits(vec![look, later]);
        assert!(made.iter().all(|made| matches!(made, Done::With(Ok(Outputs::ToSend(_))))));
        let early = deliver();
        openings.one_more();
        let done = make_each(vec![early, deliver()]);
        assert!(matches!(
            done.as_slice(),
            [Done::With(Ok(Outputs::Held)), Done::With(Ok(Outputs::ToSend(_)))]
        ));
    }

    #[test]
    fn a_queue_is_shared_as_long_as_somebody_has_it_and_then_forgotten() {
        let shared = Shared::<u32>::default();
        let names = || shared.0.lock().unwrap().keys().cloned().collect::<Vec<_>>();
        let one = shared.of("a".to_owned(), |_| 1);
        assert_eq!(*shared.of("a".to_owned(), |_| 2), 1);
        drop(one);
        assert_eq!(*shared.of("b".to_owned(), |_| 3), 3);
        assert_eq!(names(), ["b"], "nobody has a");
    }

    #[test]
    fn plugins_with_state_that_events_meet_together_share_a_queue_also_over_others() {
        let sets = [
            ("shop", vec!["a"]),
            ("shop", vec!["e"]),
            ("shop", vec!["c", "d"]),
            ("shop", Vec::new()),
            ("other", vec!["a"]),
            ("shop", vec!["a", "b"]),
            ("shop", vec!["b", "c"]),
        ];
        let circles = Circles::joined(sets.into_iter());
        let name = |plugin| circles.name("shop", plugin);
        assert!(["a", "b", "c", "d"].iter().all(|plugin| name(plugin) == "a, b, c, d of shop"));
        assert_eq!((name("e"), name("f")), ("e of shop".to_owned(), "f of shop".to_owned()));
        assert_eq!(circles.name("other", "a"), "a of other");
    }
}
