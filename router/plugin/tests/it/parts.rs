//! Plugins in WebAssembly's text format, and a host to try them on.
//!
//! A plugin here is the contract's functions in text, around a body for the one under test. `transform` and `keep` take
//! fourteen numbers: address and length of id, source, detail-type, time and json, where the detail stands in
//! json, and address and length of the attributes; `transform-batch` takes two, where the list is. They return the address
//! of the result, for which 64 bytes at 1024 are free.

use std::time::Duration;

use plugin::{
    CallError, Configured, Event, Host, Limits, LoadError, Options, Output, Plugin, Setup,
};
use slipswitch_plugin as plugin;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

pub(crate) const CONTRACT: &str = include_str!("../../../../sdk/wit/plugin.wit");
pub(crate) const TRANSFORMER: &str = "transformer-plugin";
pub(crate) const FILTER: &str = "filter-plugin";
pub(crate) const BATCH: &str = "batch-transformer-plugin";

/// Puts out the event's JSON as it is.
pub(crate) const ECHO: &str =
    "(call $output (local.get $json) (local.get $json_len)) (call $ok (i32.const 1))";

/// What a hand-written plugin consists of.
pub(crate) struct Parts {
    pub(crate) imports: &'static str,
    pub(crate) globals: &'static str,
    pub(crate) describe: &'static str,
    pub(crate) configure: &'static str,
    pub(crate) transform: &'static str,
    pub(crate) is_pure: bool,
}

impl Default for Parts {
    fn default() -> Self {
        Self {
            imports: "",
            globals: "",
            describe: "",
            configure: "(i32.store8 (i32.const 1024) (i32.const 0)) (i32.const 1024)",
            transform: ECHO,
            is_pure: true,
        }
    }
}

impl Parts {
    pub(crate) fn transform(transform: &'static str) -> Self {
        Self { transform, ..Self::default() }
    }

    /// With the log import as `$log`: level, message, fields.
    pub(crate) fn with_log(mut self) -> Self {
        self.imports = r#"(import "slipswitch:plugin/log@0.2.0" "log" (func $log (param i32 i32 i32 i32 i32)))"#;
        self
    }

    /// The core module, without the types that make it a plugin.
    pub(crate) fn module(&self, role: &str) -> Vec<u8> {
        wat::parse_str(self.text(role)).unwrap()
    }

    pub(crate) fn text(&self, role: &str) -> String {
        let Self { imports, globals, describe, configure, transform, is_pure } = self;
        let function = match role {
            FILTER => "filter@0.2.0#keep",
            BATCH => "batch-transformer@0.2.0#transform-batch",
            _ => "transformer@0.2.0#transform",
        };
        let params = if role == BATCH {
            "(param $list i32) (param $count i32)"
        } else {
            "(param $id i32) (param $id_len i32) (param i32 i32 i32 i32 i32 i32)
                (param $json i32) (param $json_len i32) (param $detail i32) (param $detail_len i32)
                (param i32 i32)"
        };
        let is_pure = i32::from(*is_pure);
        format!(
            r#"(module {imports}
              (memory (export "memory") 2)
              (data (i32.const 16) "test")
              (data (i32.const 32) "panicked: no such order")
              (data (i32.const 64) "content-typetext/plain")
              (data (i32.const 96) "bad words")
              (global $next (mut i32) (i32.const 65536))
              {globals}
              (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
                (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
                (global.set $next (i32.add (local.get $at) (local.get 3)))
                (if (i32.gt_u (global.get $next) (i32.mul (memory.size) (i32.const 65536))) (then
                  (drop (memory.grow (i32.const 32)))))
                (local.get $at))
              (func $string (param $at i32) (param $text i32) (param $len i32)
                (i32.store (local.get $at) (local.get $text))
                (i32.store offset=4 (local.get $at) (local.get $len)))
              ;; the one output: at 1040
              (func $output (param $text i32) (param $len i32)
                (call $string (i32.const 1040) (local.get $text) (local.get $len))
                (call $string (i32.const 1048) (i32.const 0) (i32.const 0)))
              ;; an answer of that many outputs
              (func $ok (param $count i32) (result i32)
                (i32.store8 (i32.const 1024) (i32.const 0))
                (call $string (i32.const 1028) (i32.const 1040) (local.get $count))
                (global.set $next (i32.const 65536))
                (i32.const 1024))
              ;; an error: 0 invalid, 1 retry, 2 fatal
              (func $error (param $kind i32) (result i32)
                (i32.store8 (i32.const 1024) (i32.const 1))
                (i32.store8 (i32.const 1028) (local.get $kind))
                (call $string (i32.const 1032) (i32.const 96) (i32.const 9))
                (i32.const 1024))
              (func (export "slipswitch:plugin/plugin@0.2.0#describe") (result i32)
                {describe}
                (call $string (i32.const 1024) (i32.const 16) (i32.const 4))
                (call $string (i32.const 1032) (i32.const 16) (i32.const 4))
                (call $string (i32.const 1040) (i32.const 16) (i32.const 4))
                (call $string (i32.const 1048) (i32.const 0) (i32.const 0))
                (i32.store8 (i32.const 1056) (i32.const {is_pure}))
                (i32.const 1024))
              (func (export "slipswitch:plugin/plugin@0.2.0#configure") (param $config i32) (param $len i32) (result i32)
                {configure})
              (func $the_work (export "slipswitch:plugin/{function}")
                {params} (result i32)
                {transform}))"#
        )
    }

