//! A plugin with a configuration, and the instances that serve it.
//!
//! # Invariants
//!
//! - An idle instance is configured, and its last call returned normally.
//! - An event sees at most two instances: one that has served before, and, if that broke, a fresh one, alone.

use std::sync::{Arc, Mutex, PoisonError};

use serde::de::IgnoredAny;

use crate::instance::{Instance, InstantiateError};
use crate::{CallError, Event, Limits, Output, Plugin};

/// Cheap to clone; clones share their instances.
#[derive(Clone)]
pub struct Configured {
    inner: Arc<Inner>,
}

struct Inner {
    plugin: Plugin,
    config: String,
    limits: Limits,
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
        mut limits: Limits,
    ) -> Result<Self, ConfigureError> {
        limits.memory_bytes_max = limits.memory_bytes_max.min(plugin.host.options.memory_bytes_max);
        let config = if config.trim().is_empty() { "{}" } else { config };
        if let Err(error) = serde_json::from_str::<IgnoredAny>(config) {
            return Err(ConfigureError::NotJson { problem: error.to_string() });
        }
        let idle = Arc::new(Idle::default());
        plugin.host.register(&idle);
        let inner = Inner { plugin: plugin.clone(), config: config.to_owned(), limits, idle };
        let configured = Self { inner: Arc::new(inner) };
        let instance = configured.fresh()?;
        configured.give_back(instance);
        Ok(configured)
    }

    /// Sends one event through the plugin, on the calling thread.
    ///
    /// A filter answers with the event as it was, or with nothing.
    pub fn call(&self, event: &Event<'_>) -> Result<Vec<Output>, CallError> {
        let used = self.inner.idle.take();
        let answer = match used {
            Some(instance) => match self.attempt(instance, event) {
                // The instance may carry what an earlier event left behind; a fresh one cannot.
                (Err(error), true) if error.may_be_the_instance() => self.attempt_fresh(event),
                (answer, _) => answer,
            },
            None => self.attempt_fresh(event),
        };
        let outputs = answer?;
        self.check(&outputs, event)?;
        Ok(outputs)
    }

    fn attempt_fresh(&self, event: &Event<'_>) -> Result<Vec<Output>, CallError> {
        let instance = self.fresh().map_err(|error| match error {
            ConfigureError::Failed(error) => error,
            // It was taken when it was tried: the same words now are the instance's trouble, not the rule's.
            ConfigureError::Refused(words) => {
                CallError::Fatal(format!("configuration refused: {words}"))
            }
            ConfigureError::NotJson { problem } => CallError::Fatal(problem),
        })?;
        self.attempt(instance, event).0
    }

    /// The answer, and whether the instance had served before.
    fn attempt(
        &self,
        instance: Instance,
        event: &Event<'_>,
    ) -> (Result<Vec<Output>, CallError>, bool) {
        let is_used = instance.is_used();
        let (answer, instance) =
            instance.call(event, &self.inner.plugin.host.ticker, &self.inner.limits);
        if let Some(instance) = instance {
            self.give_back(instance);
        }
        (answer, is_used)
    }

    fn give_back(&self, instance: Instance) {
        let Inner { plugin, idle, .. } = &*self.inner;
        // What is not pure keeps something between calls, so that each event gets an instance of its own.
        let is_reusable = plugin.info().pure || !instance.is_used();
        if is_reusable && !instance.is_worn(plugin.host.options.calls_per_instance_max) {
            idle.put(instance, plugin.host.options.workers.max(1));
        }
    }

    /// An instance that has seen no event yet.
    fn fresh(&self) -> Result<Instance, ConfigureError> {
        let Inner { plugin, config, limits, .. } = &*self.inner;
        let host = &plugin.host;
        let make = || {
            Instance::new(
                &plugin.code.pre,
                &plugin.code.exports,
                &host.ticker,
                &plugin.name,
                limits,
            )
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
        match instance.configure(config, &host.ticker, limits) {
            Ok(Ok(instance)) => Ok(instance),
            Ok(Err(words)) => Err(ConfigureError::Refused(words)),
            Err(error) => Err(ConfigureError::Failed(error)),
        }
    }

    fn check(&self, outputs: &[Output], event: &Event<'_>) -> Result<(), CallError> {
        let Limits { outputs_max, output_bytes_max, .. } = self.inner.limits;
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
