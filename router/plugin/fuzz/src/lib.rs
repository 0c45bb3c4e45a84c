//! What is done with files and answers that mean harm, by the fuzzer and by `tests/it/hostile.rs` alike.
//!
//! Each function panics when the crate breaks a promise, and returns otherwise.
//!
//! ```text
//! an input of `output` = what: u8   turn: u8   place: u32   bytes
//! what  = plugin: bits 0 to 2   import to call: bits 3 to 5   events beyond the first: bits 6, 7
//! turn  = which request for memory is answered with `place`, 0 for none; its bit 7: `place` counts from the memory's end
//! bytes = the import's arguments, where the plugin's answer is, and the answer itself
//! ```

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use slipswitch_plugin::{
    CallError, Configured, Event, Grant, Grants, Host, Isolation, Limits, Options, Output, Plugin,
    Setup, StateAccess, StateError,
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
/// Of an input: before its bytes.
const HEAD_BYTES: usize = 6;

static HOST: LazyLock<Host> = LazyLock::new(|| {
    let options = Options {
        workers: 1,
        instances_max: 16,
        memory_bytes_max: 2 << 20,
        file_bytes_max: FILE_BYTES_MAX,
        ..Options::default()
    };
    Host::new(options).expect("a host")
});

/// The small plugins that everything here begins with, as modules and as components: transformer, filter, batch
/// transformer, and the same once more as the Rust SDK leaves them, which are called directly.
static FILES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let roles = [Role::Transformer, Role::Filter, Role::Batch];
    let modules =
        [false, true].into_iter().flat_map(|is_direct| roles.map(|role| role.module(is_direct)));
    let modules: Vec<_> = modules.collect();
    let component = |module: &Vec<u8>| {
        let encoder = ComponentEncoder::default().module(module);
        encoder.and_then(|mut encoder| encoder.encode()).expect("a plugin")
    };
    let components: Vec<_> = modules.iter().map(component).collect();
    modules.into_iter().chain(components).collect()
});

/// Of the modules, each with the configuration that lets it answer honestly where the router puts an event.
static PLUGINS: LazyLock<Vec<(Plugin, Configured)>> = LazyLock::new(|| {
    let configured = |file: &Vec<u8>| {
        let plugin = HOST.load("hostile", file).expect("a plugin");
        let configured =
            plugin.configure("{}", setup(Isolation::Reuse)).expect("its configuration");
        (plugin, configured)
    };
    FILES[..FILES.len() / 2].iter().map(configured).collect()
});

/// What becomes of an event.
pub type Answer = Result<Vec<Output>, CallError>;

/// Letters as the bytes that they are the halves of.
const DECODE: &str =
    "(func $decode (param $letters i32) (param $len i32) (param $to i32) (local $at i32)
      (block $done (loop $again
        (br_if $done (i32.ge_u (local.get $at) (local.get $len)))
        (i32.store8 (local.get $to) (i32.or
          (i32.shl (i32.sub (i32.load8_u
            (i32.add (local.get $letters) (local.get $at))) (i32.const 97)) (i32.const 4))
          (i32.sub (i32.load8_u offset=1
            (i32.add (local.get $letters) (local.get $at))) (i32.const 97))))
        (local.set $to (i32.add (local.get $to) (i32.const 1)))
        (local.set $at (i32.add (local.get $at) (i32.const 2)))
        (br $again))))";

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

/// Bytes as what a plugin does.
pub fn output(bytes: &[u8]) {
    answers(bytes);
}

