//! A plugin with a configuration, and the instances that serve it.
//!
//! # Invariants
//!
//! - An idle instance is configured, and its last call returned normally. Unless instances are reused, it has seen no
//!   event.
//! - What a plugin asks for and its rule does not grant is refused here: an instance that exists may use its imports.

use std::sync::Arc;

use serde::de::IgnoredAny;

use crate::batch::Batch;
use crate::code::Code;
use crate::faults::Faults;
use crate::idle::Idle;
use crate::instance::{Answer, Instance, InstantiateError, Mould};
use crate::ticker::Running;
use crate::{CallError, Event, Grant, Isolation, Output, Plugin, Setup, StateAccess, words};

/// Cheap to clone; clones share their instances.
#[derive(Clone)]
pub struct Configured {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) plugin: Plugin,
    config: String,
    pub(crate) setup: Setup,
    pub(crate) isolation: Isolation,
    pub(crate) idle: Arc<Idle>,
    pub(crate) faults: Faults,
}

/// Why a configuration is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigureError {
    /// The plugin's own words.
    #[error("{0}")]
    Refused(String),

    /// The rule has to say that the plugin may have what it asks for.
    #[error(
        "it asks for {}, which its rule does not grant: write `grant: [{}]` on the step",
        Grant::quoted(missing),
        Grant::listed(imports)
    )]
    NotGranted { missing: Vec<Grant>, imports: Vec<Grant> },

    #[error("not JSON: {problem}")]
    NotJson { problem: String },

    #[error("the plugin failed while it was configured: {0}")]
    Failed(CallError),
}

impl Configured {
    pub(crate) fn new(
        plugin: &Plugin,
        config: &str,
        mut setup: Setup,
    ) -> Result<Self, ConfigureError> {
        let (imports, granted) = (plugin.imports().to_vec(), setup.grants);
        let missing: Vec<Grant> =
            imports.iter().copied().filter(|import| !granted.has(*import)).collect();
        if !missing.is_empty() {
            return Err(ConfigureError::NotGranted { missing, imports });
        }
        let memory_bytes_max = &mut setup.limits.memory_bytes_max;
        *memory_bytes_max = (*memory_bytes_max).min(plugin.host.options.memory_bytes_max);
        let by_default = if plugin.info().pure { Isolation::Reuse } else { Isolation::Batch };
        let isolation = setup.isolation.unwrap_or(by_default);
        let config = if config.trim().is_empty() { "{}" } else { config }.to_owned();
        if let Err(error) = serde_json::from_str::<IgnoredAny>(&config) {
            return Err(ConfigureError::NotJson { problem: error.to_string() });
        }
        let idle = Arc::new(Idle::default());
        plugin.host.register(&idle);
        let (plugin, faults) = (plugin.clone(), Faults::default());
        let inner = Arc::new(Inner { plugin, config, setup, isolation, idle, faults });
        let instance = inner.fresh(&inner.plugin.host.ticker.enter())?;
        inner.give_back(instance);
        Ok(Self { inner })
    }

    /// How long its instances live.
    pub fn isolation(&self) -> Isolation {
        self.inner.isolation
    }

    /// Sends one event through the plugin, on the calling thread: a batch of one, without state.
    pub fn call(&self, event: &Event<'_>) -> Result<Vec<Output>, CallError> {
        Batch::new(&self.inner).single(event, None)
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
    ) -> Vec<Answer> {
        Batch::new(&self.inner).run(events, states)
    }
}

impl Inner {
    pub(crate) fn give_back(&self, instance: Instance) {
        let options = &self.plugin.host.options;
        let is_reusable = self.isolation == Isolation::Reuse || !instance.is_used();
        if is_reusable && !instance.is_worn(options.calls_per_instance_max) {
            self.idle.put(instance, options.workers.max(1));
        }
    }

    /// The same for an event that is on its way: the configuration was taken when it was tried.
    pub(crate) fn fresh_for_event(&self, running: &Running<'_>) -> Result<Instance, CallError> {
        self.fresh(running).map_err(|error| match error {
            ConfigureError::Failed(error) => error,
            // The same words now are the instance's trouble, not the rule's.
            ConfigureError::Refused(words) => {
                CallError::Fatal(format!("configuration refused: {words}"))
            }
            ConfigureError::NotJson { .. } | ConfigureError::NotGranted { .. } => {
                unreachable!("decided before there was an instance: {error}")
            }
        })
    }

    /// An instance that has seen no event yet.
    fn fresh(&self, running: &Running<'_>) -> Result<Instance, ConfigureError> {
        let Inner { plugin, config, setup, .. } = self;
        let Plugin { name, code, names, flow, host, .. } = plugin;
        let Code { pre, role, .. } = &**code;
        let mould = Mould { pre, role: *role, plugin: name, names, flow, setup };
        let instance = host.with_room(|| Instance::new(&mould, running)).map_err(|error| {
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
        match instance.configure(config, running) {
            Ok(Ok(instance)) => Ok(instance),
            Ok(Err(words)) => Err(ConfigureError::Refused(words::cut(words))),
            Err(error) => Err(ConfigureError::Failed(error)),
        }
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
