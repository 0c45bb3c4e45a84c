use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use expect_test::expect;
use slipswitch_plugin::{
    Configured, Event, Grant, Grants, Level, Line, LineSink, MetricSink, Plugin, Setup,
    StateAccess, StateError,
};

use crate::parts::{BATCH, Parts, TRANSFORMER, event, load, of_role, setup};

pub(crate) const NOW: &str =
    r#"(import "slipswitch:plugin/clock@0.2.0" "now" (func $now (result i64)))"#;
pub(crate) const RANDOM: &str = r#"(import "slipswitch:plugin/random@0.2.0" "number" (func $number (result i64)))
    (import "slipswitch:plugin/random@0.2.0" "bytes" (func $bytes (param i32 i32)))"#;
const METRICS: &str = r#"(import "slipswitch:plugin/metrics@0.2.0" "count" (func $count (param i32 i32 i64)))
    (import "slipswitch:plugin/metrics@0.2.0" "observe" (func $observe (param i32 i32 f64)))"#;
const STATE: &str = r#"(import "slipswitch:plugin/state@0.2.0" "get" (func $get (param i32 i32 i32)))
    (import "slipswitch:plugin/state@0.2.0" "set" (func $set (param i32 i32 i32 i32 i32 i64 i32)))
    (import "slipswitch:plugin/state@0.2.0" "delete" (func $delete (param i32 i32 i32)))
    (import "slipswitch:plugin/state@0.2.0" "increment" (func $increment (param i32 i32 i64 i32 i64 i32)))"#;

/// `$hex` puts out a number as sixteen digits in quotes; `$answer` what a state function left at 300: `$tag` and the
/// text after it.
pub(crate) const SHOW: &str = r#"
    (func $digit (param $n i64) (result i32)
      (if (result i32) (i64.lt_u (local.get $n) (i64.const 10))
        (then (i32.add (i32.wrap_i64 (local.get $n)) (i32.const 48)))
        (else (i32.add (i32.wrap_i64 (local.get $n)) (i32.const 87)))))
    (func $hex (param $n i64) (result i32) (local $at i32)
      (local.set $at (i32.const 216))
      (i32.store8 (i32.const 200) (i32.const 34))
      (i32.store8 (i32.const 217) (i32.const 34))
      (loop $again
        (i32.store8 (local.get $at) (call $digit (i64.and (local.get $n) (i64.const 15))))
        (local.set $n (i64.shr_u (local.get $n) (i64.const 4)))
        (local.set $at (i32.sub (local.get $at) (i32.const 1)))
        (br_if $again (i32.gt_u (local.get $at) (i32.const 200))))
      (call $output (i32.const 200) (i32.const 18)) (call $ok (i32.const 1)))
    ;; the plugin's own words as an error: final
    (func $say (param $text i32) (param $len i32) (result i32)
      (i32.store8 (i32.const 1024) (i32.const 1))
      (i32.store8 (i32.const 1028) (i32.const 0))
      (call $string (i32.const 1032) (local.get $text) (local.get $len))
      (i32.const 1024))"#;

fn parts(imports: &'static str, transform: &'static str) -> Parts {
    Parts { imports, globals: SHOW, transform, ..Parts::default() }
}

fn plugin(parts: &Parts) -> Plugin {
    load(&super::BUILD(parts)).unwrap()
}

fn granted(parts: &Parts) -> Configured {
    let plugin = plugin(parts);
    let grants = plugin.imports().iter().copied().collect();
    plugin.configure("{}", Setup { grants, ..setup() }).unwrap()
}

fn body(plugin: &Configured, event: &Event<'_>) -> String {
    plugin.call(event).unwrap().remove(0).body
}

