use std::time::Duration;

use slipswitch_plugin::{Budget, CallError, Grant, Host, Limits, Options, Setup};

use crate::parts::{
    Parts, call, configured, configured_within, limits, load, options, outcome, setup,
};

const SPIN: &str = "(loop $again (br $again)) unreachable";

#[test]
fn an_endless_loop_ends_with_its_cpu_time() {
    let error = outcome(SPIN).unwrap_err();
    let limit = Duration::from_millis(20);
    assert!(
        matches!(&error, CallError::Deadline { budget: Budget::Cpu, limit: l, .. } if *l == limit)
    );
    assert_eq!(
        error.to_string(),
        "the plugin used more than 20ms of CPU time (`plugin.cpu_ms`), in `the_work`"
    );
}

#[test]
fn an_endless_loop_ends_with_its_wall_time() {
    let limits = Limits { cpu_max: Duration::MAX, wall_max: Duration::from_millis(20), ..limits() };
    let error = call(&configured_within(&Parts::transform(SPIN), limits)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the plugin used more than 20ms of time (`plugin.wall_ms`), in `the_work`"
    );
    // It may be the machine's: nothing speaks against the plugin.
    assert!(!error.is_plugins_fault());
}

#[test]
fn configuring_and_describing_have_budgets_too() {
    let spin = "(loop $again (br $again))";
    let plugin = crate::parts::load(
        &Parts { configure: "(loop $again (br $again)) unreachable", ..Parts::default() }.build(),
    );
    let error = plugin.unwrap().configure("{}", setup()).map(drop).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the plugin failed while it was configured: the plugin used more than 20ms of CPU time (`plugin.cpu_ms`)"
    );
    let error = crate::parts::load(&Parts { describe: spin, ..Parts::default() }.build())
        .map(drop)
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "failed on being tried out: the plugin used more than 250ms of CPU time (`plugin.cpu_ms`); mend what it does as it starts, before there \
         is an event"
    );
}

#[test]
fn memory_is_refused_beyond_the_limit() {
    let hog = "(loop $again (br_if $again (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable";
    assert_eq!(outcome(hog).unwrap_err(), CallError::Memory { limit: 8 << 20 });
    // Who has an error of its own for it knows no limit to name.
    let gives_up = "(drop (memory.grow (i32.const 60000))) (call $error (i32.const 2))";
    assert_eq!(
        outcome(gives_up).unwrap_err().to_string(),
        "the plugin gave up: bad words; the plugin needs more than 8388608 bytes of memory (`plugin.memory_bytes`)"
    );
    // Who lives with the refusal may go on.
    let modest = "(loop $again (br_if $again (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) (call $ok (i32.const 0))";
    assert_eq!(outcome(modest).unwrap(), []);
}

#[test]
fn a_crash_long_after_a_refusal_of_memory_is_not_blamed_on_it() {
    let configure = "(drop (memory.grow (i32.const 60000)))
        (i32.store8 (i32.const 1024) (i32.const 0)) (i32.const 1024)";
    let plugin = configured(&Parts { configure, ..Parts::transform("unreachable") });
    assert!(matches!(call(&plugin), Err(CallError::Trap { .. })));
}

#[test]
fn an_output_over_the_limit_is_refused_and_costs_no_memory_of_ours() {
    // 8,000 outputs that are all the same megabyte: 8 GB, out of one.
    let many = "(local $index i32)
        (drop (memory.grow (i32.const 40)))
        (loop $again
          (call $string (i32.add (i32.const 65536) (i32.mul (local.get $index) (i32.const 16))) (i32.const 262144) (i32.const 1048576))
          (call $string (i32.add (i32.const 65544) (i32.mul (local.get $index) (i32.const 16))) (i32.const 0) (i32.const 0))
          (local.set $index (i32.add (local.get $index) (i32.const 1)))
          (br_if $again (i32.lt_u (local.get $index) (i32.const 8000))))
        (drop (call $ok (local.get $index)))
        (i32.store (i32.const 1028) (i32.const 65536))
        (i32.const 1024)";
    let error = outcome(many).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the plugin's output is refused: more than 4194304 bytes at once (`plugin.output_bytes`)"
    );
}

#[test]
fn bytes_and_outputs_are_counted() {
    let limits = || Limits { output_bytes_max: 10, outputs_max: 1, ..limits() };
    let error = call(&configured_within(&Parts::default(), limits())).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the plugin's output is refused: 12 bytes for one event, and at most 10 are taken (`plugin.output_bytes`)"
    );

    let two = "(call $output (i32.const 0) (i32.const 0)) (call $string (i32.const 1056) (i32.const 0) (i32.const 0))
        (call $string (i32.const 1064) (i32.const 0) (i32.const 0)) (call $ok (i32.const 2))";
    let error = call(&configured_within(&Parts::transform(two), limits())).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the plugin's output is refused: 2 outputs for one event, and at most 1 are taken (`plugin.outputs`)"
    );
}

