//! What is done with files and answers that mean harm, by the fuzzer and by `tests/it/hostile.rs` alike.
//!
//! Each function panics when the crate breaks a promise, and returns otherwise.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use slipswitch_plugin::{
    Configured, Event, Grant, Grants, Host, Isolation, Limits, Options, Setup, StateAccess,
    StateError,
};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

const CONTRACT: &str = include_str!("../../../../sdk/wit/plugin.wit");
const FILE_BYTES_MAX: usize = 32 << 10;
const OUTPUTS_MAX: usize = 100;
const OUTPUT_BYTES_MAX: usize = 64 << 10;
/// Where in the plugin's memory the bytes of an input are put, and how many.
const BYTES_AT: usize = 1024;
const BYTES_MAX: usize = 4096;

static HOST: LazyLock<Host> = LazyLock::new(|| {
    let options = Options {
        workers: 1,
        instances_max: 4,
        memory_bytes_max: 2 << 20,
        file_bytes_max: FILE_BYTES_MAX,
        ..Options::default()
    };
    Host::new(options).expect("a host")
});

/// The small plugins that everything here begins with, as module and as component: transformer, filter, batch
/// transformer.
static FILES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let modules = [Role::Transformer, Role::Filter, Role::Batch].map(Role::module);
    let component = |module: &Vec<u8>| {
        let encoder = ComponentEncoder::default().module(module);
        encoder.and_then(|mut encoder| encoder.encode()).expect("a plugin")
    };
    let components: Vec<_> = modules.iter().map(component).collect();
    modules.into_iter().chain(components).collect()
});

static PLUGINS: LazyLock<Vec<Configured>> = LazyLock::new(|| {
    let configured = |file: &Vec<u8>| {
        let plugin = HOST.load("hostile", file).expect("a plugin");
        plugin.configure("{}", setup(Isolation::Reuse)).expect("its configuration")
    };
    FILES[..3].iter().map(configured).collect()
});

#[derive(Clone, Copy)]
enum Role {
    Transformer,
    Filter,
    Batch,
}

/// Where fuzzers of the loader may begin.
pub fn files() -> &'static [Vec<u8>] {
    &FILES
}

/// Bytes as a file; or, when they do not begin as one, as edits of one: which, then place and byte, again and again.
pub fn load(bytes: &[u8]) {
    let file = match bytes.split_first() {
        Some((which, edits)) if !bytes.starts_with(b"\0asm") => edited(*which, edits),
        _ => bytes.to_vec(),
    };
    let Ok(plugin) = HOST.load("hostile", &file) else { return };
    assert!(file.len() <= FILE_BYTES_MAX, "a file over the limit was looked at");
    for isolation in [Isolation::Reuse, Isolation::Event] {
        if let Ok(configured) = plugin.configure("{}", setup(isolation)) {
            call(&configured, 3, "{}");
        }
    }
}

fn edited(which: u8, edits: &[u8]) -> Vec<u8> {
    let mut file = FILES[usize::from(which) % FILES.len()].clone();
    for edit in edits.chunks_exact(3) {
        let at = usize::from(u16::from_le_bytes([edit[0], edit[1]])) % file.len();
        file[at] = edit[2];
    }
    // A byte that is left over cuts the file.
    if let [.., cut] = edits
        && edits.len() % 3 == 1
    {
        file.truncate(file.len() * usize::from(*cut) / 256);
    }
    file
}

/// Bytes as what a plugin does: the first chooses its role and an import to call, then come that import's arguments,
/// where its answer is, and the answer itself.
pub fn output(bytes: &[u8]) {
    let Some(first) = bytes.first() else { return };
    let plugin = &PLUGINS[usize::from(*first) % PLUGINS.len()];
    // Half bytes as letters: what a plugin gets is text.
    let letter = |half: u8| char::from(b'a' + half);
    let json = bytes.iter().take(BYTES_MAX);
    let json: String = json.flat_map(|byte| [letter(byte >> 4), letter(byte & 15)]).collect();
    call(plugin, 1 + usize::from(first >> 6), &json);
}

