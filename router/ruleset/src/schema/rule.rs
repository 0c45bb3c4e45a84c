//! One rule: a document of a file.

use super::Reading;
use super::keys::RULE;
use super::target::Targets;
use crate::code::Code;
use crate::overlap::Written;
use crate::rule::{Alone, Rule};
use crate::yaml::{self, Node, Span, Value};

/// The bus of a rule that names none.
const BUS_DEFAULT: &str = "default";

/// A rule, and what other files must be asked about it.
pub(crate) struct Draft {
    /// None when there is none, or it is no name.
    pub name: Option<(String, Span)>,
    pub bus: String,
    /// Buses that it publishes to.
    pub forwards: Vec<(String, Span)>,
    /// The pattern as it is written; the same for two that ask the same.
    pub asks: String,
    pub written: Vec<Written>,
    /// Connections that nobody knows.
    pub connections: Vec<(String, Span)>,
    /// None when anything is wrong with it.
    pub rule: Option<Rule>,
}

impl Draft {
    /// Whether events come to it.
    pub(crate) fn is_enabled(&self) -> bool {
        self.rule.as_ref().is_some_and(|rule| rule.enabled)
    }
}

impl Reading<'_> {
    /// The rule of a document.
    pub(crate) fn rule(&mut self, node: &Node) -> Option<Draft> {
        if !self.is_section(node, &RULE) {
            return None;
        }
        let faults_before = self.faults.len();
        let name = self
            .required(node, &RULE, "name")
            .and_then(|name| Some((self.name(name, "a rule")?.to_owned(), name.span.clone())));
        let bus = match node.member("bus") {
            Some(bus) => self.name(&bus.value, "a bus").unwrap_or(BUS_DEFAULT),
            None => BUS_DEFAULT,
        };
        self.at.bus = bus.to_owned();
        self.at.rule = name.as_ref().map(|(name, _)| name.clone()).unwrap_or_default();
        let description = node
            .member("description")
            .and_then(|member| self.text(&member.value, "`description`"))
            .map(str::to_owned);
        let enabled = node.member("enabled").is_none_or(|member| self.enabled(&member.value));
        let pattern =
            self.required(node, &RULE, "pattern").and_then(|pattern| self.pattern(pattern));
        let targets = self
            .required(node, &RULE, "targets")
            .map_or_else(Targets::default, |targets| self.targets(targets));
        let tests = match node.member("tests") {
            Some(tests) => self.tests(&tests.value, &targets.ids),
            None => Vec::new(),
        };
        let Targets { whole, forwards, connections, written, .. } = targets;
        let asks = node.member("pattern").map_or(String::new(), |pattern| asks(&pattern.value));
        let bus = bus.to_owned();
        let mut draft = Draft { name, bus, forwards, connections, asks, written, rule: None };
        if let (Some((name, _)), Some(pattern)) = (&draft.name, pattern)
            && faults_before == self.faults.len()
        {
            draft.rule = Some(Rule {
                name: name.clone(),
                bus: draft.bus.clone(),
                description,
                enabled,
                matcher: Alone::default(),
                pattern,
                targets: whole,
                path: self.source.path.to_owned(),
                line: self.source.line_and_column(node.span.start).0,
                tests,
            });
        }
        Some(draft)
    }

    fn enabled(&mut self, node: &Node) -> bool {
        if let Value::Bool(is) = node.value {
            return is;
        }
        let words = (
            "`enabled` must be `true` or `false`",
            format!("this is {}", node.kind()),
            "write `true` or `false`, without quotes",
        );
        self.fault_as(Code::WrongType, node.span.clone(), words);
        true
    }
}

/// A pattern in a form that does not depend on the order of its keys and of the entries of its lists.
fn asks(node: &Node) -> String {
    match &node.value {
        Value::Map(members) => {
            let mut fields: Vec<String> = members
                .iter()
                .map(|member| match &member.value.value {
                    Value::List(items) if member.key != "$or" => {
                        let mut entries: Vec<String> = items.iter().map(text).collect();
                        entries.sort_unstable();
                        entries.dedup();
                        format!("{:?}:[{}]", member.key, entries.join(","))
                    }
                    _ => format!("{:?}:{}", member.key, asks(&member.value)),
                })
                .collect();
            fields.sort_unstable();
            format!("{{{}}}", fields.join(","))
        }
        Value::List(items) => format!("[{}]", items.iter().map(asks).collect::<Vec<_>>().join(",")),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) => text(node),
    }
}

fn text(node: &Node) -> String {
    yaml::to_json(node, &mut Vec::new()).text
}
