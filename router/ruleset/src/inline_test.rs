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
use crate::json::{self, Difference, Kind};
use crate::plugins::Purpose;
use crate::rule::{Rule, Target};
use crate::rule_set::Scratch;
use crate::transform::{About, Payload};

/// How much of an output is repeated in a failure.
const SHOWN_CHARS: usize = 600;

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
    /// JSON texts, one for each output, in their order.
    pub outputs: Vec<String>,
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
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TestOutcome {
    pub rule: String,
    pub test: String,
    pub path: String,
    pub line: usize,
    /// Why it failed; none when it passed.
    pub failure: Option<String>,
}

struct Failure<'t> {
    place: &'t Place,
    message: String,
    label: String,
    mend: String,
}

impl TestReport {
    pub(crate) fn of<'r>(rules: impl IntoIterator<Item = &'r std::sync::Arc<Rule>>) -> Self {
        let mut report = Self::default();
        let mut scratch = Scratch::default();
        for rule in rules {
            for test in &rule.tests {
                let failure = test.run(rule, &mut scratch).err();
                report.add(rule, test, failure);
            }
        }
        report
    }

    fn add(&mut self, rule: &Rule, test: &InlineTest, failure: Option<Failure<'_>>) {
        let words = failure.as_ref().map(|Failure { message, label, .. }| {
            if label.is_empty() { message.clone() } else { format!("{message}: {label}") }
        });
        self.outcomes.push(TestOutcome {
            rule: rule.name.clone(),
            test: test.name.clone(),
            path: rule.path.clone(),
            line: test.place.line,
            failure: words,
        });
        let Some(Failure { place, message, label, mend }) = failure else {
            self.passed += 1;
            return;
        };
        self.failures.push(Diagnostic {
            severity: Code::TestFailed.severity(),
            code: Code::TestFailed,
            path: rule.path.clone(),
            span: place.span.clone(),
            line: place.line,
            column: place.column,
            end_column: place.end_column,
            message: format!("test `{}` of rule `{}` failed: {message}", test.name, rule.name),
            label,
            mend,
            page: Code::TestFailed.page(),
        });
    }
}

impl InlineTest {
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
        self.run_for(Purpose::TestBeside, rule, is_match).map_err(|failure| {
            let (message, others) = (&failure.message, others.join(" and "));
            Failure { message: format!("{message}, with {others} in its place"), ..failure }
        })
    }

    fn run_for(&self, purpose: Purpose, rule: &Rule, is_match: bool) -> Result<(), Failure<'_>> {
        match &self.expect {
            Expect::Nothing if !is_match => Ok(()),
            Expect::Nothing => {
                let mut targets = rule.targets.iter();
                targets.try_for_each(|target| self.sends_nothing(purpose, rule, target))
            }
            Expect::Targets(_) if !is_match => Err(self.fail(
                &self.place,
                (
                    "the rule does not match this event",
                    "not matched by the pattern",
                    "change the pattern or the event, or expect `none`",
                ),
            )),
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
        match self.outputs(purpose, (rule, target), &self.place)?.first() {
            None => Ok(()),
            Some(payload) => {
                let message = format!("nothing is expected, and `{}` is sent something", target.id);
                let mend = format!("it is sent:\n{}", shown(&payload.body));
                Err(self.fail(&self.place, (message, "expects none", mend)))
            }
        }
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
        let outputs = self.outputs(purpose, (rule, target), &expected.place)?;
        let id = &target.id;
        if outputs.len() != expected.outputs.len() {
            let message = format!("`{id}` is sent another number of outputs");
            let label = format!("expected {}, got {}", expected.outputs.len(), outputs.len());
            let all: Vec<String> = outputs.iter().map(|output| shown(&output.body)).collect();
            let mend = match all.as_slice() {
                [] => "a step dropped the event".to_owned(),
                all => format!("it is sent:\n{}", all.join("\n")),
            };
            return Err(self.fail(&expected.place, (message, label, mend)));
        }
        for (at, (wanted, output)) in expected.outputs.iter().zip(&outputs).enumerate() {
            let Some(label) = differs(wanted, output) else { continue };
            let message = match outputs.len() {
                1 => format!("`{id}` is sent something else"),
                all => format!("output {} of {all} to `{id}` is something else", at + 1),
            };
            let mend = format!("it is sent:\n{}", shown(&output.body));
            return Err(self.fail(&expected.place, (message, label, mend)));
        }
        Ok(())
    }

    fn outputs<'t>(
        &self,
        purpose: Purpose,
        (rule, target): (&Rule, &Target),
        place: &'t Place,
    ) -> Result<Vec<Payload>, Failure<'t>> {
        let (rule, bus, replay) = (rule.name.as_str(), rule.bus.as_str(), None);
        let about = About { rule, target: &target.id, bus, replay, ingested: TIME, purpose };
        target.transform(&self.event, &about).map_err(|error| Failure {
            place,
            message: format!("the transform of `{}` failed", target.id),
            label: error.to_string(),
            mend: String::new(),
        })
    }

    fn fail<'t, M: Into<String>, L: Into<String>, N: Into<String>>(
        &self,
        place: &'t Place,
        (message, label, mend): (M, L, N),
    ) -> Failure<'t> {
        Failure { place, message: message.into(), label: label.into(), mend: mend.into() }
    }
}

/// Where an output is not what was expected, in words.
///
/// Two JSON values are compared by value, anything else as text.
fn differs(expected: &str, output: &Payload) -> Option<String> {
    let text = (json::kind(expected) == Kind::Text)
        .then(|| expected.strip_prefix('"').and_then(|text| text.strip_suffix('"')))
        .flatten()
        .map(json::unescape);
    if text.is_some_and(|text| *text == output.body) {
        return None;
    }
    if json::check(&output.body, &event::Limits::default()).is_err() {
        let got = json_text(&output.body);
        return Some(format!("expected {}, got the text {}", shown(expected), shown(&got)));
    }
    let Difference { path, expected, actual } = json::difference(expected, &output.body)?;
    let value = |value: Option<String>| value.map_or("nothing".to_owned(), |text| shown(&text));
    let at = if path == "$" { String::new() } else { format!("at {path}: ") };
    Some(format!("{at}expected {}, got {}", value(expected), value(actual)))
}

fn json_text(text: &str) -> String {
    let mut quoted = String::new();
    json::push_quoted(&mut quoted, text);
    quoted
}

fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARS) {
        None => text.to_owned(),
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
    }
}