#[test]
fn what_a_plugin_asks_for_is_known_and_has_to_be_granted() {
    let all = [
        (METRICS, Grant::Metrics),
        (NOW, Grant::Clock),
        (RANDOM, Grant::Random),
        (STATE, Grant::State),
    ];
    for (imports, grant) in all {
        let plugin = plugin(&parts(imports, "(call $ok (i32.const 0))"));
        assert_eq!(plugin.imports(), [grant]);
        let others = Grant::ALL.into_iter().filter(|other| *other != grant).collect();
        for grants in [Grants::none(), others] {
            let setup = Setup { grants, ..setup() };
            let error = plugin.configure("{}", setup).map(drop).unwrap_err().to_string();
            let expected = format!(
                "it asks for `{grant}`, which its rule does not grant: write `grant: [{grant}]` on the step"
            );
            assert_eq!(error, expected);
        }
        let grants = Grants::none().with(grant);
        assert!(plugin.configure("{}", Setup { grants, ..setup() }).is_ok());
    }
    assert_eq!(plugin(&Parts::default().with_log()).imports(), []);
    let all = plugin(&parts([METRICS, NOW, STATE].concat().leak(), "(call $ok (i32.const 0))"));
    let grants = Grants::none().with(Grant::Clock);
    let error = all.configure("{}", Setup { grants, ..setup() }).map(drop).unwrap_err().to_string();
    let form = "which its rule does not grant: write `grant: [metrics, clock, state]` on the step";
    assert_eq!(error, format!("it asks for `metrics` and `state`, {form}"));
}

#[test]
fn the_clock_shows_the_events_time() {
    let plugin = granted(&parts(NOW, "(call $hex (call $now))"));
    for time_ms in [0, -1, 1_767_225_600_000] {
        let body = body(&plugin, &Event { time_ms, ..event("{}") });
        assert_eq!(body, format!("\"{time_ms:016x}\""));
    }
}

#[test]
fn there_is_no_time_and_no_chance_without_an_event() {
    for (imports, call) in [(NOW, "(drop (call $now))"), (RANDOM, "(drop (call $number))")] {
        let configure: &'static str =
            format!("{call} (i32.store8 (i32.const 1024) (i32.const 0)) (i32.const 1024)").leak();
        let plugin = plugin(&Parts { configure, ..parts(imports, "(call $ok (i32.const 0))") });
        let grants = Grant::ALL.into_iter().collect();
        let error = plugin.configure("{}", Setup { grants, ..setup() }).map(drop).unwrap_err();
        let function = if imports == NOW { "clock.now" } else { "random.number" };
        assert_eq!(
            error.to_string(),
            format!(
                "the plugin failed while it was configured: the plugin crashed in `{function}`: asked for outside of an \
                 event: what depends on the event has no answer while a plugin is described or configured"
            )
        );
    }
}

#[test]
fn the_same_event_draws_the_same_numbers_on_any_instance() {
    let second = parts(RANDOM, "(drop (call $number)) (call $hex (call $number))");
    let (one, other) = (granted(&second), granted(&second));
    let expected = body(&one, &event("{}"));
    // Reused, fresh, in a batch; whatever the rest of the event is.
    assert_eq!(body(&one, &event("[]")), expected);
    assert_eq!(body(&other, &event("{}")), expected);
    for answer in other.call_batch(&[event("{}"), event("{}")], &[]) {
        assert_eq!(answer.unwrap()[0].body, expected);
    }
    assert_ne!(body(&one, &Event { id: "e-2", ..event("{}") }), expected);
    assert_ne!(body(&one, &Event { position: 1, ..event("{}") }), expected);
    // One that runs beside another draws as that one does.
    let draws_as = |name: &str| {
        let plugin = plugin(&second);
        let draws_as = Some(name.into());
        let grants = Grants::none().with(Grant::Random);
        let plugin = plugin.configure("{}", Setup { grants, draws_as, ..setup() }).unwrap();
        body(&plugin, &event("{}"))
    };
    assert_eq!(draws_as(plugin(&second).name()), expected);
    assert_ne!(draws_as("other"), expected);
    // Bytes are drawn from the same row.
    let bytes =
        parts(RANDOM, "(call $bytes (i32.const 8) (i32.const 300)) (call $hex (call $number))");
    assert_eq!(body(&granted(&bytes), &event("{}")), expected);
}

#[test]
fn no_more_random_bytes_than_the_contract_says() {
    let many = parts(
        RANDOM,
        "(call $bytes (i32.const -1) (i32.const 300)) (call $hex (i64.load32_u (i32.const 304)))",
    );
    assert_eq!(body(&granted(&many), &event("{}")), "\"0000000000001000\"");
}

#[derive(Default)]
struct Figures(Mutex<Vec<String>>);

impl MetricSink for Figures {
    fn count(&self, plugin: &str, name: &str, by: u64) {
        self.0.lock().unwrap().push(format!("{plugin} {name} +{by}"));
    }

