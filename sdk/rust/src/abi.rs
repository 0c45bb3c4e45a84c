//! The contract in `sdk/wit` as WebAssembly sees it: the component model's canonical ABI, by hand.
//!
//! ```text
//! the router                          this module
//! cabi_realloc(len) ────────────────▶ the arena: one pointer moves on
//!   writes the event's texts there
//! transform(fourteen numbers) ──────▶ an `Event` that shows those texts; the author's function
//!   reads the outputs ◀────────────── their own memory, named by records in the arena; kept until …
//! the next cabi_realloc or call ────▶ … everything of the call before goes at once
//! ```
//!
//! Generated bindings do the same with an allocation per text, another call to free them, and a compiler's worth of
//! dependencies in every plugin. `tests/contract.rs` holds what is written here against `sdk/wit`.
//!
//! # Invariants
//!
//! - One thread: a plugin is built without atomics, so a static is nobody else's.
//! - The router enters again only after it has read the answer; in between it calls `cabi_realloc` alone.
//! - What an `Event` shows lives until the author's function has returned, and is handed out only for a borrow of it.
//!
//! # Not here
//!
//! - What the functions do: `export`.

#![expect(unsafe_code, reason = "memory shared with the router; each block says why it holds")]

mod arena;
pub(crate) mod imports;

use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use core::cell::UnsafeCell;

use crate::event::{Attributes, Text};
use crate::export::{BatchTransformer, Filter, Plugin, Transformer, answers, report_panics};
use crate::{Error, Event, Output, Outputs as _, Verdict as _};
use arena::Arena;

/// A value of the only thread.
struct Single<T>(UnsafeCell<T>);

// SAFETY: without atomics there is one thread, so nothing is shared.
#[cfg(not(target_feature = "atomics"))]
unsafe impl<T> Sync for Single<T> {}

/// Where a plugin's configuration stands: set once, before the first event.
pub struct Slot<T>(Single<Option<T>>);

impl<T> Slot<T> {
    #[expect(clippy::new_without_default, reason = "made in a static, where no default can be")]
    pub const fn new() -> Self {
        Self(Single(UnsafeCell::new(None)))
    }

    pub fn get(&'static self) -> Option<&'static T> {
        // SAFETY: `set` writes before anybody was shown the value, and never again.
        unsafe { (*self.0.0.get()).as_ref() }
    }

    /// False when there is a value already.
    pub fn set(&'static self, value: T) -> bool {
        if self.get().is_some() {
            return false;
        }
        // SAFETY: nobody was shown a value: there was none. `drop` of `None` runs no code of the author's.
        unsafe { *self.0.0.get() = Some(value) };
        true
    }
}

/// What belongs to the call that is running, or to the last one.
struct Call {
    arena: Arena,
    /// The answer is out: what comes next is another call.
    is_answered: bool,
    /// What the router reads after the call.
    outputs: Vec<Output>,
    texts: Vec<String>,
}

static CALL: Single<Call> = Single(UnsafeCell::new(Call {
    arena: Arena::new(),
    is_answered: false,
    outputs: Vec::new(),
    texts: Vec::new(),
}));

/// The one way to the call. The borrow must end before code of the author's or of the router's runs.
fn call<T>(with: impl FnOnce(&mut Call) -> T) -> T {
    // SAFETY: one thread, and no `with` below calls out, so this borrow is the only one.
    with(unsafe { &mut *CALL.0.get() })
}

impl Call {
    /// Puts the answer where the router reads it, and says that what comes next is another call.
    fn end<T>(&mut self, answer: T) -> *const u8 {
        self.is_answered = true;
        self.place(answer).cast()
    }

    fn begin(&mut self) {
        if self.is_answered {
            self.is_answered = false;
            self.outputs.clear();
            self.texts.clear();
            self.arena.clear();
        }
    }

    /// Puts a value where the router can read it, until the next call.
    fn place<T>(&mut self, value: T) -> *const T {
        let at = self.arena.take(size_of::<T>(), align_of::<T>()).cast::<T>();
        // SAFETY: `take` gives that many bytes, so aligned, which belong to nobody else.
        unsafe { at.write(value) };
        at
    }

