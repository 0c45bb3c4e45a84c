//! The contract's imports, as a core module calls them.
//!
//! # Invariants
//!
//! - As with components: no text is looked at that is longer than what one call may hand over, and no import is called
//!   while the plugin is asked for room. Every import looks after the budgets, because code without a loop does not.

use wasmtime::{Caller, Linker, Result, bail};

use super::{Room, TooMuch};
use crate::contract::{self, CLOCK, LOG, METRICS, RANDOM, STATE};
use crate::imports::log::Level;
use crate::imports::state::{self, StateError};
use crate::instance::State;

type Plugin<'a> = Caller<'a, State>;

/// Whether [`link`] links a function of this name: those of the contract, in the version that it links.
pub(super) fn is_offered(module: &str, name: &str) -> bool {
    [LOG, METRICS, CLOCK, RANDOM, STATE].contains(&module)
        && contract::check_function(module, name).is_ok()
}

/// Everything of the contract. What a plugin may use of it is decided before it gets here.
pub(crate) fn link(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap(
        LOG,
        "log",
        |mut plugin: Plugin<'_>, level, message, len, fields, count| {
            log(&mut plugin, level, (message, len), (fields, count))
        },
    )?;
    linker.func_wrap(METRICS, "count", |mut plugin: Plugin<'_>, at: u32, len: u32, by: u64| {
        let (memory, state) = split(&mut plugin)?;
        state.metrics.count(text(memory, (at, len), state)?, by);
        Ok(())
    })?;
    linker.func_wrap(METRICS, "observe", |mut plugin: Plugin<'_>, at, len, value: f64| {
        let (memory, state) = split(&mut plugin)?;
        state.metrics.observe(text(memory, (at, len), state)?, value);
        Ok(())
    })?;
    linker
        .func_wrap(CLOCK, "now", |plugin: Plugin<'_>| plugin.data().current.now_ms("clock.now"))?;
    linker.func_wrap(RANDOM, "number", |mut plugin: Plugin<'_>| {
        Ok(enter(&mut plugin)?.numbers("random.number")?.number())
    })?;
    linker.func_wrap(RANDOM, "bytes", |mut plugin: Plugin<'_>, len: u32, result: u32| {
        let bytes = enter(&mut plugin)?.numbers("random.bytes")?.bytes(len);
        let [at, len] = place(&mut plugin, &bytes)?;
        write(&mut plugin, result, &[at, len])
    })?;
    link_state(linker)
}

fn link_state(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap(STATE, "get", |mut plugin: Plugin<'_>, key, len, result| {
        let (memory, store) = split(&mut plugin)?;
        match state::get(&store.current, text(memory, (key, len), store)?) {
            Ok(None) => write(&mut plugin, result, &[0, 0, 0, 0]),
            Ok(Some(value)) => {
                let [at, len] = place(&mut plugin, &value)?;
                write(&mut plugin, result, &[0, 1, at, len])
            }
            Err(error) => refuse(&mut plugin, result, &error),
        }
    })?;
    linker.func_wrap(
        STATE,
        "set",
        |mut plugin: Plugin<'_>, key, key_len, value, value_len, has_ttl: u32, ttl: u64, result| {
            let ttl = option(has_ttl, ttl)?;
            let (memory, store) = split(&mut plugin)?;
            let key = text(memory, (key, key_len), store)?;
            let value = bytes(memory, (value, value_len), store)?;
            let done = state::set(&store.current, key, value, ttl);
            settle(&mut plugin, result, done)
        },
    )?;
    linker.func_wrap(STATE, "delete", |mut plugin: Plugin<'_>, key, len, result| {
        let (memory, store) = split(&mut plugin)?;
        let done = state::delete(&store.current, text(memory, (key, len), store)?);
        settle(&mut plugin, result, done)
    })?;
    linker.func_wrap(
        STATE,
        "increment",
        |mut plugin: Plugin<'_>, key, len, by: i64, has_ttl: u32, ttl: u64, result| {
            // The number is aligned, and so is the error in its place.
            aligned(result, 8)?;
            let ttl = option(has_ttl, ttl)?;
            let (memory, store) = split(&mut plugin)?;
            let key = text(memory, (key, len), store)?;
            match state::increment(&store.current, key, by, ttl) {
                Ok(sum) => {
                    let [low, high] = halves(sum);
                    write(&mut plugin, result, &[0, 0, low, high])
                }
                Err(error) => {
                    let (kind, words) = in_words(&error);
                    let [at, len] = place(&mut plugin, words.as_bytes())?;
                    write(&mut plugin, result, &[1, 0, kind, at, len])
                }
            }
        },
    )?;
    Ok(())
}