fn call(plugin: &Configured, count: usize, json: &str) {
    let event = Event {
        id: "e-1",
        source: "shop",
        detail_type: "T",
        time: "2026-01-01T00:00:00Z",
        time_ms: 0,
        json,
        detail: 0..0,
        attributes: &[],
        position: 0,
    };
    let state: Arc<dyn StateAccess> = Arc::new(Bounded);
    let answers = plugin.call_batch(&vec![event; count], &vec![Some(state); count]);
    assert_eq!(answers.len(), count, "an answer for each event");
    for outputs in answers.into_iter().flatten() {
        assert!(outputs.len() <= OUTPUTS_MAX, "too many outputs");
        let size = |(name, value): &(String, String)| name.len() + value.len();
        let sizes = outputs
            .iter()
            .map(|output| output.body.len() + output.attributes.iter().map(size).sum::<usize>());
        assert!(sizes.sum::<usize>() <= OUTPUT_BYTES_MAX, "too large outputs");
    }
}

fn setup(isolation: Isolation) -> Setup {
    let limits = Limits {
        cpu_max: Duration::from_millis(5),
        wall_max: Duration::from_secs(1),
        memory_bytes_max: 1 << 20,
        output_bytes_max: OUTPUT_BYTES_MAX,
        outputs_max: OUTPUTS_MAX,
        ..Limits::default()
    };
    let grants: Grants = Grant::ALL.into_iter().collect();
    Setup { limits, grants, isolation: Some(isolation), ..Setup::default() }
}

/// A state that holds what it is given against the contract's bounds, and keeps nothing.
struct Bounded;

impl Bounded {
    fn key(key: &str) {
        assert!((1..=256).contains(&key.len()), "a key out of bounds");
    }
}

impl StateAccess for Bounded {
    fn get(&self, key: &str, _: i64) -> Result<Option<Vec<u8>>, StateError> {
        Self::key(key);
        Ok(Some(vec![b'x'; key.len() * 256]))
    }

    fn set(&self, key: &str, value: Vec<u8>, _: Option<i64>) -> Result<(), StateError> {
        Self::key(key);
        assert!(value.len() <= 64 << 10, "a value out of bounds");
        Ok(())
    }

    fn delete(&self, key: &str) -> Result<(), StateError> {
        Self::key(key);
        Err(StateError::Unavailable("not now".into()))
    }

    fn increment(&self, key: &str, by: i64, _: Option<i64>, _: i64) -> Result<i64, StateError> {
        Self::key(key);
        Ok(by)
    }

    fn undo(&self) {}
}

