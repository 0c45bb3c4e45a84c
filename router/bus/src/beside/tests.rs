use std::sync::Arc;
use std::time::Duration;

use event::{Event, Limits, Stamp, Timestamp};
use ruleset::{PluginStep, Purpose, StepError, StepInput};

use super::*;

/// A plugin made of a function of the event's number.
struct Made<F>(F);

impl<F> PluginStep for Made<F>
where
    F: Fn(&str) -> Result<String, StepError> + Send + Sync,
{
    fn call_batch(&self, inputs: &[StepInput<'_>]) -> Vec<Result<Vec<StepOutput>, StepError>> {
        let output = |body| StepOutput { body, attributes: Vec::new() };
        inputs.iter().map(|input| Ok(vec![output((self.0)(input.id)?)])).collect()
    }
}

fn plugin<F>(make: F) -> Arc<dyn PluginStep>
where
    F: Fn(&str) -> Result<String, StepError> + Send + Sync + 'static,
{
    Arc::new(Made(make))
}

fn events(count: usize) -> Vec<Event> {
    let event = |number: usize| {
        let id = format!("e-{number}");
        let stamp = Stamp { id: &id, time: Timestamp::from_millis(0), account: "0", region: "r" };
        let entry = br#"{"source":"s","detail-type":"t","detail":{}}"#;
        Event::from_entry(entry, &Limits::default(), &stamp).unwrap()
    };
    (0..count).map(event).collect()
}

fn input(event: &Event) -> StepInput<'_> {
    StepInput {
        event,
        id: event.id(),
        source: event.source(),
        detail_type: event.detail_type(),
        time: event.time_text(),
        json: event.json(),
        detail: event.detail_span(),
        attributes: &[],
        facts: 0,
        position: 0,
        purpose: Purpose::Delivery,
        state: None,
    }
}

/// Waits for what happens on another thread.
fn until(step: &dyn PluginStep, holds: impl Fn(&Beside) -> bool) -> Beside {
    for _ in 0..60_000 {
        let beside = step.beside().unwrap();
        if holds(&beside) {
            return beside;
        }
        std::thread::park_timeout(Duration::from_millis(1));
    }
    panic!("not after a minute: {:?}", step.beside());
}

fn canary(share: u32, other: Arc<dyn PluginStep>) -> Canary {
    let wanted = ruleset::Canary { plugin: "next".to_owned(), share, by: None };
    Canary::new(
        plugin(|_| Ok("old".to_owned())),
        other,
        wanted,
        Arc::new(Verdicts::default()).on(""),
    )
}

#[test]
fn a_canary_that_was_taken_back_is_not_tried_again_by_the_next_process() {
    let folder = tempfile::tempdir().unwrap();
    let process = |of: &str| {
        let verdict = Arc::new(Verdicts::open(folder.path().join("canaries"))).on(of);
        let wanted = ruleset::Canary { plugin: "next".to_owned(), share: 10_000, by: None };
        let fails = plugin(|_| Err(StepError::Fault("bad".to_owned())));
        Canary::new(plugin(|_| Ok("old".to_owned())), fails, wanted, verdict)
    };
    let events = events(30);
    for (of, calls) in [("one", 20), ("one", 0), ("other", 20), ("one", 0), ("other", 0)] {
        let step = process(of);
        for event in &events {
            assert_eq!(bodies(&step, std::slice::from_ref(event)), ["old"]);
        }
        let beside = step.beside().unwrap();
        assert_eq!((beside.calls, beside.taken_back, beside.share), (calls, true, Some(0)), "{of}");
    }
}

fn bodies(step: &dyn PluginStep, events: &[Event]) -> Vec<String> {
    let inputs: Vec<StepInput<'_>> = events.iter().map(input).collect();
    step.call_batch(&inputs).into_iter().map(|made| made.unwrap().pop().unwrap().body).collect()
}

#[test]
fn a_canary_takes_its_share_and_the_same_events_each_time() {
    let events = events(10_000);
    let step = canary(1000, plugin(|id| Ok(format!("new {id}"))));
    let first = bodies(&step, &events);
    let taken = first.iter().filter(|body| body.starts_with("new")).count();
    assert!((800..1200).contains(&taken), "{taken} of 10000");
    let are_in_order = first.iter().enumerate().filter(|(_, body)| body.starts_with("new"));
    assert!(are_in_order.clone().all(|(at, body)| *body == format!("new e-{at}")));
    assert_eq!(bodies(&step, &events), first);
    assert_eq!(bodies(&canary(0, plugin(|_| Ok("new".to_owned()))), &events), ["old"; 10_000]);
}

#[test]
fn a_canary_that_fails_costs_no_event_and_is_taken_back() {
    let events = events(1000);
    let step = canary(5000, plugin(|_| Err(StepError::Fault("it crashed".to_owned()))));
    assert_eq!(bodies(&step, &events), ["old"; 1000]);
    let beside = step.beside().unwrap();
    assert!(beside.taken_back && beside.share == Some(0), "{beside:?}");
    assert!(beside.last.unwrap().beside.contains("it crashed"));
    let calls = beside.calls;
    bodies(&step, &events);
    assert_eq!(step.beside().unwrap().calls, calls, "it gets none any more");
}

