//! The rules of a CloudFormation or SAM template.
//!
//! ```text
//! Resources ─▶ AWS::Events::Rule ───────────────────────────┐
//!           ─▶ AWS::Serverless::…, Events: EventBridgeRule ─┴▶ EventBridge's shape ─▶ rule
//!           ─▶ AWS::Events::ApiDestination, Connection ─▶ what a target's ARN stands for
//! ```
//!
//! # Not here
//!
//! - Resources that have nothing to do with events: they are passed over.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::arn;
use super::build::{as_text, list, map, member, members, text};
use super::connection::{self, Used};
use super::destination::{Destination, Destinations, TargetMap, nowhere, to_bus};
use super::functions::{Functions, Missing};
use super::notes::{Notes, unknown};
use super::rule::{Foreign, translate};
use super::{Import, Sheet};
use crate::source::SourceFile;
use crate::yaml::{self, Filling, Member, Node, Value};

/// Resources that have to do with events and are no rules, and what to do about them.
const BESIDE: [(&str, &str); 9] = [
    ("AWS::Scheduler::Schedule", "schedules are not made here: let cron send an event to the bus"),
    ("AWS::Pipes::Pipe", "pipes are not read: what feeds them has to send to a bus itself"),
    ("AWS::Events::Archive", "make it with `slipswitch archive create`"),
    ("AWS::Events::EventBusPolicy", "who may send is not decided by policies here"),
    ("AWS::Events::Endpoint", "there are no global endpoints here"),
    ("AWS::EventSchemas::Discoverer", "there is no registry of schemas here"),
    ("AWS::CloudFormation::Stack", "a nested stack is a template of its own: import that"),
    ("AWS::Serverless::Application", "a nested stack is a template of its own: import that"),
    ("Fn::Transform", "macros are not run: import the template that comes of it"),
];

/// What stands for a rule or a target of a template.
pub(super) struct Template<'t> {
    pub(super) root: &'t Node,
    pub(super) functions: Functions<'t>,
    map: &'t TargetMap,
    given: &'t BTreeMap<String, String>,
    /// By logical id or name, as the rules use them.
    pub(super) connections: RefCell<BTreeMap<String, Used>>,
}

/// Reads a template; `given` are its parameters.
pub fn import_template(
    file: &SourceFile,
    given: &BTreeMap<String, String>,
    targets: &TargetMap,
) -> Import {
    let (documents, faults) = yaml::read_template(&file.text);
    let mut sheet = Sheet::new(std::slice::from_ref(file));
    sheet.faults(0, faults);
    let resources = documents.first().and_then(|root| root.member("Resources"));
    let resources = resources.filter(|it| matches!(it.value.value, Value::Map(_)));
    let (Some(root), Some(resources)) = (documents.first(), resources) else {
        if sheet.problems.is_empty() {
            let mut notes = Notes::default();
            notes.lost(
                &(0..0),
                "Resources",
                "the file is no template: it has no map of `Resources`",
            );
            sheet.take("", notes);
        }
        return sheet.finish();
    };
    let template = Template {
        root,
        functions: Functions::new(root, given),
        map: targets,
        given,
        connections: RefCell::default(),
    };
    for Member { key, value, key_span } in members(&resources.value) {
        let kind = value.member("Type").and_then(|it| as_text(&it.value));
        let kind = kind.unwrap_or(if key.starts_with("Fn::") { key } else { "" });
        let mut notes = Notes::default();
        if template.is_left_out(value, kind, &mut notes) {
            sheet.take(key, notes);
            continue;
        }
        match kind {
            "AWS::Events::Rule" => template.rule(key, value, &mut sheet),
            "AWS::Serverless::Function" | "AWS::Serverless::StateMachine" => {
                template.serverless(key, value, &mut sheet);
            }
            "AWS::Events::EventBus" => {
                let name = template.functions.bus_name(key).and_then(|it| known(&it));
                sheet.buses.extend(name.as_deref().map(arn::bus_here));
            }
            _ => {
                let beside = BESIDE.iter().find(|(it, _)| *it == kind);
                if let Some((kind, why)) = beside {
                    notes.lost(key_span, kind, *why);
                }
            }
        }
        sheet.take(key, notes);
    }
    let stanza = connection::stanza(&template);
    for (logical, notes) in stanza.said {
        sheet.take(&logical, notes);
    }
    sheet.configuration = stanza.yaml;
    sheet.connections = stanza.names;
    sheet.finish()
}