#[test]
fn a_plugin_that_logs_without_end_is_cut_off_and_does_its_work() {
    let chatter = "(local $left i32) (local.set $left (i32.const 10000))
        (loop $again
          (call $log (i32.const 2) (i32.const 16) (i32.const 4) (i32.const 0) (i32.const 0))
          (local.set $left (i32.sub (local.get $left) (i32.const 1)))
          (br_if $again (local.get $left)))
        (call $ok (i32.const 0))";
    let (lines, answer) =
        crate::pool::logged(|| call(&configured(&Parts::transform(chatter).with_log())));
    assert_eq!(answer.unwrap(), []);
    let (words, warnings): (Vec<_>, Vec<_>) =
        lines.iter().partition(|line| line.starts_with("INFO"));
    assert_eq!(words.len(), 64);
    assert_eq!(words[0], "INFO plugin plugin=test event=\"e-1\" line=\"test\"");
    assert_eq!(
        warnings,
        [
            "WARN plugin logs too much plugin=test event=\"e-1\" left_out=9936 lines_max=64 lines_per_second=200"
        ]
    );
}

#[test]
fn all_that_a_plugin_logs_is_bounded_by_second_whichever_instance_says_it() {
    let speaking =
        "(call $log (i32.const 2) (i32.const 16) (i32.const 4) (i32.const 0) (i32.const 0))
        (call $ok (i32.const 0))";
    let panicking =
        "(call $log (i32.const 4) (i32.const 32) (i32.const 23) (i32.const 0) (i32.const 0))
        unreachable";
    let options = Options { log_lines_per_second: 0, log_lines_at_once: 3, ..options() };
    let host = Host::new(options).unwrap();
    let configured = |name, transform| {
        let file = Parts::transform(transform).with_log().build();
        host.load(name, &file).unwrap().configure("{}", setup()).unwrap()
    };
    let (one, same) = (configured("one", speaking), configured("one", speaking));
    let (lines, ()) = crate::pool::logged(|| {
        for _ in 0..5 {
            assert!(call(&one).is_ok() && call(&same).is_ok());
        }
        assert!(call(&configured("other", speaking)).is_ok());
    });
    let line = |plugin| format!("INFO plugin plugin={plugin} event=\"e-1\" line=\"test\"");
    let left_out = "WARN plugin logs too much plugin=one event=\"e-1\" left_out=1 lines_max=64 lines_per_second=0";
    assert_eq!(
        lines,
        [&line("one"), &line("one"), &line("one"), left_out, &line("other")].map(str::to_owned)
    );
    // What it said last is known all the same.
    let (_, error) = crate::pool::logged(|| call(&configured("one", panicking)).unwrap_err());
    assert_eq!(error.to_string(), "the plugin crashed in `the_work`: panicked: no such order");
}

#[test]
fn a_plugins_own_words_are_cut() {
    let is_cut = |words: &str| words.len() == 4_096 + '…'.len_utf8() && words.ends_with('…');
    let words = |kind: u8| {
        format!(
            "(i32.store8 (i32.const 1024) (i32.const 1)) (i32.store8 (i32.const 1028) (i32.const {kind}))
             (call $string (i32.const 1032) (i32.const 2000) (i32.const 9000)) (i32.const 1024)"
        )
    };
    for kind in 0..3 {
        let (CallError::Invalid(words) | CallError::Retry(words) | CallError::Fatal(words)) =
            outcome(words(kind).leak()).unwrap_err()
        else {
            panic!("its own words")
        };
        assert!(is_cut(&words), "{kind}");
    }
    let describe = "(call $string (i32.const 1024) (i32.const 2000) (i32.const 9000))
        (call $string (i32.const 1032) (i32.const 2000) (i32.const 9000))
        (call $string (i32.const 1040) (i32.const 2000) (i32.const 9000))
        (call $string (i32.const 1048) (i32.const 0) (i32.const 0))
        (return (i32.const 1024))";
    let configure = "(i32.store8 (i32.const 1024) (i32.const 1))
        (call $string (i32.const 1028) (i32.const 2000) (i32.const 9000)) (i32.const 1024)";
    let wordy = Parts { describe, configure, ..Parts::default() };
    let plugin = crate::parts::load(&wordy.build()).unwrap();
    let info = plugin.info();
    assert!(is_cut(&info.name) && is_cut(&info.version) && is_cut(&info.description));
    assert!(is_cut(&plugin.configure("{}", setup()).map(drop).unwrap_err().to_string()));
}

/// Half a second and more of imports in code without a loop, which looks at no budget by itself.
fn imports_in_a_row(import: &str, count: usize) -> Parts {
    let fill = "(drop (memory.grow (i32.const 80)))
        (memory.fill (i32.const 65536) (i32.const 0x61) (i32.const 3800000))";
    let body = format!("{fill} {} (call $ok (i32.const 0))", import.repeat(count));
    Parts {
        imports: r#"(import "slipswitch:plugin/metrics@0.2.0" "count" (func $count (param i32 i32 i64)))"#,
        ..Parts::transform(body.leak())
    }
}

#[test]
fn imports_are_within_the_budgets_and_look_at_no_text_that_is_too_long() {
    let outcome = |import, count| {
        let parts = imports_in_a_row(import, count);
        let grants = [Grant::Metrics].into_iter().collect();
        let plugin = load(&parts.build()).unwrap();
        let plugin = plugin.configure("{}", Setup { grants, ..setup() }).unwrap();
        call(&plugin).unwrap_err()
    };
    let long = "(call $count (i32.const 65536) (i32.const 3800000) (i64.const 1))";
    let error = outcome(long, 20_000);
    assert!(matches!(error, CallError::Deadline { budget: Budget::Cpu, .. }), "{error}");
    let too_long = "(call $count (i32.const 0) (i32.const 5000000) (i64.const 1))";
    let error = outcome(too_long, 1);
    assert!(matches!(error, CallError::Output { limit: Some("output_bytes_max"), .. }), "{error}");
}
