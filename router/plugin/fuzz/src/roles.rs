//! The plugins that are damaged, and those that do what the bytes of an input say, in each of the three roles.

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

const CONTRACT: &str = include_str!("../../../../sdk/wit/plugin.wit");
/// Where in the plugin's memory the bytes of an input are put, and how many.
const BYTES_AT: usize = 1024;
pub(super) const BYTES_MAX: usize = 4096;
/// Where the numbers of a single event are kept, as they are in a list.
const EVENT_AT: usize = 6144;
/// Where the plugin gives room.
const ROOM_AT: usize = 65536;

#[derive(Clone, Copy)]
pub(super) enum Role {
    Transformer,
    Filter,
    Batch,
}

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

/// Answers an event with its own texts, as the host has put them: its JSON with its attributes, and then its JSON
/// with the other texts as attributes.
const ECHO: &str =
    "(func $pair (param $from i32) (param $to i32)
      (i64.store (local.get $to) (i64.load (local.get $from))))
    (func $echo (param $event i32) (param $result i32) (param $rest i32)
      (memory.fill (local.get $result) (i32.const 0) (i32.const 16))
      (i32.store offset=4 (local.get $result) (local.get $rest))
      (i32.store offset=8 (local.get $result) (i32.const 2))
      (call $pair (i32.add (local.get $event) (i32.const 32)) (local.get $rest))
      (call $pair (i32.add (local.get $event) (i32.const 48)) (i32.add (local.get $rest) (i32.const 8)))
      (call $pair (i32.add (local.get $event) (i32.const 32)) (i32.add (local.get $rest) (i32.const 16)))
      (i32.store offset=24 (local.get $rest) (i32.add (local.get $rest) (i32.const 32)))
      (i32.store offset=28 (local.get $rest) (i32.const 3))
      (call $pair (local.get $event) (i32.add (local.get $rest) (i32.const 32)))
      (call $pair (i32.add (local.get $event) (i32.const 8)) (i32.add (local.get $rest) (i32.const 40)))
      (call $pair (i32.add (local.get $event) (i32.const 16)) (i32.add (local.get $rest) (i32.const 48)))
      (call $pair (i32.add (local.get $event) (i32.const 24)) (i32.add (local.get $rest) (i32.const 56)))
      (i32.store offset=64 (local.get $rest)
        (i32.add (i32.load offset=32 (local.get $event)) (i32.load offset=40 (local.get $event))))
      (i32.store offset=68 (local.get $rest) (i32.load offset=44 (local.get $event)))
      (i64.store offset=72 (local.get $rest) (i64.const 0)))";

/// What a plugin says of itself.
const DESCRIBE: &str = r#"(func $string (param $at i32) (param $text i32) (param $len i32)
      (i32.store (local.get $at) (local.get $text))
      (i32.store offset=4 (local.get $at) (local.get $len)))
    (func (export "slipswitch:plugin/plugin@0.2.0#describe") (result i32)
      (call $string (i32.const 256) (i32.const 16) (i32.const 4))
      (call $string (i32.const 264) (i32.const 16) (i32.const 4))
      (call $string (i32.const 272) (i32.const 16) (i32.const 4))
      (call $string (i32.const 280) (i32.const 0) (i32.const 0))
      (i32.store8 (i32.const 288) (i32.const 1))
      (i32.const 256))"#;

impl Role {
    pub(super) const ALL: [Self; 3] = [Self::Transformer, Self::Filter, Self::Batch];

