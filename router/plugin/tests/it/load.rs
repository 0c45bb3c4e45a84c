use expect_test::{Expect, expect};
use slipswitch_plugin::Role;

use crate::parts::{CONTRACT, FILTER, Parts, TRANSFORMER, component, load, typed};

fn refused(file: &[u8], expected: &Expect) {
    let error = load(file).map(drop).unwrap_err();
    expected.assert_eq(&error.to_string());
}

#[test]
fn a_core_module_and_a_component_are_both_plugins() {
    let module = Parts::default().build();
    for file in [component(&module), module] {
        let plugin = load(&file).unwrap();
        assert_eq!((plugin.name(), plugin.role()), ("test", Role::Transformer));
        let info = plugin.info();
        assert_eq!((info.name.as_str(), info.version.as_str(), info.pure), ("test", "test", true));
        assert_eq!(plugin.digest().len(), 64);
    }
}

#[test]
fn what_is_not_wasm_is_refused() {
    refused(
        b"#!/bin/sh\nexit 1\n",
        &expect![
            "not WebAssembly: it begins with `23 21 2f 62 69 6e 2f 73`; put the .wasm file here that `slipswitch plugin build` makes"
        ],
    );
    refused(
        b"",
        &expect![
            "not WebAssembly: it is empty; put the .wasm file here that `slipswitch plugin build` makes"
        ],
    );
}

#[test]
fn half_a_file_is_refused() {
    let file = Parts::default().build();
    refused(
        &file[..file.len() / 2],
        &expect![[
            r#"damaged or unknown WebAssembly: unexpected end-of-file (at offset 0x2e1); build it again"#
        ]],
    );
    refused(
        &file[..6],
        &expect![[
            r#"damaged or unknown WebAssembly: unexpected end-of-file (at offset 0x4); build it again"#
        ]],
    );
}

#[test]
fn other_wasm_is_refused_with_what_is_missing() {
    refused(
        &wat::parse_str("(module)").unwrap(),
        &expect![
            "WebAssembly, but no slipswitch plugin: it does not export slipswitch:plugin/plugin@0.2.0, nor slipswitch:plugin/transformer@0.2.0, filter or batch-transformer; build it with `slipswitch plugin build`, from a project with one transformer, filter or batch transformer"
        ],
    );
    refused(
        &wat::parse_str("(component)").unwrap(),
        &expect![
            "WebAssembly, but no slipswitch plugin: it does not export slipswitch:plugin/plugin@0.2.0, nor slipswitch:plugin/transformer@0.2.0, filter or batch-transformer; build it with `slipswitch plugin build`, from a project with one transformer, filter or batch transformer"
        ],
    );
    let only_plugin = format!("{CONTRACT}\nworld half {{ export plugin; }}");
    refused(
        &typed(Parts::default().module(TRANSFORMER), &only_plugin, "half"),
        &expect![
            "WebAssembly, but no slipswitch plugin: it does not export slipswitch:plugin/transformer@0.2.0, filter or batch-transformer; build it with `slipswitch plugin build`, from a project with one transformer, filter or batch transformer"
        ],
    );
}

#[test]
fn an_import_is_refused_by_name() {
    let wasi = r#"(module (import "wasi_snapshot_preview1" "fd_write" (func (param i32))))"#;
    refused(
        &wat::parse_str(wasi).unwrap(),
        &expect![
            "asks for `wasi_snapshot_preview1`, which no plugin may have: a plugin gets the event, the log, and of metrics, clock, random and state what its rule grants; no files, no network; remove what uses it, and build with `slipswitch plugin build` (a build for wasm32-wasip1 or wasip2 imports it unasked)"
        ],
    );
    let clock = r#"(component (import "wasi:clocks/monotonic-clock@0.2.0" (instance (export "now" (func (result u64))))))"#;
    refused(
        &wat::parse_str(clock).unwrap(),
        &expect![
            "asks for `wasi:clocks/monotonic-clock@0.2.0`, which no plugin may have: a plugin gets the event, the log, and of metrics, clock, random and state what its rule grants; no files, no network; remove what uses it, and build with `slipswitch plugin build` (a build for wasm32-wasip1 or wasip2 imports it unasked)"
        ],
    );
}

#[test]
fn what_the_contract_only_reserves_is_not_offered_yet() {
    let secrets = r#"(component (import "slipswitch:plugin/secrets@0.2.0" (instance (export "get" (func (result u64))))))"#;
    refused(
        &wat::parse_str(secrets).unwrap(),
        &expect![
            "asks for `slipswitch:plugin/secrets@0.2.0`, which this router does not offer yet: update the router, or do without it"
        ],
    );
}

