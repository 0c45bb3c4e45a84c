use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use slipswitch_plugin::{
    CallError, Configured, Done, Event, Grant, Grants, Isolation, Level, Limits, Line, LineSink,
    QueueOptions, Setup, Tally,
};

use crate::imports::NOW;

use crate::parts::{BATCH, ECHO, FILTER, Parts, event, host, limits, load, of_role, setup};
use crate::pool::{COUNT, counting};

/// Crashes when the event is `{"bad":…}`, and otherwise puts out how often this instance was called.
const GUARDED: &str = r#"(if (i32.eq (i32.load8_u offset=2 (local.get $json)) (i32.const 98)) (then unreachable))
    (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
    (i32.store8 (i32.const 200) (i32.add (global.get $calls) (i32.const 48)))
    (call $output (i32.const 200) (i32.const 1)) (call $ok (i32.const 1))"#;

/// Each event's JSON again, in a list of results; crashes when one is `{"bad":…}`, refuses `{"odd":…}`.
const LIST: &str = r#"(local $index i32) (local $at i32) (local $json i32)
    (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
    (loop $again
      (local.set $at (i32.add (i32.const 4096) (i32.mul (local.get $index) (i32.const 16))))
      (local.set $json (i32.add (local.get $list) (i32.mul (local.get $index) (i32.const 56))))
      (if (i32.eq (i32.load8_u offset=2 (i32.load offset=32 (local.get $json))) (i32.const 98))
        (then unreachable))
      (if (i32.eq (i32.load8_u offset=2 (i32.load offset=32 (local.get $json))) (i32.const 111))
        (then
          (i32.store8 (local.get $at) (i32.const 1))
          (i32.store8 offset=4 (local.get $at) (i32.const 0))
          (call $string (i32.add (local.get $at) (i32.const 8)) (i32.const 96) (i32.const 9)))
        (else
          ;; one output, at 8192 and on: the body is the event's, and there are no attributes
          (i32.store8 (local.get $at) (i32.const 0))
          (call $string (i32.add (local.get $at) (i32.const 4))
            (i32.add (local.get $at) (i32.const 4096)) (i32.const 1))
          (call $string (i32.add (local.get $at) (i32.const 4096))
            (i32.load offset=32 (local.get $json)) (i32.load offset=36 (local.get $json)))
          (call $string (i32.add (local.get $at) (i32.const 4104)) (i32.const 0) (i32.const 0))))
      (local.set $index (i32.add (local.get $index) (i32.const 1)))
      (br_if $again (i32.lt_u (local.get $index) (local.get $count))))
    (call $string (i32.const 1024) (i32.const 4096) (local.get $count))
    (global.set $next (i32.const 65536))
    (i32.const 1024)"#;

fn configured(file: &[u8], isolation: Isolation) -> Configured {
    let setup = Setup { isolation: Some(isolation), ..setup() };
    load(file).unwrap().configure("{}", setup).unwrap()
}

/// What comes of these events in one batch: a word each.
fn outcome(plugin: &Configured, events: &[&str]) -> String {
    let events: Vec<Event<'_>> = events.iter().map(|json| event(json)).collect();
    let mut text = String::new();
    for answer in plugin.call_batch(&events, &[]) {
        match answer {
            Ok(outputs) if outputs.is_empty() => text.push_str("- "),
            Ok(outputs) => write!(text, "{} ", outputs[0].body).unwrap(),
            Err(CallError::Trap { .. }) => text.push_str("trap "),
            Err(error) => write!(text, "[{error}] ").unwrap(),
        }
    }
    text
}

#[test]
fn an_instance_lives_as_long_as_its_isolation_says() {
    let lives = |isolation| {
        let plugin = configured(&counting(COUNT).build(), isolation);
        [outcome(&plugin, &["{}"; 3]), outcome(&plugin, &["{}"; 3])].concat()
    };
    assert_eq!(lives(Isolation::Reuse), "1 2 3 4 5 6 ");
    assert_eq!(lives(Isolation::Batch), "1 2 3 1 2 3 ");
    assert_eq!(lives(Isolation::Event), "1 1 1 1 1 1 ");
}

#[test]
fn without_a_word_from_the_rule_the_plugins_purity_decides() {
    let by_default = |is_pure| {
        let file = Parts { is_pure, ..Parts::default() }.build();
        load(&file).unwrap().configure("{}", setup()).unwrap().isolation()
    };
    assert_eq!(by_default(true), Isolation::Reuse);
    assert_eq!(by_default(false), Isolation::Batch);
}

#[test]
fn an_event_that_crashes_the_plugin_fails_alone() {
    let of = |isolation| {
        let plugin = configured(&counting(GUARDED).build(), isolation);
        let bad = r#"{"bad":1}"#;
        outcome(&plugin, &["{ }", "{ }", bad, "{ }", bad, bad, "{ }"])
    };
    assert_eq!(of(Isolation::Reuse), "1 2 trap 1 trap trap 1 ");
    assert_eq!(of(Isolation::Batch), "1 2 trap 1 trap trap 1 ");
    assert_eq!(of(Isolation::Event), "1 1 trap 1 trap trap 1 ");
}

#[test]
fn a_batch_transformer_gets_its_events_together_and_answers_each() {
    let plugin = configured(&of_role(&counting(LIST), BATCH), Isolation::Reuse);
    let events = [r#"{"n":1}"#, r#"{"odd":1}"#, r#"{"n":2}"#];
    assert_eq!(outcome(&plugin, &events), r#"{"n":1} [bad words] {"n":2} "#);
    assert_eq!(outcome(&plugin, &events[..1]), r#"{"n":1} "#);
    assert_eq!(outcome(&plugin, &[]), "");
    // More than one list holds.
    let many: Vec<String> = (0..150).map(|index| format!(r#"{{"n":{index}}}"#)).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(outcome(&plugin, &many), many.join(" ") + " ");
}

#[test]
fn the_event_that_crashes_a_batch_transformer_fails_alone() {
    let events = [r#"{"n":1}"#, r#"{"bad":1}"#, r#"{"odd":1}"#, r#"{"n":2}"#];
    for isolation in Isolation::ALL {
        let plugin = configured(&of_role(&counting(LIST), BATCH), isolation);
        for _ in 0..2 {
            assert_eq!(outcome(&plugin, &events), r#"{"n":1} trap [bad words] {"n":2} "#);
        }
    }
}

#[test]
fn a_batch_transformer_that_answers_too_few_is_told_so_event_by_event() {
    let forgetful =
        "(call $string (i32.const 1024) (i32.const 4096) (i32.const 0)) (i32.const 1024)";
    let plugin = configured(&of_role(&Parts::transform(forgetful), BATCH), Isolation::Reuse);
    assert_eq!(
        outcome(&plugin, &["{}", "{}"]),
        "[the plugin's output is refused: 0 results for 1 events] \
         [the plugin's output is refused: 0 results for 1 events] "
    );
}

#[test]
fn a_list_may_use_the_budgets_of_some_of_its_events() {
    // Never ends when it is given more than one event.
    let endless = LIST.replacen(
        "(loop $again",
        "(loop $more (br_if $more (i32.gt_u (local.get $count) (i32.const 1)))) (loop $again",
        1,
    );
    let (host, file) = (host(), of_role(&counting(endless.leak()), BATCH));
    let setup = Setup { isolation: Some(Isolation::Reuse), ..setup() };
    let plugin = host.load("endless", &file).unwrap().configure("{}", setup).unwrap();
    // Each comes through alone, after the list was ended.
    assert_eq!(outcome(&plugin, &["{}"; 40]), "{} ".repeat(40));
    let spent = host.tally("endless").cpu;
    assert!(spent >= 4 * limits().cpu_max, "{spent:?}");
}

#[tokio::test]
async fn after_an_event_that_takes_long_no_other_is_begun_in_its_turn() {
    // `{"bad":…}` never ends.
    let spinning = GUARDED.replace("(then unreachable)", "(then (loop $again (br $again)))");
    let listed = LIST.replace("(then unreachable)", "(then (loop $more (br $more)))");
    let files = [counting(spinning.leak()).build(), of_role(&counting(listed.leak()), BATCH)];
    for file in files {
        let limits = Limits { cpu_max: Duration::from_millis(60), ..limits() };
        let setup = Setup { limits, isolation: Some(Isolation::Batch), ..setup() };
        let plugin = load(&file).unwrap().configure("{}", setup).unwrap();
        let queue = host().queue("spins", QueueOptions::default(), move |jobs: Vec<()>| {
            let of = |id, json| Event { id, ..event(json) };
            let good = r#"{"n":1}"#;
            // The second belongs to the first.
            let events =
                [of("e-1", r#"{"bad":1}"#), of("e-1", good), of("e-2", good), of("e-3", good)];
            let outcomes = plugin.call_batch(&events, &[]);
            let words = outcomes.iter().map(|outcome| match outcome {
                Ok(_) => "made",
                Err(CallError::Deadline { .. }) => "deadline",
                Err(CallError::Cut) => "cut",
                Err(_) => "failed",
            });
            let words = words.collect::<Vec<_>>().join(" ");
            jobs.iter().map(|()| Done::With(words.clone())).collect()
        });
        assert_eq!(queue.admit().await.run(()).await, "deadline made cut cut");
    }
}

#[test]
fn a_filter_decides_for_each_event_of_a_batch() {
    // Keeps what is longer than three bytes.
    let long = "(i32.store8 (i32.const 1024) (i32.const 0))
        (i32.store8 (i32.const 1028) (i32.gt_u (local.get $json_len) (i32.const 3))) (i32.const 1024)";
    let plugin = configured(&of_role(&Parts::transform(long), FILTER), Isolation::Reuse);
    assert_eq!(outcome(&plugin, &["{}", r#"{"n":1}"#, "[]"]), r#"- {"n":1} - "#);
}

#[test]
fn no_events_are_no_calls() {
    assert_eq!(outcome(&configured(&Parts::transform(ECHO).build(), Isolation::Reuse), &[]), "");
}

#[test]
fn a_batch_transformer_that_asks_for_the_clock_sees_the_time_of_each_event() {
    let asks: &'static str = LIST
        .replacen(
            "(loop $again",
            "(if (i64.ne (call $now) (i64.const 17)) (then unreachable)) (loop $again",
            1,
        )
        .leak();
    let file = of_role(&Parts { imports: NOW, ..counting(asks) }, BATCH);
    let setup = Setup { grants: Grants::none().with(Grant::Clock), ..setup() };
    let plugin = load(&file).unwrap().configure("{}", setup).unwrap();
    let events = [17, 18, 17].map(|time_ms| Event { time_ms, ..event("{}") });
    let answers = plugin.call_batch(&events, &[]);
    let is_well: Vec<bool> = answers.iter().map(Result::is_ok).collect();
    assert_eq!(is_well, [true, false, true], "{answers:?}");
}

/// Uses up a plugin's CPU time for each of its lines, once it is told to.
#[derive(Default)]
struct Slow(AtomicBool);

impl LineSink for Slow {
    fn is_wanted(&self, _: Level) -> bool {
        true
    }

    fn line(&self, _: &Line<'_>) {
        if self.0.load(Ordering::Relaxed) {
            (0..5_000_000_u64).for_each(|number| {
                black_box(number);
            });
        }
    }
}

#[test]
fn what_keeps_a_list_from_its_instance_is_the_plugins_fault_as_for_one_event() {
    let configure = "(local $left i32) (local.set $left (i32.const 60))
        (loop $again
          (call $log (i32.const 2) (i32.const 16) (i32.const 4) (i32.const 0) (i32.const 0))
          (local.set $left (i32.sub (local.get $left) (i32.const 1)))
          (br_if $again (local.get $left)))
        (i32.store8 (i32.const 1024) (i32.const 0)) (i32.const 1024)";
    let file = of_role(&Parts { configure, ..counting(LIST) }.with_log(), BATCH);
    let (host, slow) = (host(), Arc::new(Slow::default()));
    let lines = Some(Arc::clone(&slow) as Arc<dyn LineSink>);
    let setup = Setup { isolation: Some(Isolation::Batch), lines, ..setup() };
    let plugin = host.load("late", &file).unwrap().configure("{}", setup).unwrap();
    assert_eq!(outcome(&plugin, &["{}"; 2]), "{} {} ");
    slow.0.store(true, Ordering::Relaxed);
    let late = "[the plugin used more than 20ms of CPU time (`plugin.cpu_ms`)] ";
    assert_eq!(outcome(&plugin, &["{}"; 2]), late.repeat(2));
    let tally = host.tally("late");
    assert_eq!((tally.events, tally.errors, tally.faults), (4, 2, 2));
}

#[test]
fn what_a_plugin_was_given_and_failed_is_told_by_its_name() {
    let (host, file) = (host(), counting(GUARDED).build());
    let plugin = host.load("guarded", &file).unwrap();
    let one = plugin.configure("{}", setup()).unwrap();
    outcome(&one, &["{}", "{\"bad\":1}", "{}"]);
    let tally = host.tally("guarded");
    assert_eq!((tally.events, tally.errors, tally.faults), (3, 1, 1));
    assert!(Duration::ZERO < tally.cpu, "{tally:?}");
    let fault = tally.last_fault.unwrap();
    assert!(fault.starts_with("the plugin crashed") && fault.contains("(event `"), "{fault}");

    // Another configuration goes on with the same figures; without the plugin there are none.
    let other = host.load("guarded", &file).unwrap();
    outcome(&other.configure(r#"{"a":1}"#, setup()).unwrap(), &["{}"]);
    assert_eq!(host.tally("guarded").events, 4);
    drop((one, plugin, other));
    assert_eq!(host.tally("guarded"), Tally::default());
}
