//! One instance: a store of its own, and calls into it within budgets.
//!
//! # Invariants
//!
//! - An instance that did not return normally is not called again: [`Instance`] is consumed by a call and comes back
//!   only when it may be used again.
//! - A call runs while the ticker moves: each takes a [`Running`] as proof.

use std::ops::Range;
use std::sync::Arc;

use wasmtime::component::{ComponentExportIndex, ComponentNamedList};
use wasmtime::component::{Func, InstancePre, Lift, Lower, TypedFunc};
use wasmtime::{PoolConcurrencyLimitError, Store, StoreContextMut};

use crate::contract::Role;
use crate::explain::explain;
use crate::imports::Current;
use crate::imports::flow::Flow;
use crate::imports::log::Log;
use crate::imports::metrics::{Metrics, Names};
use crate::placed::{self, Block};
use crate::spending::{Memory, Spending};
use crate::ticker::Running;
use crate::{CallError, Event, Limits, Output, Setup, StateAccess, measure, wit, words};

/// Beside the output itself, for what comes with it: error texts, log lines, the tables of lists.
const HANDED_OVER_SLACK_BYTES: usize = 64 << 10;

/// Where a component's functions are.
#[derive(Clone)]
pub(crate) struct Exports {
    pub(crate) describe: ComponentExportIndex,
    pub(crate) configure: ComponentExportIndex,
    pub(crate) call: ComponentExportIndex,
    pub(crate) role: Role,
    /// Whether the plugin takes an event in one piece.
    pub(crate) takes_blocks: bool,
}

/// What instances are made of.
pub(crate) struct Mould<'a> {
    pub(crate) pre: &'a InstancePre<State>,
    pub(crate) exports: &'a Exports,
    pub(crate) plugin: &'a Arc<str>,
    pub(crate) names: &'a Arc<Names>,
    pub(crate) flow: &'a Arc<Flow>,
    pub(crate) setup: &'a Setup,
}

pub(crate) struct Instance {
    store: Store<State>,
    describe: Func,
    configure: Func,
    call: Func,
    role: Role,
    takes_blocks: bool,
    calls: u64,
}

/// What belongs to a store.
pub(crate) struct State {
    pub(crate) log: Log,
    pub(crate) metrics: Metrics,
    pub(crate) current: Current,
    pub(crate) memory: Memory,
    spending: Spending,
    limits: Limits,
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

/// What became of one event.
pub(crate) type Answer = Result<Vec<Output>, CallError>;

type Transformed = Result<Vec<wit::Output>, wit::Error>;
type Kept = Result<bool, wit::Error>;
type Batch = Vec<Transformed>;

impl Instance {
    pub(crate) fn new(mould: &Mould<'_>, _: &Running<'_>) -> Result<Self, InstantiateError> {
        let Mould { pre, exports, plugin, names, flow, setup } = *mould;
        let limits = &setup.limits;
        let state = State {
            log: Log::new(Arc::clone(plugin), flow, limits, setup.lines.clone()),
            metrics: Metrics::new(setup.metrics.clone(), names),
            current: Current::default(),
            memory: Memory::new(limits),
            spending: Spending::new(limits),
            limits: limits.clone(),
        };
        let mut store = Store::new(pre.engine(), state);
        store.limiter(|state| &mut state.memory);
        store.set_hostcall_fuel(handed_over_max(limits, 1));
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|mut store: StoreContextMut<'_, State>| {
            store.data_mut().spending.check()
        });
        measure::fill(&mut store);
        let instance = match pre.instantiate(&mut store) {
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
        let Exports { role, takes_blocks, .. } = *exports;
        let made = Self { store, describe, configure, call, role, takes_blocks, calls: 0 };
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
        let Self { store, call, .. } = self;
        check::<(), (wit::Info,)>(store, self.describe, "describe")?;
        check::<(&str,), (Result<(), String>,)>(store, self.configure, "configure")?;
        fn check_call<E: Lower + 'static>(
            store: &Store<State>,
            call: Func,
            role: Role,
        ) -> Result<(), InstantiateError> {
            match role {
                Role::Filter => check::<(E,), (Kept,)>(store, call, "keep"),
                Role::Transformer => check::<(E,), (Transformed,)>(store, call, "transform"),
                Role::BatchTransformer => {
                    check::<(&'static [E],), (Batch,)>(store, call, "transform-batch")
                }
            }
        }
        if self.takes_blocks {
            check_call::<placed::Event<'static>>(store, *call, self.role)
        } else {
            check_call::<wit::Event<'static>>(store, *call, self.role)
        }
    }

