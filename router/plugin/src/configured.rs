//! A plugin with a configuration, and the instances that serve it.
//!
//! # Invariants
//!
//! - An idle instance is configured, and its last call returned normally.
//! - An event sees at most two instances: one that has served before, and, if that broke, a fresh one, alone.

use std::sync::{Arc, Mutex, PoisonError};

use serde::de::IgnoredAny;

use crate::instance::{Instance, InstantiateError};
use crate::{CallError, Event, Grant, Isolation, Limits, Output, Plugin, Setup, StateAccess};

/// Cheap to clone; clones share their instances.
#[derive(Clone)]
pub struct Configured {
    inner: Arc<Inner>,
}

struct Inner {
    plugin: Plugin,
    config: String,
    setup: Setup,
    isolation: Isolation,
    idle: Arc<Idle>,
}

/// Instances that wait for an event. The host takes them away when slots run out.
#[derive(Default)]
pub(crate) struct Idle {
    instances: Mutex<Vec<Instance>>,
}

/// Why a configuration is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigureError {
    /// The plugin's own words.
    #[error("{0}")]
    Refused(String),

    /// The rule has to say that the plugin may have what it asks for.
    #[error(
        "it asks for `{import}`, which its rule does not grant: add `grant: [{import}]` to the step"
    )]
    NotGranted { import: Grant },

    #[error("not JSON: {problem}")]
    NotJson { problem: String },

    #[error("the plugin failed while it was configured: {0}")]
    Failed(CallError),
}

impl Idle {
    fn take(&self) -> Option<Instance> {
        self.lock().pop()
    }

    fn put(&self, instance: Instance, count_max: usize) {
        let mut instances = self.lock();
        if instances.len() < count_max {
            instances.push(instance);
        }
    }