    fn observe(&self, plugin: &str, name: &str, value: f64) {
        self.0.lock().unwrap().push(format!("{plugin} {name} {value}"));
    }
}

#[test]
fn figures_reach_the_sink_and_each_reason_to_leave_one_out_is_said_once() {
    // `test` is at 16, `panicked: no such order` at 32, `text` at 76.
    let counting = parts(
        METRICS,
        "(call $count (i32.const 16) (i32.const 4) (i64.const 3))
         (call $observe (i32.const 76) (i32.const 4) (f64.const 1.5))
         (call $observe (i32.const 76) (i32.const 4) (f64.const nan))
         (call $observe (i32.const 16) (i32.const 4) (f64.const 1))
         (call $count (i32.const 32) (i32.const 23) (i64.const 1))
         (call $ok (i32.const 0))",
    );
    let figures = Arc::new(Figures::default());
    let grants = Grants::none().with(Grant::Metrics);
    let setup = Setup { grants, metrics: Some(figures.clone()), ..setup() };
    let plugin = plugin(&counting).configure("{}", setup).unwrap();
    let (lines, ()) = crate::pool::logged(|| {
        for _ in 0..2 {
            plugin.call(&event("{}")).unwrap();
        }
    });
    assert_eq!(
        *figures.0.lock().unwrap(),
        ["test test +3", "test text 1.5", "test test +3", "test text 1.5"]
    );
    assert_eq!(
        lines,
        [
            ("text", "an observation is a finite number"),
            ("test", "it is used as a counter and as a histogram"),
            ("panicked: no such order", "a name is [a-z][a-z0-9_]*, at most 64 bytes"),
        ]
        .map(|(name, why)| format!(
            "WARN plugin's figure left out plugin=test name={name:?} why={why:?} names_max=100"
        ))
    );
}

#[derive(Default)]
struct Lines(Mutex<Vec<String>>);

impl LineSink for Lines {
    fn is_wanted(&self, level: Level) -> bool {
        level >= Level::Info
    }

    fn line(&self, line: &Line<'_>) {
        let Line { plugin, level, event, rule, text } = *line;
        let line = format!("{} {plugin} {rule:?} {event:?}: {text}", level.name());
        self.0.lock().unwrap().push(line);
    }
}