    /// Whether it has served before.
    pub(crate) fn is_used(&self) -> bool {
        self.calls > 0
    }

    /// Whether the next call is better made on another one.
    pub(crate) fn is_worn(&self, calls_max: u64) -> bool {
        self.calls >= calls_max || self.store.data().memory.is_over_its_mark()
    }

    pub(crate) fn describe(mut self, running: &Running<'_>) -> Result<wit::Info, CallError> {
        let (info,) = self.enter::<(), (wit::Info,)>(self.describe, (), running)?;
        Ok(info)
    }

    /// The instance, ready for events; or the plugin's words on why not.
    pub(crate) fn configure(
        mut self,
        config: &str,
        running: &Running<'_>,
    ) -> Result<Result<Self, String>, CallError> {
        let (result,) =
            self.enter::<_, (Result<(), String>,)>(self.configure, (config,), running)?;
        Ok(result.map(|()| self))
    }

    /// The answer, and the instance unless it is broken.
    pub(crate) fn call(
        mut self,
        event: &Event<'_>,
        state: Option<&Arc<dyn StateAccess>>,
        running: &Running<'_>,
    ) -> (Answer, Option<Self>) {
        if self.role == Role::BatchTransformer {
            self.store.data_mut().current.begin(event, None);
            let (answers, instance) = self.call_list(std::slice::from_ref(event), running);
            let answer = answers.and_then(|mut answers| {
                answers.pop().unwrap_or_else(|| unreachable!("as many answers as events"))
            });
            return (answer, instance);
        }
        self.calls += 1;
        self.store.data_mut().current.begin(event, state);
        let answer = if self.takes_blocks {
            let block = Block::new(event);
            self.call_with(block.event(span(&event.detail)), event, running)
        } else {
            self.call_with(lower(event), event, running)
        };
        self.store.data_mut().current.end();
        let is_whole = !answer.as_ref().is_err_and(breaks_the_instance);
        (answer, is_whole.then_some(self))
    }

    /// `lowered` is the event, in one of its two forms.
    fn call_with<E: Lower>(
        &mut self,
        lowered: E,
        event: &Event<'_>,
        running: &Running<'_>,
    ) -> Answer {
        if self.role == Role::Filter {
            let (kept,) = self.enter::<_, (Kept,)>(self.call, (lowered,), running)?;
            let same = || Output { body: event.json.to_owned(), attributes: Vec::new() };
            return match kept {
                Ok(true) => Ok(vec![same()]),
                Ok(false) => Ok(Vec::new()),
                Err(error) => Err(in_its_words(error)),
            };
        }
        let (outputs,) = self.enter::<_, (Transformed,)>(self.call, (lowered,), running)?;
        outputs.map(lift).map_err(in_its_words)
    }