fn log(
    plugin: &mut Plugin<'_>,
    level: u32,
    (message, len): (u32, u32),
    (fields, count): (u32, u32),
) -> Result<()> {
    let level = match level {
        0 => Level::Trace,
        1 => Level::Debug,
        2 => Level::Info,
        3 => Level::Warn,
        4 => Level::Error,
        _ => bail!("unexpected discriminant: {level}"),
    };
    let (memory, state) = split(plugin)?;
    let Some(mut line) = state.begin_line(level) else { return Ok(()) };
    line.message(text(memory, (message, len), state)?);
    for index in 0..count {
        let at = index.checked_mul(16).and_then(|offset| fields.checked_add(offset));
        let Some(at) = at else { bail!("list pointer/length out of bounds of memory") };
        let field = bytes(memory, (at, 16), state)?;
        let number = |place: usize| {
            let number = field.get(4 * place..).and_then(|rest| rest.first_chunk());
            number.map_or(0, |number| u32::from_le_bytes(*number))
        };
        let name = text(memory, (number(0), number(1)), state)?;
        if !line.field(name, text(memory, (number(2), number(3)), state)?) {
            break;
        }
    }
    state.end_line(line);
    Ok(())
}

/// What belongs to the store, for an import that is called now.
fn enter<'a>(plugin: &'a mut Plugin<'_>) -> Result<&'a mut State> {
    let state = plugin.data_mut();
    if state.is_asked_for_room {
        bail!("an import is called by `{}`, which may call none", super::REALLOC);
    }
    state.spending.import()?;
    Ok(state)
}

/// The plugin's memory, and what belongs to its store.
fn split<'a>(plugin: &'a mut Plugin<'_>) -> Result<(&'a [u8], &'a mut State)> {
    enter(plugin)?;
    let memory = room(plugin)?.memory;
    let (memory, state) = memory.data_and_store_mut(plugin);
    Ok((memory, state))
}

fn room(plugin: &Plugin<'_>) -> Result<Room> {
    match &plugin.data().room {
        Some(room) => Ok(room.clone()),
        None => bail!("an import is called before the plugin is started"),
    }
}

fn bytes<'a>(memory: &'a [u8], (at, len): (u32, u32), state: &State) -> Result<&'a [u8]> {
    if state.handed_over_max < len as usize {
        return Err(TooMuch.into());
    }
    let at = at as usize;
    match at.checked_add(len as usize).and_then(|end| memory.get(at..end)) {
        Some(bytes) => Ok(bytes),
        None => bail!("string pointer/length out of bounds of memory"),
    }
}

fn text<'a>(memory: &'a [u8], range: (u32, u32), state: &State) -> Result<&'a str> {
    Ok(std::str::from_utf8(bytes(memory, range, state)?)?)
}

fn option(case: u32, value: u64) -> Result<Option<u64>> {
    match case {
        0 => Ok(None),
        1 => Ok(Some(value)),
        _ => bail!("invalid option discriminant"),
    }
}

fn aligned(at: u32, align: u32) -> Result<()> {
    if !at.is_multiple_of(align) {
        bail!("pointer not aligned");
    }
    Ok(())
}

/// Address and length of the bytes, in room that the plugin gives.
fn place(plugin: &mut Plugin<'_>, bytes: &[u8]) -> Result<[u32; 2]> {
    let (at, len) = room(plugin)?.place(plugin, bytes, 1)?;
    Ok([at, len])
}

/// Writes a result where the plugin wants it. A case is one byte; the rest of its word is nobody's.
fn write(plugin: &mut Plugin<'_>, at: u32, words: &[u32]) -> Result<()> {
    aligned(at, 4)?;
    let memory = room(plugin)?.memory;
    let at = at as usize;
    let place =
        memory.data_mut(plugin).get_mut(at..).and_then(|rest| rest.get_mut(..words.len() * 4));
    let Some(place) = place else { bail!("pointer out of bounds of memory") };
    for (room, word) in place.chunks_exact_mut(4).zip(words) {
        room.copy_from_slice(&word.to_le_bytes());
    }
    Ok(())
}

/// `result<_, error>`
fn settle(plugin: &mut Plugin<'_>, result: u32, done: Result<(), StateError>) -> Result<()> {
    match done {
        Ok(()) => write(plugin, result, &[0]),
        Err(error) => refuse(plugin, result, &error),
    }
}

/// The error case of a result whose other case is aligned to four bytes.
fn refuse(plugin: &mut Plugin<'_>, result: u32, error: &StateError) -> Result<()> {
    let (kind, words) = in_words(error);
    let [at, len] = place(plugin, words.as_bytes())?;
    write(plugin, result, &[1, kind, at, len])
}

fn in_words(error: &StateError) -> (u32, &str) {
    match error {
        StateError::TooLarge(words) => (0, words),
        StateError::Unavailable(words) => (1, words),
    }
}

fn halves(number: i64) -> [u32; 2] {
    let [a, b, c, d, e, f, g, h] = number.to_le_bytes();
    [u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h])]
}
