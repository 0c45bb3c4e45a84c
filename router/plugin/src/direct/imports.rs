//! The contract's imports, as a core module calls them.
//!
//! # Invariants
//!
//! - As with components: no text is looked at that is longer than what one call may hand over, what a call hands over
//!   is held against the memory before any of it is used, a result's place has room for each of its cases, and no
//!   import is called while the plugin is asked for room.
//! - Every import looks after the budgets, because code without a loop does not.

use wasmtime::{Caller, Linker, Result, bail};

use super::{Room, TooMuch};
use crate::contract::{self, CLOCK, LOG, METRICS, RANDOM, STATE};
use crate::imports::log::{LIFTED_FIELD_BYTES, Level};
use crate::imports::state::{self, StateError};
use crate::instance::State;

/// Of a field of a log line in the plugin's memory: two texts.
const FIELD_BYTES: usize = 16;

/// Of a result in the plugin's memory.
#[derive(Clone, Copy)]
struct Shape {
    size: usize,
    align: u32,
}

/// `list<u8>`
const BYTES: Shape = Shape { size: 8, align: 4 };
/// `result<_, error>` and `result<option<list<u8>>, error>`
const OUTCOME: Shape = Shape { size: 16, align: 4 };
/// `result<s64, error>`
const SUM: Shape = Shape { size: 24, align: 8 };

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
    linker.func_wrap(METRICS, "count", |mut plugin: Plugin<'_>, at, len, by: u64| {
        let (mut given, state) = split(&mut plugin)?;
        state.metrics.count(text(given.bytes((at, len))?)?, by);
        Ok(())
    })?;
    linker.func_wrap(METRICS, "observe", |mut plugin: Plugin<'_>, at, len, value: f64| {
        let (mut given, state) = split(&mut plugin)?;
        state.metrics.observe(text(given.bytes((at, len))?)?, value);
        Ok(())
    })?;
    linker.func_wrap(CLOCK, "now", |mut plugin: Plugin<'_>| {
        enter(&mut plugin)?.current.now_ms("clock.now")
    })?;
    linker.func_wrap(RANDOM, "number", |mut plugin: Plugin<'_>| {
        Ok(enter(&mut plugin)?.numbers("random.number")?.number())
    })?;
    linker.func_wrap(RANDOM, "bytes", |mut plugin: Plugin<'_>, len: u32, result: u32| {
        let bytes = enter(&mut plugin)?.numbers("random.bytes")?.bytes(len);
        let result = Target::new(&plugin, result, BYTES)?;
        let [at, len] = place(&mut plugin, &bytes)?;
        result.write(&mut plugin, &[at, len])
    })?;
    link_state(linker)
}

