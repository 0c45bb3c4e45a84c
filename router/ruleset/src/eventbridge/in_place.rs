//! Rule files in EventBridge's shapes, read where they are.
//!
//! A document may be a rule as `describe-rule` prints it (with `Targets` beside), an `AWS::Events::Rule`, or
//! `Resources` of such rules. Functions and other resources are a template's, and `slipswitch import cfn` is for those.

use super::build::{as_text, members};
use super::commands::is_rule;
use super::destination::{Mapped, TargetMap};
use super::functions::is_function;
use super::notes::{Notes, Weight};
use super::rule::{Foreign, translate};
use crate::code::Code;
use crate::diagnostic::Fault;
use crate::yaml::{Member, Node, Value};

const RESOURCE: &str = "AWS::Events::Rule";
const PAGE: &str = "docs/importing.md#what-is-carried-over";
const TO_IMPORT: &str = "make a rule file of the template with `slipswitch import cfn`";

/// The rules of a document in one of EventBridge's shapes, in ours; none when it is in ours already.
pub(crate) fn in_place(document: &Node, faults: &mut Vec<Fault>) -> Option<Vec<Node>> {
    let has = |key: &str| document.member(key).is_some();
    if has("name") || has("pattern") || has("targets") {
        return None;
    }
    let resources: Vec<(Option<&str>, &Node)> = if is_rule(document) || is_resource(document) {
        vec![(None, document)]
    } else if let Some(resources) = document.member("Resources") {
        template(document, &resources.value, faults)
    } else {
        return None;
    };
    let rules = resources.into_iter().filter_map(|(logical, node)| rule(logical, node, faults));
    Some(rules.collect())
}

fn is_resource(node: &Node) -> bool {
    node.member("Type").and_then(|it| as_text(&it.value)) == Some(RESOURCE)
}

fn template<'n>(
    document: &'n Node,
    resources: &'n Node,
    faults: &mut Vec<Fault>,
) -> Vec<(Option<&'n str>, &'n Node)> {
    for Member { key, key_span, .. } in members(document) {
        if !matches!(key.as_str(), "Resources" | "AWSTemplateFormatVersion" | "Description") {
            let message = format!("`{key}` of a template is not read in a rule file");
            faults.push(Fault::new(
                Code::NotSupported,
                key_span.clone(),
                (message, "not read", TO_IMPORT),
            ));
        }
    }
    if !matches!(resources.value, Value::Map(_)) {
        let label = format!("this is {}", resources.kind());
        let words = ("`Resources` must be a map", label, "write each rule under a name of its own");
        faults.push(Fault::new(Code::WrongType, resources.span.clone(), words));
    }
    let mut rules = Vec::new();
    for Member { key, key_span, value } in members(resources) {
        if is_resource(value) {
            rules.push((Some(key.as_str()), value));
        } else {
            let message = format!("`{key}` is no `{RESOURCE}`");
            let mend = "keep rules alone in a rule file, or make one of the template with `slipswitch import cfn`";
            faults.push(Fault::new(
                Code::NotSupported,
                key_span.clone(),
                (message, "another resource", mend),
            ));
        }
    }
    rules
}

fn rule(logical: Option<&str>, node: &Node, faults: &mut Vec<Fault>) -> Option<Node> {
    if let Some(call) = first_call(node) {
        let message = format!("`{}` is worked out by CloudFormation, not in a rule file", call.key);
        let span = call.value.span.clone();
        faults.push(Fault::new(Code::NotSupported, span, (message, "a function", TO_IMPORT)));
        return None;
    }
    let properties = if is_resource(node) {
        match node.member("Properties") {
            Some(properties) => &properties.value,
            None => {
                let words = ("the rule has no `Properties`", "nothing in it", "add `Properties:`");
                faults.push(Fault::new(Code::MissingKey, node.span.clone(), words));
                return None;
            }
        }
    } else {
        node
    };
    let span = node.span.clone();
    let foreign = Foreign { properties, name: logical, targets: Vec::new(), span };
    let mut notes = Notes::default();
    let none = TargetMap::default();
    let rule = translate(&foreign, &Mapped(&none), &mut notes);
    for said in notes.said.into_iter().filter(|said| said.weight == Weight::Lost) {
        let mend = if said.key.ends_with(".Arn") {
            "write `http:`, `bus:` or `log:` beside the `Arn`, or use `slipswitch import` with a map".to_owned()
        } else {
            "take the key out, or write the rule in the router's own keys".to_owned()
        };
        let message = format!("`{}`: {}", said.key, said.reason);
        let fault = Fault::new(Code::NotSupported, said.span, (message, "not read", mend));
        faults.push(Fault { page: Some(PAGE), ..fault });
    }
    rule
}

/// A function of CloudFormation's, in its long form.
fn first_call(node: &Node) -> Option<&Member> {
    match &node.value {
        Value::Map(members) => match members.as_slice() {
            [one] if is_function(&one.key) => Some(one),
            members => members.iter().find_map(|member| first_call(&member.value)),
        },
        Value::List(items) => items.iter().find_map(first_call),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) => None,
    }
}
