//! One instance: a store of its own, and calls into it within budgets.
//!
//! # Invariants
//!
//! - An instance that did not return normally is not called again: [`Instance`] is consumed by a call and comes back
//!   only when it may be used again.
//! - Budgets begin at the first tick after the call began, so a call that ends before reads no clock. That adds at
//!   most one tick to a budget.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use wasmtime::component::{ComponentExportIndex, ComponentNamedList};
use wasmtime::component::{Func, InstancePre, Lift, Lower, TypedFunc};
use wasmtime::{
    PoolConcurrencyLimitError, ResourceLimiter, Store, StoreContextMut, Trap, UpdateDeadline,
    WasmBacktrace,
};

use crate::call::Budget;
use crate::contract::Role;
use crate::engine::TABLE_ELEMENTS_MAX;
use crate::imports::Current;
use crate::imports::log::Log;
use crate::ticker::Ticker;
use crate::{CallError, Event, Limits, Output, Setup, StateAccess, clock, measure, wit};

/// Beside the output itself, for what comes with it: error texts, log lines, the tables of lists.
const HANDED_OVER_SLACK_BYTES: usize = 64 << 10;

/// Where a component's functions are.
#[derive(Clone)]
pub(crate) struct Exports {
    pub(crate) describe: ComponentExportIndex,
    pub(crate) configure: ComponentExportIndex,
    pub(crate) call: ComponentExportIndex,
    pub(crate) role: Role,
}

pub(crate) struct Instance {
    store: Store<State>,
    describe: Func,
    configure: Func,
    call: Func,
    role: Role,
    calls: u64,
}

/// What belongs to a store.
pub(crate) struct State {
    pub(crate) log: Log,
    pub(crate) current: Current,
    budget: Spending,
    memory: Memory,
}

/// Why an instance could not be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InstantiateError {
    /// A function has another type than the contract says.
    #[error("`{function}` is not what the contract says: {problem}")]
    Mismatch { function: &'static str, problem: String },
    #[error(transparent)]
    Failed(CallError),
    /// No slot in the pool is free.
    #[error("no free slot")]
    Full,
}

type Transformed = Result<Vec<wit::Output>, wit::Error>;
type Kept = Result<bool, wit::Error>;
type Batch = Vec<Transformed>;

