//! What a lane tries, and when: while its circuit is open, and when the clock is set.

use super::*;
use crate::attempt::{Heard, Plugins};

/// What a lane with the default circuit waits after ten failures, in milliseconds.
const PROBE_AFTER: i64 = 1000;

impl Model {
    fn work(&self) -> Option<Work> {
        self.lane.lock().next(self.clock())
    }

    fn finish_with(&self, part: Part, outcome: Outcome) {
        let now = self.clock();
        self.lane.lock().finish(Finished { parts: vec![(part, outcome)] }, now);
    }

    /// A model whose first event is postponed and has opened the circuit.
    fn broken(events: usize) -> Self {
        let mut model = Model::new(vec![true; events]);
        model.dispatch();
        let Some(Work::Event(owed, _)) = model.work() else { panic!("it is new") };
        let heard = Heard { requests: 10, failures: 10, ..Heard::default() };
        let ends = vec![End::Postponed(postponed(0, 1, 100))];
        model.finish_with(Part::Event(owed.offset), Outcome { ends, heard, ..Outcome::default() });
        assert_eq!(model.lane.lock().circuit().state(), delivery::CircuitState::Open);
        model
    }
}

fn put_off(until: i64) -> Outcome {
    let until = Timestamp::from_millis(until);
    Outcome { ends: vec![End::PutOff(until)], ..Outcome::default() }
}

#[test]
fn a_probe_that_could_not_be_made_waits_and_the_next_is_something_else() {
    let mut model = Model::broken(2);
    model.now = PROBE_AFTER;
    let Some(Work::Retry(probe)) = model.work() else { panic!("what is owed longest probes") };
    model.finish_with(Part::Retry(probe.place), put_off(60_000));
    assert!(model.work().is_none(), "it told nothing: the next probe has its time");
    model.dispatch();
    model.now += 2 * PROBE_AFTER;
    model.read(8);
    let Some(Work::Event(owed, _)) = model.work() else {
        panic!("what was put off does not probe")
    };
    model.finish_with(Part::Event(owed.offset), Outcome::default());
    assert!(model.work().is_none(), "the one is put off, and there is nothing else");
    model.now = 60_000;
    assert!(matches!(model.work(), Some(Work::Retry(_))), "its time has come");
}

#[test]
fn a_probe_that_a_transform_drops_makes_room_for_the_next_at_once() {
    let mut model = Model::broken(3);
    model.now = PROBE_AFTER;
    let Some(Work::Retry(probe)) = model.work() else { panic!("what is owed longest probes") };
    model.finish_with(Part::Retry(probe.place), Outcome::default());
    for _ in 0..2 {
        model.dispatch();
        model.read(8);
        let Some(Work::Event(owed, _)) = model.work() else { panic!("nothing else is to be done") };
        model.finish_with(Part::Event(owed.offset), Outcome::default());
    }
}

#[test]
fn a_probe_whose_transform_fails_for_now_waits() {
    let model = Model::broken(1);
    let at = |now: i64| Now { wall: Timestamp::from_millis(now), ..model.clock() };
    let mut inner = model.lane.lock();
    let Some(Work::Retry(probe)) = inner.next(at(PROBE_AFTER)) else { panic!("it probes") };
    let ends = vec![End::Postponed(postponed(0, 2, PROBE_AFTER))];
    let outcome = Outcome { ends, ..Outcome::default() };
    inner.finish(Finished { parts: vec![(Part::Retry(probe.place), outcome)] }, at(PROBE_AFTER));
    assert!(inner.next(at(PROBE_AFTER)).is_none());
    assert!(inner.next(at(3 * PROBE_AFTER)).is_some());
}

#[test]
fn a_clock_that_is_set_back_delays_neither_a_retry_nor_a_probe_nor_what_a_target_asked_for() {
    let (day, second) = (24 * 60 * 60 * 1000, 1000);
    let later = |millis: i64| Timestamp::from_millis(day + millis);
    let heard = |failures, until| Heard {
        requests: failures,
        failures,
        hold_until: until,
        ..Heard::default()
    };
    for heard in [heard(1, None), heard(10, None), heard(1, Some(later(2 * second)))] {
        let mut model = Model::new(vec![true; 1]);
        model.dispatch();
        model.now = day;
        let Some(Work::Event(owed, _)) = model.work() else { panic!("it is new") };
        let ends = vec![End::Postponed(postponed(0, 1, day + second))];
        model.finish_with(Part::Event(owed.offset), Outcome { ends, heard, ..Outcome::default() });
        let steady = |millis| Duration::from_millis(u64::try_from(day + millis).unwrap());
        let wall = |millis| Timestamp::from_millis(millis);
        let mut inner = model.lane.lock();
        // A day back, half a second later.
        assert!(inner.next(Now { wall: wall(500), steady: steady(500) }).is_none());
        let wait = inner.wake_in(Now { wall: wall(500), steady: steady(500) }).unwrap();
        assert!(wait <= Duration::from_secs(2), "{wait:?}");
        let work = inner.next(Now { wall: wall(2 * second), steady: steady(2 * second) });
        assert!(matches!(work, Some(Work::Retry(_))), "it is late");
    }
}

