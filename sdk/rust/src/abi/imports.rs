//! What a plugin can ask of the router. What is not called is no import of the built file.
//!
//! # Invariants
//!
//! - What an import returns is copied out, and its room in the arena given back, before the next one is called.

use alloc::string::String;
use alloc::vec::Vec;
use core::mem::{ManuallyDrop, MaybeUninit};

use super::{List, RawPair, call};
use crate::log::Level;
use crate::state;

#[link(wasm_import_module = "slipswitch:plugin/log@0.2.0")]
unsafe extern "C" {
    #[link_name = "log"]
    fn log_line(level: u32, message: *const u8, len: usize, fields: *const RawPair, count: usize);
}

#[link(wasm_import_module = "slipswitch:plugin/metrics@0.2.0")]
unsafe extern "C" {
    #[link_name = "count"]
    fn metrics_count(name: *const u8, len: usize, by: u64);
    #[link_name = "observe"]
    fn metrics_observe(name: *const u8, len: usize, value: f64);
}

#[link(wasm_import_module = "slipswitch:plugin/clock@0.2.0")]
unsafe extern "C" {
    #[link_name = "now"]
    safe fn clock_now() -> i64;
}

#[link(wasm_import_module = "slipswitch:plugin/random@0.2.0")]
unsafe extern "C" {
    #[link_name = "bytes"]
    fn random_bytes(len: u32, result: *mut List<u8>);
    #[link_name = "number"]
    safe fn random_number() -> u64;
}

#[link(wasm_import_module = "slipswitch:plugin/state@0.2.0")]
unsafe extern "C" {
    #[link_name = "get"]
    fn state_get(key: *const u8, len: usize, result: *mut Found);
    #[link_name = "set"]
    fn state_set(
        key: *const u8,
        len: usize,
        value: *const u8,
        value_len: usize,
        has_ttl: u32,
        ttl_ms: u64,
        result: *mut Done,
    );
    #[link_name = "delete"]
    fn state_delete(key: *const u8, len: usize, result: *mut Done);
    #[link_name = "increment"]
    fn state_increment(
        key: *const u8,
        len: usize,
        by: i64,
        has_ttl: u32,
        ttl_ms: u64,
        result: *mut Sum,
    );
}

/// `result<option<list<u8>>, error>`: tag; whether there is a value, or the kind of error; bytes or words.
#[repr(C)]
struct Found {
    tag: u8,
    kind: u32,
    bytes: List<u8>,
}

/// `result<_, error>`
#[repr(C)]
struct Done {
    tag: u8,
    kind: u32,
    words: List<u8>,
}

/// `result<s64, error>`: its payload is aligned as the number is.
#[repr(C)]
struct Sum {
    tag: u8,
    payload: SumOrError,
}

#[repr(C)]
union SumOrError {
    sum: i64,
    error: ManuallyDrop<Refused>,
}

#[repr(C)]
struct Refused {
    kind: u32,
    words: List<u8>,
}

pub(crate) fn log(level: Level, message: &str, fields: &[(&str, &str)]) {
    let fields: Vec<RawPair> = fields
        .iter()
        .map(|(name, value)| RawPair {
            name: List::of(name.as_bytes()),
            value: List::of(value.as_bytes()),
        })
        .collect();
    let level = match level {
        Level::Trace => 0,
        Level::Debug => 1,
        Level::Info => 2,
        Level::Warn => 3,
        Level::Error => 4,
    };
    // SAFETY: texts and fields outlive the call; the router reads them and keeps nothing.
    unsafe { log_line(level, message.as_ptr(), message.len(), fields.as_ptr(), fields.len()) }
}

pub(crate) fn count(name: &str, by: u64) {
    // SAFETY: the router reads the name and keeps nothing.
    unsafe { metrics_count(name.as_ptr(), name.len(), by) }
}

