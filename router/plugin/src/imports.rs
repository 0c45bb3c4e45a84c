//! What a plugin can call: the contract's imports, and what they reach on this side.
//!
//! # Invariants
//!
//! - An import sees the event of the running call and nothing else of the router.
//! - What depends on the event (clock, randomness, state) has no answer while a plugin is described or configured.

pub(crate) mod log;
pub(crate) mod metrics;
pub(crate) mod state;

use std::sync::Arc;

use crate::{Event, StateAccess};

/// The event of the running call, as the imports see it.
#[derive(Default)]
pub(crate) struct Current {
    /// False while the plugin is described or configured.
    is_event: bool,
    id: String,
    rule: Option<String>,
    time_ms: i64,
    state: Option<Arc<dyn StateAccess>>,
}

impl Current {
    pub(crate) fn begin(&mut self, event: &Event<'_>, state: Option<&Arc<dyn StateAccess>>) {
        self.is_event = true;
        self.id.clear();
        self.id.push_str(event.id);
        self.rule = event.attribute("rule").map(str::to_owned);
        self.time_ms = event.time_ms;
        self.state = state.cloned();
    }

    pub(crate) fn end(&mut self) {
        self.is_event = false;
        self.state = None;
    }

    pub(crate) fn id(&self) -> Option<&str> {
        self.is_event.then_some(self.id.as_str())
    }

    pub(crate) fn rule(&self) -> Option<&str> {
        self.is_event.then_some(self.rule.as_deref()).flatten()
    }
}
