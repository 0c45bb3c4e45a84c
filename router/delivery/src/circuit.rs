//! Whether a target is worth a try: a state machine over the answers it gives.
//!
//! ```text
//!            so many failures in a row, or one when too much is postponed
//!   closed ─────────────────────────────────────────────────────────────▶ open
//!      ▲                                                                   │ ▲
//!      │ any acceptance, or a refusal: it is there                  probe_at │ │ failure: the next
//!      └──────────────────────────────────────────────── half-open ◀───────┘ │ delay is twice as long
//!                                                             └────────────────┘
//! ```
//!
//! # Invariants
//!
//! - Open, nothing is tried; half-open, one delivery is, and what it tells decides.
//! - Probes never stop: the delay between them grows up to [`PROBE_AFTER_MAX`] and no further.
//! - Pure: the time comes as a value. Whoever sees the clock step back says so, and no probe is late by it.

use std::time::Duration;

use event::Timestamp;

/// The longest delay between two probes, unless the first one is longer.
const PROBE_AFTER_MAX: Duration = Duration::from_secs(5 * 60);

/// When a circuit opens, and when the first probe comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CircuitOptions {
    /// Failures in a row. At least 1.
    pub failures: u32,
    pub probe_after: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CircuitState {
    Closed,
    Open,
    HalfOpen,
}

impl CircuitState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half-open",
        }
    }
}

/// What a circuit says to the next delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permit {
    Yes,
    /// As the one that finds out: [`Circuit::probe`] says that it is on its way.
    Probe,
    NotBefore(Timestamp),
    /// The probe is on its way.
    Wait,
}

#[derive(Debug, Clone)]
pub struct Circuit {
    options: CircuitOptions,
    state: CircuitState,
    /// In a row.
    failures: u32,
    /// Since when it is not closed, or closed again.
    since: Option<Timestamp>,
    probe_at: Timestamp,
    delay: Duration,
}

impl Circuit {
    pub fn new(options: CircuitOptions) -> Self {
        Self {
            options,
            state: CircuitState::Closed,
            failures: 0,
            since: None,
            probe_at: Timestamp::from_millis(0),
            delay: options.probe_after,
        }
    }

    /// Other options from now on; what is known of the target stays known.
    pub fn change(&mut self, options: CircuitOptions) {
        if self.options != options {
            self.options = options;
            self.delay = options.probe_after;
        }
    }

    pub fn permit(&self, now: Timestamp) -> Permit {
        match self.state {
            CircuitState::Closed => Permit::Yes,
            CircuitState::HalfOpen => Permit::Wait,
            CircuitState::Open if now < self.probe_at => Permit::NotBefore(self.probe_at),
            CircuitState::Open => Permit::Probe,
        }
    }

    /// The probe is on its way.
    pub fn probe(&mut self) {
        assert!(self.state == CircuitState::Open, "only an open circuit is probed");
        self.state = CircuitState::HalfOpen;
    }

    /// The probe ended without reaching the target: another one may take its place at once.
    pub fn probe_again(&mut self) {
        if self.state == CircuitState::HalfOpen {
            self.state = CircuitState::Open;
        }
    }

    /// The probe never reached the target, and is still owed: the next one comes after the same
    /// delay as after a failure, which does not grow by it.
    pub fn probe_later(&mut self, now: Timestamp) {
        if self.state == CircuitState::HalfOpen {
            self.state = CircuitState::Open;
            self.probe_at = now.after(self.delay);
        }
    }

    /// Somebody thinks that the target is back: an open one is probed at once. False when there is
    /// nothing to find out.
    pub fn probe_now(&mut self, now: Timestamp) -> bool {
        if self.state == CircuitState::Open {
            self.probe_at = self.probe_at.min(now);
        }
        self.state == CircuitState::Open
    }

    /// The target is there.
    pub fn succeeded(&mut self, now: Timestamp) {
        self.failures = 0;
        self.delay = self.options.probe_after;
        if self.state != CircuitState::Closed {
            self.state = CircuitState::Closed;
            self.since = Some(now);
        }
    }

    /// An attempt failed. `is_full`: no more failed deliveries can be kept than wait already.
    pub fn failed(&mut self, now: Timestamp, is_full: bool) {
        self.failures = self.failures.saturating_add(1);
        match self.state {
            // Attempts that began before it opened.
            CircuitState::Open => (),
            CircuitState::Closed if self.failures < self.options.failures && !is_full => (),
            CircuitState::Closed => {
                self.since = Some(now);
                self.open(now);
            }
            CircuitState::HalfOpen => self.open(now),
        }
    }

