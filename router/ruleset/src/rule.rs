//! A rule and its targets, compiled.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use pattern::{Event, Matcher, Pattern};

use crate::flow::Flow;
use crate::inline_test::InlineTest;
use crate::rule_set::Scratch;
use crate::transform::Step;

/// A pattern on a bus, and where the events go that it matches.
#[derive(Debug)]
pub struct Rule {
    /// Unique on its bus.
    pub name: String,
    pub bus: String,
    pub description: Option<String>,
    /// Whether it matches anything at all.
    pub enabled: bool,
    pub pattern: Pattern,
    /// At least one; ids are unique.
    pub targets: Vec<Arc<Target>>,
    /// The file it is from.
    pub path: String,
    /// Where it begins in the file; the first line is 1.
    pub line: usize,
    pub(crate) matcher: Alone,
    pub(crate) tests: Vec<InlineTest>,
}

impl Rule {
    /// Whether this rule, by itself, matches the event, an envelope as checked JSON. A disabled one does not.
    pub fn matches(&self, event: &[u8], scratch: &mut Scratch) -> bool {
        self.enabled && self.matches_pattern(event, scratch)
    }

    pub(crate) fn matches_pattern(&self, event: &[u8], scratch: &mut Scratch) -> bool {
        let Scratch { pattern, matched } = scratch;
        let event = Event::checked_before(event);
        let matcher = self.matcher.of(&self.pattern);
        matcher.matches(event, pattern, matched).is_ok() && !matched.is_empty()
    }
}

/// The matcher of one pattern, made when it is first asked for: most rules are only asked together.
#[derive(Default)]
pub(crate) struct Alone(OnceLock<Matcher>);

impl Alone {
    fn of(&self, pattern: &Pattern) -> &Matcher {
        self.0.get_or_init(|| Matcher::new(std::slice::from_ref(pattern)))
    }
}

impl fmt::Debug for Alone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Alone")
    }
}

/// Where events of a rule go, and what is made of them on the way.
#[derive(Debug)]
pub struct Target {
    /// Unique in its rule.
    pub id: String,
    pub kind: TargetKind,
    /// Run in this order; none means that the event is sent as it is.
    pub steps: Vec<Step>,
    /// The line of each step in the file of the rule.
    pub step_lines: Vec<usize>,
    pub retry: Retry,
    pub flow: Flow,
    pub(crate) limits: event::Limits,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TargetKind {
    Http(Http),
    Log(Log),
    Bus(BusTarget),
}

impl TargetKind {
    /// As in a rule file: `http`, `log` or `bus`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Http(_) => "http",
            Self::Log(_) => "log",
            Self::Bus(_) => "bus",
        }
    }
}

/// An endpoint that gets one `POST` per output.
#[derive(Clone, PartialEq, Eq)]
pub struct Http {
    /// `http` or `https`, with a host. May hold a secret.
    pub url: String,
    /// May hold secrets.
    pub headers: Vec<(String, String)>,
    /// For one attempt.
    pub timeout: Duration,
    /// The name of the configuration's connection that it goes over.
    pub connection: Option<String>,
    /// The URL as it stands in the file, before values were filled in: safe to show.
    pub url_shown: String,
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("Http")
            .field("url", &self.url_shown)
            .field("headers", &names)
            .field("timeout", &self.timeout)
            .field("connection", &self.connection)
            .finish()
    }
}

/// A line per output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// The console when none.
    pub file: Option<String>,
}

/// Another bus of this router.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BusTarget {
    pub bus: String,
}

/// How often and how long an undelivered output is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// Attempts in all, the first included. At least 1.
    pub attempts_max: u32,
    /// No attempt later than this after the event came in.
    pub age_max: Duration,
    /// The upper bound of the first delay; it doubles with each attempt.
    pub backoff_min: Duration,
    /// The upper bound of every delay.
    pub backoff_max: Duration,
}

impl Default for Retry {
    /// 185 attempts within 24 hours, with delays up to 500 ms at first and 10 minutes at last.
    fn default() -> Self {
        Self {
            attempts_max: 185,
            age_max: Duration::from_secs(24 * 60 * 60),
            backoff_min: Duration::from_millis(500),
            backoff_max: Duration::from_secs(10 * 60),
        }
    }
}
