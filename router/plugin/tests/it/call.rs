use expect_test::{Expect, expect};
use slipswitch_plugin::{
    CallError, ConfigureError, Done, Event, Grant, Output, QueueOptions, Setup,
};

use wit_component::StringEncoding;

use crate::parts::{
    BATCH, CONTRACT, FILTER, Parts, TRANSFORMER, call, component, configured, encoded, event, host,
    load, of_role, outcome, setup, typed,
};

fn failed(transform: &'static str, expected: &Expect) -> CallError {
    let error = outcome(transform).unwrap_err();
    expected.assert_eq(&error.to_string());
    error
}

#[test]
fn what_a_transformer_puts_out_comes_back() {
    let outputs = outcome(crate::parts::ECHO).unwrap();
    assert_eq!(outputs.len(), 1);
    assert_eq!(outputs[0].body, r#"{"id":"e-1"}"#);
    assert_eq!(outcome("(call $ok (i32.const 0))").unwrap(), []);
}

/// What two plugins of this text put out for one event: one that is called directly, and a component.
fn both(transform: &'static str, event: &Event<'_>) -> Output {
    let parts = Parts::transform(transform);
    let outputs = [parts.build(), parts.build_typed()].map(|file| {
        let plugin = load(&file).unwrap().configure("{}", setup()).unwrap();
        plugin.call(event).unwrap().remove(0)
    });
    assert_eq!(outputs[0], outputs[1]);
    outputs[0].clone()
}

#[test]
fn a_transformer_sees_the_whole_event() {
    // id, then the first attribute's value: the last of the fourteen numbers tell where the list is.
    let echo_attribute = "(call $string (i32.const 1040) (i32.load offset=8 (local.get 12)) (i32.load offset=12 (local.get 12)))
        (call $string (i32.const 1048) (local.get 12) (local.get 13)) (call $ok (i32.const 1))";
    let attributes =
        [("bus".to_owned(), "\"shop\"".to_owned()), ("rule".to_owned(), "big".to_owned())];
    let output = both(echo_attribute, &Event { attributes: &attributes, ..event("{}") });
    assert_eq!(output.body, "\"shop\"");
    assert_eq!(output.attributes, attributes);

    // Each text, in quotes that stand before and behind it: an event of five known texts.
    for (index, text) in ["11", "222", "3333", "44444", "666666"].into_iter().enumerate() {
        let echo = format!(
            "(call $output (local.get {}) (local.get {})) (call $ok (i32.const 1))",
            2 * index,
            2 * index + 1
        );
        let event = Event {
            id: "11",
            source: "222",
            detail_type: "3333",
            time: "44444",
            attributes: &attributes,
            ..event("666666")
        };
        assert_eq!(both(echo.leak(), &event).body, text);
    }

    let echo_detail =
        "(call $output (i32.add (local.get $json) (local.get $detail)) (local.get $detail_len))
        (call $ok (i32.const 1))";
    let whole = r#"{"detail":{"n":1},"x":2}"#;
    let output = both(echo_detail, &Event { detail: 10..17, ..event(whole) });
    assert_eq!(output.body, r#"{"n":1}"#);
}

#[test]
fn who_takes_an_event_in_one_piece_gets_it_so() {
    // The pairs, and the texts right behind them.
    let strict = "(if (i32.ne (local.get $id) (i32.add (local.get 12) (i32.mul (local.get 13) (i32.const 16))))
        (then unreachable))
        (if (i32.ne (local.get 2) (i32.add (local.get $id) (local.get $id_len))) (then unreachable))
        (call $output (local.get $json) (local.get $json_len)) (call $ok (i32.const 1))";
    let attributes = [("bus".to_owned(), "shop".to_owned()), ("".to_owned(), "".to_owned())];
    let plugin = load(&Parts::transform(strict).build()).unwrap().configure("{}", setup()).unwrap();
    for attributes in [&attributes[..], &[]] {
        for _ in 0..3 {
            let outputs = plugin.call(&Event { attributes, ..event("{}") }).unwrap();
            assert_eq!(outputs[0].body, "{}");
        }
    }
    // A component gets each text by itself.
    let apart = Parts::transform(strict).build_typed();
    let plugin = load(&component(&apart)).unwrap().configure("{}", setup()).unwrap();
    let error = call(&plugin).unwrap_err();
    assert!(matches!(error, CallError::Trap { .. }), "{error}");
}

#[test]
fn a_list_of_events_in_one_piece_each_is_the_same_list() {
    // Of each event of two: the first attribute's value, as it stands in memory.
    let echo = "(local $one i32) (local $two i32)
        (local.set $one (i32.load offset=48 (local.get $list)))
        (local.set $two (i32.load offset=104 (local.get $list)))
        (i32.store8 (i32.const 4096) (i32.const 0)) (call $string (i32.const 4100) (i32.const 5000) (i32.const 1))
        (i32.store8 (i32.const 4112) (i32.const 0)) (call $string (i32.const 4116) (i32.const 5016) (i32.const 1))
        (call $string (i32.const 5000) (i32.load offset=8 (local.get $one)) (i32.load offset=12 (local.get $one)))
        (call $string (i32.const 5008) (local.get $one) (i32.load offset=52 (local.get $list)))
        (call $string (i32.const 5016) (i32.load offset=8 (local.get $two)) (i32.load offset=12 (local.get $two)))
        (call $string (i32.const 5024) (local.get $two) (i32.load offset=108 (local.get $list)))
        (call $string (i32.const 1024) (i32.const 4096) (i32.const 2)) (i32.const 1024)";
    let parts = Parts::transform(echo);
    let attributes =
        |value: &str| [("n".to_owned(), value.to_owned()), ("m".to_owned(), "x".to_owned())];
    let (one, two) = (attributes("1"), attributes("22"));
    let events =
        [Event { attributes: &one, ..event("{}") }, Event { attributes: &two, ..event("[1]") }];
    for file in [of_role(&parts, BATCH), typed(parts.module(BATCH), CONTRACT, BATCH)] {
        let plugin = load(&file).unwrap().configure("{}", setup()).unwrap();
        let outputs: Vec<_> = plugin
            .call_batch(&events, &[])
            .into_iter()
            .map(|answer| answer.unwrap().remove(0))
            .collect();
        assert_eq!([outputs[0].body.as_str(), &outputs[1].body], ["1", "22"]);
        assert_eq!([&outputs[0].attributes[..], &outputs[1].attributes], [&one, &two]);
    }
}

#[test]
fn a_filter_keeps_the_event_as_it_is_or_drops_it() {
    let filter = |transform| {
        let file = typed(Parts::transform(transform).module(FILTER), CONTRACT, FILTER);
        load(&file).unwrap().configure("{}", setup()).unwrap()
    };
    let answer = "(i32.store8 (i32.const 1024) (i32.const 0)) (i32.store8 (i32.const 1028) (i32.const 1)) (i32.const 1024)";
    assert_eq!(call(&filter(answer)).unwrap()[0].body, r#"{"id":"e-1"}"#);
    let answer = "(i32.store8 (i32.const 1024) (i32.const 0)) (i32.store8 (i32.const 1028) (i32.const 0)) (i32.const 1024)";
    assert_eq!(call(&filter(answer)).unwrap(), []);
    assert_eq!(
        call(&filter("(call $error (i32.const 0))")).unwrap_err(),
        CallError::Invalid("bad words".into())
    );
}

#[test]
fn the_plugins_own_errors_keep_their_kind_and_words() {
    assert!(failed("(call $error (i32.const 0))", &expect![[r#"bad words"#]]).is_final());
    assert!(!failed("(call $error (i32.const 1))", &expect![[r#"bad words"#]]).is_final());
    assert!(
        !failed("(call $error (i32.const 2))", &expect![[r#"the plugin gave up: bad words"#]])
            .is_final()
    );
}

#[test]
fn a_trap_names_its_function() {
    failed(
        "unreachable",
        &expect![[
            r#"the plugin crashed in `the_work`: wasm trap: wasm `unreachable` instruction executed"#
        ]],
    );
    failed(
        "(i32.div_u (i32.const 1) (i32.const 0))",
        &expect![[r#"the plugin crashed in `the_work`: wasm trap: integer divide by zero"#]],
    );
    failed(
        "(i32.load (i32.const -1))",
        &expect![[r#"the plugin crashed in `the_work`: wasm trap: out of bounds memory access"#]],
    );
}

#[test]
fn endless_recursion_ends_at_the_stacks_limit() {
    let recurse = "(call $the_work (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4) (local.get 5)
        (local.get 6) (local.get 7) (local.get 8) (local.get 9) (local.get 10) (local.get 11) (local.get 12) (local.get 13))
        (drop) (unreachable)";
    let error = failed(
        recurse,
        &expect![[
            r#"the plugin needs more than 524288 bytes of stack: calls too deep inside each other, at last of `the_work`"#
        ]],
    );
    assert_eq!(error.limit(), Some("stack_bytes_max"));
    assert!(error.is_plugins_fault() && !error.is_final());
}

#[test]
fn what_a_panic_said_is_in_the_trap() {
    let panic = "(call $log (i32.const 4) (i32.const 32) (i32.const 23) (i32.const 0) (i32.const 0)) unreachable";
    let error = call(&configured(&Parts::transform(panic).with_log())).unwrap_err();
    expect![[r#"the plugin crashed in `the_work`: panicked: no such order"#]]
        .assert_eq(&error.to_string());
}

#[test]
fn an_earlier_calls_error_line_is_not_a_later_traps_message() {
    // The first event logs an error and is fine, the second crashes.
    let once = "(if (global.get $again) (then unreachable)) (global.set $again (i32.const 1))
        (call $log (i32.const 4) (i32.const 32) (i32.const 23) (i32.const 0) (i32.const 0)) (call $ok (i32.const 0))";
    let parts = Parts {
        globals: "(global $again (mut i32) (i32.const 0))",
        ..Parts::transform(once).with_log()
    };
    let plugin = configured(&parts);
    assert_eq!(call(&plugin).unwrap(), []);
    // Its instance crashes; the fresh one is at its first event again.
    assert_eq!(call(&plugin).unwrap(), []);
}

#[test]
fn nonsense_from_a_plugin_is_an_error() {
    // An answer outside of memory, a string that is not UTF-8, a case that does not exist.
    failed(
        "(i32.const -4)",
        &expect![[
            r#"the plugin's output is refused: it breaks the contract: pointer out of bounds of memory"#
        ]],
    );
    failed(
        "(i32.store (i32.const 96) (i32.const -1)) (call $error (i32.const 0))",
        &expect![
            "the plugin's output is refused: it breaks the contract: invalid utf-8 sequence of 1 bytes from index 0"
        ],
    );
    failed(
        "(i32.store (i32.const 98) (i32.const -1))
        (call $output (i32.const 96) (i32.const 9)) (call $ok (i32.const 1))",
        &expect![
            "the plugin's output is refused: it breaks the contract: invalid utf-8 sequence of 1 bytes from index 2"
        ],
    );
    failed(
        "(call $error (i32.const 9))",
        &expect![
            "the plugin's output is refused: it breaks the contract: unexpected discriminant: 9"
        ],
    );
    failed(
        "(call $output (i32.const -8) (i32.const 100)) (call $ok (i32.const 1))",
        &expect![
            "the plugin's output is refused: it breaks the contract: string pointer/length out of bounds of memory"
        ],
    );
}

#[test]
fn a_plugin_may_have_its_texts_in_utf_16() {
    // Four units, the second not ASCII: "é" and its quotes, and a blank.
    let parts = Parts::transform(
        "(i32.store (i32.const 64) (i32.const 0x00e90022))
        (i32.store (i32.const 68) (i32.const 0x00200022))
        (call $output (i32.const 64) (i32.const 4)) (call $ok (i32.const 1))",
    );
    let module = encoded(parts.module(TRANSFORMER), CONTRACT, TRANSFORMER, StringEncoding::UTF16);
    let plugin = load(&module).unwrap().configure("{}", setup()).unwrap();
    assert_eq!(call(&plugin).unwrap()[0].body, "\"é\" ");
}

#[test]
fn a_body_is_json_unless_it_says_otherwise() {
    let text = "(call $output (i32.const 16) (i32.const 4)) (call $ok (i32.const 1))";
    failed(
        text,
        &expect![[
            r#"the plugin's output is refused: output 0 is not JSON (expected ident at line 1 column 2); text needs the attribute `content-type`, such as text/plain"#
        ]],
    );
    // One attribute, at 1088: content-type, text/plain.
    let typed = "(call $output (i32.const 16) (i32.const 4))
        (call $string (i32.const 1088) (i32.const 64) (i32.const 12))
        (call $string (i32.const 1096) (i32.const 76) (i32.const 10))
        (call $string (i32.const 1048) (i32.const 1088) (i32.const 1))
        (call $ok (i32.const 1))";
    let outputs = outcome(typed).unwrap();
    assert_eq!(outputs[0].body, "test");
    assert_eq!(outputs[0].attributes, [("content-type".to_owned(), "text/plain".to_owned())]);
}

#[test]
fn a_configuration_is_refused_in_the_plugins_words() {
    let refusing = "(i32.store8 (i32.const 1024) (i32.const 1))
        (call $string (i32.const 1028) (local.get $config) (local.get $len)) (i32.const 1024)";
    let plugin = load(&Parts { configure: refusing, ..Parts::default() }.build()).unwrap();
    let refused = |config| plugin.configure(config, setup()).map(drop).unwrap_err();
    assert_eq!(refused("[1]"), ConfigureError::Refused("[1]".into()));
    assert_eq!(refused(""), ConfigureError::Refused("{}".into()));
    expect![[r#"not JSON: EOF while parsing an object at line 1 column 1"#]]
        .assert_eq(&refused("{").to_string());
}

#[test]
fn a_configuration_that_crashes_the_plugin_is_refused() {
    let plugin = load(&Parts { configure: "unreachable", ..Parts::default() }.build()).unwrap();
    expect![[r#"the plugin failed while it was configured: the plugin crashed in an unknown function: wasm trap: wasm `unreachable` instruction executed"#]].assert_eq(&plugin.configure("{}", setup()).map(drop).unwrap_err().to_string());
}

#[tokio::test]
async fn two_threads_serve_one_queue() {
    // Each job ends only when the other has begun.
    let barrier = std::sync::Barrier::new(2);
    let options = QueueOptions { batch_max: 1, ..QueueOptions::default() };
    let queue = host().queue("pair", options, move |jobs: Vec<u8>| {
        let wait = |job| job == 1 && barrier.wait().is_leader();
        jobs.into_iter().map(wait).map(Done::With).collect()
    });
    let run = async |job| queue.admit().await.run(job).await;
    // Of the first job nothing is known: it is alone.
    assert!(!run(0).await);
    let (one, two) = tokio::join!(run(1), run(1));
    assert!(one != two);
}

#[test]
fn what_is_called_before_all_else_is_called_however_the_plugin_is() {
    let parts = Parts {
        globals: r#"(global $is_ready (mut i32) (i32.const 0))
            (func (export "_initialize") (global.set $is_ready (i32.const 1)))"#,
        ..Parts::transform(
            "(if (i32.eqz (global.get $is_ready)) (then unreachable)) (call $ok (i32.const 0))",
        )
    };
    for file in [parts.build(), parts.build_typed()] {
        let plugin = load(&file).unwrap().configure("{}", setup()).unwrap();
        assert_eq!(call(&plugin).unwrap(), []);
    }
}

#[test]
fn no_import_is_called_while_the_plugin_is_asked_for_room() {
    let log = "(call $log (i32.const 2) (i32.const 16) (i32.const 4) (i32.const 0) (i32.const 0))";
    let clock = r#"(import "slipswitch:plugin/clock@0.2.0" "now" (func $now (result i64)))"#;
    let parts = |parts: Parts| Parts {
        globals: "(global $is_on (mut i32) (i32.const 0))",
        configure: "(global.set $is_on (i32.const 1))
            (i32.store8 (i32.const 1024) (i32.const 0)) (i32.const 1024)",
        ..parts
    };
    for (parts, import) in [
        (parts(Parts::default().with_log()), log),
        (parts(Parts { imports: clock, ..Parts::default() }), "(drop (call $now))"),
    ] {
        let calling = format!("(if (global.get $is_on) (then {import})) (local.set $at (i32.and");
        let text = parts.text(TRANSFORMER).replacen("(local.set $at (i32.and", &calling, 1);
        let module = wat::parse_str(text).unwrap();
        let direct = crate::parts::as_the_sdk_leaves_it(module.clone(), TRANSFORMER);
        for file in [direct, typed(module, CONTRACT, TRANSFORMER)] {
            let grants = [Grant::Clock].into_iter().collect();
            let setup = Setup { grants, ..setup() };
            let plugin = load(&file).unwrap().configure("{}", setup).unwrap();
            let error = call(&plugin).unwrap_err().to_string();
            let is_told =
                ["an import is called by", "cannot leave"].iter().any(|it| error.contains(it));
            assert!(is_told, "{error}");
        }
    }
}