#[test]
fn what_was_written_down_before_the_clock_was_set_back_is_due_within_the_longest_delay() {
    let mut model = Model::new(vec![true; 1]);
    model.stored.settled = Offset::new(1);
    model.rows = vec![postponed(0, 1, i64::MAX / 2)];
    model.crash();
    assert!(model.work().is_none());
    model.now = 60 * 60 * 1000; // As long as a target may ask for.
    assert!(matches!(model.work(), Some(Work::Retry(_))));
}

#[test]
fn a_removed_rule_keeps_the_pace_of_its_target() {
    let mut model = Model::on(testing::slow_route(), vec![true; 3]);
    for _ in 0..3 {
        model.dispatch();
    }
    let hold_until = Some(Timestamp::from_millis(5_000));
    model.lane.retire(Offset::new(3), Timestamp::from_millis(0));
    let Some(Work::Event(first, _)) = model.work() else { panic!("it is owed") };
    assert!(model.work().is_none(), "one a second");
    assert_eq!(model.lane.lock().wake_in(model.clock()), Some(Duration::from_secs(1)));
    let heard = Heard { requests: 1, has_answered: true, hold_until, ..Heard::default() };
    let ends = vec![End::Postponed(postponed(0, 1, 100))];
    model.finish_with(Part::Event(first.offset), Outcome { ends, heard, ..Outcome::default() });
    model.now = 4_999;
    assert!(model.work().is_none(), "the target wants to be left alone");
    model.now = 5_000;
    assert!(matches!(model.work(), Some(Work::Event(..))));
}

fn told(plugins: Plugins) -> Outcome {
    let heard = Heard { plugins, ..Heard::default() };
    Outcome { ends: vec![End::Delivered], heard, ..Outcome::default() }
}

#[test]
fn plugins_that_fail_in_a_row_get_one_event_now_and_then_until_they_answer() {
    let mut model = Model::new(vec![true; 40]);
    (0..40).for_each(|_| model.dispatch());
    let failed = || Plugins::Failed("event 1: step 1 (plugin `p`): it crashed".to_owned());
    let run = |model: &Model, plugins| {
        let Some(Work::Event(owed, _)) = model.work() else { return false };
        model.finish_with(Part::Event(owed.offset), told(plugins));
        true
    };
    // An answer in order between them: not in a row.
    for plugins in [failed(), failed(), Plugins::Answered, failed(), failed(), failed(), failed()] {
        model.read(8);
        assert!(run(&model, plugins));
    }
    assert_eq!(model.route.openings.count(), 0);
    assert!(run(&model, failed()), "the fifth");
    assert_eq!(model.route.openings.count(), 1, "what waits for its turn is held back");
    assert!(!run(&model, failed()) && model.lane.lock().plugins().1.is_some());
    let mut wait = PROBE_AFTER;
    for _ in 0..3 {
        model.now += wait - 1;
        model.read(8);
        assert!(!run(&model, failed()), "not before its time");
        model.now += 1;
        assert!(run(&model, failed()), "one, to see");
        assert!(!run(&model, failed()));
        wait *= 2;
    }
    model.now += wait;
    model.read(8);
    let Some(Work::Event(probe, _)) = model.work() else { panic!("its time has come") };
    assert!(model.work().is_none(), "one at a time");
    model.finish_with(Part::Event(probe.offset), told(Plugins::Answered));
    model.read(8);
    assert!(run(&model, Plugins::Answered) && run(&model, Plugins::Answered));
}