/// The same, for who wants to know what came of it.
pub fn answers(bytes: &[u8]) -> Vec<Answer> {
    let Some((head, bytes)) = bytes.split_first_chunk::<HEAD_BYTES>() else { return Vec::new() };
    let (plugin, honest) = &PLUGINS[usize::from(head[0] & 7) % PLUGINS.len()];
    let count = 1 + usize::from(head[0] >> 6);
    let json = letters(head[..1].iter().chain(bytes).take(BYTES_MAX));
    if head[1] == 0 {
        return call(honest, count, &json);
    }
    // An instance learns it before its first event: by then the event lies in its memory already.
    let config = format!("\"{}\"", letters(&head[1..]));
    let Ok(hostile) = plugin.configure(&config, setup(Isolation::Reuse)) else { return Vec::new() };
    call(&hostile, count, &json)
}

/// A custom section; its length in two bytes of seven bits.
fn section(name: &str, data: &[u8]) -> Vec<u8> {
    let byte = |number: usize| u8::try_from(number).expect("a short section");
    let contents = [&[byte(name.len())], name.as_bytes(), data].concat();
    let len = contents.len();
    [vec![0, byte(len % 128) | 128, byte(len / 128)], contents].concat()
}

/// Half bytes as letters: what a plugin gets is text.
fn letters<'a>(bytes: impl IntoIterator<Item = &'a u8>) -> String {
    let letter = |half: u8| char::from(b'a' + half);
    bytes.into_iter().flat_map(|byte| [letter(byte >> 4), letter(byte & 15)]).collect()
}

