//! Running recorded events through the rules, and holding what comes against what is expected.
//!
//! Each event goes through the matcher of its whole bus once, as it would in a router; nothing is sent.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;

use super::{Case, Expected, Recorded};
use crate::expectation::{self, Came, Wanted, Words, differs};
use crate::inline_test::{Failure, TIME, TestOutcome, TestReport};
use crate::nearest::{list, nearest};
use crate::plugins::Purpose;
use crate::rule::Rule;
use crate::rule_set::{BusRules, RuleSet, Scratch};
use crate::transform::About;
use crate::written::Settled;

/// Of all the targets of a bus, so many are named when one is not there.
const NAMED_MAX: usize = 12;

/// A rule of which nothing, or not everything, is tested.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Untested {
    pub bus: String,
    pub rule: String,
    /// The targets of which no test says anything; all of them when there is no test of the rule.
    pub targets: Vec<String>,
    /// Whether there is no test of the rule at all.
    pub wholly: bool,
}

impl RuleSet {
    /// Runs the cases that are `wanted`, told by their name and by the targets that they name.
    pub fn test_recorded(
        &self,
        recorded: &Recorded,
        wanted: impl Fn(&str, &[&str]) -> bool,
    ) -> TestReport {
        let mut report = TestReport::default();
        let mut scratch = Scratch::default();
        for fault in &recorded.broken {
            report.outcomes.push(TestOutcome {
                rule: None,
                test: format!("line {}", fault.line),
                path: recorded.path.clone(),
                line: fault.line,
                failure: Some(fault.message.clone()),
                updated: false,
            });
            report.failures.push(fault.clone());
        }
        for case in &recorded.cases {
            let named = case.expect.iter().flatten().map(|one| one.name.as_str());
            if !wanted(&case.name, &named.collect::<Vec<_>>()) {
                continue;
            }
            let came = self.on(&case.bus).map(|bus| came(case, bus, &mut scratch));
            let failure = self.failure(case, came.as_ref());
            let bus = self.on(&case.bus).filter(|bus| failure.is_some() && case.is_known_to(bus));
            if let (Some(_), Some(came)) = (bus, came) {
                let (at, changes) =
                    (report.outcomes.len(), case.written.changes(&case.settled(came)));
                report.changes.extend(changes.into_iter().map(|change| (at, change)));
            }
            report.add(recorded.outcome(case), &format!("`{}`", case.name), failure);
        }
        report
    }

    /// The rules and targets of which neither an inline test nor one of `recorded` says anything.
    pub fn untested(&self, recorded: &[Recorded]) -> Vec<Untested> {
        let cases = recorded.iter().flat_map(|file| &file.cases);
        let named: BTreeSet<(&str, &str)> = cases
            .flat_map(|case| case.expect.iter().flatten().map(|one| (&*case.bus, &*one.name)))
            .collect();
        let mut all = Vec::new();
        for rule in self.rules() {
            let is_tested = |target: &str| {
                let inline = || rule.tests.iter().flat_map(|test| test.targets());
                named.contains(&(&*rule.bus, &*format!("{}/{target}", rule.name)))
                    || inline().any(|one| one == target)
            };
            let ids = rule.targets.iter().map(|target| target.id.clone());
            let targets: Vec<String> = ids.filter(|id| !is_tested(id)).collect();
            let wholly = rule.tests.is_empty() && targets.len() == rule.targets.len();
            if !targets.is_empty() {
                let (bus, rule) = (rule.bus.clone(), rule.name.clone());
                all.push(Untested { bus, rule, targets, wholly });
            }
        }
        all
    }

    fn failure<'c>(
        &self,
        case: &'c Case,
        came: Option<&BTreeMap<String, Came>>,
    ) -> Option<Failure<'c>> {
        let (Some(bus), Some(came)) = (self.on(&case.bus), came) else {
            return Some(Failure { place: &case.bus_place, words: self.no_bus(&case.bus) });
        };
        let Some(expect) = &case.expect else {
            let words = (
                "it does not say what is expected".to_owned(),
                "no `expect`".to_owned(),
                "`slipswitch test --update` writes what comes".to_owned(),
            );
            return Some(Failure { place: &case.place, words });
        };
        let wrong = expect.iter().find_map(|one| wrong(one, bus, came));
        wrong.or_else(|| {
            let is_named = |name: &str| expect.iter().any(|one| one.name == name);
            let more = came.iter().find(|(name, came)| !is_nothing(came) && !is_named(name));
            let (name, came) = more.filter(|_| !case.is_partial)?;
            let words = match came {
                Ok(outputs) => (
                    format!("nothing is expected for `{name}`, and it is sent something"),
                    format!("does not name `{name}`"),
                    expectation::it_is_sent(outputs),
                ),
                Err(_) => differs(name, &Wanted::Outputs(Vec::new()), came)?,
            };
            Some(Failure { place: &case.expect_place, words })
        })
    }

    fn no_bus(&self, bus: &str) -> Words {
        let buses: Vec<&str> = self.buses().collect();
        let mend = match nearest(bus, buses.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if buses.is_empty() => "there are no rules".to_owned(),
            None => format!(
                "rules listen on {}; name one as `bus`, or with `--bus` for all that name none",
                list(&buses)
            ),
        };
        (format!("no rule listens on the bus `{bus}`"), "no such bus".to_owned(), mend)
    }
}