    /// The same for a batch transformer: one answer for each event, or one error for all of them.
    pub(crate) fn call_list(
        mut self,
        events: &[Event<'_>],
        running: &Running<'_>,
    ) -> (Result<Vec<Answer>, CallError>, Option<Self>) {
        self.calls += events.len() as u64;
        if let [event, _, ..] = events {
            self.store.data_mut().current.begin_list(event);
        }
        let count = u32::try_from(events.len()).unwrap_or(u32::MAX);
        let answers = if self.takes_blocks {
            let blocks: Vec<_> = events.iter().map(Block::new).collect();
            let lowered = blocks.iter().zip(events);
            let lowered: Vec<_> =
                lowered.map(|(block, event)| block.event(span(&event.detail))).collect();
            self.enter_for::<_, (Batch,)>(self.call, (lowered.as_slice(),), count, running)
        } else {
            let lowered: Vec<_> = events.iter().map(lower).collect();
            self.enter_for::<_, (Batch,)>(self.call, (lowered.as_slice(),), count, running)
        };
        let (answers,) = match answers {
            Ok(answers) => answers,
            Err(error) => return (Err(error), None),
        };
        self.store.data_mut().current.end();
        if answers.len() != events.len() {
            let problem = format!("{} results for {} events", answers.len(), events.len());
            return (Err(CallError::Output { problem, limit: None }), None);
        }
        let answers: Vec<_> =
            answers.into_iter().map(|answer| answer.map(lift).map_err(in_its_words)).collect();
        let is_whole =
            !answers.iter().any(|answer| answer.as_ref().is_err_and(breaks_the_instance));
        (Ok(answers), is_whole.then_some(self))
    }

    fn enter<P, R>(&mut self, func: Func, params: P, running: &Running<'_>) -> Result<R, CallError>
    where
        P: ComponentNamedList + Lower,
        R: ComponentNamedList + Lift + 'static,
    {
        self.enter_for(func, params, 1, running)
    }

    /// Calls one function within the budgets of so many events. `P` and `R` are the types that
    /// [`check_types`](Self::check_types) has held against the function.
    #[expect(
        unsafe_code,
        reason = "a typed function cannot be kept: its parameters borrow from the event"
    )]
    fn enter_for<P, R>(
        &mut self,
        func: Func,
        params: P,
        events: u32,
        _: &Running<'_>,
    ) -> Result<R, CallError>
    where
        P: ComponentNamedList + Lower,
        R: ComponentNamedList + Lift + 'static,
    {
        // SAFETY: the types were checked when the instance was made; they differ in lifetimes only.
        let func = unsafe { TypedFunc::<P, R>::new_unchecked(func) };
        let state = self.store.data_mut();
        state.log.begin_call();
        state.spending.begin(events);
        state.memory.is_refused = false;
        if events > 1 {
            let handed_over = handed_over_max(&state.limits, events);
            self.store.set_hostcall_fuel(handed_over);
        }
        self.store.set_epoch_deadline(1);
        let call = |store: &mut Store<State>| func.call(store, params);
        let result = measure::around(&mut self.store, call, |state| state.memory.bytes());
        let state = self.store.data();
        state.log.end_call(&state.current);
        let result = result.map_err(|error| explain(&error, state, &state.limits));
        if events > 1 {
            let handed_over = handed_over_max(&state.limits, 1);
            self.store.set_hostcall_fuel(handed_over);
        }
        result
    }
}

fn in_its_words(error: wit::Error) -> CallError {
    match error {
        wit::Error::Invalid(words) => CallError::Invalid(words::cut(words)),
        wit::Error::Retry(words) => CallError::Retry(words::cut(words)),
        wit::Error::Fatal(words) => CallError::Fatal(words::cut(words)),
    }
}

fn breaks_the_instance(error: &CallError) -> bool {
    !matches!(error, CallError::Invalid(_) | CallError::Retry(_))
}

fn lower<'a>(event: &Event<'a>) -> wit::Event<'a> {
    let Event { id, source, detail_type, time, json, ref detail, attributes, .. } = *event;
    wit::Event { id, source, detail_type, time, json, detail: span(detail), attributes }
}

fn lift(outputs: Vec<wit::Output>) -> Vec<Output> {
    let lifted = |wit::Output { body, attributes }| Output { body: body.0, attributes };
    outputs.into_iter().map(lifted).collect()
}

/// One that does not fit is left out: a plugin then looks for the detail itself.
fn span(range: &Range<usize>) -> wit::Span {
    match (u32::try_from(range.start), u32::try_from(range.len())) {
        (Ok(start), Ok(len)) => wit::Span { start, len },
        _ => wit::Span { start: 0, len: 0 },
    }
}

/// The bytes that the answer for so many events may occupy on our side. Checked by wasmtime before anything is
/// allocated, so that a plugin cannot describe a huge output with little memory of its own.
fn handed_over_max(limits: &Limits, events: u32) -> usize {
    /// What events of a batch put out together may be this many times what one may: who needs more is called again for
    /// each event alone.
    const SHARES_MAX: u32 = 4;
    let list = limits.outputs_max.saturating_mul(size_of::<wit::Output>());
    let one = limits.output_bytes_max.saturating_add(list);
    one.saturating_mul(events.min(SHARES_MAX) as usize).saturating_add(HANDED_OVER_SLACK_BYTES)
}