#[test]
fn a_canary_is_judged_by_its_last_events_however_many_were_good() {
    let is_bad = |id: &str, from: usize| from <= id.strip_prefix("e-").unwrap().parse().unwrap();
    let from = |first| {
        plugin(move |id| match is_bad(id, first) {
            true => Err(StepError::Fault("it crashed".to_owned())),
            false => Ok("new".to_owned()),
        })
    };
    let (step, events) = (canary(10_000, from(5000)), events(5100));
    bodies(&step, &events[..5010]);
    assert!(!step.beside().unwrap().taken_back, "one in twenty");
    bodies(&step, &events[5010..5011]);
    let beside = step.beside().unwrap();
    assert_eq!((beside.taken_back, beside.calls, beside.failed), (true, 5011, 11));
    // What is longer ago than that does not count.
    let old = plugin(move |id| match is_bad(id, 300) != is_bad(id, 310) {
        true => Err(StepError::Fault("it crashed".to_owned())),
        false => Ok("new".to_owned()),
    });
    let step = canary(10_000, old);
    bodies(&step, &events[..600]);
    assert_eq!(step.beside().unwrap().failed, 10);
    assert!(!step.beside().unwrap().taken_back);
}

#[test]
fn a_canary_is_not_blamed_for_events_that_nobody_takes() {
    let refuses = || plugin(|_| Err(StepError::Final("invalid".to_owned())));
    let wanted = ruleset::Canary { plugin: "next".to_owned(), share: 10_000, by: None };
    let step = Canary::new(refuses(), refuses(), wanted, Arc::new(Verdicts::default()).on(""));
    let events = events(100);
    let inputs: Vec<StepInput<'_>> = events.iter().map(input).collect();
    assert!(step.call_batch(&inputs).iter().all(Result::is_err));
    assert!(!step.beside().unwrap().taken_back);
}

#[test]
fn a_canary_is_not_blamed_for_events_that_its_turn_has_not_come_to() {
    let step = canary(10_000, plugin(|_| Err(StepError::Cut)));
    let events = events(100);
    let inputs: Vec<StepInput<'_>> = events.iter().map(input).collect();
    assert!(step.call_batch(&inputs).iter().all(|made| *made == Err(StepError::Cut)));
    let beside = step.beside().unwrap();
    assert_eq!((beside.calls, beside.taken_back), (0, false));
}

#[test]
fn a_shadow_is_compared_and_never_delivered() {
    let host = plugin::Host::new(plugin::Options::default()).unwrap();
    let other = plugin(|id| match id {
        "e-0" => Ok(r#"{"b":1.0,"a":2}"#.to_owned()),
        "e-1" => Ok(r#"{"a":3,"b":1}"#.to_owned()),
        _ => Err(StepError::Fault("it crashed".to_owned())),
    });
    let live = plugin(|_| Ok(r#"{"a":2,"b":1}"#.to_owned()));
    let step = Shadow::new(&host, live, ("next", other));
    assert_eq!(bodies(&step, &events(3)), [r#"{"a":2,"b":1}"#; 3]);
    let beside = until(&step, |beside| beside.calls == 3);
    assert_eq!((beside.same, beside.different, beside.failed, beside.skipped), (1, 1, 1, 0));
    assert_eq!(beside.last.unwrap().beside, "error: it crashed");
}

fn made(step: &dyn PluginStep, purpose: Purpose, event: &Event) -> Result<String, StepError> {
    let made = step.call_batch(&[StepInput { purpose, ..input(event) }]).pop().unwrap();
    made.map(|mut outputs| outputs.pop().unwrap().body)
}

#[test]
fn a_test_is_made_by_the_one_or_the_other_and_nothing_but_deliveries_is_counted() {
    let crash = || StepError::Fault("it crashed".to_owned());
    let events = events(2);
    let [event, delivered] = events.as_slice() else { unreachable!() };
    let all = canary(10_000, plugin(move |_| Err(crash())));
    let host = plugin::Host::new(plugin::Options::default()).unwrap();
    let next = plugin(move |_| Err(crash()));
    let shadow = Shadow::new(&host, plugin(|_| Ok("old".to_owned())), ("next", next));
    let steps: [&dyn PluginStep; 2] = [&all, &shadow];
    for step in steps {
        for _ in 0..50 {
            assert_eq!(made(step, Purpose::Test, event), Ok("old".to_owned()));
            assert_eq!(made(step, Purpose::TestBeside, event), Err(crash()));
            assert_eq!(made(step, Purpose::Look, event), Ok("old".to_owned()));
        }
    }
    for step in steps {
        made(step, Purpose::Delivery, delivered).unwrap();
        let is_last = |last: &Unlike| last.event == "e-1";
        let beside = until(step, |beside| beside.last.as_ref().is_some_and(is_last));
        assert_eq!((beside.calls, beside.skipped, beside.taken_back), (1, 0, false));
    }
}