impl Template<'_> {
    /// Whether a resource that matters here has a condition that does not hold.
    fn is_left_out(&self, resource: &Node, kind: &str, notes: &mut Notes) -> bool {
        let matters = kind.starts_with("AWS::Events::") || kind.starts_with("AWS::Serverless::");
        let Some(condition) = resource.member("Condition").filter(|_| matters) else {
            return false;
        };
        let name = as_text(&condition.value).unwrap_or_default();
        match self.functions.holds(name) {
            Ok(true) => false,
            Ok(false) => {
                let reason = format!("left out: the condition `{name}` does not hold");
                notes.note(&condition.value.span, "Condition", reason);
                true
            }
            Err(Missing(what)) => {
                let reason = format!("whether `{name}` holds is not known: {}", unknown(&what));
                notes.lost(&condition.value.span, "Condition", reason);
                true
            }
        }
    }

    fn rule(&self, logical: &str, resource: &Node, sheet: &mut Sheet<'_>) {
        let empty = map(&resource.span, Vec::new());
        let written = resource.member("Properties").map_or(&empty, |it| &it.value);
        let Some(properties) = self.functions.resolve(written) else { return };
        let foreign = Foreign {
            properties: &properties,
            name: Some(logical),
            targets: Vec::new(),
            span: resource.span.clone(),
        };
        let mut notes = Notes::default();
        let rule = translate(&foreign, self, &mut notes);
        sheet.add(rule, logical, notes);
    }

    /// The events of a function or state machine; each rule has it as its one target.
    fn serverless(&self, logical: &str, resource: &Node, sheet: &mut Sheet<'_>) {
        let properties = resource.member("Properties");
        let Some(events) = properties.and_then(|it| it.value.member("Events")) else { return };
        for Member { key, value, key_span } in members(&events.value) {
            let name = format!("{logical}{key}");
            let kind = value.member("Type").and_then(|it| as_text(&it.value)).unwrap_or_default();
            let mut notes = Notes::default();
            match kind {
                "EventBridgeRule" | "CloudWatchEvent" => {
                    let rule = self.serverless_rule(logical, &name, value, &mut notes);
                    sheet.add(rule, &name, notes);
                }
                "Schedule" | "ScheduleV2" => {
                    let reason = "rules here wait for events, not for a time: let cron send an event to the bus";
                    notes.lost(key_span, kind, reason);
                    sheet.take(&name, notes);
                }
                _ => (), // Queues, streams and the like: nothing of EventBridge.
            }
        }
    }

    fn serverless_rule(
        &self,
        logical: &str,
        name: &str,
        event: &Node,
        notes: &mut Notes,
    ) -> Option<Node> {
        let Some(written) = event.member("Properties") else {
            notes.lost(&event.span, "Properties", "the event has none");
            return None;
        };
        let found = self.functions.resolve(&written.value)?;
        let span = &event.span;
        let arn = text(span, &format!("${{{logical}.Arn}}"));
        let mut target = vec![
            member("Id", text(span, name)),
            member("Arn", Node { filling: Filling::Failed, ..arn }),
        ];
        let mut rule = Vec::new();
        for it in members(&found) {
            match it.key.as_str() {
                "Pattern" => rule.push(Member { key: "EventPattern".to_owned(), ..it.clone() }),
                "RuleName" => rule.push(Member { key: "Name".to_owned(), ..it.clone() }),
                "Enabled" => {
                    let is_off = matches!(it.value.value, Value::Bool(false));
                    let state = if is_off { "DISABLED" } else { "ENABLED" };
                    rule.push(member("State", text(&it.value.span, state)));
                }
                "Target" => {
                    if let Some(id) = it.value.member("Id") {
                        target[0].value = id.value.clone();
                    }
                }
                "Input" | "InputPath" | "InputTransformer" | "RetryPolicy" | "DeadLetterConfig" => {
                    target.push(it.clone());
                }
                _ => rule.push(it.clone()),
            }
        }
        let target = map(span, target);
        rule.push(member("Targets", list(span, vec![target])));
        let properties = map(span, rule);
        let foreign = Foreign {
            properties: &properties,
            name: Some(name),
            targets: Vec::new(),
            span: span.clone(),
        };
        translate(&foreign, self, notes)
    }

    pub(super) fn resource(&self, logical: &str) -> Option<(&str, &Node)> {
        let found = &self.root.member("Resources")?.value.member(logical)?.value;
        Some((as_text(&found.member("Type")?.value)?, found))
    }

    /// A property of a resource, resolved.
    pub(super) fn property(&self, resource: &Node, name: &str) -> Option<Node> {
        let properties = &resource.member("Properties")?.value;
        self.functions.resolve(&properties.member(name)?.value)
    }

    /// The ARN of a resource that says its own name.
    fn arn_of(&self, logical: &str) -> Option<String> {
        let (kind, resource) = self.resource(logical)?;
        let (service, before, key) = match kind {
            "AWS::Lambda::Function" | "AWS::Serverless::Function" => {
                ("lambda", "function:", "FunctionName")
            }
            "AWS::SQS::Queue" => ("sqs", "", "QueueName"),
            "AWS::SNS::Topic" => ("sns", "", "TopicName"),
            "AWS::StepFunctions::StateMachine" => ("states", "stateMachine:", "StateMachineName"),
            "AWS::Serverless::StateMachine" => ("states", "stateMachine:", "Name"),
            "AWS::Logs::LogGroup" => ("logs", "log-group:", "LogGroupName"),
            "AWS::Kinesis::Stream" => ("kinesis", "stream/", "Name"),
            _ => return None,
        };
        let name = known(&self.property(resource, key)?)?;
        let of =
            |key: &str| self.given.get(key).map_or_else(|| format!("${{{key}}}"), String::clone);
        let (region, account) = (of("AWS::Region"), of("AWS::AccountId"));
        Some(format!("arn:aws:{service}:{region}:{account}:{before}{name}"))
    }
}