    fn list<T, I: ExactSizeIterator<Item = T>>(&mut self, values: I) -> List<T> {
        let len = values.len();
        let start =
            self.arena.take(size_of::<T>().saturating_mul(len), align_of::<T>()).cast::<T>();
        // No value is worth more than `len`, whatever the iterator says of itself.
        for (index, value) in values.take(len).enumerate() {
            // SAFETY: within the `len` values that `take` made room for.
            unsafe { start.add(index).write(value) };
        }
        List { start, len }
    }

    fn text(&mut self, text: String) -> List<u8> {
        let at = List::of(text.as_bytes());
        // The text itself does not move when its owner does.
        self.texts.push(text);
        at
    }

    fn output(&mut self, output: &Output) -> RawOutput {
        let attributes = output.attributes().iter();
        RawOutput {
            body: List::of(output.body().as_bytes()),
            attributes: self.list(attributes.map(|(name, value)| RawPair {
                name: List::of(name.as_bytes()),
                value: List::of(value.as_bytes()),
            })),
        }
    }

    fn answer(&mut self, outputs: &[Output]) -> RawAnswer {
        let bytes = size_of::<RawOutput>().saturating_mul(outputs.len());
        let start = self.arena.take(bytes, align_of::<RawOutput>()).cast::<RawOutput>();
        for (index, output) in outputs.iter().enumerate() {
            let output = self.output(output);
            // SAFETY: within the room that `take` made for as many as there are outputs.
            unsafe { start.add(index).write(output) };
        }
        RawAnswer { tag: 0, first: start as usize, second: outputs.len(), third: 0 }
    }

    fn error(&mut self, error: Error) -> RawAnswer {
        let (kind, message) = match error {
            Error::Invalid(message) => (0, message),
            Error::Retry(message) => (1, message),
            Error::Fatal(message) => (2, message),
        };
        let text = self.text(message);
        RawAnswer { tag: 1, first: kind, second: text.start as usize, third: text.len }
    }
}

/// `list<T>` and, as bytes, `string`: where it begins and how many there are.
#[repr(C)]
struct List<T> {
    start: *const T,
    len: usize,
}

impl<T> List<T> {
    fn of(slice: &[T]) -> Self {
        Self { start: slice.as_ptr(), len: slice.len() }
    }

    /// # Safety
    ///
    /// The router handed it over, or `Call::list` made it, for the call that is running; the result is not used after
    /// that call.
    unsafe fn show(&self) -> &'static [T] {
        if self.len == 0 {
            return &[];
        }
        // SAFETY: the canonical ABI: that many values, aligned, in memory that `cabi_realloc` gave, which the arena
        // does not touch before the next call.
        unsafe { core::slice::from_raw_parts(self.start, self.len) }
    }
}

impl List<u8> {
    /// # Safety
    ///
    /// As for `show`.
    unsafe fn text(&self) -> &'static str {
        // SAFETY: the canonical ABI: a `string` is UTF-8.
        unsafe { core::str::from_utf8_unchecked(self.show()) }
    }
}

#[repr(C)]
struct RawPair {
    name: List<u8>,
    value: List<u8>,
}

#[repr(C)]
struct RawOutput {
    body: List<u8>,
    attributes: List<RawPair>,
}

/// `result<list<output>, error>`: tag, then address and length; or kind of error, and address and length of its words.
#[repr(C)]
struct RawAnswer {
    tag: u8,
    first: usize,
    second: usize,
    third: usize,
}

/// `event`: fourteen numbers, as parameters and as an element of a list. Address and length of id, source, detail-type,
/// time and json, where the detail stands, address and length of the attributes.
#[repr(C)]
struct RawEvent([usize; 14]);

impl RawEvent {
    fn list<T>(&self, at: usize) -> List<T> {
        List { start: self.0[at] as *const T, len: self.0[at + 1] }
    }

