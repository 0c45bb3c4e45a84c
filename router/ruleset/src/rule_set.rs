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

use std::collections::{BTreeMap, HashMap};
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
    /// By number of the pattern in the matcher: the position in `rules` of an enabled one.
    by_pattern: Vec<Option<usize>>,
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
        Self { rules: Vec::new(), by_bus: BTreeMap::new(), digest: digest(&[]) }
    }

    pub(crate) fn new(rules: Vec<Arc<Rule>>, files: &[SourceFile], running: &Self) -> Self {
        let mut by_bus: BTreeMap<String, Vec<Arc<Rule>>> = BTreeMap::new();
        for rule in &rules {
            by_bus.entry(rule.bus.clone()).or_default().push(Arc::clone(rule));
        }
        let by_bus = by_bus
            .into_iter()
            .map(|(bus, rules)| {
                let rules = BusRules::new(rules, running.on(&bus));
                (bus, rules)
            })
            .collect();
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
        self.test_some(|_, _| true)
    }

    /// Runs those of the tests that are wanted, told by their rule and their name.
    pub fn test_some(&self, wanted: impl Fn(&Rule, &str) -> bool) -> TestReport {
        TestReport::of(&self.rules, wanted)
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
    fn new(rules: Vec<Arc<Rule>>, running: Option<&Self>) -> Self {
        if let Some(running) = running {
            return running.followed_by(rules);
        }
        let enabled = |at: &usize| rules[*at].enabled;
        let by_pattern: Vec<Option<usize>> = (0..rules.len()).filter(enabled).map(Some).collect();
        let patterns = by_pattern.iter().flatten().map(|at| rules[*at].pattern.clone());
        let matcher = Matcher::new(&patterns.collect::<Vec<_>>());
        Self { rules, by_pattern, matcher }
    }

    /// These rules in the place of the present ones. A rule of the same name keeps the number of its
    /// pattern, and with the same text the pattern is not compiled again.
    fn followed_by(&self, rules: Vec<Arc<Rule>>) -> Self {
        let mut numbers: HashMap<&str, usize> = HashMap::new();
        for (number, at) in self.by_pattern.iter().enumerate() {
            if let Some(at) = at {
                numbers.insert(&self.rules[*at].name, number);
            }
        }
        let mut by_pattern = vec![None; self.by_pattern.len()];
        let mut changes = Vec::new();
        let mut added = Vec::new();
        for (at, rule) in rules.iter().enumerate().filter(|(_, rule)| rule.enabled) {
            let Some(number) = numbers.remove(rule.name.as_str()) else {
                added.push(at);
                continue;
            };
            by_pattern[number] = Some(at);
            let before = self.by_pattern[number].map(|at| self.rules[at].pattern.text());
            if before != Some(rule.pattern.text()) {
                changes.push((pattern_index(number), Some(rule.pattern.clone())));
            }
        }
        let mut free: Vec<usize> =
            (0..by_pattern.len()).filter(|number| by_pattern[*number].is_none()).collect();
        for at in added {
            let number = free.pop().unwrap_or(by_pattern.len());
            if by_pattern.len() <= number {
                by_pattern.push(None);
            }
            by_pattern[number] = Some(at);
            changes.push((pattern_index(number), Some(rules[at].pattern.clone())));
        }
        free.retain(|number| self.by_pattern[*number].is_some());
        changes.extend(free.into_iter().map(|number| (pattern_index(number), None)));
        let matcher = self.matcher.changed(&changes);
        Self { rules, by_pattern, matcher }
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
        let position =
            |index: &PatternIndex| *self.by_pattern.get(usize::try_from(index.0).ok()?)?;
        let mut positions: Vec<usize> = matched.iter().filter_map(position).collect();
        positions.sort_unstable();
        Ok(positions.into_iter().map(|at| Arc::clone(&self.rules[at])).collect())
    }
}

fn pattern_index(number: usize) -> PatternIndex {
    PatternIndex(u32::try_from(number).expect("fewer than 2^32 rules"))
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