impl Role {
    fn world(self) -> &'static str {
        match self {
            Self::Transformer => "transformer-plugin",
            Self::Filter => "filter-plugin",
            Self::Batch => "batch-transformer-plugin",
        }
    }

    /// The function of the role; `$json` is where the half bytes are, as letters.
    fn function(self) -> &'static str {
        match self {
            Self::Transformer => {
                r#"(func (export "slipswitch:plugin/transformer@0.2.0#transform")
                  (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
                  (call $do (local.get 8) (local.get 9)))"#
            }
            Self::Filter => {
                r#"(func (export "slipswitch:plugin/filter@0.2.0#keep")
                  (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
                  (call $do (local.get 8) (local.get 9)))"#
            }
            Self::Batch => {
                r#"(func (export "slipswitch:plugin/batch-transformer@0.2.0#transform-batch")
                  (param i32 i32) (result i32)
                  (call $do (i32.load offset=32 (local.get 0)) (i32.load offset=36 (local.get 0))))"#
            }
        }
    }

    /// Only what its world has: a batch transformer has no state.
    fn state(self) -> (&'static str, &'static str) {
        match self {
            Self::Transformer | Self::Filter => (
                r#"(import "slipswitch:plugin/state@0.2.0" "get" (func $get (param i32 i32 i32)))
                (import "slipswitch:plugin/state@0.2.0" "set" (func $set (param i32 i32 i32 i32 i32 i64 i32)))
                (import "slipswitch:plugin/state@0.2.0" "delete" (func $delete (param i32 i32 i32)))
                (import "slipswitch:plugin/state@0.2.0" "increment"
                  (func $increment (param i32 i32 i64 i32 i64 i32)))"#,
                "(if (i32.eq (local.get $which) (i32.const 5)) (then
                  (call $get (call $arg (i32.const 0)) (call $arg (i32.const 4)) (call $arg (i32.const 8)))))
                (if (i32.eq (local.get $which) (i32.const 6)) (then
                  (call $set (call $arg (i32.const 0)) (call $arg (i32.const 4)) (call $arg (i32.const 8))
                    (call $arg (i32.const 12)) (call $arg (i32.const 16)) (i64.load (i32.const 1048)) (i32.const 512))))
                (if (i32.eq (local.get $which) (i32.const 7)) (then
                  (call $delete (call $arg (i32.const 0)) (call $arg (i32.const 4)) (i32.const 512))
                  (call $increment (call $arg (i32.const 0)) (call $arg (i32.const 4)) (i64.load (i32.const 1040))
                    (call $arg (i32.const 16)) (i64.load (i32.const 1048)) (i32.const 512))))",
            ),
            Self::Batch => ("", ""),
        }
    }

    fn module(self) -> Vec<u8> {
        let (function, (state, calls)) = (self.function(), self.state());
        let text = format!(
            r#"(module
              (import "slipswitch:plugin/log@0.2.0" "log" (func $log (param i32 i32 i32 i32 i32)))
              (import "slipswitch:plugin/metrics@0.2.0" "count" (func $count (param i32 i32 i64)))
              (import "slipswitch:plugin/random@0.2.0" "bytes" (func $bytes (param i32 i32)))
              {state}
              (memory (export "memory") 2)
              (data (i32.const 16) "test")
              (global $next (mut i32) (i32.const 65536))
              (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
                (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
                (global.set $next (i32.add (local.get $at) (local.get 3)))
                (if (i32.gt_u (global.get $next) (i32.mul (memory.size) (i32.const 65536))) (then
                  (drop (memory.grow (i32.const 8)))))
                (local.get $at))
              (func $string (param $at i32) (param $text i32) (param $len i32)
                (i32.store (local.get $at) (local.get $text))
                (i32.store offset=4 (local.get $at) (local.get $len)))
              (func $arg (param $at i32) (result i32)
                (i32.load (i32.add (local.get $at) (i32.const {BYTES_AT}))))
              ;; Puts the bytes where they belong, makes a call, and answers: with where the bytes at 20 say, or
              ;; with the bytes themselves.
              (func $do (param $json i32) (param $len i32) (result i32) (local $at i32) (local $which i32)
                (global.set $next (i32.const 65536))
                (memory.fill (i32.const {BYTES_AT}) (i32.const 0) (i32.const {BYTES_MAX}))
                (block $done (loop $again
                  (br_if $done (i32.ge_u (i32.shl (local.get $at) (i32.const 1)) (local.get $len)))
                  (i32.store8 (i32.add (local.get $at) (i32.const {before})) (i32.or
                    (i32.shl (i32.sub (i32.load8_u
                      (i32.add (local.get $json) (i32.shl (local.get $at) (i32.const 1)))) (i32.const 97)) (i32.const 4))
                    (i32.sub (i32.load8_u offset=1
                      (i32.add (local.get $json) (i32.shl (local.get $at) (i32.const 1)))) (i32.const 97))))
                  (local.set $at (i32.add (local.get $at) (i32.const 1)))
                  (br $again)))
                (local.set $which (i32.and (i32.shr_u (i32.load8_u (i32.const {before})) (i32.const 2)) (i32.const 15)))
                (if (i32.eq (local.get $which) (i32.const 1)) (then
                  (call $log (call $arg (i32.const 0)) (call $arg (i32.const 4)) (call $arg (i32.const 8))
                    (call $arg (i32.const 12)) (call $arg (i32.const 16)))))
                (if (i32.eq (local.get $which) (i32.const 2)) (then
                  (call $count (call $arg (i32.const 0)) (call $arg (i32.const 4)) (i64.const 1))))
                (if (i32.eq (local.get $which) (i32.const 3)) (then
                  (call $bytes (call $arg (i32.const 0)) (call $arg (i32.const 4)))))
                (if (i32.eq (local.get $which) (i32.const 4)) (then (return (call $arg (i32.const 20)))))
                {calls}
                (i32.const {BYTES_AT}))
              (func (export "slipswitch:plugin/plugin@0.2.0#describe") (result i32)
                (call $string (i32.const 256) (i32.const 16) (i32.const 4))
                (call $string (i32.const 264) (i32.const 16) (i32.const 4))
                (call $string (i32.const 272) (i32.const 16) (i32.const 4))
                (call $string (i32.const 280) (i32.const 0) (i32.const 0))
                (i32.store8 (i32.const 288) (i32.const 1))
                (i32.const 256))
              (func (export "slipswitch:plugin/plugin@0.2.0#configure") (param i32 i32) (result i32)
                (i32.const 512))
              {function})"#,
            before = BYTES_AT - 1,
        );
        let mut module = wat::parse_str(text).expect("the text of a module");
        let mut resolve = Resolve::default();
        let package = resolve.push_str("plugin.wit", CONTRACT).expect("the contract");
        let world = resolve.select_world(&[package], Some(self.world())).expect("a world");
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)
            .expect("a module takes types");
        module
    }
}
