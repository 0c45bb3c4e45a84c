//! Whether anything may start in a lane now: not while it is paused or disabled, only to find out
//! while its circuit is open, not before the target wants it, and not faster than its rate. Its
//! plugins have a circuit of their own, for events that have not been transformed.
//!
//! # Invariants
//!
//! - Shut, a lane starts nothing and reads nothing; what is under way ends.

use std::time::Duration;

use delivery::{Circuit, CircuitOptions, CircuitState, Permit, Rate};
use event::Timestamp;

use super::Now;
use crate::attempt::{Heard, Plugins};
use crate::state::Stopped;

/// Events in a row that crashed them or took them over a limit, until no events are given to the plugins any more. One
/// that is tried again and again counts once.
const PLUGIN_FAILURES: u32 = 5;
/// When they get an event again, to see; then twice as long, up to five minutes.
const PLUGIN_PROBE_AFTER: Duration = Duration::from_secs(1);

/// What may start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pass {
    Free,
    /// One delivery, which is to say so with [`Gate::probe`].
    Probe,
    /// Nothing, for as long as is known.
    Shut(Option<Duration>),
}

#[derive(Debug)]
pub(super) struct Gate {
    pub(super) paused: Option<Stopped>,
    /// Of a replay: that its target is paused, whatever becomes of the replay.
    pub(super) target_paused: Option<Stopped>,
    pub(super) disabled: Option<Stopped>,
    circuit: Circuit,
    /// Of the plugins.
    plugins: Circuit,
    /// How they failed last.
    fault: Option<String>,
    /// What the target asked for.
    hold_until: Option<Timestamp>,
    rate: Option<Rate>,
    /// What somebody asked for, instead of what the rule says.
    asked: Option<f64>,
}

impl Gate {
    pub(super) fn new(
        circuit: CircuitOptions,
        paused: Option<Stopped>,
        disabled: Option<Stopped>,
    ) -> Self {
        let circuit = Circuit::new(circuit);
        let (failures, probe_after) = (PLUGIN_FAILURES, PLUGIN_PROBE_AFTER);
        let plugins = Circuit::new(CircuitOptions { failures, probe_after });
        Self {
            paused,
            target_paused: None,
            disabled,
            circuit,
            plugins,
            fault: None,
            hold_until: None,
            rate: None,
            asked: None,
        }
    }

    /// The rule says something else of the circuit now, and perhaps of its plugins.
    pub(super) fn change(&mut self, circuit: CircuitOptions, now: Option<Timestamp>) {
        self.circuit.change(circuit);
        self.plugins.probe_now(now.unwrap_or(Timestamp::from_millis(0)));
    }

    /// Whether an event may be given to the plugins.
    pub(super) fn plugins_permit(&self, now: Timestamp) -> Permit {
        self.plugins.permit(now)
    }

    /// An event is given to the plugins to find out whether they work.
    pub(super) fn probe_plugins(&mut self) {
        self.plugins.probe();
    }

    /// The event that was to find out did not tell.
    pub(super) fn probe_plugins_later(&mut self, now: Timestamp) {
        self.plugins.probe_later(now);
    }

    pub(super) fn plugins(&self) -> (&Circuit, Option<&str>) {
        (&self.plugins, self.fault.as_deref())
    }

    /// The rule's rate, or another one that was asked for.
    pub(super) fn limit(&mut self, of_rule: Option<f64>, now: Duration) {
        match (self.asked.or(of_rule), &mut self.rate) {
            (None, rate) => *rate = None,
            (Some(next), Some(rate)) if rate.per_second().to_bits() == next.to_bits() => (),
            (Some(next), Some(rate)) => rate.change(next, now),
            (Some(next), rate) => *rate = Some(Rate::new(next, now)),
        }
    }

    pub(super) fn ask(&mut self, rate: Option<f64>) {
        self.asked = rate;
    }

    pub(super) fn pass(&self, now: Now) -> Pass {
        if self.is_stopped() {
            return Pass::Shut(None);
        }
        if let Some(until) = self.hold_until.filter(|until| now.wall < *until) {
            return Pass::Shut(Some(until.since(now.wall)));
        }
        if let Some(wait) = self.rate.as_ref().map(|rate| rate.wait(now.steady))
            && !wait.is_zero()
        {
            return Pass::Shut(Some(wait));
        }
        match self.circuit.permit(now.wall) {
            Permit::Yes => Pass::Free,
            Permit::Probe => Pass::Probe,
            Permit::NotBefore(at) => Pass::Shut(Some(at.since(now.wall))),
            Permit::Wait => Pass::Shut(None),
        }
    }

    /// Somebody thinks that the target is back. False when that is not asked.
    pub(super) fn probe_now(&mut self, now: Timestamp) -> bool {
        let of_plugins = self.plugins.probe_now(now);
        self.circuit.probe_now(now) || of_plugins
    }

    pub(super) fn probe(&mut self) {
        self.circuit.probe();
    }

    /// An attempt starts.
    pub(super) fn take(&mut self, now: Now) {
        if let Some(rate) = &mut self.rate {
            rate.take(1, now.steady);
        }
    }