fn call(plugin: &Configured, count: usize, json: &str) -> Vec<Answer> {
    let attributes =
        [("bus", "main"), ("rule", "")].map(|(name, value)| (name.into(), value.into()));
    let event = Event {
        id: "e-1",
        source: "shop",
        detail_type: "T",
        time: "2026-01-01T00:00:00Z",
        time_ms: 0,
        json,
        detail: 0..0,
        attributes: &attributes,
        position: 0,
    };
    let state: Arc<dyn StateAccess> = Arc::new(Bounded);
    let answers = plugin.call_batch(&vec![event; count], &vec![Some(state); count]);
    assert_eq!(answers.len(), count, "an answer for each event");
    for outputs in answers.iter().flatten() {
        assert!(outputs.len() <= OUTPUTS_MAX, "too many outputs");
        let size = |(name, value): &(String, String)| name.len() + value.len();
        let sizes = outputs
            .iter()
            .map(|output| output.body.len() + output.attributes.iter().map(size).sum::<usize>());
        assert!(sizes.sum::<usize>() <= OUTPUT_BYTES_MAX, "too large outputs");
    }
    answers
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

    /// What not every role asks for, and how it is called. A batch transformer has no state, and gets its events in lists
    /// only while it asks for no random numbers.
    fn imports(self) -> (&'static str, &'static str) {
        match self {
            Self::Transformer | Self::Filter => (
                r#"(import "slipswitch:plugin/random@0.2.0" "bytes" (func $bytes (param i32 i32)))
                (import "slipswitch:plugin/state@0.2.0" "get" (func $get (param i32 i32 i32)))
                (import "slipswitch:plugin/state@0.2.0" "set" (func $set (param i32 i32 i32 i32 i32 i64 i32)))
                (import "slipswitch:plugin/state@0.2.0" "delete" (func $delete (param i32 i32 i32)))
                (import "slipswitch:plugin/state@0.2.0" "increment"
                  (func $increment (param i32 i32 i64 i32 i64 i32)))"#,
                "(if (i32.eq (local.get $which) (i32.const 3)) (then
                  (call $bytes (call $arg (i32.const 0)) (call $arg (i32.const 4)))))
                (if (i32.eq (local.get $which) (i32.const 5)) (then
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

    fn module(self, is_direct: bool) -> Vec<u8> {
        let mut module = wat::parse_str(self.text()).expect("the text of a module");
        if is_direct {
            module.extend(section("component-type:slipswitch", self.types()));
            module.extend(section("slipswitch:arena", &[1]));
            return module;
        }
        let mut resolve = Resolve::default();
        let package = resolve.push_str("plugin.wit", CONTRACT).expect("the contract");
        let world = resolve.select_world(&[package], Some(self.world())).expect("a world");
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)
            .expect("a module takes types");
        module
    }

    /// The types of its world, as the Rust SDK has them.
    fn types(self) -> &'static [u8] {
        match self {
            Self::Transformer => include_bytes!("../../src/direct/transformer-plugin.bin"),
            Self::Filter => include_bytes!("../../src/direct/filter-plugin.bin"),
            Self::Batch => include_bytes!("../../src/direct/batch-transformer-plugin.bin"),
        }
    }

    fn text(self) -> String {
        let (function, (imports, calls)) = (self.function(), self.imports());
        format!(
            r#"(module
              (import "slipswitch:plugin/log@0.2.0" "log" (func $log (param i32 i32 i32 i32 i32)))
              (import "slipswitch:plugin/metrics@0.2.0" "count" (func $count (param i32 i32 i64)))
              {imports}
              (memory (export "memory") 2)
              (data (i32.const 16) "test")
              (global $next (mut i32) (i32.const 65536))
              ;; Requests for memory since the last call; the one that is not answered honestly, and how it is.
              (global $asked (mut i32) (i32.const 0))
              (global $turn (mut i32) (i32.const 0))
              (global $place (mut i32) (i32.const 0))
              (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
                (global.set $asked (i32.add (global.get $asked) (i32.const 1)))
                (if (i32.eq (global.get $asked) (i32.and (global.get $turn) (i32.const 127))) (then
                  (return (i32.add (global.get $place) (select
                    (i32.mul (memory.size) (i32.const 65536)) (i32.const 0)
                    (i32.gt_u (global.get $turn) (i32.const 127)))))))
                (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
                (global.set $next (i32.add (local.get $at) (local.get 3)))
                (if (i32.gt_u (global.get $next) (i32.mul (memory.size) (i32.const 65536))) (then
                  (drop (memory.grow (i32.const 8)))))
                (local.get $at))
              {DECODE}
              (func $string (param $at i32) (param $text i32) (param $len i32)
                (i32.store (local.get $at) (local.get $text))
                (i32.store offset=4 (local.get $at) (local.get $len)))
              (func $arg (param $at i32) (result i32)
                (i32.load (i32.add (local.get $at) (i32.const {BYTES_AT}))))
              ;; Puts the bytes where they belong, makes a call, and answers: with where the bytes at 20 say, or
              ;; with the bytes themselves.
              (func $do (param $json i32) (param $len i32) (result i32) (local $which i32)
                (global.set $next (i32.const 65536))
                (global.set $asked (i32.const 0))
                (memory.fill (i32.const {BYTES_AT}) (i32.const 0) (i32.const {BYTES_MAX}))
                (call $decode (local.get $json) (local.get $len) (i32.const {before}))
                (local.set $which (i32.and (i32.shr_u (i32.load8_u (i32.const {before})) (i32.const 3)) (i32.const 7)))
                (if (i32.eq (local.get $which) (i32.const 1)) (then
                  (call $log (call $arg (i32.const 0)) (call $arg (i32.const 4)) (call $arg (i32.const 8))
                    (call $arg (i32.const 12)) (call $arg (i32.const 16)))))
                (if (i32.eq (local.get $which) (i32.const 2)) (then
                  (call $count (call $arg (i32.const 0)) (call $arg (i32.const 4)) (i64.const 1))))
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
              (func (export "slipswitch:plugin/plugin@0.2.0#configure") (param $config i32) (param $len i32) (result i32)
                (if (i32.eq (local.get $len) (i32.const 12)) (then
                  (call $decode (i32.add (local.get $config) (i32.const 1)) (i32.const 10) (i32.const 600))
                  (global.set $turn (i32.load8_u (i32.const 600)))
                  (global.set $place (i32.load (i32.const 601)))))
                (global.set $asked (i32.const 0))
                (i32.const 512))
              {function})"#,
            before = BYTES_AT - 1,
        )
    }
}