impl Instance {
    pub(crate) fn new(
        pre: &InstancePre<State>,
        exports: &Exports,
        ticker: &Ticker,
        plugin: &Arc<str>,
        setup: &Setup,
    ) -> Result<Self, InstantiateError> {
        let limits = &setup.limits;
        let state = State {
            log: Log::new(Arc::clone(plugin), limits, setup.lines.clone()),
            current: Current::default(),
            budget: Spending::new(limits),
            memory: Memory { bytes: 0, bytes_max: limits.memory_bytes_max, is_refused: false },
        };
        let mut store = Store::new(pre.engine(), state);
        store.limiter(|state| &mut state.memory);
        store.set_hostcall_fuel(handed_over_max(limits));
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|mut store: StoreContextMut<'_, State>| {
            store.data_mut().budget.check()
        });

        measure::fill(&mut store);
        let running = ticker.enter();
        let instance = pre.instantiate(&mut store);
        drop(running);
        let instance = match instance {
            Ok(instance) => instance,
            Err(error) if error.is::<PoolConcurrencyLimitError>() => {
                return Err(InstantiateError::Full);
            }
            Err(error) => {
                return Err(InstantiateError::Failed(explain(&error, store.data(), limits)));
            }
        };
        let mut find = |index| instance.get_func(&mut store, index);
        let (Some(describe), Some(configure), Some(call)) =
            (find(&exports.describe), find(&exports.configure), find(&exports.call))
        else {
            unreachable!("the indices are those of this component's functions")
        };
        let made = Self { store, describe, configure, call, role: exports.role, calls: 0 };
        made.check_types()?;
        Ok(made)
    }

    fn check_types(&self) -> Result<(), InstantiateError> {
        fn check<P, R>(
            store: &Store<State>,
            func: Func,
            function: &'static str,
        ) -> Result<(), InstantiateError>
        where
            P: ComponentNamedList + Lower,
            R: ComponentNamedList + Lift,
        {
            match func.typed::<P, R>(store) {
                Ok(_) => Ok(()),
                Err(error) => {
                    Err(InstantiateError::Mismatch { function, problem: format!("{error:#}") })
                }
            }
        }
        check::<(), (wit::Info,)>(&self.store, self.describe, "describe")?;
        check::<(&str,), (Result<(), String>,)>(&self.store, self.configure, "configure")?;
        match self.role {
            Role::Filter => check::<(wit::Event<'_>,), (Kept,)>(&self.store, self.call, "keep"),
            Role::Transformer => {
                check::<(wit::Event<'_>,), (Transformed,)>(&self.store, self.call, "transform")
            }
            Role::BatchTransformer => {
                check::<(&[wit::Event<'_>],), (Batch,)>(&self.store, self.call, "transform-batch")
            }
        }
    }

    /// Whether it has served before.
    pub(crate) fn is_used(&self) -> bool {
        self.calls > 0
    }

    /// Whether the next call is better made on another one.
    pub(crate) fn is_worn(&self, calls_max: u64) -> bool {
        let memory = &self.store.data().memory;
        self.calls >= calls_max || memory.bytes > memory.bytes_max / 2
    }

    pub(crate) fn describe(
        mut self,
        ticker: &Ticker,
        limits: &Limits,
    ) -> Result<wit::Info, CallError> {
        let (info,) = self.enter::<(), (wit::Info,)>(self.describe, (), ticker, limits)?;
        Ok(info)
    }

    /// The instance, ready for events; or the plugin's words on why not.
    pub(crate) fn configure(
        mut self,
        config: &str,
        ticker: &Ticker,
        limits: &Limits,
    ) -> Result<Result<Self, String>, CallError> {
        let (result,) =
            self.enter::<_, (Result<(), String>,)>(self.configure, (config,), ticker, limits)?;
        Ok(result.map(|()| self))
    }

    /// The answer, and the instance unless it is broken.
    pub(crate) fn call(
        mut self,
        event: &Event<'_>,
        state: Option<&Arc<dyn StateAccess>>,
        ticker: &Ticker,
        limits: &Limits,
    ) -> (Result<Vec<Output>, CallError>, Option<Self>) {
        self.calls += 1;
        self.store.data_mut().current.begin(event, state);
        let answer = match self.role {
            Role::Filter => self.keep(event, ticker, limits),
            Role::Transformer => self.transform(event, ticker, limits),
            Role::BatchTransformer => self.transform_batch(event, ticker, limits),
        };
        self.store.data_mut().current.end();
        match answer {
            Ok(Ok(outputs)) => (Ok(outputs), Some(self)),
            Ok(Err(wit::Error::Invalid(words))) => (Err(CallError::Invalid(words)), Some(self)),
            Ok(Err(wit::Error::Retry(words))) => (Err(CallError::Retry(words)), Some(self)),
            Ok(Err(wit::Error::Fatal(words))) => (Err(CallError::Fatal(words)), None),
            Err(error) => (Err(error), None),
        }
    }

    fn keep(
        &mut self,
        event: &Event<'_>,
        ticker: &Ticker,
        limits: &Limits,
    ) -> Result<Result<Vec<Output>, wit::Error>, CallError> {
        let (kept,) = self.enter::<_, (Kept,)>(self.call, (lower(event),), ticker, limits)?;
        let same = || Output { body: event.json.to_owned(), attributes: Vec::new() };
        Ok(kept.map(|kept| if kept { vec![same()] } else { Vec::new() }))
    }

    fn transform(
        &mut self,
        event: &Event<'_>,
        ticker: &Ticker,
        limits: &Limits,
    ) -> Result<Result<Vec<Output>, wit::Error>, CallError> {
        let (outputs,) =
            self.enter::<_, (Transformed,)>(self.call, (lower(event),), ticker, limits)?;
        Ok(outputs.map(lift))
    }

    fn transform_batch(
        &mut self,
        event: &Event<'_>,
        ticker: &Ticker,
        limits: &Limits,
    ) -> Result<Result<Vec<Output>, wit::Error>, CallError> {
        let events: &[wit::Event<'_>] = &[lower(event)];
        let (answers,) = self.enter::<_, (Batch,)>(self.call, (events,), ticker, limits)?;
        let found = answers.len();
        match <[Transformed; 1]>::try_from(answers) {
            Ok([answer]) => Ok(answer.map(lift)),
            Err(_) => Err(CallError::Output { problem: format!("{found} results for 1 events") }),
        }
    }

    /// Calls one function within the budgets. `P` and `R` are the types that [`check_types`](Self::check_types) has
    /// held against the function.
    #[expect(
        unsafe_code,
        reason = "a typed function cannot be kept: its parameters borrow from the event"
    )]
    fn enter<P, R>(
        &mut self,
        func: Func,
        params: P,
        ticker: &Ticker,
        limits: &Limits,
    ) -> Result<R, CallError>
    where
        P: ComponentNamedList + Lower,
        R: ComponentNamedList + Lift + 'static,
    {
        // SAFETY: the types were checked when the instance was made; they differ in lifetimes only.
        let func = unsafe { TypedFunc::<P, R>::new_unchecked(func) };
        let state = self.store.data_mut();
        state.log.begin_call();
        state.budget.begin();
        state.memory.is_refused = false;
        self.store.set_epoch_deadline(1);
        let running = ticker.enter();
        let call = |store: &mut Store<State>| func.call(store, params);
        let result = measure::around(&mut self.store, call, |state| state.memory.bytes);
        drop(running);
        let state = self.store.data();
        state.log.end_call(&state.current);
        result.map_err(|error| explain(&error, self.store.data(), limits))
    }
}

fn lower<'a>(event: &Event<'a>) -> wit::Event<'a> {
    let Event { id, source, detail_type, time, json, ref detail, attributes, .. } = *event;
    wit::Event { id, source, detail_type, time, json, detail: span(detail), attributes }
}