    fn open(&mut self, now: Timestamp) {
        self.state = CircuitState::Open;
        self.probe_at = now.after(self.delay);
        let longest = PROBE_AFTER_MAX.max(self.options.probe_after);
        self.delay = self.delay.saturating_mul(2).min(longest);
    }

    /// The clock was set back.
    pub fn step_back(&mut self, back: Duration) {
        self.probe_at = self.probe_at.before(back);
    }

    pub fn state(&self) -> CircuitState {
        self.state
    }

    /// In a row, up to now.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// Since when it is open, half-open, or closed again; none when it was never open.
    pub fn since(&self) -> Option<Timestamp> {
        self.since
    }

    /// When an open one is probed next.
    pub fn probe_at(&self) -> Option<Timestamp> {
        (self.state == CircuitState::Open).then_some(self.probe_at)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OPTIONS: CircuitOptions =
        CircuitOptions { failures: 3, probe_after: Duration::from_secs(1) };

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    #[test]
    fn it_opens_after_failures_in_a_row_and_probes_ever_later() {
        let mut circuit = Circuit::new(OPTIONS);
        circuit.failed(at(0), false);
        circuit.failed(at(0), false);
        circuit.succeeded(at(0));
        circuit.failed(at(0), false);
        circuit.failed(at(0), false);
        assert_eq!(circuit.permit(at(0)), Permit::Yes);
        circuit.failed(at(0), false);
        let mut now = 0;
        for delay in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
            assert_eq!(circuit.permit(at(now + delay - 1)), Permit::NotBefore(at(now + delay)));
            now += delay;
            assert_eq!(circuit.permit(at(now)), Permit::Probe);
            circuit.probe();
            assert_eq!(circuit.permit(at(now)), Permit::Wait);
            circuit.failed(at(now), false);
        }
        assert_eq!((circuit.since(), circuit.failures()), (Some(at(0)), 14));
        circuit.probe();
        circuit.succeeded(at(now));
        assert_eq!((circuit.state(), circuit.since()), (CircuitState::Closed, Some(at(now))));
        circuit.failed(at(now), true);
        assert_eq!(
            circuit.permit(at(now)),
            Permit::NotBefore(at(now + 1)),
            "one is enough when full"
        );
    }

    #[test]
    fn a_probe_that_tells_nothing_is_made_again_at_once_if_it_has_ended_and_else_later() {
        let mut circuit = Circuit::new(CircuitOptions { failures: 1, ..OPTIONS });
        circuit.failed(at(0), false);
        circuit.probe();
        circuit.probe_again();
        assert_eq!(circuit.permit(at(1)), Permit::Probe);
        for now in [1, 3, 5] {
            circuit.probe();
            circuit.probe_later(at(now));
            assert_eq!(circuit.permit(at(now)), Permit::NotBefore(at(now + 2)));
        }
    }

    #[test]
    fn who_asks_gets_a_probe_at_once_and_the_next_comes_as_it_would_have() {
        let mut circuit = Circuit::new(CircuitOptions { failures: 1, ..OPTIONS });
        assert!(!circuit.probe_now(at(0)), "it is closed");
        circuit.failed(at(0), false);
        circuit.probe();
        circuit.failed(at(1), false);
        assert_eq!(circuit.permit(at(1)), Permit::NotBefore(at(3)));
        assert!(circuit.probe_now(at(1)));
        assert_eq!(circuit.permit(at(1)), Permit::Probe);
        circuit.probe();
        assert!(!circuit.probe_now(at(1)), "it is on its way");
        circuit.failed(at(1), false);
        assert_eq!(circuit.permit(at(1)), Permit::NotBefore(at(5)));
    }

    proptest! {
        #[test]
        fn it_is_open_only_after_failures_and_a_probe_always_comes(
            steps in proptest::collection::vec((any::<bool>(), 0_i64..400), 0..200),
        ) {
            let (mut circuit, mut now, mut in_a_row) = (Circuit::new(OPTIONS), 0, 0_u32);
            for (is_well, later) in steps {
                now += later;
                match circuit.permit(at(now)) {
                    Permit::Probe => circuit.probe(),
                    Permit::Yes | Permit::NotBefore(_) | Permit::Wait => (),
                }
                if is_well {
                    circuit.succeeded(at(now));
                    in_a_row = 0;
                } else {
                    circuit.failed(at(now), false);
                    in_a_row += 1;
                }
                prop_assert_eq!(circuit.state() == CircuitState::Closed, in_a_row < 3);
                prop_assert_eq!(circuit.permit(at(now + 300)) == Permit::Yes, in_a_row < 3);
                prop_assert!(in_a_row < 3 || circuit.permit(at(now + 300)) == Permit::Probe);
            }
        }
    }
}
