//! The same events, configuration and grants give the same outputs, however they are sent through.

use std::sync::LazyLock;

use proptest::prelude::*;
use slipswitch_plugin::{Configured, Event, Isolation, Output, Plugin, Setup};

use crate::imports::{NOW, RANDOM, SHOW};
use crate::parts::{Parts, event, limits, load};

/// What becomes of the event depends on the third byte of its JSON: `x` crashes the plugin, `r` makes it ask for a
/// retry, `f` for an instance of its own, and all others give the second number that the event draws, mixed with its
/// time. Some leave the instance changed: one that served many before crashes once, and one that gave up is gone.
const MIXED: &str = r#"(local $kind i32)
    (local.set $kind (i32.load8_u offset=2 (local.get $json)))
    (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
    (if (i32.eq (local.get $kind) (i32.const 120)) (then unreachable))
    (if (i32.eq (local.get $kind) (i32.const 114)) (then (return (call $error (i32.const 1)))))
    (if (i32.eq (local.get $kind) (i32.const 102)) (then (return (call $error (i32.const 2)))))
    (if (i32.eq (global.get $calls) (i32.const 7)) (then unreachable))
    (drop (call $number))
    (call $hex (i64.xor (call $number) (call $now)))"#;

static PLUGIN: LazyLock<Plugin> = LazyLock::new(|| {
    let imports = format!("{NOW} {RANDOM}").leak();
    let globals = format!("{SHOW} (global $calls (mut i32) (i32.const 0))").leak();
    load(&Parts { imports, globals, ..Parts::transform(MIXED) }.build()).unwrap()
});

fn configured(isolation: Isolation) -> Configured {
    let grants = PLUGIN.imports().iter().copied().collect();
    // More CPU time than the other tests have: these run beside each other.
    let limits =
        slipswitch_plugin::Limits { cpu_max: std::time::Duration::from_secs(2), ..limits() };
    let isolation = Some(isolation);
    PLUGIN.configure("{}", Setup { limits, grants, isolation, ..Setup::default() }).unwrap()
}

type Answers = Vec<Result<Vec<Output>, String>>;

fn in_batches(plugin: &Configured, events: &[Event<'_>], size: usize) -> Answers {
    let batches = events.chunks(size).flat_map(|batch| plugin.call_batch(batch, &[]));
    batches.map(|answer| answer.map_err(|error| error.to_string())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn outputs_do_not_depend_on_isolation_batches_or_threads(
        kinds in prop::collection::vec((prop::sample::select(vec!["x", "r", "f", "a", "b", "c", "d", "e"]), 0..40_u32), 1..60),
        size in 1..20_usize,
        threads in 1..4_usize,
    ) {
        let texts: Vec<_> = kinds.iter().map(|(kind, id)| (format!(r#"{{"{kind}":{id}}}"#), id.to_string())).collect();
        let events: Vec<_> = texts
            .iter()
            .zip(&kinds)
            .map(|((json, id), (_, number))| Event { id, time_ms: i64::from(*number), ..event(json) })
            .collect();
        let expected = in_batches(&configured(Isolation::Event), &events, 1);
        for isolation in Isolation::ALL {
            let plugin = configured(isolation);
            prop_assert_eq!(&in_batches(&plugin, &events, size), &expected);
            // Every thread takes a part, at once.
            let part = events.len().div_ceil(threads);
            let answers: Answers = std::thread::scope(|scope| {
                let threads: Vec<_> = events
                    .chunks(part)
                    .map(|part| scope.spawn(|| in_batches(&plugin, part, size)))
                    .collect();
                threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
            });
            prop_assert_eq!(&answers, &expected);
        }
    }
}
