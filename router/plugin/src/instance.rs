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
use wasmtime::component::{Func, Lift, Lower, TypedFunc};
use wasmtime::{PoolConcurrencyLimitError, Store, StoreContextMut};

use crate::code::Pre;
use crate::contract::Role;
use crate::direct::{Guest, Room};
use crate::explain::explain;
use crate::imports::Current;
use crate::imports::flow::Flow;
use crate::imports::log::Log;
use crate::imports::metrics::{Metrics, Names};
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
}

/// What instances are made of.
pub(crate) struct Mould<'a> {
    pub(crate) pre: &'a Pre,
    pub(crate) role: Role,
    pub(crate) plugin: &'a Arc<str>,
    pub(crate) names: &'a Arc<Names>,
    pub(crate) flow: &'a Arc<Flow>,
    pub(crate) setup: &'a Setup,
}

pub(crate) struct Instance {
    store: Store<State>,
    entry: Entry,
    role: Role,
    calls: u64,
}

/// The plugin's functions.
enum Entry {
    Component { describe: Func, configure: Func, call: Func },
    Direct(Box<Guest>),
}

/// What belongs to a store.
pub(crate) struct State {
    pub(crate) log: Log,
    pub(crate) metrics: Metrics,
    pub(crate) current: Current,
    /// The name that its random numbers go by.
    pub(crate) draws_as: Arc<str>,
    pub(crate) memory: Memory,
    /// Of a plugin that is called directly, once it is started.
    pub(crate) room: Option<Room>,
    /// The plugin is asked for room just now, and may not ask back.
    pub(crate) is_asked_for_room: bool,
    /// Bytes that the running call may hand over, as they are kept on our side.
    pub(crate) handed_over_max: usize,
    pub(crate) spending: Spending,
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
        let Mould { pre, role, plugin, names, flow, setup } = *mould;
        let limits = &setup.limits;
        let handed_over_max = handed_over_max(limits, 1);
        let state = State {
            log: Log::new(Arc::clone(plugin), flow, limits, setup.lines.clone()),
            metrics: Metrics::new(setup.metrics.clone(), names),
            current: Current::default(),
            draws_as: Arc::clone(setup.draws_as.as_ref().unwrap_or(plugin)),
            memory: Memory::new(limits),
            room: None,
            is_asked_for_room: false,
            handed_over_max,
            spending: Spending::new(limits),
            limits: limits.clone(),
        };
        let engine = match pre {
            Pre::Component(pre, _) => pre.engine(),
            Pre::Direct(pre) => pre.module().engine(),
        };
        let mut store = Store::new(engine, state);
        store.limiter(|state| &mut state.memory);
        store.set_hostcall_fuel(handed_over_max);
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|mut store: StoreContextMut<'_, State>| {
            store.data_mut().spending.check()
        });
        measure::fill(&mut store);
        let entry = match pre {
            Pre::Component(pre, exports) => {
                let instance = pre.instantiate(&mut store).map_err(|error| failed(&error, &store));
                Entry::component(instance?, (exports, role), &mut store)?
            }
            Pre::Direct(pre) => {
                let instance = pre.instantiate(&mut store).map_err(|error| failed(&error, &store));
                Entry::Direct(Box::new(Guest::new(instance?, role, &mut store)?))
            }
        };
        Ok(Self { store, entry, role, calls: 0 })
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
        self.enter(1, running, |store, entry| match entry {
            Entry::Component { describe, .. } => {
                typed::<(), (wit::Info,)>(*describe).call(store, ()).map(only)
            }
            Entry::Direct(guest) => guest.describe(store),
        })
    }

    /// The instance, ready for events; or the plugin's words on why not.
    pub(crate) fn configure(
        mut self,
        config: &str,
        running: &Running<'_>,
    ) -> Result<Result<Self, String>, CallError> {
        let result = self.enter(1, running, |store, entry| match entry {
            Entry::Component { configure, .. } => {
                typed::<(&str,), (Result<(), String>,)>(*configure).call(store, (config,)).map(only)
            }
            Entry::Direct(guest) => guest.configure(store, config),
        })?;
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
        let answer = match self.role {
            Role::Filter => self.keep(event, running),
            _ => self.transform(event, running),
        };
        self.store.data_mut().current.end();
        let is_whole = !answer.as_ref().is_err_and(breaks_the_instance);
        (answer, is_whole.then_some(self))
    }

    fn keep(&mut self, event: &Event<'_>, running: &Running<'_>) -> Answer {
        let kept = self.enter(1, running, |store, entry| match entry {
            Entry::Component { call, .. } => {
                typed::<(wit::Event<'_>,), (Kept,)>(*call).call(store, (lower(event),)).map(only)
            }
            Entry::Direct(guest) => guest.keep(store, event),
        })?;
        let same = || Output { body: event.json.to_owned(), attributes: Vec::new() };
        match kept {
            Ok(true) => Ok(vec![same()]),
            Ok(false) => Ok(Vec::new()),
            Err(error) => Err(self.in_its_words(error)),
        }
    }

    fn transform(&mut self, event: &Event<'_>, running: &Running<'_>) -> Answer {
        let outputs = self.enter(1, running, |store, entry| match entry {
            Entry::Component { call, .. } => {
                let call = typed::<(wit::Event<'_>,), (Transformed,)>(*call);
                call.call(store, (lower(event),)).map(|(outputs,)| outputs.map(lift))
            }
            Entry::Direct(guest) => guest.transform(store, event),
        })?;
        outputs.map_err(|error| self.in_its_words(error))
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
        let answers = self.enter(count, running, |store, entry| match entry {
            Entry::Component { call, .. } => {
                let call = typed::<(&[wit::Event<'_>],), (Batch,)>(*call);
                let lowered: Vec<_> = events.iter().map(lower).collect();
                let (answers,) = call.call(store, (lowered.as_slice(),))?;
                Ok(answers.into_iter().map(|answer| answer.map(lift)).collect())
            }
            Entry::Direct(guest) => guest.transform_batch(store, events),
        });
        let answers: Vec<_> = match answers {
            Ok(answers) => answers,
            Err(error) => return (Err(error), None),
        };
        self.store.data_mut().current.end();
        if answers.len() != events.len() {
            let problem = format!("{} results for {} events", answers.len(), events.len());
            return (Err(CallError::Output { problem, limit: None }), None);
        }
        let answers: Vec<_> = answers
            .into_iter()
            .map(|answer| answer.map_err(|error| self.in_its_words(error)))
            .collect();
        let is_whole =
            !answers.iter().any(|answer| answer.as_ref().is_err_and(breaks_the_instance));
        (Ok(answers), is_whole.then_some(self))
    }

    /// A language with an error for it gives up where it is refused memory, and knows no limit to name.
    fn in_its_words(&self, error: wit::Error) -> CallError {
        let Memory { is_refused, bytes_max, .. } = self.store.data().memory;
        match error {
            wit::Error::Invalid(words) => CallError::Invalid(words::cut(words)),
            wit::Error::Retry(words) => CallError::Retry(words::cut(words)),
            wit::Error::Fatal(words) if is_refused => {
                let words = words::cut(words);
                let limit = CallError::Memory { limit: bytes_max };
                CallError::Fatal(format!("{words}; {limit}"))
            }
            wit::Error::Fatal(words) => CallError::Fatal(words::cut(words)),
        }
    }

    /// Makes one call within the budgets of so many events.
    fn enter<R>(
        &mut self,
        events: u32,
        _: &Running<'_>,
        call: impl FnOnce(&mut Store<State>, &Entry) -> wasmtime::Result<R>,
    ) -> Result<R, CallError> {
        let state = self.store.data_mut();
        state.log.begin_call();
        state.spending.begin(events);
        state.memory.is_refused = false;
        if events > 1 {
            self.hand_over(events);
        }
        self.store.set_epoch_deadline(1);
        let call = |store: &mut Store<State>| call(store, &self.entry);
        let result = measure::around(&mut self.store, call, |state| state.memory.bytes());
        let state = self.store.data();
        state.log.end_call(&state.current);
        let result = result.map_err(|error| explain(&error, state, &state.limits));
        if events > 1 {
            self.hand_over(1);
        }
        result
    }

    /// From now on the answer for so many events may be handed over.
    fn hand_over(&mut self, events: u32) {
        let state = self.store.data_mut();
        let bytes_max = handed_over_max(&state.limits, events);
        state.handed_over_max = bytes_max;
        self.store.set_hostcall_fuel(bytes_max);
    }
}

impl Entry {
    fn component(
        instance: wasmtime::component::Instance,
        (exports, role): (&Exports, Role),
        store: &mut Store<State>,
    ) -> Result<Self, InstantiateError> {
        let mut find = |index| instance.get_func(&mut *store, index);
        let (Some(describe), Some(configure), Some(call)) =
            (find(&exports.describe), find(&exports.configure), find(&exports.call))
        else {
            unreachable!("the indices are those of this component's functions")
        };
        check::<(), (wit::Info,)>(store, describe, "describe")?;
        check::<(&str,), (Result<(), String>,)>(store, configure, "configure")?;
        match role {
            Role::Filter => check::<(wit::Event<'_>,), (Kept,)>(store, call, "keep"),
            Role::Transformer => {
                check::<(wit::Event<'_>,), (Transformed,)>(store, call, "transform")
            }
            Role::BatchTransformer => {
                check::<(&[wit::Event<'_>],), (Batch,)>(store, call, "transform-batch")
            }
        }?;
        Ok(Self::Component { describe, configure, call })
    }
}

/// Holds a function against the types that [`typed`] is to take it for.
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
        Err(error) => Err(InstantiateError::Mismatch { function, problem: format!("{error:#}") }),
    }
}

/// A function as one of the types that it was held against when the instance was made.
#[expect(
    unsafe_code,
    reason = "a typed function cannot be kept: its parameters borrow from the event"
)]
fn typed<P, R>(func: Func) -> TypedFunc<P, R>
where
    P: ComponentNamedList + Lower,
    R: ComponentNamedList + Lift,
{
    // SAFETY: `Entry::component` has checked these types; they differ in lifetimes only.
    unsafe { TypedFunc::new_unchecked(func) }
}

fn only<T>((value,): (T,)) -> T {
    value
}

fn failed(error: &wasmtime::Error, store: &Store<State>) -> InstantiateError {
    if error.is::<PoolConcurrencyLimitError>() {
        return InstantiateError::Full;
    }
    let state = store.data();
    InstantiateError::Failed(explain(error, state, &state.limits))
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