    /// # Safety
    ///
    /// The router handed it over for the call that is running, and the event goes before that call ends.
    unsafe fn event(&self) -> Event {
        // SAFETY: the caller's promise, here and for every text; `list` makes what it returns.
        unsafe {
            let text = |at| Text::Shown(self.list::<u8>(at).text());
            let pairs = self.list::<RawPair>(12).show().iter();
            let pairs = pairs.map(|pair| (pair.name.text(), pair.value.text()));
            Event {
                id: text(0),
                source: text(2),
                detail_type: text(4),
                time: text(6),
                json: text(8),
                detail: self.0[10]..self.0[10].saturating_add(self.0[11]),
                attributes: Attributes::Shown(call(|call| call.list(pairs)).show()),
            }
        }
    }
}

/// The router wants room in this memory: for an event's texts, or for what an import returns.
#[unsafe(no_mangle)]
unsafe extern "C" fn cabi_realloc(
    old: *const u8,
    old_len: usize,
    align: usize,
    len: usize,
) -> *mut u8 {
    call(|call| {
        call.begin();
        let new = call.arena.take(len, align);
        if old_len > 0 {
            // SAFETY: the router says that `old` came from here with `old_len` bytes; `new` is room of its own.
            unsafe { core::ptr::copy_nonoverlapping(old, new, old_len.min(len)) };
        }
        new
    })
}

pub fn describe<P: Plugin>() -> *const u8 {
    #[repr(C)]
    struct RawInfo([List<u8>; 4], bool);

    report_panics();
    let schema = P::schema();
    call(|call| {
        call.begin();
        let words = [P::NAME, P::VERSION, P::DESCRIPTION].map(|text| List::of(text.as_bytes()));
        let [name, version, description] = words;
        let info = RawInfo([name, version, description, call.text(schema)], P::IS_PURE);
        call.end(info)
    })
}

/// # Safety
///
/// For the exported function alone: the router handed over the text.
pub unsafe fn configure<P: Plugin>(start: *const u8, len: usize) -> *const u8 {
    #[repr(C)]
    struct RawResult(u8, List<u8>);

    call(Call::begin);
    report_panics();
    // SAFETY: the caller's promise; a configuration keeps nothing of its text, which `DeserializeOwned` says.
    let config = P::read(unsafe { List { start, len }.text() });
    let result = match config {
        Err(error) => Err(error.to_string()),
        Ok(config) => match P::slot().set(config) {
            true => Ok(()),
            false => Err(String::from("configured twice")),
        },
    };
    call(|call| {
        let result = match result {
            Ok(()) => RawResult(0, List::of(&[])),
            Err(words) => RawResult(1, call.text(words)),
        };
        call.end(result)
    })
}

/// # Safety
///
/// For the exported function alone: the numbers are those that the router called it with.
pub unsafe fn keep<P: Filter>(numbers: [usize; 14]) -> *const u8 {
    call(Call::begin);
    // SAFETY: the caller's promise; the event goes at the end of the closure.
    let verdict = configured::<P, _>(|config| {
        P::keep(&unsafe { RawEvent(numbers).event() }, config).verdict()
    });
    call(|call| {
        let answer = match verdict {
            // `bool` is one byte, where the kind of an error would be: the lowest one of the number.
            Ok(is_kept) => RawAnswer { tag: 0, first: usize::from(is_kept), second: 0, third: 0 },
            Err(error) => call.error(error),
        };
        call.end(answer)
    })
}

/// # Safety
///
/// For the exported function alone: the numbers are those that the router called it with.
pub unsafe fn transform<P: Transformer>(numbers: [usize; 14]) -> *const u8 {
    let mut outputs = call(|call| {
        call.begin();
        core::mem::take(&mut call.outputs)
    });
    let done = configured::<P, _>(|config| {
        // SAFETY: the caller's promise; the event goes at the end of the closure.
        let event = unsafe { RawEvent(numbers).event() };
        P::transform(&event, config).hand_over(&mut outputs)
    });
    call(|call| {
        let answer = match done {
            Ok(()) => call.answer(&outputs),
            Err(error) => call.error(error),
        };
        call.outputs = outputs;
        call.end(answer)
    })
}