fn link_state(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap(STATE, "get", |mut plugin: Plugin<'_>, key, len, result| {
        let (mut given, store) = split(&mut plugin)?;
        let found = state::get(&store.current, text(given.bytes((key, len))?)?);
        let result = Target::new(&plugin, result, OUTCOME)?;
        match found {
            Ok(None) => result.write(&mut plugin, &[0, 0, 0, 0]),
            Ok(Some(value)) => {
                let [at, len] = place(&mut plugin, &value)?;
                result.write(&mut plugin, &[0, 1, at, len])
            }
            Err(error) => result.refuse(&mut plugin, &error),
        }
    })?;
    linker.func_wrap(
        STATE,
        "set",
        |mut plugin: Plugin<'_>, key, key_len, value, value_len, has_ttl: u32, ttl: u64, result| {
            let (mut given, store) = split(&mut plugin)?;
            let (key, value) = (given.bytes((key, key_len))?, given.bytes((value, value_len))?);
            let ttl = option(has_ttl, ttl)?;
            let done = state::set(&store.current, text(key)?, value, ttl);
            Target::new(&plugin, result, OUTCOME)?.settle(&mut plugin, done)
        },
    )?;
    linker.func_wrap(STATE, "delete", |mut plugin: Plugin<'_>, key, len, result| {
        let (mut given, store) = split(&mut plugin)?;
        let done = state::delete(&store.current, text(given.bytes((key, len))?)?);
        Target::new(&plugin, result, OUTCOME)?.settle(&mut plugin, done)
    })?;
    linker.func_wrap(
        STATE,
        "increment",
        |mut plugin: Plugin<'_>, key, len, by: i64, has_ttl: u32, ttl: u64, result| {
            let (mut given, store) = split(&mut plugin)?;
            let key = given.bytes((key, len))?;
            let ttl = option(has_ttl, ttl)?;
            let sum = state::increment(&store.current, text(key)?, by, ttl);
            let result = Target::new(&plugin, result, SUM)?;
            match sum {
                Ok(sum) => {
                    let [low, high] = halves(sum);
                    result.write(&mut plugin, &[0, 0, low, high])
                }
                Err(error) => {
                    let (kind, words) = in_words(&error);
                    let [at, len] = place(&mut plugin, words.as_bytes())?;
                    result.write(&mut plugin, &[1, 0, kind, at, len])
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
    let (mut given, state) = split(plugin)?;
    let message = given.bytes((message, len))?;
    let fields = given.fields((fields, count))?;
    let Some(mut line) = state.begin_line(level) else { return Ok(()) };
    line.message(text(message)?);
    for field in fields.chunks_exact(FIELD_BYTES) {
        let number = |place: usize| {
            let number = field.get(4 * place..).and_then(|rest| rest.first_chunk());
            number.map_or(0, |number| u32::from_le_bytes(*number))
        };
        // Each is charged for itself.
        given.left = state.handed_over_max;
        let name = given.bytes((number(0), number(1)))?;
        let value = given.bytes((number(2), number(3)))?;
        if !line.field(text(name)?, text(value)?) {
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

/// What the plugin hands over, and what belongs to its store.
fn split<'a>(plugin: &'a mut Plugin<'_>) -> Result<(Given<'a>, &'a mut State)> {
    enter(plugin)?;
    let memory = room(plugin)?.memory;
    let (memory, state) = memory.data_and_store_mut(plugin);
    Ok((Given { memory, left: state.handed_over_max }, state))
}

fn room(plugin: &Plugin<'_>) -> Result<Room> {
    match &plugin.data().room {
        Some(room) => Ok(room.clone()),
        None => bail!("an import is called before the plugin is started"),
    }
}

/// What a call hands over. As with components, all of it is looked for before any of it is used.
struct Given<'a> {
    memory: &'a [u8],
    /// Bytes that may yet be taken.
    left: usize,
}

impl<'a> Given<'a> {
    fn bytes(&mut self, (at, len): (u32, u32)) -> Result<&'a [u8]> {
        let Some(bytes) = self.range(at, len as usize) else {
            bail!("string pointer/length out of bounds of memory")
        };
        self.charge(len as usize)?;
        Ok(bytes)
    }

    /// A list of pairs of texts.
    fn fields(&mut self, (at, count): (u32, u32)) -> Result<&'a [u8]> {
        let len = (count as usize).checked_mul(FIELD_BYTES);
        let Some(fields) = len.and_then(|len| self.range(at, len)) else {
            bail!("list pointer/length out of bounds of memory")
        };
        self.charge((count as usize).saturating_mul(LIFTED_FIELD_BYTES))?;
        if !at.is_multiple_of(4) {
            bail!("list pointer is not aligned");
        }
        Ok(fields)
    }

    fn range(&self, at: u32, len: usize) -> Option<&'a [u8]> {
        let at = at as usize;
        self.memory.get(at..at.checked_add(len)?)
    }

    fn charge(&mut self, bytes: usize) -> Result<()> {
        self.left = self.left.checked_sub(bytes).ok_or(TooMuch)?;
        Ok(())
    }
}

fn text(bytes: &[u8]) -> Result<&str> {
    Ok(std::str::from_utf8(bytes)?)
}

fn option(case: u32, value: u64) -> Result<Option<u64>> {
    match case {
        0 => Ok(None),
        1 => Ok(Some(value)),
        _ => bail!("invalid option discriminant"),
    }
}

/// Address and length of the bytes, in room that the plugin gives.
fn place(plugin: &mut Plugin<'_>, bytes: &[u8]) -> Result<[u32; 2]> {
    let (at, len) = room(plugin)?.place(plugin, bytes, 1)?;
    Ok([at, len])
}

/// Where the plugin wants a result, and where there is room for all that it can be.
struct Target(u32);

impl Target {
    /// Asked for after the import has done its work and before the plugin is asked for room, as with components.
    fn new(plugin: &Plugin<'_>, at: u32, shape: Shape) -> Result<Self> {
        let Shape { size, align } = shape;
        if !at.is_multiple_of(align) {
            bail!("pointer not aligned");
        }
        let bytes = room(plugin)?.memory.data_size(plugin);
        if (at as usize).checked_add(size).is_none_or(|end| end > bytes) {
            bail!("pointer out of bounds");
        }
        Ok(Self(at))
    }

    /// A case is one byte; the rest of its word is nobody's.
    fn write(&self, plugin: &mut Plugin<'_>, words: &[u32]) -> Result<()> {
        let memory = room(plugin)?.memory;
        let rest = memory.data_mut(plugin).get_mut(self.0 as usize..);
        let place = rest.and_then(|rest| rest.get_mut(..words.len() * 4));
        let Some(place) = place else { bail!("pointer out of bounds") };
        for (room, word) in place.chunks_exact_mut(4).zip(words) {
            room.copy_from_slice(&word.to_le_bytes());
        }
        Ok(())
    }

    /// `result<_, error>`
    fn settle(&self, plugin: &mut Plugin<'_>, done: Result<(), StateError>) -> Result<()> {
        match done {
            Ok(()) => self.write(plugin, &[0]),
            Err(error) => self.refuse(plugin, &error),
        }
    }

    /// The error case of a result whose other case is aligned to four bytes.
    fn refuse(&self, plugin: &mut Plugin<'_>, error: &StateError) -> Result<()> {
        let (kind, words) = in_words(error);
        let [at, len] = place(plugin, words.as_bytes())?;
        self.write(plugin, &[1, kind, at, len])
    }
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
