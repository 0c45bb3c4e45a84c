//! Why the rules of a bus match an event, or do not, and what each target would be sent: step by step.
//!
//! # Invariants
//!
//! - Nothing is sent.
//! - What may be secret is not told: a target is shown as its file shows it.
//! - bounded: so many rules are told of, and so much of each body.
//!
//! # Not here
//!
//! - What really happened to an event: `bus` knows.

use bus::ruleset::pattern::{self, Pattern};
use bus::ruleset::{
    About, Payload, Purpose, Rule, RuleSet, Scratch, Target, TargetKind, TransformError,
};
use event::{Event, Timestamp};
use serde::{Deserialize, Serialize};

use crate::config::nearest;

/// Rules that match and are told of, when none is named.
const MATCHES_MAX: usize = 20;
/// Rules that nearly match and are told of.
const NEARLY_MAX: usize = 5;
/// Rules beyond which nobody waits for the nearest to be found.
const RANKED_MAX: usize = 10_000;
/// Of a body that is told.
const BODY_CHARS_MAX: usize = 16_384;
/// Outputs of a step that are told.
const OUTPUTS_MAX: usize = 20;
const RULES_NAMED_MAX: usize = 12;

/// What is to be explained.
#[derive(Clone, Copy)]
pub(crate) struct Question<'a> {
    pub(crate) bus: &'a str,
    pub(crate) event: &'a Event,
    /// When the event came in.
    pub(crate) ingested: Timestamp,
    /// None: all of the bus.
    pub(crate) rule: Option<&'a str>,
    /// Of a delivery plugins' lines are heard, of a look none.
    pub(crate) purpose: Purpose,
}

/// What the rules make of an event.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Explained {
    pub bus: String,
    /// The rule that was named, or those that match.
    pub rules: Vec<RuleExplained>,
    /// How many rules of the bus match.
    pub matches: usize,
    /// How many the bus has.
    pub of: usize,
    /// When none was named: those that nearly match, and what is in the way first.
    pub nearly: Vec<Nearly>,
}

/// A rule, and why it matches or does not.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct RuleExplained {
    pub rule: String,
    pub bus: String,
    pub path: String,
    pub line: usize,
    pub enabled: bool,
    /// Whether the pattern matches the event.
    pub matches: bool,
    /// In one line.
    pub why: String,
    /// Field by field, as people read it.
    pub fields: String,
    /// What each would be sent; none when the pattern does not match.
    pub targets: Vec<TargetExplained>,
}

/// What a target would be sent.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct TargetExplained {
    pub target: String,
    /// Where it goes, without what may be secret.
    pub to: String,
    pub order_by: Option<String>,
    /// The key whose deliveries run one at a time; none when there is no such value in the event.
    pub order_key: Option<String>,
    pub steps: Vec<StepExplained>,
    pub outputs: Vec<Output>,
    /// How many there are.
    pub outputs_total: usize,
    pub error: Option<String>,
    /// Whether the event is tried again after the error; else it is a dead letter at once.
    pub is_retried: bool,
}

/// What there is after a step.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct StepExplained {
    /// From 1.
    pub number: usize,
    pub step: String,
    /// In the file of the rule.
    pub line: Option<usize>,
    pub outputs: Vec<Output>,
    pub outputs_total: usize,
    /// What its plugin logged.
    pub log: Vec<String>,
    pub error: Option<String>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Output {
    pub content_type: String,
    pub body: String,
    /// There is more of the body, which is not told.
    pub cut: bool,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Nearly {
    pub rule: String,
    pub enabled: bool,
    pub fits: usize,
    pub of: usize,
    pub why: String,
}

/// Why there is nothing to explain.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExplainError {
    #[error("{0}")]
    UnknownRule(String),

    #[error("no rule listens on the bus `{bus}`{mend}")]
    NoRules { bus: String, mend: String },
}

/// What the rules make of it. `log` hands out the lines that plugins have logged since it was last asked.
pub(crate) fn explain(
    rules: &RuleSet,
    question: Question<'_>,
    log: &dyn Fn() -> Vec<String>,
) -> Result<Explained, ExplainError> {
    let Question { bus, event, rule, .. } = question;
    let on_bus: Vec<&Rule> =
        rules.rules().iter().map(|rule| &**rule).filter(|rule| rule.bus == bus).collect();
    let (mut matches, mut scratch) = (Vec::new(), Scratch::default());
    if let Some(on_bus) = rules.on(bus) {
        matches = on_bus.matches(event.bytes(), &mut scratch).unwrap_or_default();
    }
    let mut explained = Explained {
        bus: bus.to_owned(),
        matches: matches.len(),
        of: on_bus.len(),
        ..Explained::default()
    };
    if let Some(name) = rule {
        let rule = named(rules, name, bus)?;
        explained.rules.push(one(rule, question, log));
        return Ok(explained);
    }
    if on_bus.is_empty() {
        let buses: Vec<&str> = rules.buses().collect();
        let mend = nearest(bus, &buses).map_or_else(
            || format!("; the rules listen on: {}", buses.join(", ")),
            |near| format!("; did you mean `{near}`?"),
        );
        return Err(ExplainError::NoRules { bus: bus.to_owned(), mend });
    }
    let told = matches.iter().take(MATCHES_MAX);
    explained.rules = told.map(|rule| one(rule, question, log)).collect();
    let others: Vec<&Rule> = on_bus
        .into_iter()
        .filter(|rule| matches.iter().all(|matched| matched.name != rule.name))
        .collect();
    explained.nearly = nearly(&others, event);
    Ok(explained)
}

