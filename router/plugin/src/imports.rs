//! What a plugin can call: the contract's imports, and what they reach on this side.
//!
//! # Invariants
//!
//! - An import sees the event of the running call and nothing else of the router.
//! - What depends on the event (clock, randomness, state) has no answer while a plugin is described or configured.

mod clock;
pub(crate) mod flow;
pub(crate) mod log;
pub(crate) mod metrics;
mod random;
pub(crate) mod state;

use std::sync::Arc;

use wasmtime::component::Linker;

use crate::instance::State;
use crate::{Event, StateAccess};
use random::Numbers;

/// Everything of the contract. What a plugin may use of it is decided before it gets here.
pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    log::link(linker)?;
    metrics::link(linker)?;
    clock::link(linker)?;
    random::link(linker)?;
    state::link(linker)
}

/// The event of the running call, as the imports see it.
#[derive(Default)]
pub(crate) struct Current {
    /// False while the plugin is described or configured.
    is_event: bool,
    id: String,
    has_rule: bool,
    rule: String,
    time_ms: i64,
    position: u32,
    state: Option<Arc<dyn StateAccess>>,
    /// Made when the first number is asked for.
    numbers: Option<Numbers>,
}

/// A plugin asked for what depends on the event, and there is none.
#[derive(Debug, thiserror::Error)]
#[error(
    "asked for outside of an event: what depends on the event has no answer while a plugin is described or configured"
)]
pub(crate) struct NoEvent {
    pub(crate) function: &'static str,
}

impl Current {
    pub(crate) fn begin(&mut self, event: &Event<'_>, state: Option<&Arc<dyn StateAccess>>) {
        self.is_event = true;
        self.id.clear();
        self.id.push_str(event.id);
        self.begin_list(event);
        self.time_ms = event.time_ms;
        self.position = event.position;
        self.state = state.cloned();
        self.numbers = None;
    }

    /// Several events at once, of which this is one: they are of one rule, and there is no event that is in turn.
    pub(crate) fn begin_list(&mut self, event: &Event<'_>) {
        let rule = event.attribute("rule");
        self.has_rule = rule.is_some();
        self.rule.clear();
        self.rule.push_str(rule.unwrap_or_default());
    }

    pub(crate) fn end(&mut self) {
        self.is_event = false;
        self.has_rule = false;
        self.state = None;
    }

    pub(crate) fn id(&self) -> Option<&str> {
        self.is_event.then_some(self.id.as_str())
    }

    pub(crate) fn rule(&self) -> Option<&str> {
        self.has_rule.then_some(self.rule.as_str())
    }

    /// The event's time.
    pub(crate) fn now_ms(&self, function: &'static str) -> wasmtime::Result<i64> {
        if self.is_event { Ok(self.time_ms) } else { Err(NoEvent { function }.into()) }
    }

    fn numbers(&mut self, plugin: &str, function: &'static str) -> wasmtime::Result<&mut Numbers> {
        if !self.is_event {
            return Err(NoEvent { function }.into());
        }
        let Self { numbers, id, position, .. } = self;
        Ok(numbers.get_or_insert_with(|| Numbers::new(plugin, id, *position)))
    }
}