    /// Takes in what the attempts of one work told. Whether the target is gone, in its words.
    /// `is_owed`: something of the work is still to be delivered.
    pub(super) fn hear(
        &mut self,
        heard: &[Heard],
        (is_full, is_owed): (bool, bool),
        now: Now,
    ) -> Option<String> {
        let requests: u32 = heard.iter().map(|one| one.requests).sum();
        if let Some(rate) = &mut self.rate
            && 1 < requests
        {
            rate.take(requests - 1, now.steady);
        }
        let mut gone = None;
        let mut has_told = false;
        for one in heard {
            has_told |= one.has_answered || 0 < one.failures;
            if one.has_answered {
                self.circuit.succeeded(now.wall);
            }
            for _ in 0..one.failures {
                self.circuit.failed(now.wall, is_full);
            }
            self.hold_until = self.hold_until.max(one.hold_until);
            gone = gone.or_else(|| one.gone.clone());
            match &one.plugins {
                Plugins::Silent => (),
                Plugins::Answered => self.plugins.succeeded(now.wall),
                Plugins::FailedAgain(words) if self.plugins.state() == CircuitState::Closed => {
                    self.fault = Some(words.clone());
                }
                Plugins::Failed(words) | Plugins::FailedAgain(words) => {
                    self.fault = Some(words.clone());
                    self.plugins.failed(now.wall, false);
                }
            }
        }
        if !has_told && is_owed && gone.is_none() {
            self.circuit.probe_later(now.wall);
        } else if !has_told {
            self.circuit.probe_again();
        }
        gone
    }

    /// The clock was set back.
    pub(super) fn step_back(&mut self, back: Duration) {
        self.hold_until = self.hold_until.map(|until| until.before(back));
        self.circuit.step_back(back);
        self.plugins.step_back(back);
    }

    pub(super) fn circuit(&self) -> &Circuit {
        &self.circuit
    }

    /// By a person, or by the target for good.
    pub(super) fn is_stopped(&self) -> bool {
        self.paused.is_some() || self.target_paused.is_some() || self.disabled.is_some()
    }

    /// Whether the backlog should wait in the journal, and not here.
    pub(super) fn keeps_nothing(&self) -> bool {
        let circuits = [&self.circuit, &self.plugins];
        self.is_stopped() || circuits.iter().any(|one| one.state() != CircuitState::Closed)
    }

    /// Whether nothing but the open circuit of its plugins keeps it from taking events.
    pub(super) fn is_for_plugins(&self) -> bool {
        !self.is_stopped()
            && self.circuit.state() == CircuitState::Closed
            && self.plugins.state() == CircuitState::Open
    }

    /// Whether nothing but an open circuit keeps it shut.
    pub(super) fn is_only_broken(&self) -> bool {
        !self.is_stopped() && self.circuit.state() == CircuitState::Open
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now(millis: u64) -> Now {
        let wall = Timestamp::from_millis(i64::try_from(millis).unwrap());
        Now { wall, steady: Duration::from_millis(millis) }
    }

    fn gate(failures: u32) -> Gate {
        let probe_after = Duration::from_secs(1);
        Gate::new(CircuitOptions { failures, probe_after }, None, None)
    }

    #[test]
    fn every_request_of_a_work_counts_for_the_rate() {
        let mut gate = gate(10);
        gate.limit(Some(10.0), now(0).steady);
        assert_eq!(gate.pass(now(0)), Pass::Free);
        gate.take(now(0));
        assert_eq!(gate.pass(now(0)), Pass::Shut(Some(Duration::from_millis(100))));
        // It took five requests: the other four are owed.
        let heard = Heard { requests: 5, has_answered: true, ..Heard::default() };
        gate.hear(&[heard], (false, false), now(0));
        assert_eq!(gate.pass(now(0)), Pass::Shut(Some(Duration::from_millis(500))));
        assert_eq!(gate.pass(now(500)), Pass::Free);
    }

    #[test]
    fn what_was_asked_for_comes_before_the_rules_rate() {
        let mut gate = gate(10);
        gate.ask(Some(1.0));
        gate.limit(Some(1000.0), now(0).steady);
        gate.take(now(0));
        assert_eq!(gate.pass(now(0)), Pass::Shut(Some(Duration::from_secs(1))));
        gate.ask(None);
        gate.limit(None, now(1).steady);
        assert_eq!(gate.pass(now(1)), Pass::Free);
    }

    #[test]
    fn nothing_starts_before_the_target_wants_it() {
        let mut gate = gate(10);
        let until = |millis| Some(Timestamp::from_millis(millis));
        let heard = |hold_until| Heard { requests: 1, failures: 1, hold_until, ..Heard::default() };
        gate.hear(&[heard(until(700)), heard(until(300))], (false, false), now(0));
        gate.hear(&[heard(None)], (false, false), now(0));
        assert_eq!(gate.pass(now(100)), Pass::Shut(Some(Duration::from_millis(600))));
        assert_eq!(gate.pass(now(700)), Pass::Free);
    }
}