    /// The core module as the Rust SDK leaves it.
    pub(crate) fn build(&self) -> Vec<u8> {
        of_role(self, TRANSFORMER)
    }

    /// The same as other tools leave it, of which the host makes a component.
    pub(crate) fn build_typed(&self) -> Vec<u8> {
        typed(self.module(TRANSFORMER), CONTRACT, TRANSFORMER)
    }
}

/// The core module of a role as the Rust SDK leaves it.
pub(crate) fn of_role(parts: &Parts, role: &str) -> Vec<u8> {
    as_the_sdk_leaves_it(parts.module(role), role)
}

/// With the types of a world and the mark, byte for byte.
pub(crate) fn as_the_sdk_leaves_it(mut module: Vec<u8>, role: &str) -> Vec<u8> {
    let types: &[u8] = match role {
        FILTER => include_bytes!("../../../../sdk/rust/src/abi/filter-plugin.bin"),
        BATCH => include_bytes!("../../../../sdk/rust/src/abi/batch-transformer-plugin.bin"),
        _ => include_bytes!("../../../../sdk/rust/src/abi/transformer-plugin.bin"),
    };
    for (name, data) in [("component-type:slipswitch", types), ("slipswitch:arena", &[1])] {
        let section = [&[u8::try_from(name.len()).unwrap()], name.as_bytes(), data].concat();
        // A custom section; its length in two bytes of seven bits.
        let len = u8::try_from(section.len() % 128).unwrap() | 128;
        module.extend([0, len, u8::try_from(section.len() / 128).unwrap()]);
        module.extend(section);
    }
    module
}

/// Puts the types of a world into a core module.
pub(crate) fn typed(module: Vec<u8>, contract: &str, world: &str) -> Vec<u8> {
    encoded(module, contract, world, StringEncoding::UTF8)
}

/// The same for one whose texts are encoded in this way.
pub(crate) fn encoded(
    mut module: Vec<u8>,
    contract: &str,
    world: &str,
    encoding: StringEncoding,
) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let package = resolve.push_str("plugin.wit", contract).unwrap();
    let world = resolve.select_world(&[package], Some(world)).unwrap();
    embed_component_metadata(&mut module, &resolve, world, encoding).unwrap();
    module
}

pub(crate) fn component(module: &[u8]) -> Vec<u8> {
    ComponentEncoder::default().module(module).unwrap().encode().unwrap()
}

/// A host with few and small instances.
pub(crate) fn options() -> Options {
    Options { workers: 2, instances_max: 4, memory_bytes_max: 16 << 20, ..Options::default() }
}

pub(crate) fn host() -> Host {
    Host::new(options()).unwrap()
}

pub(crate) fn limits() -> Limits {
    Limits { cpu_max: Duration::from_millis(20), memory_bytes_max: 8 << 20, ..Limits::default() }
}

pub(crate) fn setup() -> Setup {
    Setup { limits: limits(), ..Setup::default() }
}

pub(crate) fn load(file: &[u8]) -> Result<Plugin, LoadError> {
    host().load("test", file)
}

pub(crate) fn configured(parts: &Parts) -> Configured {
    configured_within(parts, limits())
}

pub(crate) fn configured_within(parts: &Parts, limits: Limits) -> Configured {
    load(&parts.build()).unwrap().configure("{}", Setup { limits, ..Setup::default() }).unwrap()
}

pub(crate) fn event(json: &str) -> Event<'_> {
    Event {
        id: "e-1",
        source: "shop",
        detail_type: "T",
        time: "2026-01-01T00:00:00Z",
        time_ms: 1_767_225_600_000,
        json,
        detail: 0..0,
        attributes: &[],
        position: 0,
    }
}

pub(crate) fn call(configured: &Configured) -> Result<Vec<Output>, CallError> {
    configured.call(&event(r#"{"id":"e-1"}"#))
}

/// What one call of this body comes to: the same, however the plugin is called.
pub(crate) fn outcome(transform: &'static str) -> Result<Vec<Output>, CallError> {
    let parts = Parts::transform(transform);
    let [direct, component] = [parts.build(), parts.build_typed()]
        .map(|file| call(&load(&file).unwrap().configure("{}", setup()).unwrap()));
    assert_eq!(direct, component);
    direct
}
