//! Points in time as people write them: `1h` ago, or an RFC 3339 time; and `--since` and `--until`, the same wherever
//! events or deliveries are chosen.

use clap::Args;
use event::Timestamp;

use crate::{clock, failure::Failure};

/// A point in time, relative to now or absolute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// Milliseconds before now.
    Ago(i64),
    At(Timestamp),
}

impl Moment {
    /// For clap: the message is what follows `invalid value …:`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if let Some(millis) = duration_millis(text) {
            return Ok(Self::Ago(millis));
        }
        match Timestamp::parse(text) {
            Ok(time) => Ok(Self::At(time)),
            Err(error) => Err(format!(
                "neither a span back from now, such as 30s, 15m, 1h or 7d, nor an RFC 3339 time, \
                 such as 2026-11-23T08:00:00Z ({error})"
            )),
        }
    }

    /// What is further back than any event can be is the beginning of time.
    pub(crate) fn before(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Ago(millis) => {
                Timestamp::from_millis(now.as_millis().saturating_sub(millis).max(0))
            }
            Self::At(time) => time,
        }
    }
}

/// Which of them, by when they came.
#[derive(Clone, Copy, Debug, Default, Args)]
pub(crate) struct Between {
    /// Taken in (a dead letter: died) at this time or later: back from now (30s, 15m, 1h, 7d), or an RFC 3339 time
    #[arg(long, value_name = "WHEN", value_parser = Moment::parse)]
    pub(crate) since: Option<Moment>,
    /// Before this time, said in the same way
    #[arg(long, value_name = "WHEN", value_parser = Moment::parse)]
    pub(crate) until: Option<Moment>,
}

impl Between {
    pub(crate) fn span(&self) -> Result<Span, Failure> {
        Span::at(clock::now(), self.since, self.until)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.since.is_none() && self.until.is_none()
    }
}

/// Where what goes on without an end begins.
#[derive(Clone, Copy, Debug, Default, Args)]
pub(crate) struct Since {
    /// Begin in the past: back from now (30s, 15m, 1h, 7d), or an RFC 3339 time
    #[arg(long, value_name = "WHEN", value_parser = Moment::parse)]
    since: Option<Moment>,
}

impl Since {
    pub(crate) fn time(&self) -> Option<Timestamp> {
        self.since.map(|since| since.before(clock::now()))
    }
}

/// The ends of a span, as they were asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) since: Option<Timestamp>,
    pub(crate) until: Option<Timestamp>,
}

impl Span {
    fn at(now: Timestamp, since: Option<Moment>, until: Option<Moment>) -> Result<Self, Failure> {
        let at = |moment: Moment| moment.before(now);
        let span = Self { since: since.map(at), until: until.map(at) };
        if let (Some(since), Some(until)) = (span.since, span.until)
            && until <= since
        {
            return Err(Failure::usage(format!(
                "nothing lies between --since ({since}) and --until ({until}): the span must end after it begins"
            )));
        }
        Ok(span)
    }

    /// What to say when it found nothing, because it has not begun yet.
    pub(crate) fn ahead(&self, now: Timestamp) -> Option<String> {
        let since = self.since.filter(|since| now < *since)?;
        Some(format!("--since {since} has not come yet: it is {now} now"))
    }
}

/// `90s`, `15m`, `1h30m`, `7d`: whole numbers, each with its unit. `None` when it is anything else.
fn duration_millis(text: &str) -> Option<i64> {
    let mut millis: i64 = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, after) = rest.split_at_checked(digits)?;
        let unit_len = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at_checked(unit_len)?;
        let unit_millis: i64 = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            "w" => 604_800_000,
            _ => return None,
        };
        millis = millis.checked_add(number.parse::<i64>().ok()?.checked_mul(unit_millis)?)?;
        rest = after;
    }
    (!text.is_empty()).then_some(millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_count_back_from_now() {
        let cases = [
            ("0s", 0),
            ("250ms", 250),
            ("30m", 1_800_000),
            ("1h30m", 5_400_000),
            ("7d", 604_800_000),
        ];
        for (text, millis) in cases {
            assert_eq!(Moment::parse(text), Ok(Moment::Ago(millis)), "{text}");
        }
        let now = Timestamp::from_millis(10_000);
        assert_eq!(Moment::Ago(4_000).before(now), Timestamp::from_millis(6_000));
    }

    #[test]
    fn a_span_ends_after_it_begins() {
        let now = Timestamp::from_millis(10_000);
        let span = |since, until| Span::at(now, Some(Moment::Ago(since)), Some(Moment::Ago(until)));
        assert!(span(2_000, 1_000).is_ok());
        for (since, until) in [(1_000, 1_000), (1_000, 2_000)] {
            let message = span(since, until).unwrap_err().message;
            assert!(message.contains("must end after it begins"), "{message}");
        }
        assert_eq!(Moment::Ago(i64::MAX).before(now), Timestamp::from_millis(0));
    }

    #[test]
    fn a_span_that_has_not_begun_is_told() {
        let since = |millis| Span { since: Some(Timestamp::from_millis(millis)), until: None };
        let now = Timestamp::from_millis(10_000);
        assert_eq!(since(10_000).ahead(now), None);
        assert!(since(10_001).ahead(now).unwrap().contains("has not come yet"));
    }

    #[test]
    fn an_absolute_time_stays_what_it_is() {
        let moment = Moment::parse("2026-11-23T08:00:00Z").unwrap();
        let time = Timestamp::parse("2026-11-23T08:00:00Z").unwrap();
        assert_eq!(moment.before(Timestamp::from_millis(0)), time);
    }

    #[test]
    fn anything_else_is_refused_with_what_would_do() {
        for text in [
            "",
            "1",
            "h",
            "1y",
            "-1h",
            "1.5h",
            "99999999999999999999d",
            "9999999999999w",
            "yesterday",
            "1h ",
        ] {
            let message = Moment::parse(text).unwrap_err();
            assert!(
                message.contains("such as 30s") && message.contains("RFC 3339"),
                "{text}: {message}"
            );
        }
    }
}
