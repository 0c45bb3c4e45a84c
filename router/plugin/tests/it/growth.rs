//! How the contract may grow: plugins of yesterday run on the host of tomorrow, and a plugin of tomorrow runs on the
//! host of today as long as it asks for nothing new.

use expect_test::expect;
use slipswitch_plugin::{Event, Setup};
use wasmtime::component::{Component, Linker, WasmList, WasmStr};
use wasmtime::{Config, Engine, Store, StoreContextMut};

use crate::parts::{CONTRACT, Parts, TRANSFORMER, call, component, event, load, setup, typed};

/// What a later 0.2 may look like: a function more in an interface that is there, and an interface more.
fn grown() -> String {
    let function = "log: func(level: level, message: string, fields: list<tuple<string, string>>);";
    let interface = "interface weather {\n  now: func() -> string;\n}\n\nworld filter-plugin {";
    let grown = CONTRACT
        .replace("@0.2.0", "@0.2.1")
        .replacen(function, &format!("{function}\n  flush: func();"), 1)
        .replacen("world filter-plugin {", interface, 1)
        .replace("  import log;\n", "  import log;\n  import weather;\n");
    assert!(grown.contains("flush") && grown.contains("import weather"));
    grown
}

/// A plugin of the grown contract, with these imports.
fn later(imports: &'static str) -> Vec<u8> {
    let text = Parts { imports, ..Parts::default() }.text(TRANSFORMER).replace("@0.2.0", "@0.2.1");
    typed(wat::parse_str(text).unwrap(), &grown(), TRANSFORMER)
}

#[test]
fn plugins_that_the_sdk_built_for_0_2_0_give_their_output_for_ever() {
    // The first is made a component; the second is called as it is, which `direct` tests.
    let files: [&[u8]; 2] = [
        include_bytes!("../../testdata/contract-0.2.0.wasm"),
        include_bytes!("../../testdata/direct-0.2.0.wasm"),
    ];
    for file in files {
        let plugin = load(file).unwrap();
        assert_eq!((plugin.info().name.as_str(), plugin.imports()), ("redact", [].as_slice()));
        let config =
            r#"{"fields":["$.detail.customer.email","$.detail.items[*].note"],"mask":"***"}"#;
        let plugin = plugin.configure(config, setup()).unwrap();
        let json = r#"{"id":"e-1","detail":{"price":1.10,"customer":{"name":"Lan","email":"lan@example.com"},"items":[{"note":"x"},{}]}}"#;
        let detail = json.find(r#"{"price"#).unwrap()..json.len() - 1;
        let outputs = plugin.call(&Event { detail, ..event(json) }).unwrap();
        let redacted = r#"{"id":"e-1","detail":{"price":1.10,"customer":{"name":"Lan","email":"***"},"items":[{"note":"***"},{}]}}"#;
        assert_eq!(outputs[0].body, redacted);
        let refused = load(file).unwrap().configure(r#"{"fields":["detail"]}"#, Setup::default());
        assert!(refused.is_err());
    }
}

#[test]
fn an_old_plugin_runs_on_a_host_that_offers_more() {
    // The host of a later 0.2, as far as linking goes.
    let engine = Engine::new(Config::new().concurrency_support(false)).unwrap();
    let mut linker = Linker::<Vec<String>>::new(&engine);
    let mut log = linker.instance("slipswitch:plugin/log@0.2.1").unwrap();
    type Line = (slipswitch_plugin::Level, WasmStr, WasmList<(WasmStr, WasmStr)>);
    let write = |mut store: StoreContextMut<'_, Vec<String>>, (_, message, _): Line| {
        let message = message.to_str(&store)?.into_owned();
        store.data_mut().push(message);
        Ok(())
    };
    log.func_wrap("log", write).unwrap();
    log.func_wrap("flush", |_: StoreContextMut<'_, _>, (): ()| Ok(())).unwrap();
    let mut weather = linker.instance("slipswitch:plugin/weather@0.2.1").unwrap();
    let sunny = |_: StoreContextMut<'_, _>, (): ()| Ok(("sunny".to_owned(),));
    weather.func_wrap("now", sunny).unwrap();

    let configure =
        "(call $log (i32.const 1) (i32.const 16) (i32.const 4) (i32.const 0) (i32.const 0))
        (i32.store8 (i32.const 1024) (i32.const 0)) (i32.const 1024)";
    let old = component(&Parts { configure, ..Parts::default().with_log() }.build());
    let old = Component::from_binary(&engine, &old).unwrap();
    let mut store = Store::new(&engine, Vec::new());
    let instance = linker.instantiate(&mut store, &old).unwrap();
    let plugin = instance.get_export_index(&mut store, None, "slipswitch:plugin/plugin@0.2.0");
    let configure = instance.get_export_index(&mut store, plugin.as_ref(), "configure").unwrap();
    let configure =
        instance.get_typed_func::<(&str,), (Result<(), String>,)>(&mut store, configure).unwrap();
    assert_eq!(configure.call(&mut store, ("{}",)).unwrap(), (Ok(()),));
    assert_eq!(*store.data(), ["test"]);
}

#[test]
fn a_later_plugin_runs_here_as_long_as_it_asks_for_nothing_new() {
    let log =
        r#"(import "slipswitch:plugin/log@0.2.1" "log" (func $log (param i32 i32 i32 i32 i32)))"#;
    for imports in ["", log] {
        let plugin = load(&later(imports)).unwrap().configure("{}", setup()).unwrap();
        assert_eq!(call(&plugin).unwrap()[0].body, r#"{"id":"e-1"}"#);
    }
}

#[test]
fn what_a_later_plugin_asks_for_and_nobody_offers_here_is_named() {
    let refused = |imports| load(&later(imports)).map(drop).unwrap_err().to_string();
    assert_eq!(
        refused(r#"(import "slipswitch:plugin/log@0.2.1" "flush" (func))"#),
        "asks for `flush` of slipswitch:plugin/log@0.2.1, which this router does not offer yet: update the router, or do without it"
    );
    assert_eq!(
        refused(r#"(import "slipswitch:plugin/weather@0.2.1" "now" (func (param i32)))"#),
        "asks for `slipswitch:plugin/weather@0.2.1`, which this router does not offer yet: update the router, or do without it"
    );
}

#[test]
fn an_import_of_another_type_is_refused_by_name() {
    let contract = CONTRACT.replacen("now: func() -> s64;", "now: func(zone: u32) -> s64;", 1);
    assert_ne!(contract, CONTRACT);
    let imports =
        r#"(import "slipswitch:plugin/clock@0.2.0" "now" (func (param i32) (result i64)))"#;
    let module = Parts { imports, ..Parts::default() }.module(TRANSFORMER);
    let error = load(&typed(module, &contract, TRANSFORMER)).map(drop).unwrap_err();
    expect!["its imports are not those of slipswitch:plugin@0.2.0: component imports instance `slipswitch:plugin/clock@0.2.0`, but a matching implementation was not found in the linker: instance export `now` has the wrong type: type mismatch with parameters: expected 0-tuple, found 1-tuple; rebuild it with slipswitch-sdk 0.2"].assert_eq(&error.to_string());
}