    fn world(self) -> &'static str {
        match self {
            Self::Transformer => "transformer-plugin",
            Self::Filter => "filter-plugin",
            Self::Batch => "batch-transformer-plugin",
        }
    }

    /// The start of its function. What every role begins with: the event's fourteen numbers in memory, or how many there
    /// are and where.
    fn function(self) -> String {
        let one = |name| {
            let numbers = (0..14).map(|at| {
                format!("(i32.store (i32.const {}) (local.get {at}))", EVENT_AT + 4 * at)
            });
            let numbers: String = numbers.collect();
            format!(
                r#"(func (export "{name}") (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)
                  (result i32) {numbers} (call $all (i32.const {EVENT_AT}) (i32.const 1)))"#
            )
        };
        match self {
            Self::Transformer => one("slipswitch:plugin/transformer@0.2.0#transform"),
            Self::Filter => one("slipswitch:plugin/filter@0.2.0#keep"),
            Self::Batch => {
                r#"(func (export "slipswitch:plugin/batch-transformer@0.2.0#transform-batch")
              (param i32 i32) (result i32) (call $all (local.get 0) (local.get 1)))"#
                    .to_owned()
            }
        }
    }

    /// Answers the events with their texts: a filter with yes.
    fn echo(self) -> &'static str {
        match self {
            Self::Transformer => {
                "(call $echo (local.get $events) (i32.const 8192) (i32.const 8320)) (i32.const 8192)"
            }
            Self::Filter => "(i64.store (i32.const 8192) (i64.const 0x100000000)) (i32.const 8192)",
            Self::Batch => {
                "(i32.store (i32.const 8128) (i32.const 8192))
                (i32.store (i32.const 8132) (local.get $count))
                (loop $next
                  (call $echo
                    (i32.add (local.get $events) (i32.mul (local.get $index) (i32.const 56)))
                    (i32.add (i32.const 8192) (i32.mul (local.get $index) (i32.const 16)))
                    (i32.add (i32.const 8320) (i32.mul (local.get $index) (i32.const 80))))
                  (local.set $index (i32.add (local.get $index) (i32.const 1)))
                  (br_if $next (i32.lt_u (local.get $index) (local.get $count))))
                (i32.const 8128)"
            }
        }
    }

    /// What not every role asks for, and how it is called. A batch transformer has no state, and gets its events in lists
    /// only while it asks for neither the clock nor random numbers.
    fn imports(self) -> (&'static str, String) {
        let case = |which: u32, call: &str| {
            format!("(if (i32.eq (local.get $which) (i32.const {which})) (then {call}))")
        };
        match self {
            Self::Transformer | Self::Filter => (
                r#"(import "slipswitch:plugin/clock@0.2.0" "now" (func $now (result i64)))
                (import "slipswitch:plugin/random@0.2.0" "number" (func $number (result i64)))
                (import "slipswitch:plugin/random@0.2.0" "bytes" (func $bytes (param i32 i32)))
                (import "slipswitch:plugin/state@0.2.0" "get" (func $get (param i32 i32 i32)))
                (import "slipswitch:plugin/state@0.2.0" "set" (func $set (param i32 i32 i32 i32 i32 i64 i32)))
                (import "slipswitch:plugin/state@0.2.0" "delete" (func $delete (param i32 i32 i32)))
                (import "slipswitch:plugin/state@0.2.0" "increment"
                  (func $increment (param i32 i32 i64 i32 i64 i32)))"#,
                [
                    case(4, "(i64.store (i32.const 512) (call $now))"),
                    case(5, "(i64.store (i32.const 512) (call $number))"),
                    case(
                        6,
                        "(call $into (local.get $f)) (call $bytes (local.get $a) (local.get $f))",
                    ),
                    case(
                        7,
                        "(call $into (local.get $f))
                      (call $get (local.get $a) (local.get $b) (local.get $f))",
                    ),
                    case(
                        8,
                        "(call $into (local.get $f))
                      (call $set (local.get $a) (local.get $b) (local.get $c) (local.get $d)
                        (local.get $e) (local.get $long) (local.get $f))",
                    ),
                    case(
                        9,
                        "(call $into (local.get $f))
                      (call $delete (local.get $a) (local.get $b) (local.get $f))",
                    ),
                    case(
                        10,
                        "(call $into (local.get $f))
                      (call $increment (local.get $a) (local.get $b) (local.get $long)
                        (local.get $e) (local.get $long) (local.get $f))",
                    ),
                ]
                .concat(),
            ),
            Self::Batch => ("", String::new()),
        }
    }

    /// One that does nothing, to be damaged: it is compiled again and again, so it is as short as it may be.
    pub(super) fn small(self, is_direct: bool) -> Vec<u8> {
        let (begin, params, answer) = match self {
            Self::Transformer => ("transformer@0.2.0#transform", 14, ""),
            Self::Filter => ("filter@0.2.0#keep", 14, ""),
            Self::Batch => (
                "batch-transformer@0.2.0#transform-batch",
                2,
                "(i32.store (i32.const 512) (i32.const 1024)) (i32.store (i32.const 516) (local.get 1))",
            ),
        };
        let params = "i32 ".repeat(params);
        let text = format!(
            r#"(module
              (import "slipswitch:plugin/log@0.2.0" "log" (func $log (param i32 i32 i32 i32 i32)))
              (memory (export "memory") 2)
              (data (i32.const 16) "test")
              (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 65536))
              {DESCRIBE}
              (func (export "slipswitch:plugin/plugin@0.2.0#configure") (param i32 i32) (result i32)
                (i32.const 512))
              (func (export "slipswitch:plugin/{begin}") (param {params}) (result i32)
                (call $log (i32.const 2) (i32.const 16) (i32.const 4) (i32.const 0) (i32.const 0))
                {answer} (i32.const 512)))"#
        );
        self.module(&text, is_direct)
    }

    /// One that does what the bytes of an input say.
    pub(super) fn hostile(self, is_direct: bool) -> Vec<u8> {
        self.module(&self.text(), is_direct)
    }

    fn module(self, text: &str, is_direct: bool) -> Vec<u8> {
        let mut module = wat::parse_str(text).expect("the text of a module");
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
        let (function, echo, (imports, calls)) = (self.function(), self.echo(), self.imports());
        let (room, step) = (room(), step(&calls));
        let before = BYTES_AT - super::HEAD_BYTES;
        let (turn, place) = (before + 1, before + 2);
        format!(
            r#"(module
              (import "slipswitch:plugin/log@0.2.0" "log" (func $log (param i32 i32 i32 i32 i32)))
              (import "slipswitch:plugin/metrics@0.2.0" "count" (func $count (param i32 i32 i64)))
              (import "slipswitch:plugin/metrics@0.2.0" "observe" (func $observe (param i32 i32 f64)))
              {imports}
              (memory (export "memory") 2)
              (data (i32.const 16) "test")
              {room}
              {DECODE}
              {ECHO}
              {DESCRIBE}
              {step}
              ;; Puts the bytes where they belong, takes the steps, and answers with the bytes that come after them.
              (func $all (param $events i32) (param $count i32) (result i32)
                (local $json i32) (local $len i32) (local $steps i32) (local $at i32) (local $index i32)
                (local.set $json (i32.load offset=32 (local.get $events)))
                (local.set $len (i32.load offset=36 (local.get $events)))
                (memory.fill (i32.const {before}) (i32.const 0) (i32.const {BYTES_MAX}))
                (call $decode (local.get $json) (local.get $len) (i32.const {before}))
                (local.set $steps
                  (i32.and (i32.shr_u (i32.load8_u (i32.const {before})) (i32.const 3)) (i32.const 7)))
                (global.set $next (i32.const {ROOM_AT}))
                (global.set $asked (i32.const 64))
                (if (i32.eq (local.get $steps) (i32.const 7)) (then (return (block (result i32) {echo}))))
                ;; How an event is put into memory is the host's, and not to be seen in what becomes of it.
                (memory.fill (i32.const {ROOM_AT}) (i32.const 0) (i32.const 49152))
                (memory.fill (i32.const {EVENT_AT}) (i32.const 0) (i32.const 56))
                (global.set $turn (i32.load8_u (i32.const {turn})))
                (global.set $place (i32.load (i32.const {place})))
                (global.set $asked (i32.sub (i32.const 64) (i32.and (global.get $turn) (i32.const 64))))
                (local.set $at (i32.const {BYTES_AT}))
                (block $done (loop $again
                  (br_if $done (i32.eqz (local.get $steps)))
                  (call $step (local.get $at))
                  (local.set $at (i32.add (local.get $at) (i32.const 28)))
                  (local.set $steps (i32.sub (local.get $steps) (i32.const 1)))
                  (br $again)))
                (global.set $next (i32.const {ROOM_AT}))
                (global.set $asked (i32.and (global.get $turn) (i32.const 64)))
                (local.get $at))
              (func (export "slipswitch:plugin/plugin@0.2.0#configure") (param $config i32) (param $len i32) (result i32)
                (if (i32.eq (local.get $len) (i32.const 12)) (then
                  (call $decode (i32.add (local.get $config) (i32.const 1)) (i32.const 10) (i32.const 600))
                  (global.set $turn (i32.load8_u (i32.const 600)))
                  (global.set $place (i32.load (i32.const 601)))))
                (global.set $next (i32.const {ROOM_AT}))
                (global.set $asked (i32.const 0))
                (i32.const 512))
              {function})"#,
        )
    }
}