impl Case {
    /// Whether there is everything that it names: what it should be called instead, only its author knows.
    fn is_known_to(&self, bus: &BusRules) -> bool {
        let mut named = self.expect.iter().flatten();
        named.all(|one| unknown(one, bus).is_none())
    }

    fn settled(&self, came: BTreeMap<String, Came>) -> Settled {
        let nothing = Wanted::Outputs(Vec::new());
        let expect = || self.expect.iter().flatten();
        // What is named and did not come is there as nothing.
        let mut all = came;
        for one in expect() {
            all.entry(one.name.clone()).or_insert_with(|| Ok(Vec::new()));
        }
        let is_named = |name: &str| expect().any(|one| one.name == *name);
        let all = all.into_iter().filter(|(name, _)| !self.is_partial || is_named(name));
        Settled::of(all.map(|(name, came)| {
            let wanted = expect().find(|one| one.name == name).map_or(&nothing, |one| &one.wanted);
            let is_right = differs(&name, wanted, &came).is_none();
            (name, came, is_right)
        }))
    }
}

/// What each target of the rules that match would be sent.
fn came(case: &Case, bus: &BusRules, scratch: &mut Scratch) -> BTreeMap<String, Came> {
    let event = &case.event;
    let matched = bus.matches(event.bytes(), scratch).unwrap_or_default();
    let mut all = BTreeMap::new();
    for rule in matched {
        for target in &rule.targets {
            let about = About {
                rule: &rule.name,
                target: &target.id,
                bus: &case.bus,
                replay: event.replay_name(),
                ingested: TIME,
                purpose: Purpose::Test,
            };
            all.insert(format!("{}/{}", rule.name, target.id), target.transform(event, &about));
        }
    }
    all
}

fn is_nothing(came: &Came) -> bool {
    came.as_ref().is_ok_and(Vec::is_empty)
}

/// What is wrong with one thing that is expected.
fn wrong<'c>(
    one: &'c Expected,
    bus: &BusRules,
    came: &BTreeMap<String, Came>,
) -> Option<Failure<'c>> {
    let rule = match unknown(one, bus) {
        Some(words) => return Some(Failure { place: &one.key, words }),
        None => rule_of(one, bus)?,
    };
    let words = match came.get(&one.name) {
        Some(came) => differs(&one.name, &one.wanted, came)?,
        None if one.wanted.is_nothing() => return None,
        None => unmatched(rule),
    };
    Some(Failure { place: &one.value, words })
}

fn rule_of<'r>(one: &Expected, bus: &'r BusRules) -> Option<&'r Arc<Rule>> {
    let (name, _) = one.name.split_once('/')?;
    bus.rules().iter().find(|rule| rule.name == name)
}

/// That there is no such rule or target.
fn unknown(one: &Expected, bus: &BusRules) -> Option<Words> {
    let (rule_name, target_id) = one.name.split_once('/').unwrap_or((&one.name, ""));
    let Some(rule) = rule_of(one, bus) else {
        let names: Vec<String> = targets(bus).collect();
        let mend = meant(&one.name, &names, "the bus has");
        return Some((format!("there is no rule `{rule_name}`"), "unknown rule".to_owned(), mend));
    };
    if rule.targets.iter().any(|target| target.id == target_id) {
        return None;
    }
    let ids: Vec<String> = rule.targets.iter().map(|target| target.id.clone()).collect();
    let message = format!("the rule `{rule_name}` has no target `{target_id}`");
    Some((message, "unknown target".to_owned(), meant(target_id, &ids, "it has")))
}

fn unmatched(rule: &Arc<Rule>) -> Words {
    let name = &rule.name;
    if !rule.enabled {
        let mend = "write `enabled: true` in the rule, or expect `none`".to_owned();
        return (format!("the rule `{name}` is disabled"), "gets nothing".to_owned(), mend);
    }
    let mend = "change the pattern or the event, or expect `none`".to_owned();
    let message = format!("the rule `{name}` does not match this event");
    (message, "not matched by its pattern".to_owned(), mend)
}

/// Every `rule/target` of a bus.
fn targets(bus: &BusRules) -> impl Iterator<Item = String> {
    bus.rules().iter().flat_map(|rule| {
        rule.targets.iter().map(move |target| format!("{}/{}", rule.name, target.id))
    })
}

fn meant(word: &str, known: &[String], otherwise: &str) -> String {
    match nearest(word, known.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => {
            let named: Vec<&str> = known.iter().take(NAMED_MAX).map(String::as_str).collect();
            let more = if named.len() < known.len() { " and others" } else { "" };
            format!("{otherwise} {}{more}", list(&named))
        }
    }
}
