//! All rules, compiled whole.
//!
//! # Invariants
//!
//! - A rule set never changes; another set of files makes another rule set.
//! - Matching a bus gives the rules that match alone, in the order of the files.
//!
//! # Not here
//!
//! - When to load: whoever watches the files decides.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use pattern::{Event, EventError, Matcher, PatternIndex};
use sha2::{Digest, Sha256};

use crate::inline_test::TestReport;
use crate::rule::Rule;
use crate::source::SourceFile;

pub struct RuleSet {
    rules: Vec<Arc<Rule>>,
    by_bus: BTreeMap<String, BusRules>,
    digest: String,
}

/// The rules of one bus.
pub struct BusRules {
    rules: Vec<Arc<Rule>>,
    /// Positions in `rules` of the enabled ones, in the order that the matcher knows them in.
    enabled: Vec<usize>,
    matcher: Matcher,
}

/// Buffers of matching, to be used again.
#[derive(Default)]
pub struct Scratch {
    pub(crate) pattern: pattern::Scratch,
    pub(crate) matched: Vec<PatternIndex>,
}

impl RuleSet {
    /// No rules at all.
    pub fn empty() -> Self {
        Self::new(Vec::new(), &[])
    }

    pub(crate) fn new(rules: Vec<Arc<Rule>>, files: &[SourceFile]) -> Self {
        let mut by_bus: BTreeMap<String, Vec<Arc<Rule>>> = BTreeMap::new();
        for rule in &rules {
            by_bus.entry(rule.bus.clone()).or_default().push(Arc::clone(rule));
        }
        let by_bus = by_bus.into_iter().map(|(bus, rules)| (bus, BusRules::new(rules))).collect();
        Self { rules, by_bus, digest: digest(files) }
    }

    /// In the order of the files; disabled ones included.
    pub fn rules(&self) -> &[Arc<Rule>] {
        &self.rules
    }

    /// The buses that a rule listens on, in the order of their names.
    pub fn buses(&self) -> impl Iterator<Item = &str> {
        self.by_bus.keys().map(String::as_str)
    }

    /// The rules of a bus; none when no rule listens on it.
    pub fn on(&self, bus: &str) -> Option<&BusRules> {
        self.by_bus.get(bus)
    }

    /// Runs the tests that the rules bring along.
    pub fn test(&self) -> TestReport {
        TestReport::of(&self.rules)
    }

    /// Changes whenever a file does: SHA-256 over paths and texts, in hexadecimal.
    pub fn digest(&self) -> &str {
        &self.digest
    }
}

impl std::fmt::Debug for RuleSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RuleSet({} rules, {})", self.rules.len(), self.digest)
    }
}

impl BusRules {
    fn new(rules: Vec<Arc<Rule>>) -> Self {
        let enabled: Vec<usize> =
            rules.iter().enumerate().filter(|(_, rule)| rule.enabled).map(|(at, _)| at).collect();
        let patterns: Vec<_> =
            rules.iter().filter(|rule| rule.enabled).map(|rule| rule.pattern.clone()).collect();
        Self { rules, enabled, matcher: Matcher::new(&patterns) }
    }

    /// In the order of the files; disabled ones included.
    pub fn rules(&self) -> &[Arc<Rule>] {
        &self.rules
    }

    /// The enabled rules that match the event, an envelope as checked JSON.
    ///
    /// # Errors
    ///
    /// When the event is no JSON object.
    pub fn matches(
        &self,
        event: &[u8],
        scratch: &mut Scratch,
    ) -> Result<Vec<Arc<Rule>>, EventError> {
        let Scratch { pattern, matched } = scratch;
        self.matcher.matches(Event::checked_before(event), pattern, matched)?;
        matched.sort_unstable();
        let rule = |index: &PatternIndex| {
            let at = usize::try_from(index.0).ok()?;
            Some(Arc::clone(self.rules.get(*self.enabled.get(at)?)?))
        };
        Ok(matched.iter().filter_map(rule).collect())
    }
}

fn digest(files: &[SourceFile]) -> String {
    let mut hash = Sha256::new();
    for file in files {
        for part in [&file.path, &file.text] {
            let len = u64::try_from(part.len()).expect("a length fits in 64 bits");
            hash.update(len.to_le_bytes());
            hash.update(part);
        }
    }
    hash.finalize().iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").expect("a String takes every text");
        hex
    })
}