    /// Throws all of them away, and says how many there were.
    pub(crate) fn clear(&self) -> usize {
        std::mem::take(&mut *self.lock()).len()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Instance>> {
        self.instances.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Configured {
    pub(crate) fn new(
        plugin: &Plugin,
        config: &str,
        mut setup: Setup,
    ) -> Result<Self, ConfigureError> {
        let ungranted = plugin.imports().iter().find(|import| !setup.grants.has(**import));
        if let Some(import) = ungranted {
            return Err(ConfigureError::NotGranted { import: *import });
        }
        let memory_bytes_max = &mut setup.limits.memory_bytes_max;
        *memory_bytes_max = (*memory_bytes_max).min(plugin.host.options.memory_bytes_max);
        let by_default = if plugin.info().pure { Isolation::Reuse } else { Isolation::Batch };
        let isolation = setup.isolation.unwrap_or(by_default);
        let config = if config.trim().is_empty() { "{}" } else { config };
        if let Err(error) = serde_json::from_str::<IgnoredAny>(config) {
            return Err(ConfigureError::NotJson { problem: error.to_string() });
        }
        let idle = Arc::new(Idle::default());
        plugin.host.register(&idle);
        let config = config.to_owned();
        let inner = Inner { plugin: plugin.clone(), config, setup, isolation, idle };
        let configured = Self { inner: Arc::new(inner) };
        let instance = configured.fresh()?;
        configured.give_back(instance);
        Ok(configured)
    }

    /// How long its instances live.
    pub fn isolation(&self) -> Isolation {
        self.inner.isolation
    }

    /// Sends one event through the plugin, on the calling thread: a batch of one, without state.
    pub fn call(&self, event: &Event<'_>) -> Result<Vec<Output>, CallError> {
        self.call_one(event, None)
    }

    /// Sends events through the plugin, on the calling thread: one answer for each, in their order.
    ///
    /// `states` holds what each event sees of the plugin's state; where there is none, a plugin that asks for state is
    /// told that it is unavailable. A filter answers with the event as it was, or with nothing. An event that breaks
    /// the instance fails alone.
    pub fn call_batch(
        &self,
        events: &[Event<'_>],
        states: &[Option<Arc<dyn StateAccess>>],
    ) -> Vec<Result<Vec<Output>, CallError>> {
        let state = |index: usize| states.get(index).and_then(Option::as_ref);
        let events = events.iter().enumerate();
        events.map(|(index, event)| self.call_one(event, state(index))).collect()
    }

    fn call_one(
        &self,
        event: &Event<'_>,
        state: Option<&Arc<dyn StateAccess>>,
    ) -> Result<Vec<Output>, CallError> {
        let used = self.inner.idle.take();
        let answer = match used {
            Some(instance) => match self.attempt(instance, event, state) {
                // The instance may carry what an earlier event left behind; a fresh one cannot.
                (Err(error), true) if error.may_be_the_instance() => {
                    if let Some(state) = state {
                        state.undo();
                    }
                    self.attempt_fresh(event, state)
                }
                (answer, _) => answer,
            },
            None => self.attempt_fresh(event, state),
        };
        let outputs = answer?;
        self.check(&outputs, event)?;
        Ok(outputs)
    }

    fn attempt_fresh(
        &self,
        event: &Event<'_>,
        state: Option<&Arc<dyn StateAccess>>,
    ) -> Result<Vec<Output>, CallError> {
        let instance = self.fresh().map_err(|error| match error {
            ConfigureError::Failed(error) => error,
            // It was taken when it was tried: the same words now are the instance's trouble, not the rule's.
            ConfigureError::Refused(words) => {
                CallError::Fatal(format!("configuration refused: {words}"))
            }
            error @ (ConfigureError::NotJson { .. } | ConfigureError::NotGranted { .. }) => {
                unreachable!("it was taken when it was tried: {error}")
            }
        })?;
        self.attempt(instance, event, state).0
    }

    /// The answer, and whether the instance had served before.
    fn attempt(
        &self,
        instance: Instance,
        event: &Event<'_>,
        state: Option<&Arc<dyn StateAccess>>,
    ) -> (Result<Vec<Output>, CallError>, bool) {
        let is_used = instance.is_used();
        let (answer, instance) =
            instance.call(event, state, &self.inner.plugin.host.ticker, &self.inner.setup.limits);
        if let Some(instance) = instance {
            self.give_back(instance);
        }
        (answer, is_used)
    }

    fn give_back(&self, instance: Instance) {
        let Inner { plugin, isolation, idle, .. } = &*self.inner;
        let is_reusable = *isolation == Isolation::Reuse || !instance.is_used();
        if is_reusable && !instance.is_worn(plugin.host.options.calls_per_instance_max) {
            idle.put(instance, plugin.host.options.workers.max(1));
        }
    }

    /// An instance that has seen no event yet.
    fn fresh(&self) -> Result<Instance, ConfigureError> {
        let Inner { plugin, config, setup, .. } = &*self.inner;
        let host = &plugin.host;
        let make = || {
            Instance::new(&plugin.code.pre, &plugin.code.exports, &host.ticker, &plugin.name, setup)
        };
        let instance = host.with_room(make).map_err(|error| {
            ConfigureError::Failed(match error {
                InstantiateError::Failed(error) => error,
                InstantiateError::Full => {
                    CallError::Busy { instances_max: host.options.instances_max }
                }
                InstantiateError::Mismatch { function, problem } => {
                    CallError::Trap { function: function.to_owned(), message: problem }
                }
            })
        })?;
        match instance.configure(config, &host.ticker, &setup.limits) {
            Ok(Ok(instance)) => Ok(instance),
            Ok(Err(words)) => Err(ConfigureError::Refused(words)),
            Err(error) => Err(ConfigureError::Failed(error)),
        }
    }

    fn check(&self, outputs: &[Output], event: &Event<'_>) -> Result<(), CallError> {
        let Limits { outputs_max, output_bytes_max, .. } = self.inner.setup.limits;
        let refuse = |problem: String| Err(CallError::Output { problem });
        if outputs.len() > outputs_max {
            return refuse(format!(
                "{} outputs for one event, and at most {outputs_max} are taken",
                outputs.len()
            ));
        }
        let attribute_bytes = |(name, value): &(String, String)| name.len() + value.len();
        let bytes = |output: &Output| {
            output.body.len() + output.attributes.iter().map(attribute_bytes).sum::<usize>()
        };
        let size: usize = outputs.iter().map(bytes).sum();
        if size > output_bytes_max {
            return refuse(format!(
                "{size} bytes for one event, and at most {output_bytes_max} are taken"
            ));
        }
        for (index, output) in outputs.iter().enumerate() {
            // What came in as JSON needs no second look.
            if output.is_json()
                && output.body != event.json
                && let Err(error) = serde_json::from_str::<IgnoredAny>(&output.body)
            {
                return refuse(format!(
                    "output {index} is not JSON ({error}); text needs the attribute `content-type`, such as text/plain"
                ));
            }
        }
        Ok(())
    }
}

impl std::fmt::Debug for Configured {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Inner { plugin, config, .. } = &*self.inner;
        f.debug_struct("Configured")
            .field("plugin", plugin)
            .field("config", config)
            .finish_non_exhaustive()
    }
}