/// The default plugin, with something else in its text, as a plugin of `world` in `contract`.
fn changed(change: impl Fn(&str) -> String, contract: &str, world: &str) -> Vec<u8> {
    let text = Parts::transform("(call $ok (i32.const 0))").text(TRANSFORMER);
    let changed = change(&text);
    assert_ne!(changed, text);
    typed(wat::parse_str(changed).unwrap(), contract, world)
}

#[test]
fn another_contract_is_refused_with_both_versions() {
    let file = |version: &str| {
        let change = |text: &str| text.replace("@0.2.0", version);
        changed(change, &change(CONTRACT), TRANSFORMER)
    };
    refused(
        &file("@0.1.3"),
        &expect![[
            r#"made for the contract slipswitch:plugin@0.1.3, and this router speaks slipswitch:plugin@0.2.0: rebuild it with slipswitch-sdk 0.2"#
        ]],
    );
    refused(
        &file("@0.3.0"),
        &expect![[
            r#"made for the contract slipswitch:plugin@0.3.0, and this router speaks slipswitch:plugin@0.2.0: update the router, or rebuild the plugin with slipswitch-sdk 0.2"#
        ]],
    );
    refused(
        &component(&file("@1.0.0")),
        &expect![[
            r#"made for the contract slipswitch:plugin@1.0.0, and this router speaks slipswitch:plugin@0.2.0: update the router, or rebuild the plugin with slipswitch-sdk 0.2"#
        ]],
    );
}

#[test]
fn a_plugin_of_the_contract_before_is_told_to_be_rebuilt() {
    refused(
        include_bytes!("../../testdata/contract-0.1.0.wasm"),
        &expect![[
            r#"made for the contract slipswitch:plugin@0.1.0, and this router speaks slipswitch:plugin@0.2.0: rebuild it with slipswitch-sdk 0.2"#
        ]],
    );
}

#[test]
fn a_later_patch_of_the_contract_is_the_same_contract() {
    let change = |text: &str| text.replace("@0.2.0", "@0.2.4");
    assert!(load(&changed(change, &change(CONTRACT), TRANSFORMER)).is_ok());
}

#[test]
fn a_changed_record_is_refused_by_function() {
    let field = "    attributes: list<tuple<string, string>>,\n";
    let contract = CONTRACT.replacen(field, "", 1);
    assert_ne!(contract, CONTRACT);
    let change = |text: &str| {
        text.replace(
            "(param $detail i32) (param $detail_len i32)\n                (param i32 i32)",
            "(param $detail i32) (param $detail_len i32)",
        )
    };
    refused(
        &changed(change, &contract, TRANSFORMER),
        &expect![[
            r#"its `transform` is not that of slipswitch:plugin@0.2.0: type mismatch with parameters: expected record of 7 fields, found 6 fields; rebuild it with slipswitch-sdk 0.2"#
        ]],
    );
}

#[test]
fn a_plugin_has_one_role() {
    let both =
        format!("{CONTRACT}\nworld both {{ export plugin; export filter; export transformer; }}");
    let export = r#"(export "slipswitch:plugin/transformer@0.2.0#transform")"#;
    let change = |text: &str| {
        text.replace(export, &format!(r#"{export} (export "slipswitch:plugin/filter@0.2.0#keep")"#))
    };
    refused(
        &changed(change, &both, "both"),
        &expect![[
            r#"both a filter and a transformer: a plugin has one role; make two plugins of it"#
        ]],
    );
}

#[test]
fn a_filter_is_told_from_a_transformer() {
    let plugin = load(&typed(Parts::default().module(FILTER), CONTRACT, FILTER)).unwrap();
    assert_eq!(plugin.role(), Role::Filter);
}

#[test]
fn a_plugin_that_cannot_say_what_it_is_fails_its_trial() {
    refused(
        &Parts { describe: "unreachable", ..Parts::default() }.build(),
        &expect![[
            r#"failed on being tried out: the plugin crashed in an unknown function: wasm trap: wasm `unreachable` instruction executed; mend what it does as it starts, before there is an event"#
        ]],
    );
}

#[test]
fn a_file_over_the_limit_is_not_looked_at() {
    let options = slipswitch_plugin::Options { file_bytes_max: 100, ..crate::parts::options() };
    let error = slipswitch_plugin::Host::new(options)
        .unwrap()
        .load("test", &[0; 101])
        .map(drop)
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "too large: 101 bytes, and at most 100 are loaded; build it without what it does not need, debug information first"
    );
}