#[test]
fn an_event_that_fails_again_and_again_opens_no_circuit_and_is_no_probe_where_others_are() {
    let mut model = Model::new(vec![true; 20]);
    (0..20).for_each(|_| model.dispatch());
    let crashed = |offset, due_at, again: bool| {
        let words = "event 1: step 1 (plugin `p`): it crashed".to_owned();
        let plugins = if again { Plugins::FailedAgain(words) } else { Plugins::Failed(words) };
        let row = Postponed { made: Made::NotYet, ..postponed(offset, 1, due_at) };
        let heard = Heard { plugins, ..Heard::default() };
        Outcome { ends: vec![End::Postponed(row)], heard, ..Outcome::default() }
    };
    let state = |model: &Model| model.lane.lock().plugins().0.state();
    let fail = |model: &mut Model, due_at| {
        model.read(8);
        let Some(Work::Event(owed, _)) = model.work() else { panic!("it is new") };
        model.finish_with(Part::Event(owed.offset), crashed(owed.offset.get(), due_at, false));
    };
    fail(&mut model, 100);
    model.now = 100;
    for due_at in [100, 100, 100, 100, 100, 1000] {
        let Some(Work::Retry(retry)) = model.work() else { panic!("it is due") };
        model.finish_with(Part::Retry(retry.place), crashed(0, due_at, true));
    }
    assert_eq!(state(&model), delivery::CircuitState::Closed, "it may be the event");
    (0..4).for_each(|_| fail(&mut model, 1000));
    assert_eq!(state(&model), delivery::CircuitState::Open, "five events in a row");
    model.now += PROBE_AFTER;
    model.read(8);
    let Some(Work::Event(probe, _)) = model.work() else { panic!("it has not failed yet") };
    assert!(model.work().is_none(), "one at a time");
    model.finish_with(Part::Event(probe.offset), told(Plugins::Answered));
    assert_eq!(state(&model), delivery::CircuitState::Closed);
    model.now += PROBE_AFTER;
    assert!(matches!(model.work(), Some(Work::Retry(_))), "their time comes then");
}

#[test]
fn what_is_still_to_be_made_does_not_reach_plugins_that_are_left_alone() {
    let mut model = Model::new(vec![true; 5]);
    (0..5).for_each(|_| model.dispatch());
    let failed = || Plugins::Failed("event 1: step 1 (plugin `p`): it crashed".to_owned());
    let unmade = |offset| Postponed { made: Made::NotYet, ..postponed(offset, 1, 100) };
    for offset in 0..5 {
        model.read(8);
        let Some(Work::Event(owed, _)) = model.work() else { panic!("it is new") };
        let row = match offset {
            1 => postponed(1, 1, 100),
            2 => postponed(2, 1, 1100),
            _ => unmade(offset),
        };
        let heard = Heard { plugins: failed(), ..Heard::default() };
        let outcome = Outcome { ends: vec![End::Postponed(row)], heard, ..Outcome::default() };
        model.finish_with(Part::Event(owed.offset), outcome);
    }
    let retry = |model: &Model| match model.work() {
        Some(Work::Retry(retry)) => Some(retry.place),
        Some(work) => panic!("{work:?}"),
        None => None,
    };
    let state = |model: &Model| model.lane.lock().plugins().0.state();
    model.now = 500;
    let made = retry(&model).unwrap();
    assert_eq!((made.offset, retry(&model)), (1, None), "what was made is sent, and nothing else");
    model.finish_with(Part::Retry(made), told(Plugins::Silent));
    assert_eq!(model.lane.lock().wake_in(model.clock()), Some(Duration::from_millis(500)));

    model.now = 1000;
    let probe = retry(&model).unwrap();
    assert_eq!((probe.offset, retry(&model)), (0, None), "one, to see");
    model.now = 1100;
    let made = retry(&model).unwrap();
    assert_eq!((made.offset, retry(&model)), (2, None));
    model.finish_with(Part::Retry(made), told(Plugins::Silent));
    assert_eq!(state(&model), delivery::CircuitState::HalfOpen, "it is not what finds out");
    assert_eq!(retry(&model), None);
    let heard = Heard { plugins: failed(), ..Heard::default() };
    let ends = vec![End::Postponed(unmade(0))];
    model.finish_with(Part::Retry(probe), Outcome { ends, heard, ..Outcome::default() });
    model.now += 2 * PROBE_AFTER - 1;
    assert_eq!(retry(&model), None, "twice the time");
    model.now += 1;
    let probe = retry(&model).unwrap();
    model.finish_with(Part::Retry(probe), told(Plugins::Answered));
    assert_eq!(state(&model), delivery::CircuitState::Closed);
    assert!(retry(&model).is_some() && retry(&model).is_some());
}

#[test]
fn a_probe_of_plugins_that_tells_nothing_is_followed_by_another() {
    let mut model = Model::new(vec![true; 20]);
    (0..20).for_each(|_| model.dispatch());
    for _ in 0..5 {
        model.read(8);
        let Some(Work::Event(owed, _)) = model.work() else { panic!("it is new") };
        model.finish_with(Part::Event(owed.offset), told(Plugins::Failed("it crashed".to_owned())));
    }
    model.now += PROBE_AFTER;
    for has_parts in [true, false, true] {
        model.read(8);
        let Some(Work::Event(owed, _)) = model.work() else { panic!("it probes") };
        assert!(model.work().is_none());
        let parts = vec![(Part::Event(owed.offset), told(Plugins::Silent))];
        let parts = if has_parts { parts } else { Vec::new() };
        let now = model.clock();
        model.lane.lock().finish(Finished { parts }, now);
        assert!(model.work().is_none());
        model.now += 2 * PROBE_AFTER;
    }
}
