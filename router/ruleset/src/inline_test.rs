//! The tests that a rule brings along: an event, and what should be sent for it.
//!
//! ```yaml
//! tests:
//!   - name: a big one
//!     event: { source: com.shopvn.order, detail-type: OrderCreated, detail: { orderId: o-1 } }
//!     expect: { crm: { order: o-1 } }
//! ```
//!
//! # Invariants
//!
//! - A test says the same on every machine and every day: what its event leaves out is always filled
//!   with the same values, and nothing is sent.
//! - A disabled rule is tested as if it were enabled.
//! - Where a plugin runs beside another one, each test is run by the rule's own plugins and then by those beside them:
//!   none of them gets events while it breaks a test. No figure moves.

use std::ops::Range;

use event::{Event, Timestamp};
use serde::Serialize;

use crate::code::Code;
use crate::diagnostic::Diagnostic;
use crate::expectation::{self, Came, Wanted, Words};
use crate::plugins::Purpose;
use crate::rule::{Rule, Target};
use crate::rule_set::Scratch;
use crate::transform::About;
use crate::written::{Change, Settled, Written};

/// When the events of tests come in: 2026-01-01T00:00:00Z.
pub(crate) const TIME: Timestamp = Timestamp::from_millis(1_767_225_600_000);
pub(crate) const STAMP: event::Stamp<'static> = event::Stamp {
    id: "00000000-0000-0000-0000-000000000000",
    time: TIME,
    account: "000000000000",
    region: "local",
};

#[derive(Debug, Clone)]
pub(crate) struct InlineTest {
    pub name: String,
    pub event: Event,
    pub expect: Expect,
    pub place: Place,
    pub written: Written,
}

/// A place in the file of the rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub span: Range<usize>,
    pub line: usize,
    pub column: usize,
    pub end_column: usize,
}

#[derive(Debug, Clone)]
pub(crate) enum Expect {
    /// The rule does not match, or nothing is sent.
    Nothing,
    /// Targets that are not named are not looked at.
    Targets(Vec<Expected>),
}

#[derive(Debug, Clone)]
pub(crate) struct Expected {
    pub target: String,
    pub wanted: Wanted,
    pub place: Place,
}

/// What came of all tests.
#[derive(Debug, Clone, Default, Serialize)]
pub struct TestReport {
    pub passed: usize,
    /// One for each failed test.
    pub failures: Vec<Diagnostic>,
    /// One for each test, in the order of the files.
    pub outcomes: Vec<TestOutcome>,
    /// What has to change in the file of a failed test, so that what came is what is expected: by its position
    /// among the outcomes.
    #[serde(skip)]
    pub changes: Vec<(usize, Change)>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TestOutcome {
    /// None of a recorded event, which is for all rules of its bus.
    pub rule: Option<String>,
    pub test: String,
    pub path: String,
    pub line: usize,
    /// Why it failed; none when it passed.
    pub failure: Option<String>,
    /// It failed, and what came is what it expects now.
    pub updated: bool,
}

/// Why a test failed, and where.
pub(crate) struct Failure<'t> {
    pub place: &'t Place,
    pub words: Words,
}

impl TestReport {
    /// Runs the tests of the rules, those that are `wanted`.
    pub(crate) fn of<'r>(
        rules: impl IntoIterator<Item = &'r std::sync::Arc<Rule>>,
        wanted: impl Fn(&Rule, &str) -> bool,
    ) -> Self {
        let mut report = Self::default();
        let mut scratch = Scratch::default();
        for rule in rules {
            for test in rule.tests.iter().filter(|test| wanted(rule, &test.name)) {
                let failure = test.run(rule, &mut scratch).err();
                if failure.is_some() {
                    let changes = test.written.changes(&test.settled(rule, &mut scratch));
                    let at = report.outcomes.len();
                    report.changes.extend(changes.into_iter().map(|change| (at, change)));
                }
                let title = format!("test `{}` of rule `{}`", test.name, rule.name);
                let outcome = TestOutcome {
                    rule: Some(rule.name.clone()),
                    test: test.name.clone(),
                    path: rule.path.clone(),
                    line: test.place.line,
                    failure: None,
                    updated: false,
                };
                report.add(outcome, &title, failure);
            }
        }
        report
    }

    /// `outcome` is that of a test that passed.
    pub(crate) fn add(&mut self, outcome: TestOutcome, title: &str, failure: Option<Failure<'_>>) {
        let Some(Failure { place, words: (message, label, mend) }) = failure else {
            self.passed += 1;
            self.outcomes.push(outcome);
            return;
        };
        let words = match label.as_str() {
            "" => message.clone(),
            label => format!("{message}: {label}"),
        };
        self.failures.push(Diagnostic {
            severity: Code::TestFailed.severity(),
            code: Code::TestFailed,
            path: outcome.path.clone(),
            span: place.span.clone(),
            line: place.line,
            column: place.column,
            end_column: place.end_column,
            message: format!("{title} failed: {message}"),
            label,
            mend,
            page: Code::TestFailed.page(),
        });
        self.outcomes.push(TestOutcome { failure: Some(words), ..outcome });
    }

    /// Both, this one first.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        let before = self.outcomes.len();
        self.passed += other.passed;
        self.failures.extend(other.failures);
        self.outcomes.extend(other.outcomes);
        self.changes.extend(other.changes.into_iter().map(|(at, change)| (before + at, change)));
        self
    }
}

