//! What attempts and transforms tell of the target and of the plugins, and the words about it.

use delivery::CircuitState;

use super::Inner;
use crate::attempt::{Heard, Plugins};
use crate::lane::Now;
use crate::state::Stopped;

impl Inner {
    /// What the attempts told about the target.
    pub(super) fn hear(&mut self, heard: &[Heard], is_owed: bool, now: Now) {
        let is_full = self.waiting.len() >= self.bounds.postponed_max;
        let was_closed = self.gate.circuit().state() == CircuitState::Closed;
        let plugins_were = self.gate.plugins().0.state();
        let gone = self.gate.hear(heard, (is_full, is_owed), now);
        let circuit = self.gate.circuit();
        match (was_closed, circuit.state() == CircuitState::Closed) {
            (true, false) => {
                let error = self.last_error.as_deref().unwrap_or_default();
                tracing::warn!(subscription = %self.key, failures = circuit.failures(), %error, "its circuit is open: nothing is sent but a probe now and then, and its backlog waits in the journal");
            }
            (false, true) => {
                tracing::info!(subscription = %self.key, "its circuit is closed again")
            }
            (true, true) | (false, false) => (),
        }
        self.say_of_plugins(plugins_were);
        if let Some(reason) = gone.filter(|_| self.gate.disabled.is_none()) {
            let target = self.key.without_replay();
            tracing::error!(subscription = %self.key, %reason, "its target says that it is gone: it is disabled until `slipswitch target enable {target}`");
            let disabled = Stopped { since: now.wall, reason };
            self.newly_disabled = Some(disabled.clone());
            self.gate.disabled = Some(disabled);
            self.is_dirty = true;
        }
    }

    /// What was to find out whether the plugins work has ended, and told this.
    pub(super) fn hear_plugin_probe(&mut self, heard: &[Heard], now: Now) {
        self.plugin_probe = None;
        if heard.iter().all(|one| one.plugins == Plugins::Silent) {
            self.gate.probe_plugins_later(now.wall); // It did not get there.
        }
    }

    /// Nothing is under way any more: what was to find out has ended without a word.
    pub(super) fn miss_plugin_probe(&mut self, now: Now) {
        if self.running == 0 && self.plugin_probe.take().is_some() {
            self.gate.probe_plugins_later(now.wall);
        }
    }

    /// What waits in the queue of the plugins is held back from the moment on in which their circuit opens.
    fn say_of_plugins(&self, before: CircuitState) {
        let (circuit, fault) = self.gate.plugins();
        if before != CircuitState::Open && circuit.state() == CircuitState::Open {
            self.route.openings.one_more();
        }
        let (failures, fault) = (circuit.failures(), fault.unwrap_or_default());
        match (before == CircuitState::Closed, circuit.state() == CircuitState::Closed) {
            (true, false) => {
                tracing::error!(subscription = %self.key, failures, fault, "the circuit of its plugins is open: they get no event but one now and then, and its backlog waits in the journal");
            }
            (false, true) => {
                tracing::info!(subscription = %self.key, "the circuit of its plugins is closed again");
            }
            (true, true) | (false, false) => (),
        }
    }
}