/// # Safety
///
/// For the exported function alone: the router handed over the list.
pub unsafe fn transform_batch<P: BatchTransformer>(start: *const u8, len: usize) -> *const u8 {
    let mut outputs = call(|call| {
        call.begin();
        core::mem::take(&mut call.outputs)
    });
    // SAFETY: the caller's promise; the events go at the end of this function.
    let events = unsafe { List { start: start.cast::<RawEvent>(), len }.show() };
    // SAFETY: as above.
    let events: Vec<Event> = events.iter().map(|event| unsafe { event.event() }).collect();
    let results = configured::<P, _>(|config| {
        Ok(answers(P::transform_batch(&events, config), len, &mut outputs))
    });
    let results = results.unwrap_or_else(|error| alloc::vec![Err(error); len]);
    call(|call| {
        let answers: Vec<RawAnswer> = results
            .into_iter()
            .map(|result| match result {
                Ok(range) => call.answer(outputs.get(range).unwrap_or_default()),
                Err(error) => call.error(error),
            })
            .collect();
        call.outputs = outputs;
        let answers = call.list(answers.into_iter());
        call.end(answers)
    })
}

fn configured<P: Plugin, T>(run: impl FnOnce(&P::Config) -> Result<T, Error>) -> Result<T, Error> {
    match P::slot().get() {
        Some(config) => run(config),
        None => Err(Error::fatal("called before it was configured")),
    }
}

/// The functions that every plugin exports.
#[doc(hidden)]
#[macro_export]
macro_rules! __export_plugin {
    ($plugin:ty, $contract:ident) => {
        #[used]
        #[unsafe(link_section = "component-type:slipswitch")]
        static CONTRACT: [u8; $crate::export::$contract.len()] = *$crate::export::$contract;

        // Tells the router that an event may come in one piece: `cabi_realloc` takes no text back.
        #[used]
        #[unsafe(link_section = "slipswitch:arena")]
        static ARENA: [u8; 1] = [1];

        #[unsafe(export_name = "slipswitch:plugin/plugin@0.2.0#describe")]
        extern "C" fn __slipswitch_describe() -> *const u8 {
            $crate::export::describe::<$plugin>()
        }

        #[unsafe(export_name = "slipswitch:plugin/plugin@0.2.0#configure")]
        unsafe extern "C" fn __slipswitch_configure(start: *const u8, len: usize) -> *const u8 {
            // SAFETY: only the router calls it, as the contract says.
            unsafe { $crate::export::configure::<$plugin>(start, len) }
        }
    };
}

/// The function of a role that takes one event, under the contract's name for it.
#[doc(hidden)]
#[macro_export]
macro_rules! __export_role {
    ($plugin:ty, $function:ident, $name:literal) => {
        #[unsafe(export_name = $name)]
        #[expect(clippy::too_many_arguments, reason = "the contract's fourteen numbers")]
        unsafe extern "C" fn __slipswitch_call(
            a: usize,
            b: usize,
            c: usize,
            d: usize,
            e: usize,
            f: usize,
            g: usize,
            h: usize,
            i: usize,
            j: usize,
            k: usize,
            l: usize,
            m: usize,
            n: usize,
        ) -> *const u8 {
            let numbers = [a, b, c, d, e, f, g, h, i, j, k, l, m, n];
            // SAFETY: only the router calls it, as the contract says.
            unsafe { $crate::export::$function::<$plugin>(numbers) }
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __export_transformer {
    ($plugin:ty) => {
        $crate::__export_plugin!($plugin, TRANSFORMER);
        $crate::__export_role!($plugin, transform, "slipswitch:plugin/transformer@0.2.0#transform");
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __export_filter {
    ($plugin:ty) => {
        $crate::__export_plugin!($plugin, FILTER);
        $crate::__export_role!($plugin, keep, "slipswitch:plugin/filter@0.2.0#keep");
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __export_batch_transformer {
    ($plugin:ty) => {
        $crate::__export_plugin!($plugin, BATCH_TRANSFORMER);

        #[unsafe(export_name = "slipswitch:plugin/batch-transformer@0.2.0#transform-batch")]
        unsafe extern "C" fn __slipswitch_call(start: *const u8, len: usize) -> *const u8 {
            // SAFETY: only the router calls it, as the contract says.
            unsafe { $crate::export::transform_batch::<$plugin>(start, len) }
        }
    };
}