pub(crate) fn observe(name: &str, value: f64) {
    // SAFETY: the router reads the name and keeps nothing.
    unsafe { metrics_observe(name.as_ptr(), name.len(), value) }
}

pub(crate) fn now() -> i64 {
    clock_now()
}

pub(crate) fn number() -> u64 {
    random_number()
}

pub(crate) fn bytes(len: u32) -> Vec<u8> {
    returned(
        // SAFETY: the router fills in the list, whose bytes it asked `cabi_realloc` for.
        |result| unsafe { random_bytes(len, result) },
        // SAFETY: `returned` hands over what the router has just written.
        |list: &List<u8>| unsafe { list.show() }.to_vec(),
    )
}

pub(crate) fn get(key: &str) -> Result<Option<Vec<u8>>, state::Error> {
    returned(
        // SAFETY: the router reads the key and fills in the result.
        |result| unsafe { state_get(key.as_ptr(), key.len(), result) },
        |found: &Found| match (found.tag, found.kind & 0xff) {
            (0, 0) => Ok(None),
            // SAFETY: the tag says that it is there; `returned` hands over what the router has just written.
            (0, _) => Ok(Some(unsafe { found.bytes.show() }.to_vec())),
            (_, kind) => Err(refused(kind, &found.bytes)),
        },
    )
}

pub(crate) fn set(key: &str, value: &[u8], ttl_ms: Option<u64>) -> Result<(), state::Error> {
    let (has_ttl, ttl) = (u32::from(ttl_ms.is_some()), ttl_ms.unwrap_or(0));
    let (start, len) = (value.as_ptr(), value.len());
    returned(
        // SAFETY: the router reads key and value and fills in the result.
        |result| unsafe { state_set(key.as_ptr(), key.len(), start, len, has_ttl, ttl, result) },
        done,
    )
}

pub(crate) fn delete(key: &str) -> Result<(), state::Error> {
    // SAFETY: the router reads the key and fills in the result.
    returned(|result| unsafe { state_delete(key.as_ptr(), key.len(), result) }, done)
}

pub(crate) fn increment(key: &str, by: i64, ttl_ms: Option<u64>) -> Result<i64, state::Error> {
    let (has_ttl, ttl) = (u32::from(ttl_ms.is_some()), ttl_ms.unwrap_or(0));
    returned(
        // SAFETY: the router reads the key and fills in the result.
        |result| unsafe { state_increment(key.as_ptr(), key.len(), by, has_ttl, ttl, result) },
        |sum: &Sum| match sum.tag {
            // SAFETY: the tag says which of the two it is.
            0 => Ok(unsafe { sum.payload.sum }),
            _ => {
                // SAFETY: as above.
                let error = unsafe { &sum.payload.error };
                Err(refused(error.kind & 0xff, &error.words))
            }
        },
    )
}

fn done(done: &Done) -> Result<(), state::Error> {
    match done.tag {
        0 => Ok(()),
        _ => Err(refused(done.kind & 0xff, &done.words)),
    }
}

fn refused(kind: u32, words: &List<u8>) -> state::Error {
    // SAFETY: an error has words, and only what the router has just written comes here.
    let words = String::from(unsafe { words.text() });
    match kind {
        0 => state::Error::TooLarge(words),
        _ => state::Error::Unavailable(words),
    }
}

/// Has the router write a result, and copies what is wanted out of it.
fn returned<R, T>(write: impl FnOnce(*mut R), copy: impl FnOnce(&R) -> T) -> T {
    let mark = call(|call| call.arena.mark());
    // Zeroes are valid for every result above, so what a variant leaves unwritten is still a value.
    let mut result = MaybeUninit::<R>::zeroed();
    write(result.as_mut_ptr());
    // SAFETY: all results above are numbers and addresses, for which zeroes and whatever the router wrote will do.
    let copied = copy(unsafe { result.assume_init_ref() });
    call(|call| call.arena.rewind(mark));
    copied
}
