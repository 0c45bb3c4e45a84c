//! What to do after an attempt: a pure decision.

use std::time::Duration;

use event::Timestamp;

use crate::target::{Answer, RetryAfter};

/// How often and how long an undelivered payload is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Attempts in all, the first included. At least 1.
    pub attempts_max: u32,
    /// No attempt later than this after the delivery became owed.
    pub age_max: Duration,
    /// The upper bound of the first delay; doubles with each attempt.
    pub backoff_min: Duration,
    /// The upper bound of every delay.
    pub backoff_max: Duration,
}

/// The attempt that is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    /// The first is 1.
    pub number: u32,
    /// Since when the delivery is owed.
    pub owed_at: Timestamp,
    /// When it is judged.
    pub now: Timestamp,
}

/// What becomes of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Delivered,
    RetryAt(Timestamp),
    Dead,
}

impl RetryPolicy {
    /// Judges one attempt by its answer.
    ///
    /// `random` is any number; it spreads the retries of many deliveries over the delay ("full
    /// jitter"). A target's own `Retry-After` is honoured where it asks for more patience.
    pub fn judge(&self, answer: &Answer, attempt: Attempt, random: u64) -> Verdict {
        let Attempt { number, owed_at, now } = attempt;
        assert!(0 < number, "attempts are counted from 1"); // But not `owed_at <= now`: clocks step back.
        let retry_after = match answer {
            Answer::Accepted => return Verdict::Delivered,
            Answer::Refused { .. } => return Verdict::Dead,
            // Nothing is tried until somebody has looked; then this is, whatever its age.
            Answer::Gone { .. } => return Verdict::RetryAt(now.after(self.delay(number, random))),
            Answer::TimedOut { .. } => now,
            Answer::Unavailable { retry_after, .. } => match retry_after {
                None => now,
                Some(RetryAfter::For(span)) => now.after(*span),
                Some(RetryAfter::Until(time)) => *time,
            },
        };
        let retry_at = now.after(self.delay(number, random)).max(retry_after);
        let expires_at = owed_at.after(self.age_max);
        if number < self.attempts_max && retry_at <= expires_at {
            Verdict::RetryAt(retry_at)
        } else {
            Verdict::Dead
        }
    }

    /// A delay between zero and the bound of this attempt, both included.
    fn delay(&self, attempt: u32, random: u64) -> Duration {
        let doubled =
            1_u32.checked_shl(attempt - 1).and_then(|factor| self.backoff_min.checked_mul(factor));
        let bound = doubled.unwrap_or(self.backoff_max).min(self.backoff_max);
        let millis = u64::try_from(bound.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(millis.checked_add(1).map_or(random, |span| random % span))
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    use super::*;

    const POLICY: RetryPolicy = RetryPolicy {
        attempts_max: 4,
        age_max: Duration::from_secs(60),
        backoff_min: Duration::from_secs(1),
        backoff_max: Duration::from_secs(3),
    };

    fn no(retry_after: Option<u64>) -> Answer {
        Answer::Unavailable {
            reason: "503".to_owned(),
            retry_after: retry_after.map(|seconds| RetryAfter::For(Duration::from_secs(seconds))),
        }
    }

    /// Judges attempt after attempt, each at the time of the verdict before it, with the longest delay.
    #[expect(clippy::needless_pass_by_value, reason = "reads as a table")]
    fn check(policy: RetryPolicy, answers: &[Answer], expected: Expect) {
        let mut now = Timestamp::from_millis(0);
        let mut seen = String::new();
        for (attempt, answer) in (1_u32..).zip(answers) {
            let bound = policy.backoff_min * 2_u32.pow(attempt - 1);
            let random = u64::try_from(bound.min(policy.backoff_max).as_millis()).unwrap();
            let owed_at = Timestamp::from_millis(0);
            let verdict = policy.judge(answer, Attempt { number: attempt, owed_at, now }, random);
            writeln!(seen, "at {}: {verdict:?}", now.as_millis()).unwrap();
            if let Verdict::RetryAt(at) = verdict {
                now = at;
            }
        }
        expected.assert_eq(&seen);
    }

    #[test]
    fn delays_double_up_to_the_limit_and_the_last_attempt_is_final() {
        check(
            POLICY,
            &[no(None), no(None), no(None), no(None)],
            expect![[r#"
                at 0: RetryAt(Timestamp(1000))
                at 1000: RetryAt(Timestamp(3000))
                at 3000: RetryAt(Timestamp(6000))
                at 6000: Dead
            "#]],
        );
    }

    #[test]
    fn a_target_may_ask_for_more_patience_but_not_for_less() {
        check(
            POLICY,
            &[no(Some(20)), no(Some(0)), no(Some(39))],
            expect![[r#"
                at 0: RetryAt(Timestamp(20000))
                at 20000: RetryAt(Timestamp(22000))
                at 22000: Dead
            "#]],
        );
    }

    #[test]
    fn a_target_may_name_the_time() {
        let until = |millis| Answer::Unavailable {
            reason: "503".to_owned(),
            retry_after: Some(RetryAfter::Until(Timestamp::from_millis(millis))),
        };
        check(
            POLICY,
            &[until(30_000), until(2_000), until(90_000)],
            expect![[r#"
                at 0: RetryAt(Timestamp(30000))
                at 30000: RetryAt(Timestamp(32000))
                at 32000: Dead
            "#]],
        );
    }

    #[test]
    fn refusal_is_final_and_acceptance_is_the_end() {
        check(
            POLICY,
            &[Answer::Refused { reason: "400".to_owned() }, Answer::Accepted],
            expect![[r#"
                at 0: Dead
                at 0: Delivered
            "#]],
        );
    }

    proptest! {
        #[test]
        fn every_delivery_ends_and_no_retry_is_late(
            attempt in 1_u32.., attempts_max in 1_u32..200, age in 0_u64..100_000, min in 0_u64..10_000,
            max in 0_u64..u64::MAX, now in any::<i64>(), random in any::<u64>(),
        ) {
            let policy = RetryPolicy {
                attempts_max,
                age_max: Duration::from_millis(age),
                backoff_min: Duration::from_millis(min),
                backoff_max: Duration::from_millis(max),
            };
            let owed_at = Timestamp::from_millis(0);
            let now = Timestamp::from_millis(now);
            match policy.judge(&no(None), Attempt { number: attempt, owed_at, now }, random) {
                Verdict::Delivered => prop_assert!(false, "nothing was accepted"),
                Verdict::RetryAt(at) => {
                    prop_assert!(attempt < attempts_max);
                    prop_assert!(now <= at && at <= owed_at.after(policy.age_max));
                    prop_assert!(at <= now.after(policy.backoff_max));
                }
                Verdict::Dead => (),
            }
        }
    }
}