impl InlineTest {
    /// The targets that it says something about.
    pub(crate) fn targets(&self) -> impl Iterator<Item = &str> {
        let all = match &self.expect {
            Expect::Nothing => &[][..],
            Expect::Targets(all) => all,
        };
        all.iter().map(|expected| expected.target.as_str())
    }

    fn run(&self, rule: &Rule, scratch: &mut Scratch) -> Result<(), Failure<'_>> {
        let is_match = rule.matches_pattern(self.event.bytes(), scratch);
        self.run_for(Purpose::Test, rule, is_match)?;
        let beside = rule.targets.iter().flat_map(|target| target.beside());
        let mut others: Vec<String> =
            beside.map(|beside| format!("the {} `{}`", beside.kind, beside.plugin)).collect();
        others.dedup();
        if others.is_empty() {
            return Ok(());
        }
        self.run_for(Purpose::TestBeside, rule, is_match).map_err(|mut failure| {
            failure.words.0.push_str(&format!(", with {} in its place", others.join(" and ")));
            failure
        })
    }

    fn run_for(&self, purpose: Purpose, rule: &Rule, is_match: bool) -> Result<(), Failure<'_>> {
        match &self.expect {
            Expect::Nothing if !is_match => Ok(()),
            Expect::Nothing => {
                let mut targets = rule.targets.iter();
                targets.try_for_each(|target| self.sends_nothing(purpose, rule, target))
            }
            Expect::Targets(_) if !is_match => {
                let words = (
                    "the rule does not match this event".to_owned(),
                    "not matched by the pattern".to_owned(),
                    "change the pattern or the event, or expect `none`".to_owned(),
                );
                Err(Failure { place: &self.place, words })
            }
            Expect::Targets(expected) => {
                expected.iter().try_for_each(|expected| self.sends(purpose, rule, expected))
            }
        }
    }

    fn sends_nothing(
        &self,
        purpose: Purpose,
        rule: &Rule,
        target: &Target,
    ) -> Result<(), Failure<'_>> {
        let id = &target.id;
        let words = match self.came(purpose, rule, target) {
            Ok(outputs) if outputs.is_empty() => return Ok(()),
            Ok(outputs) => {
                let message = format!("nothing is expected, and `{id}` is sent something");
                (message, "expects none".to_owned(), expectation::it_is_sent(&outputs))
            }
            came @ Err(_) => {
                let nothing = Wanted::Outputs(Vec::new());
                expectation::differs(id, &nothing, &came).unwrap_or_default()
            }
        };
        Err(Failure { place: &self.place, words })
    }

    fn sends<'t>(
        &'t self,
        purpose: Purpose,
        rule: &Rule,
        expected: &'t Expected,
    ) -> Result<(), Failure<'t>> {
        let Some(target) = rule.targets.iter().find(|target| target.id == expected.target) else {
            return Ok(()); // Loading refuses tests of targets that do not exist.
        };
        let came = self.came(purpose, rule, target);
        match expectation::differs(&target.id, &expected.wanted, &came) {
            Some(words) => Err(Failure { place: &expected.place, words }),
            None => Ok(()),
        }
    }

    fn came(&self, purpose: Purpose, rule: &Rule, target: &Target) -> Came {
        let (rule, bus, replay) = (rule.name.as_str(), rule.bus.as_str(), None);
        let about = About { rule, target: &target.id, bus, replay, ingested: TIME, purpose };
        target.transform(&self.event, &about)
    }

    /// What it would have to expect: of the targets it names, or of all when it names none.
    fn settled(&self, rule: &Rule, scratch: &mut Scratch) -> Settled {
        if !rule.matches_pattern(self.event.bytes(), scratch) {
            return Settled::Nothing;
        }
        let expected = |target: &Target| match &self.expect {
            Expect::Nothing => None,
            Expect::Targets(all) => all.iter().find(|expected| expected.target == target.id),
        };
        let is_named = self.targets().next().is_some();
        let targets = rule.targets.iter();
        let targets = targets.filter(|target| !is_named || expected(target).is_some());
        Settled::of(targets.map(|target| {
            let came = self.came(Purpose::Test, rule, target);
            let is_right = expected(target).is_some_and(|expected| {
                expectation::differs(&target.id, &expected.wanted, &came).is_none()
            });
            (target.id.clone(), came, is_right)
        }))
    }
}
