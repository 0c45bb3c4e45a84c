//! How many attempts a second a target gets: a bucket of tokens, filled by time.
//!
//! # Invariants
//!
//! - Over any span, no more attempts start than `burst + rate * span`, debts repaid included.
//! - Pure: the time comes as a value that never steps back.

use std::time::Duration;

/// What may start at once after a pause, as a part of a second's worth.
const BURST_SECONDS: f64 = 0.1;

/// The tokens of one target.
#[derive(Debug, Clone, PartialEq)]
pub struct Rate {
    per_second: f64,
    /// Below zero while more was taken than there was.
    tokens: f64,
    filled_at: Duration,
}

impl Rate {
    /// A full bucket. `per_second` is above zero.
    pub fn new(per_second: f64, now: Duration) -> Self {
        assert!(0.0 < per_second, "a rate of nothing is a pause");
        Self { per_second, tokens: burst(per_second), filled_at: now }
    }

    /// Another rate from now on; what was taken stays taken.
    pub fn change(&mut self, per_second: f64, now: Duration) {
        self.fill(now);
        *self = Self { tokens: self.tokens.min(burst(per_second)), ..Self::new(per_second, now) };
    }

    pub fn per_second(&self) -> f64 {
        self.per_second
    }

    /// In how long an attempt may start; zero when one may now.
    pub fn wait(&self, now: Duration) -> Duration {
        let missing = 1.0 - self.tokens_at(now);
        // A token short of nothing by rounding is a token.
        if missing <= 1e-9 {
            return Duration::ZERO;
        }
        Duration::try_from_secs_f64(missing / self.per_second).unwrap_or(Duration::MAX)
    }

    /// Takes tokens for attempts that start, or did; more than there are become a debt.
    pub fn take(&mut self, attempts: u32, now: Duration) {
        self.fill(now);
        self.tokens -= f64::from(attempts);
    }

    fn fill(&mut self, now: Duration) {
        self.tokens = self.tokens_at(now);
        self.filled_at = self.filled_at.max(now);
    }

    fn tokens_at(&self, now: Duration) -> f64 {
        let span = now.saturating_sub(self.filled_at).as_secs_f64();
        (self.tokens + span * self.per_second).min(burst(self.per_second))
    }
}

/// At least one, or nothing would ever start.
fn burst(per_second: f64) -> f64 {
    (per_second * BURST_SECONDS).max(1.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn a_tenth_of_a_second_may_start_at_once_and_then_one_after_the_other() {
        let mut rate = Rate::new(20.0, millis(0));
        rate.take(2, millis(0));
        assert_eq!(rate.wait(millis(0)), millis(50));
        assert_eq!(rate.wait(millis(49)), millis(1));
        assert_eq!(rate.wait(millis(50)), millis(0));
        rate.take(1, millis(50));
        assert_eq!(rate.wait(millis(50)), millis(50));
        // However long nothing happens, no more than the burst is saved up.
        rate.take(2, millis(3_600_000));
        assert_eq!(rate.wait(millis(3_600_000)), millis(50));
    }

    #[test]
    fn an_event_with_many_outputs_is_paid_for_afterwards() {
        let mut rate = Rate::new(10.0, millis(0));
        rate.take(1, millis(0));
        rate.take(9, millis(0));
        assert_eq!(rate.wait(millis(0)), millis(1000));
        rate.change(1.0, millis(0));
        assert_eq!(rate.wait(millis(0)), millis(10_000));
    }

    proptest! {
        #[test]
        fn no_more_start_than_the_rate_allows(
            per_second in 0.01_f64..2000.0, steps in proptest::collection::vec(0_u64..500, 1..300),
        ) {
            let (mut now, mut started) = (millis(0), 0_u32);
            let mut rate = Rate::new(per_second, now);
            for step in steps {
                now += millis(step);
                while rate.wait(now).is_zero() {
                    rate.take(1, now);
                    started += 1;
                }
                let allowed = burst(per_second) + per_second * now.as_secs_f64();
                prop_assert!(f64::from(started) <= allowed + 1e-3, "{started} of {allowed}");
            }
            // And all of it that time has brought: nothing is lost to rounding.
            prop_assert!(rate.wait(now) <= Duration::from_secs_f64(1.0 / per_second) + millis(1));
        }
    }
}
