//! A rule in EventBridge's shape as one in ours.
//!
//! ```text
//! Name, EventBusName, Description, State, EventPattern, Targets ─▶ name, bus, description, enabled, pattern, targets
//! ```
//!
//! # Invariants
//!
//! - Every key is carried over, noted, or lost with a reason: none is passed over in silence.
//!
//! # Not here
//!
//! - Whether the rule is right: it is read like any other afterwards.

use super::arn;
use super::build::{as_text, list, map, member, members, placed, text};
use super::destination::Destinations;
use super::notes::Notes;
use super::target;
use crate::yaml::{self, Member, Node, Span, Value};

/// As deep as a rule file may be.
const DEPTH_MAX: usize = 90;

const DESCRIBED: [&str; 4] = ["Arn", "CreatedBy", "ResponseMetadata", "CreatedAt"];

/// What stands for a rule: its properties, and targets that stand elsewhere.
pub(super) struct Foreign<'n> {
    pub properties: &'n Node,
    /// When the properties give none.
    pub name: Option<&'n str>,
    /// Beside `Targets` of the properties.
    pub targets: Vec<&'n Node>,
    pub span: Span,
}

/// The rule as a document of ours; none when there is nothing to write.
pub(super) fn translate(
    foreign: &Foreign<'_>,
    destinations: &dyn Destinations,
    notes: &mut Notes,
) -> Option<Node> {
    let given = |key: &str| foreign.properties.member(key);
    if let Some(managed) = given("ManagedBy") {
        let reason =
            "the rule belongs to a service of Amazon, which makes it again when it needs it";
        notes.lost(&managed.key_span, "ManagedBy", reason);
        return None;
    }
    let mut rule = Vec::new();
    rule.push(member("name", name(foreign, notes)?));
    if let Some(bus) = given("EventBusName").filter(|it| !matches!(it.value.value, Value::Null)) {
        rule.extend(bus_member(bus, notes)?);
    }
    for Member { key, key_span, value } in members(foreign.properties) {
        match key.as_str() {
            "Name" | "EventBusName" | "EventPattern" | "Targets" => (),
            "Description" if notes.is_known(value, key) => {
                let is_empty = as_text(value).is_some_and(str::is_empty);
                rule.extend((!is_empty).then(|| member("description", value.clone())));
            }
            "State" if notes.is_known(value, key) => rule.extend(state(value, notes)),
            "Description" | "State" => (),
            "ScheduleExpression" => {
                let reason =
                    "rules here wait for events, not for a time: let cron send an event to the bus";
                notes.lost(key_span, key, reason);
            }
            "RoleArn" => {
                notes.note(key_span, key, "roles belong to Amazon; nothing here needs one")
            }
            "Tags" => notes.lost(key_span, key, "rules have no tags"),
            key if DESCRIBED.contains(&key) => (),
            key => notes.lost(key_span, key, "this key is not known"),
        }
    }
    let pattern = pattern(foreign, notes)?;
    rule.push(member("pattern", pattern));
    let targets = targets(foreign, destinations, notes)?;
    rule.push(member("targets", targets));
    Some(map(&foreign.span, rule))
}

fn name(foreign: &Foreign<'_>, notes: &mut Notes) -> Option<Node> {
    match (foreign.properties.member("Name"), foreign.name) {
        (Some(name), _) if notes.is_known(&name.value, "Name") => Some(name.value.clone()),
        (Some(_) | None, Some(name)) => Some(text(&foreign.span, name)),
        (Some(_), None) => None,
        (None, None) => {
            notes.lost(&foreign.span, "Name", "the rule has no name: add `Name`");
            None
        }
    }
}

/// `bus:`; nothing for the default one.
fn bus_member(found: &Member, notes: &mut Notes) -> Option<Option<Member>> {
    let Some(name) = as_text(&found.value) else {
        notes.lost(&found.key_span, "EventBusName", "it is no text");
        return None;
    };
    let name = arn::bus_of(name);
    // What is unknown of an ARN may be its region, which does not matter here.
    if name.contains("${") && !notes.is_known(&found.value, "EventBusName") {
        return None;
    }
    let here = arn::bus_here(name);
    if here != name {
        notes.note(
            &found.key_span,
            "EventBusName",
            format!("the bus `{name}` is called `{here}` here"),
        );
    }
    Some((here != "default").then(|| member("bus", text(&found.value.span, &here))))
}

fn state(value: &Node, notes: &mut Notes) -> Option<Member> {
    match as_text(value) {
        Some("ENABLED") => None,
        Some("DISABLED") => {
            Some(member("enabled", Node::new(value.span.clone(), Value::Bool(false))))
        }
        Some("ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS") => {
            notes.note(
                &value.span,
                "State",
                "there is no CloudTrail here: the rule is just enabled",
            );
            None
        }
        _ => {
            notes.lost(&value.span, "State", "it is neither ENABLED nor DISABLED");
            None
        }
    }
}

fn pattern(foreign: &Foreign<'_>, notes: &mut Notes) -> Option<Node> {
    let Some(found) = foreign.properties.member("EventPattern") else {
        if foreign.properties.member("ScheduleExpression").is_none() {
            notes.lost(&foreign.span, "EventPattern", "the rule has no pattern");
        }
        return None;
    };
    if !notes.is_known(&found.value, "EventPattern") {
        return None;
    }
    let span = &found.value.span;
    let pattern = match &found.value.value {
        Value::Text(text) => json(text, span),
        _ => Some(found.value.clone()),
    };
    match pattern {
        None => notes.lost(span, "EventPattern", "the text is no JSON"),
        Some(pattern) if matches!(pattern.value, Value::Map(_)) => return Some(pattern),
        Some(_) => notes.lost(span, "EventPattern", "a pattern is a map, and this is none"),
    }
    None
}

fn targets(
    foreign: &Foreign<'_>,
    destinations: &dyn Destinations,
    notes: &mut Notes,
) -> Option<Node> {
    let own = foreign.properties.member("Targets").map(|member| &member.value);
    let mut found: Vec<&Node> = Vec::new();
    match own.map(|node| &node.value) {
        None => (),
        Some(Value::List(items)) => found.extend(items),
        Some(_) => notes.lost(&foreign.span, "Targets", "it is no list"),
    }
    found.extend(&foreign.targets);
    if found.is_empty() {
        notes.lost(
            &foreign.span,
            "Targets",
            "the rule has no target, and one without goes nowhere",
        );
        return None;
    }
    let translated: Vec<Node> =
        found.iter().filter_map(|node| target::translate(node, destinations, notes)).collect();
    if translated.is_empty() {
        notes.lost(&foreign.span, "Targets", "no target is left, so the rule is not written");
        return None;
    }
    Some(list(&foreign.span, translated))
}

/// The tree of a text that is JSON.
pub(super) fn json(text: &str, span: &Span) -> Option<Node> {
    let limits = event::Limits { depth_max: DEPTH_MAX, ..event::Limits::default() };
    crate::json::check(text, &limits).ok()?;
    let (mut documents, faults) = yaml::read(text);
    if !faults.is_empty() || 1 < documents.len() {
        return None;
    }
    match documents.pop() {
        Some(node) => Some(placed(node, span)),
        None => (text.trim() == "null").then(|| Node::new(span.clone(), Value::Null)),
    }
}