#[test]
fn lines_and_faults_reach_the_sink_with_rule_and_event() {
    let speaking = Parts::transform(
        "(call $log (i32.const 1) (i32.const 16) (i32.const 4) (i32.const 0) (i32.const 0))
         (call $log (i32.const 2) (i32.const 16) (i32.const 4) (i32.const 0) (i32.const 0)) unreachable",
    )
    .with_log();
    let lines = Arc::new(Lines::default());
    let setup = Setup { lines: Some(lines.clone()), ..setup() };
    let plugin = plugin(&speaking).configure("{}", setup).unwrap();
    let attributes = [("rule".to_owned(), "big".to_owned())];
    let (logged, answers) = crate::pool::logged(|| {
        let event = || Event { attributes: &attributes, ..event("{}") };
        plugin.call_batch(&[event(), event()], &[])
    });
    assert!(answers.iter().all(Result::is_err));
    let fault =
        "the plugin crashed in `the_work`: wasm trap: wasm `unreachable` instruction executed";
    let info = "info test Some(\"big\") Some(\"e-1\"): test";
    let error = format!("error test Some(\"big\") Some(\"e-1\"): {fault}");
    assert_eq!(*lines.0.lock().unwrap(), [info, &error, info, &error]);
    // In the process's log the second fault waits for its turn.
    expect![[r#"
        DEBUG plugin plugin=test rule="big" event="e-1" line="test"
        INFO plugin plugin=test rule="big" event="e-1" line="test"
        WARN plugin failed plugin="test" rule="big" event="e-1" error=the plugin crashed in `the_work`: wasm trap: wasm `unreachable` instruction executed
        DEBUG plugin plugin=test rule="big" event="e-1" line="test"
        INFO plugin plugin=test rule="big" event="e-1" line="test"
    "#]]
    .assert_eq(&(logged.join("\n") + "\n"));
}

#[test]
fn a_fault_names_its_limit() {
    let spin = Parts::transform("(loop $again (br $again)) unreachable");
    let plugin = plugin(&spin).configure("{}", setup()).unwrap();
    let (logged, answer) = crate::pool::logged(|| plugin.call(&event("{}")));
    assert!(answer.unwrap_err().is_plugins_fault());
    assert_eq!(
        logged,
        [
            "WARN plugin failed plugin=\"test\" event=\"e-1\" limit=\"cpu_max\" error=the plugin used more than 20ms of CPU time (`plugin.cpu_ms`), in `the_work`"
        ]
    );
}

/// A state in memory. Writes of the running call are in `new` until somebody takes them over.
#[derive(Default)]
struct Kept {
    asked: Mutex<Vec<String>>,
    values: Mutex<BTreeMap<String, Vec<u8>>>,
}

impl Kept {
    fn note(&self, words: String) {
        self.asked.lock().unwrap().push(words);
    }
}

impl StateAccess for Kept {
    fn get(&self, key: &str, now_ms: i64) -> Result<Option<Vec<u8>>, StateError> {
        self.note(format!("get {key} at {now_ms}"));
        Ok(self.values.lock().unwrap().get(key).cloned())
    }

    fn set(&self, key: &str, value: Vec<u8>, until: Option<i64>) -> Result<(), StateError> {
        self.note(format!("set {key} {} until {until:?}", value.len()));
        self.values.lock().unwrap().insert(key.to_owned(), value);
        Ok(())
    }

    fn delete(&self, key: &str) -> Result<(), StateError> {
        self.note(format!("delete {key}"));
        self.values.lock().unwrap().remove(key);
        Ok(())
    }

    fn increment(
        &self,
        key: &str,
        by: i64,
        until: Option<i64>,
        now_ms: i64,
    ) -> Result<i64, StateError> {
        self.note(format!("increment {key} by {by} until {until:?} at {now_ms}"));
        if by == 0 {
            return Err(StateError::Unavailable("the disk is on fire".into()));
        }
        Ok(by)
    }

    fn undo(&self) {
        self.note("undo".to_owned());
        self.values.lock().unwrap().clear();
    }
}

fn call_with(plugin: &Configured, state: &Arc<Kept>) -> String {
    let state: Arc<dyn StateAccess> = Arc::clone(state) as _;
    let event = Event { time_ms: 1_000, ..event("{}") };
    match plugin.call_batch(&[event], &[Some(state)]).remove(0) {
        Ok(outputs) => outputs[0].body.clone(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn state_is_read_and_written_at_the_events_time() {
    // Reads `test`, writes four bytes for 500 ms, reads it again: what it says is at 308, 312.
    let all = parts(
        STATE,
        "(call $get (i32.const 16) (i32.const 4) (i32.const 300))
         (if (i32.load8_u (i32.const 304)) (then unreachable))
         (call $set (i32.const 16) (i32.const 4) (i32.const 76) (i32.const 4) (i32.const 1) (i64.const 500) (i32.const 300))
         (call $set (i32.const 64) (i32.const 7) (i32.const 76) (i32.const 0) (i32.const 0) (i64.const 500) (i32.const 300))
         (call $delete (i32.const 64) (i32.const 7) (i32.const 300))
         (call $increment (i32.const 64) (i32.const 7) (i64.const -5) (i32.const 1) (i64.const 9) (i32.const 320))
         (if (i64.ne (i64.load (i32.const 328)) (i64.const -5)) (then unreachable))
         (call $get (i32.const 16) (i32.const 4) (i32.const 300))
         (call $say (i32.load (i32.const 308)) (i32.load (i32.const 312)))",
    );
    let state = Arc::new(Kept::default());
    assert_eq!(call_with(&granted(&all), &state), "text");
    expect![[r#"
        get test at 1000
        set test 4 until Some(1500)
        set content 0 until None
        delete content
        increment content by -5 until Some(1009) at 1000
        get test at 1000"#]]
    .assert_eq(&state.asked.lock().unwrap().join("\n"));
}

#[test]
fn keys_and_values_over_their_bounds_go_no_further() {
    let words = |call: &str, error_at: u32| {
        let transform = format!(
            "{call} (call $say (i32.load (i32.const {})) (i32.load (i32.const {})))",
            error_at + 4,
            error_at + 8
        );
        let plugin = granted(&parts(STATE, transform.leak()));
        let state = Arc::new(Kept::default());
        let words = call_with(&plugin, &state);
        assert_eq!(*state.asked.lock().unwrap(), [""; 0]);
        words
    };
    let key = "a key of 257 bytes: it has 1 to 256";
    assert_eq!(words("(call $get (i32.const 0) (i32.const 257) (i32.const 300))", 304), key);
    assert_eq!(words("(call $delete (i32.const 0) (i32.const 257) (i32.const 300))", 304), key);
    assert_eq!(
        words("(call $get (i32.const 0) (i32.const 0) (i32.const 300))", 304),
        "a key of 0 bytes: it has 1 to 256"
    );
    assert_eq!(
        words(
            "(call $increment (i32.const 0) (i32.const 257) (i64.const 1) (i32.const 0) (i64.const 0) (i32.const 320))",
            328
        ),
        key
    );
    assert_eq!(
        words(
            "(call $set (i32.const 16) (i32.const 4) (i32.const 0) (i32.const 65537) (i32.const 0) (i64.const 0) (i32.const 300))",
            304
        ),
        "a value of 65537 bytes: it has at most 65536"
    );
}

#[test]
fn the_states_own_errors_and_its_absence_are_told_in_words() {
    let failing = parts(
        STATE,
        "(call $increment (i32.const 16) (i32.const 4) (i64.const 0) (i32.const 0) (i64.const 0) (i32.const 320))
         (call $say (i32.load (i32.const 332)) (i32.load (i32.const 336)))",
    );
    assert_eq!(call_with(&granted(&failing), &Arc::default()), "the disk is on fire");
    let error = granted(&failing).call(&event("{}")).unwrap_err();
    assert_eq!(error.to_string(), "the router keeps no state for this call");
    let configure = "(call $get (i32.const 16) (i32.const 4) (i32.const 300))
        (i32.store8 (i32.const 1024) (i32.const 1))
        (call $string (i32.const 1028) (i32.load (i32.const 308)) (i32.load (i32.const 312))) (i32.const 1024)";
    let plugin = plugin(&Parts { configure, ..parts(STATE, "unreachable") });
    let grants = Grants::none().with(Grant::State);
    let error = plugin.configure("{}", Setup { grants, ..setup() }).map(drop).unwrap_err();
    assert_eq!(
        error.to_string(),
        "there is no state outside of an event: not while a plugin is described or configured"
    );
}

#[test]
fn what_the_first_try_wrote_is_undone_before_the_second() {
    // The second call of any instance writes and crashes.
    let tired = Parts {
        globals: "(global $calls (mut i32) (i32.const 0))",
        ..parts(
            STATE,
            "(global.set $calls (i32.add (global.get $calls) (i32.const 1)))
             (call $set (i32.const 16) (i32.const 4) (i32.const 76) (i32.const 4) (i32.const 0) (i64.const 0) (i32.const 300))
             (if (i32.eq (global.get $calls) (i32.const 2)) (then unreachable))
             (call $output (i32.const 96) (i32.const 0)) (call $ok (i32.const 0))",
        )
    };
    let plugin = granted(&tired);
    let state = Arc::new(Kept::default());
    let one: Arc<dyn StateAccess> = Arc::clone(&state) as _;
    for answer in plugin.call_batch(&[event("{}"), event("{}")], &[Some(one.clone()), Some(one)]) {
        assert_eq!(answer, Ok(Vec::new()));
    }
    assert_eq!(
        *state.asked.lock().unwrap(),
        ["set test 4 until None", "set test 4 until None", "undo", "set test 4 until None"]
    );
}

#[test]
fn a_batch_transformer_has_no_state() {
    let file = of_role(&Parts { imports: STATE, ..Parts::transform("unreachable") }, TRANSFORMER);
    assert!(load(&file).is_ok());
    let world = format!(
        "{}\nworld hoarding {{ import state; export plugin; export batch-transformer; }}",
        crate::parts::CONTRACT
    );
    let module = Parts { imports: STATE, ..Parts::transform("unreachable") }.module(BATCH);
    let error = load(&crate::parts::typed(module, &world, "hoarding")).map(drop).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a batch transformer that asks for `state`, whose writes belong to one event each: make it a transformer"
    );
}
