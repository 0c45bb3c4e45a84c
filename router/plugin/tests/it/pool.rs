use std::fmt::Write as _;
use std::sync::{Arc, LazyLock, Mutex};

use slipswitch_plugin::{CallError, Configured, Host, Options};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Dispatch, Metadata, Subscriber};

use crate::parts::{
    ECHO, Parts, TRANSFORMER, as_the_sdk_leaves_it, call, configured, load, options, setup,
};

/// Puts out how often this instance was called.
pub(crate) const COUNT: &str = "(global.set $calls (i32.add (global.get $calls) (i32.const 1)))
    (i32.store8 (i32.const 200) (i32.add (global.get $calls) (i32.const 48)))
    (call $output (i32.const 200) (i32.const 1)) (call $ok (i32.const 1))";
const CALLS: &str = "(global $calls (mut i32) (i32.const 0))";

pub(crate) fn counting(transform: &'static str) -> Parts {
    Parts { globals: CALLS, ..Parts::transform(transform) }
}

fn bodies(configured: &Configured, count: usize) -> String {
    let body = |_| match call(configured) {
        Ok(outputs) => outputs[0].body.clone(),
        Err(_) => "!".to_owned(),
    };
    (0..count).map(body).collect()
}

#[test]
fn an_instance_serves_again_and_again() {
    assert_eq!(bodies(&configured(&counting(COUNT)), 5), "12345");
}

#[test]
fn an_instance_retires_after_its_number_of_calls() {
    let host = Host::new(Options { calls_per_instance_max: 3, ..options() }).unwrap();
    let plugin =
        host.load("test", &counting(COUNT).build()).unwrap().configure("{}", setup()).unwrap();
    assert_eq!(bodies(&plugin, 8), "12312312");
}

#[test]
fn an_instance_that_hoards_memory_retires() {
    // Of 8 MiB it has taken 4 and a little after the third call.
    let hoard = "(drop (memory.grow (i32.const 22)))
        (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
        (i32.store8 (i32.const 200) (i32.add (global.get $calls) (i32.const 48)))
        (call $output (i32.const 200) (i32.const 1)) (call $ok (i32.const 1))";
    assert_eq!(bodies(&configured(&counting(hoard)), 7), "1231231");
}

#[test]
fn what_a_memorys_own_type_refuses_is_not_taken() {
    // Each call asks for more than half of the 8 MiB, and the type has room for three pages.
    let asking: &'static str = format!("(drop (memory.grow (i32.const 70))) {COUNT}").leak();
    let text = counting(asking).text(TRANSFORMER);
    let narrow =
        text.replacen("(memory (export \"memory\") 2)", "(memory (export \"memory\") 2 3)", 1);
    assert_ne!(text, narrow);
    let file = as_the_sdk_leaves_it(wat::parse_str(narrow).unwrap(), TRANSFORMER);
    assert_eq!(bodies(&load(&file).unwrap().configure("{}", setup()).unwrap(), 5), "12345");
}

#[test]
fn what_is_not_pure_gets_a_fresh_instance_for_each_event() {
    assert_eq!(bodies(&configured(&Parts { is_pure: false, ..counting(COUNT) }), 3), "111");
}

#[test]
fn after_a_trap_the_event_is_tried_once_more_on_a_fresh_instance() {
    // The third call of any instance crashes.
    let tired = "(global.set $calls (i32.add (global.get $calls) (i32.const 1)))
        (if (i32.eq (global.get $calls) (i32.const 3)) (then unreachable))
        (i32.store8 (i32.const 200) (i32.add (global.get $calls) (i32.const 48)))
        (call $output (i32.const 200) (i32.const 1)) (call $ok (i32.const 1))";
    assert_eq!(bodies(&configured(&counting(tired)), 6), "121212");
    // What crashes on a fresh one, too, is the event's or the code's fault.
    assert!(matches!(
        call(&configured(&Parts::transform("unreachable"))),
        Err(CallError::Trap { .. })
    ));
}

#[test]
fn idle_instances_make_room_for_busy_ones() {
    let host = Host::new(Options { instances_max: 2, ..options() }).unwrap();
    let file = Parts::transform(ECHO).build();
    let plugin = host.load("test", &file).unwrap();
    let all: Vec<_> = (0..10).map(|_| plugin.configure("{}", setup()).unwrap()).collect();
    for configured in all.iter().chain(&all) {
        assert_eq!(call(configured).unwrap().len(), 1);
    }
    // Also for one that is new, and only tried out.
    let other = Parts::transform("(call $ok (i32.const 0))").build();
    assert!(host.load("other", &other).is_ok());
}

#[test]
fn many_threads_may_call_at_once() {
    let plugin = configured(&Parts::transform(ECHO));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert!((0..100).all(|_| call(&plugin).is_ok())));
        }
    });
}

#[test]
fn the_same_file_is_compiled_once() {
    let host = crate::parts::host();
    let file = Parts::default().build();
    let one = host.load("one", &file).unwrap();
    let two = host.load("two", &file).unwrap();
    assert!(std::ptr::eq(one.info(), two.info()));
    assert_eq!((one.name(), two.name()), ("one", "two"));
}

/// What `run` writes to the log on this thread, a line each: level, message, fields.
pub(crate) fn logged<T>(run: impl FnOnce() -> T) -> (Vec<String>, T) {
    // While a single subscriber is known, a line that another thread writes first is off for all threads.
    static OTHERS: LazyLock<[Dispatch; 2]> =
        LazyLock::new(|| [Lines::default(), Lines::default()].map(Dispatch::new));
    LazyLock::force(&OTHERS);
    tracing::callsite::rebuild_interest_cache();
    let lines = Lines::default();
    let result = tracing::subscriber::with_default(lines.clone(), run);
    let lines = lines.0.lock().unwrap().clone();
    (lines, result)
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

struct Fields {
    message: String,
    rest: String,
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.message = format!("{value:?}");
        } else {
            write!(self.rest, " {}={value:?}", field.name()).unwrap();
        }
    }
}

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("slipswitch_plugin")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let mut fields = Fields { message: String::new(), rest: String::new() };
        event.record(&mut fields);
        let line = format!("{} {}{}", event.metadata().level(), fields.message, fields.rest);
        self.0.lock().unwrap().push(line);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