impl Destinations for Template<'_> {
    fn of(&self, node: &Node) -> Destination {
        let Some(arn) = as_text(node) else {
            let reason = "its `Arn` is no text".to_owned();
            return Destination::Nowhere { reason, wanted: None };
        };
        let logical = logical_id(node, arn);
        let own = logical.and_then(|logical| self.arn_of(logical));
        let names: Vec<&str> = [logical, Some(arn), own.as_deref()].into_iter().flatten().collect();
        if let Some(target) = self.map.get(&names) {
            return Destination::Here { target: target.clone(), said: Vec::new() };
        }
        if let Some(logical) = logical
            && let Some(("AWS::Events::ApiDestination", resource)) = self.resource(logical)
        {
            return self.api_destination(logical, resource);
        }
        if let Some(bus) = arn::bus(arn) {
            return to_bus(node, bus);
        }
        match logical {
            Some(logical) if self.resource(logical).is_some() => {
                let reason = format!("nothing stands for `{logical}`: say with --map what does");
                Destination::Nowhere { reason, wanted: Some(logical.to_owned()) }
            }
            Some(missing) => {
                let reason = format!("{}, or say with --map what stands for it", unknown(missing));
                Destination::Nowhere { reason, wanted: Some(missing.to_owned()) }
            }
            None => {
                Destination::Nowhere { reason: nowhere(arn, node), wanted: Some(arn.to_owned()) }
            }
        }
    }
}

/// The resource that a text is about and nothing else: `${Worker.Arn}`.
pub(super) fn logical_id<'n>(node: &Node, text: &'n str) -> Option<&'n str> {
    let name = text.strip_prefix("${")?.strip_suffix('}')?;
    let is_one = node.filling == Filling::Failed && !name.contains(['$', '{', ' ', ':']);
    is_one.then(|| name.split('.').next().unwrap_or(name))
}

/// A text of which nothing is missing.
pub(super) fn known(node: &Node) -> Option<String> {
    as_text(node).filter(|_| node.filling == Filling::None).map(str::to_owned)
}