/// The rule of this name, the one of the bus if there is one.
fn named<'r>(rules: &'r RuleSet, name: &str, bus: &str) -> Result<&'r Rule, ExplainError> {
    let mut all: Vec<&Rule> = rules.rules().iter().map(|rule| &**rule).collect();
    all.sort_by_key(|rule| rule.bus != bus);
    if let Some(rule) = all.iter().copied().find(|rule| rule.name == name) {
        return Ok(rule);
    }
    let names: Vec<&str> = all.iter().map(|rule| rule.name.as_str()).collect();
    let mend = match nearest(name, &names) {
        Some(near) => format!("did you mean `{near}`?"),
        None if names.is_empty() => "there is none".to_owned(),
        None => {
            let shown = names.iter().take(RULES_NAMED_MAX).copied().collect::<Vec<_>>();
            let more = if shown.len() < names.len() { " and others" } else { "" };
            format!("there are: {}{more}", shown.join(", "))
        }
    };
    Err(ExplainError::UnknownRule(format!("there is no rule `{name}`; {mend}")))
}

fn one(rule: &Rule, question: Question<'_>, log: &dyn Fn() -> Vec<String>) -> RuleExplained {
    let event = pattern::Event::checked_before(question.event.bytes());
    let (matches, why, fields) = match pattern::explain(&rule.pattern, event) {
        Ok(explanation) => (explanation.is_match(), explanation.why(), explanation.to_string()),
        Err(error) => (false, error.message.clone(), error.message),
    };
    let targets = rule.targets.iter().filter(|_| matches);
    RuleExplained {
        rule: rule.name.clone(),
        bus: rule.bus.clone(),
        path: rule.path.clone(),
        line: rule.line,
        enabled: rule.enabled,
        matches,
        why,
        fields,
        targets: targets.map(|target| of_target(rule, target, question, log)).collect(),
    }
}

fn of_target(
    rule: &Rule,
    target: &Target,
    Question { event, ingested, purpose, .. }: Question<'_>,
    log: &dyn Fn() -> Vec<String>,
) -> TargetExplained {
    let about = About {
        rule: &rule.name,
        target: &target.id,
        bus: &rule.bus,
        replay: event.replay_name(),
        ingested,
        purpose,
    };
    log();
    let mut logs = Vec::new();
    let traced = target.trace(event, &about, |_| logs.push(log()));
    let mut explained = TargetExplained {
        target: target.id.clone(),
        to: to(target),
        order_by: target.flow.order_by.as_ref().map(|order| order.path().to_owned()),
        order_key: target
            .flow
            .order_by
            .as_ref()
            .and_then(|order| order.key(event).map(std::borrow::Cow::into_owned)),
        ..TargetExplained::default()
    };
    let all = traced.iter().zip(logs).zip(&target.steps).enumerate();
    for (at, ((traced, log), step)) in all {
        let outputs = traced.as_deref().unwrap_or_default();
        explained.steps.push(StepExplained {
            number: at + 1,
            step: step.title(),
            line: target.step_lines.get(at).copied(),
            outputs: shown(outputs),
            outputs_total: outputs.len(),
            log,
            error: traced.as_ref().err().map(ToString::to_string),
        });
    }
    match traced.last() {
        None => {
            let body = event.json().to_owned();
            let (content_type, attributes) = ("application/json".to_owned(), Vec::new());
            explained.outputs = shown(&[Payload { body, content_type, attributes }]);
            explained.outputs_total = 1;
        }
        Some(Ok(outputs)) => {
            explained.outputs = shown(outputs);
            explained.outputs_total = outputs.len();
        }
        Some(Err(error)) => {
            explained.error = Some(error.to_string());
            explained.is_retried = !matches!(error, TransformError::Final(_));
        }
    }
    explained
}

fn shown(outputs: &[Payload]) -> Vec<Output> {
    let one = |output: &Payload| {
        let end = output.body.char_indices().nth(BODY_CHARS_MAX).map(|(at, _)| at);
        let body = output.body.get(..end.unwrap_or(output.body.len())).unwrap_or_default();
        let content_type = output.content_type.clone();
        Output { content_type, body: body.to_owned(), cut: end.is_some() }
    };
    outputs.iter().take(OUTPUTS_MAX).map(one).collect()
}

fn to(target: &Target) -> String {
    match &target.kind {
        TargetKind::Http(http) if http.url_shown.contains("${") => {
            format!("POST {}", http.url_shown)
        }
        TargetKind::Http(http) => {
            format!("POST {}", bus::delivery::shown_url(&http.url_shown))
        }
        TargetKind::Log(log) => match &log.file {
            Some(file) => format!("file {file}"),
            None => "the console".to_owned(),
        },
        TargetKind::Bus(bus) => format!("bus {}", bus.bus),
    }
}

fn nearly(rules: &[&Rule], event: &Event) -> Vec<Nearly> {
    if RANKED_MAX < rules.len() {
        return Vec::new();
    }
    let patterns: Vec<Pattern> = rules.iter().map(|rule| rule.pattern.clone()).collect();
    let event = pattern::Event::checked_before(event.bytes());
    let near = pattern::nearest(&patterns, event, NEARLY_MAX).map(|near| near.patterns);
    let nearly = near.unwrap_or_default().into_iter().filter_map(|near| {
        let rule = rules.get(usize::try_from(near.pattern.0).ok()?)?;
        let why = if near.is_match && !rule.enabled {
            "it matches, and is disabled".to_owned()
        } else {
            near.why
        };
        let (name, enabled) = (rule.name.clone(), rule.enabled);
        Some(Nearly { rule: name, enabled, fits: near.fits, of: near.of, why })
    });
    nearly.collect()
}