/// How the plugin gives room.
fn room() -> String {
    format!(
        r#"(global $next (mut i32) (i32.const {ROOM_AT}))
        ;; Requests for memory since the last call, more than 63 where all are answered honestly; the one that is
        ;; not, and how it is.
        (global $asked (mut i32) (i32.const 0))
        (global $turn (mut i32) (i32.const 0))
        (global $place (mut i32) (i32.const 0))
        ;; Where the import that runs is to put its result: what it puts there and what it puts into room that it
        ;; was given come in no certain order, so that the two are kept apart.
        (global $result (mut i32) (i32.const -256))
        (func $meets (param $at i32) (param $len i32) (result i32)
          (i32.and
            (i32.lt_u (local.get $at) (i32.add (global.get $result) (i32.const 24)))
            (i32.gt_u (i32.add (local.get $at) (local.get $len)) (global.get $result))))
        (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
          (global.set $asked (i32.add (global.get $asked) (i32.const 1)))
          (if (i32.eq (global.get $asked) (i32.and (global.get $turn) (i32.const 63))) (then
            (local.set $at (i32.add (global.get $place) (select
              (i32.mul (memory.size) (i32.const 65536)) (i32.const 0)
              (i32.gt_u (global.get $turn) (i32.const 127)))))
            (if (i32.eqz (call $meets (local.get $at) (local.get 3))) (then (return (local.get $at))))))
          (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
          (if (call $meets (local.get $at) (local.get 3)) (then
            (local.set $at (i32.and (i32.add (global.get $result) (i32.const 31)) (i32.const -8)))))
          (global.set $next (i32.add (local.get $at) (local.get 3)))
          (if (i32.gt_u (global.get $next) (i32.mul (memory.size) (i32.const 65536))) (then
            (drop (memory.grow (i32.const 8)))))
          (local.get $at))"#
    )
}

/// One step of an input; `calls` is what not every role can call.
fn step(calls: &str) -> String {
    format!(
        ";; Here an import shall put its result. Between its cases and their contents is room that is nobody's.
        (func $into (param $at i32)
          (if (i32.le_u (local.get $at) (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 24)))
            (then
              (memory.fill (local.get $at) (i32.const 0) (i32.const 24))
              (global.set $result (local.get $at)))))
        ;; One step of the input: which import, and what it is given.
        (func $step (param $at i32) (local $which i32) (local $long i64)
          (local $a i32) (local $b i32) (local $c i32) (local $d i32) (local $e i32) (local $f i32)
          (local.set $which (i32.load8_u (local.get $at)))
          (local.set $a (i32.load offset=4 (local.get $at)))
          (local.set $b (i32.load offset=8 (local.get $at)))
          (local.set $c (i32.load offset=12 (local.get $at)))
          (local.set $d (i32.load offset=16 (local.get $at)))
          (local.set $long (i64.load offset=12 (local.get $at)))
          (local.set $e (i32.load offset=20 (local.get $at)))
          (local.set $f (i32.load offset=24 (local.get $at)))
          (if (i32.eq (local.get $which) (i32.const 1)) (then
            (call $log (local.get $a) (local.get $b) (local.get $c) (local.get $d) (local.get $e))))
          (if (i32.eq (local.get $which) (i32.const 2)) (then
            (call $count (local.get $a) (local.get $b) (local.get $long))))
          (if (i32.eq (local.get $which) (i32.const 3)) (then
            (call $observe (local.get $a) (local.get $b) (f64.reinterpret_i64 (local.get $long)))))
          {calls}
          (global.set $result (i32.const -256)))"
    )
}

pub(super) fn component(module: &[u8]) -> Vec<u8> {
    let encoder = ComponentEncoder::default().module(module);
    encoder.and_then(|mut encoder| encoder.encode()).expect("a plugin")
}

/// A custom section; its length in two bytes of seven bits.
fn section(name: &str, data: &[u8]) -> Vec<u8> {
    let byte = |number: usize| u8::try_from(number).expect("a short section");
    let contents = [&[byte(name.len())], name.as_bytes(), data].concat();
    let len = contents.len();
    [vec![0, byte(len % 128) | 128, byte(len / 128)], contents].concat()
}
