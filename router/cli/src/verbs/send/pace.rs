//! So many events a second, steadily.
//!
//! # Invariants
//!
//! - Each event has a moment of its own, counted from the first: what one wait was too long, the next is shorter.
//! - Who has fallen behind does not make up for it in a burst: after [`BEHIND_MAX`] the count begins anew.

use std::time::Duration;

/// What a router that was slow for a moment is still sent faster for.
const BEHIND_MAX: Duration = Duration::from_secs(1);

/// When the next event is due.
#[derive(Debug)]
pub(super) struct Pace {
    a_second: f64,
    /// When the first of these was due.
    since: Option<Duration>,
    count: u32,
}

impl Pace {
    pub(super) fn new(a_second: f64) -> Self {
        Self { a_second, since: None, count: 0 }
    }

    /// How long the next event waits; it counts as sent.
    pub(super) fn next(&mut self, now: Duration) -> Duration {
        let since = *self.since.get_or_insert(now);
        let due = since + Duration::from_secs_f64(f64::from(self.count) / self.a_second);
        if due + BEHIND_MAX < now || self.count == u32::MAX {
            (self.since, self.count) = (Some(now), 1);
            return Duration::ZERO;
        }
        self.count += 1;
        due.saturating_sub(now)
    }
}

/// For clap: events a second; fractions are slower than one a second.
pub(super) fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if (0.001..=1e6).contains(&rate) => Ok(rate),
        _ => {
            Err("use a number of events a second, from 0.001 to 1000000, such as 50 or 0.5"
                .to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(pace: &mut Pace, at: &[u64]) -> Vec<u128> {
        at.iter().map(|at| pace.next(Duration::from_millis(*at)).as_millis()).collect()
    }

    #[test]
    fn each_event_has_its_moment_whenever_it_is_asked_for() {
        let mut pace = Pace::new(10.0);
        assert_eq!(waits(&mut pace, &[50, 50, 150, 330, 460]), [0, 100, 100, 20, 0]);
        assert_eq!(waits(&mut Pace::new(0.5), &[0, 0, 2000]), [0, 2000, 2000]);
    }

    #[test]
    fn a_long_wait_is_not_made_up_for() {
        let mut pace = Pace::new(10.0);
        assert_eq!(waits(&mut pace, &[0, 5000, 5000, 5100]), [0, 0, 100, 100]);
    }

    #[test]
    fn a_rate_is_a_positive_number() {
        assert!(rate("50").is_ok() && rate("0.5").is_ok());
        for text in ["0", "-1", "NaN", "inf", "1e9", "", "ten"] {
            assert!(rate(text).unwrap_err().contains("events a second"), "{text}");
        }
    }
}