fn lift(outputs: Vec<wit::Output>) -> Vec<Output> {
    let lifted = |wit::Output { body, attributes }| Output { body, attributes };
    outputs.into_iter().map(lifted).collect()
}

/// One that does not fit is left out: a plugin then looks for the detail itself.
fn span(range: &Range<usize>) -> wit::Span {
    match (u32::try_from(range.start), u32::try_from(range.len())) {
        (Ok(start), Ok(len)) => wit::Span { start, len },
        _ => wit::Span { start: 0, len: 0 },
    }
}

/// The bytes that one answer may occupy on our side. Checked by wasmtime before anything is allocated, so that a
/// plugin cannot describe a huge output with little memory of its own.
fn handed_over_max(limits: &Limits) -> usize {
    let list = limits.outputs_max.saturating_mul(size_of::<wit::Output>());
    limits.output_bytes_max.saturating_add(list).saturating_add(HANDED_OVER_SLACK_BYTES)
}

fn explain(error: &wasmtime::Error, state: &State, limits: &Limits) -> CallError {
    if let Some(Overrun { budget, limit }) = error.downcast_ref() {
        return CallError::Deadline { budget: *budget, limit: *limit };
    }
    // A plugin that is refused memory may go on; one that crashes after it, crashes because of it.
    if state.memory.is_refused {
        return CallError::Memory { limit: state.memory.bytes_max };
    }
    let cause = error.root_cause().to_string();
    // The error's type is private to wasmtime; a test holds the text.
    if cause.contains("fuel allocated for hostcalls") {
        let problem = format!("more than {} bytes at once", limits.output_bytes_max);
        return CallError::Output { problem };
    }
    let Some(trap) = error.downcast_ref::<Trap>() else {
        return CallError::Output { problem: format!("it breaks the contract: {cause}") };
    };
    let message = state.log.last_error().map_or_else(|| trap.to_string(), str::to_owned);
    let function = error
        .downcast_ref()
        .and_then(innermost)
        .unwrap_or_else(|| "an unknown function".to_owned());
    CallError::Trap { function, message }
}

/// The function where it happened. The language's own panic machinery is on top of it and says nothing.
fn innermost(backtrace: &WasmBacktrace) -> Option<String> {
    const MACHINERY: [&str; 7] =
        ["core::", "std::", "alloc::", "__rust", "rust_", "dlmalloc", "abort"];
    let names = || {
        let mangled = backtrace.frames().iter().filter_map(|frame| frame.func_name());
        // Without the hash that the compiler adds.
        mangled.map(|name| format!("{:#}", rustc_demangle::demangle(name)))
    };
    let is_machinery = |name: &String| {
        let name = name.trim_start_matches('<');
        MACHINERY.iter().any(|start| name.starts_with(start))
    };
    let name = names().find(|name| !is_machinery(name)).or_else(|| names().next())?;
    Some(format!("`{name}`"))
}

#[derive(Debug, thiserror::Error)]
#[error("budget used up")]
struct Overrun {
    budget: Budget,
    limit: Duration,
}

/// The budgets of the call that is running.
struct Spending {
    cpu_max: Duration,
    wall_max: Duration,
    /// CPU and wall time at the first tick.
    began: Option<(Duration, Duration)>,
}

impl Spending {
    fn new(limits: &Limits) -> Self {
        Self { cpu_max: limits.cpu_max, wall_max: limits.wall_max, began: None }
    }

    fn begin(&mut self) {
        self.began = None;
    }

    fn check(&mut self) -> wasmtime::Result<UpdateDeadline> {
        let (cpu, wall) = (clock::thread_cpu(), clock::monotonic());
        let (cpu_began, wall_began) = *self.began.get_or_insert((cpu, wall));
        let overrun = if cpu.saturating_sub(cpu_began) >= self.cpu_max {
            Overrun { budget: Budget::Cpu, limit: self.cpu_max }
        } else if wall.saturating_sub(wall_began) >= self.wall_max {
            Overrun { budget: Budget::Wall, limit: self.wall_max }
        } else {
            return Ok(UpdateDeadline::Continue(1));
        };
        Err(wasmtime::Error::new(overrun))
    }
}

struct Memory {
    /// Of all linear memories together.
    bytes: usize,
    bytes_max: usize,
    is_refused: bool,
}

impl ResourceLimiter for Memory {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let bytes = self.bytes.saturating_add(desired.saturating_sub(current));
        if bytes > self.bytes_max {
            self.is_refused = true;
            return Ok(false);
        }
        self.bytes = bytes;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        _: usize,
        desired: usize,
        _: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= TABLE_ELEMENTS_MAX)
    }
}
