//! What `aws events` prints: `describe-rule`, `list-rules`, `list-targets-by-rule`, one after the other.
//!
//! Targets come without the name of their rule. They belong to the rule that was printed before them in the file, or
//! to the one that `Rule` names, or to the one that the file is called after.

use std::collections::HashMap;

use super::arn;
use super::build::{as_text, members};
use super::destination::{Mapped, TargetMap};
use super::notes::Notes;
use super::rule::{Foreign, translate};
use super::{Import, Sheet};
use crate::diagnostic::Fault;
use crate::source::SourceFile;
use crate::yaml::{self, Member, Node, Span, Value};

/// Rules in all files together.
const RULES_MAX: usize = 100_000;

/// A rule that was printed, and the targets that are its own.
struct Described<'n> {
    name: &'n str,
    bus: &'n str,
    node: &'n Node,
    targets: Vec<&'n Node>,
}

/// Reads what `aws` printed into these files.
pub fn import_commands(files: &[SourceFile], targets: &TargetMap) -> Import {
    let mut sheet = Sheet::new(files);
    let mut documents = Vec::new();
    for (at, file) in files.iter().enumerate() {
        let base = sheet.base(at);
        let (found, faults) = read(&file.text);
        sheet.faults(at, faults);
        documents.extend(found.into_iter().map(|mut node| {
            shift(&mut node, base);
            (at, node)
        }));
    }
    let mut notes = Notes::default();
    let rules = gather(&documents, files, &mut notes);
    sheet.take("", notes);
    for rule in rules {
        let foreign = Foreign {
            properties: rule.node,
            name: None,
            targets: rule.targets,
            span: rule.node.span.clone(),
        };
        let mut notes = Notes::default();
        let translated = translate(&foreign, &Mapped(targets), &mut notes);
        sheet.add(translated, rule.name, notes);
    }
    sheet.finish()
}

/// The rules of all documents, by what they are called.
#[derive(Default)]
struct Gathered<'n> {
    rules: Vec<Described<'n>>,
    by_name: HashMap<(&'n str, &'n str), usize>,
}

/// Targets that have not found their rule yet.
struct Waiting<'n> {
    file: usize,
    /// The rule that was described last before them.
    before: Option<usize>,
    node: &'n Node,
    targets: &'n Member,
}

fn gather<'n>(
    documents: &'n [(usize, Node)],
    files: &[SourceFile],
    notes: &mut Notes,
) -> Vec<Described<'n>> {
    let mut gathered = Gathered::default();
    // A rule may be printed in a file after the one with its targets.
    let mut waiting = Vec::new();
    let (mut last_file, mut last) = (0, None);
    for (file, document) in documents {
        if last_file != *file {
            (last_file, last) = (*file, None);
        }
        let is_listing = document.member("Rules").is_some();
        for node in parts(document) {
            if let Some(token) = node.member("NextToken") {
                let reason =
                    "there was more: ask again with --starting-token, and import all pages";
                notes.lost(&token.key_span, "NextToken", reason);
            }
            if node.member("Name").is_some() {
                // The last one of a list is not who the next targets are about.
                last = gathered.add(node, notes).filter(|_| !is_listing);
            } else if let Some(targets) = node.member("Targets") {
                waiting.push(Waiting { file: *file, before: last, node, targets });
            } else if node.member("Rules").is_none() {
                let reason =
                    "this is no output of describe-rule, list-rules or list-targets-by-rule";
                notes.lost(&node.span, "", reason);
            }
        }
    }
    let mut rules = gathered.rules;
    for Waiting { file, before, node, targets } in waiting {
        match owner(node, before, &files[file].path, &rules) {
            Some(at) => match &targets.value.value {
                Value::List(items) => rules[at].targets.extend(items),
                _ => notes.lost(&targets.key_span, "Targets", "it is no list"),
            },
            None => {
                let reason = "whose targets are these? Print the rule before them in the same file, or add \
                              `\"Rule\": NAME` (and `\"EventBusName\"`) beside";
                notes.lost(&targets.key_span, "Targets", reason);
            }
        }
    }
    rules
}

impl<'n> Gathered<'n> {
    fn add(&mut self, node: &'n Node, notes: &mut Notes) -> Option<usize> {
        let Some(name) = node.member("Name").and_then(|name| as_text(&name.value)) else {
            notes.lost(&node.span, "Name", "the name of the rule is no text");
            return None;
        };
        let bus = bus_of(node).unwrap_or("default");
        if let Some(known) = self.by_name.get(&(name, bus)) {
            return Some(*known); // Listed and described: it is the same.
        }
        if RULES_MAX <= self.rules.len() {
            notes.lost(&node.span, "Name", format!("more than {RULES_MAX} rules: import in parts"));
            return None;
        }
        self.by_name.insert((name, bus), self.rules.len());
        self.rules.push(Described { name, bus, node, targets: Vec::new() });
        Some(self.rules.len() - 1)
    }
}

fn bus_of(node: &Node) -> Option<&str> {
    node.member("EventBusName").and_then(|bus| as_text(&bus.value)).map(arn::bus_of)
}

/// The rule whose targets these are.
fn owner(node: &Node, before: Option<usize>, path: &str, rules: &[Described<'_>]) -> Option<usize> {
    if let Some(named) = node.member("Rule").and_then(|it| as_text(&it.value)) {
        let bus = bus_of(node);
        let mut found = rules
            .iter()
            .enumerate()
            .filter(|(_, rule)| rule.name == named && bus.is_none_or(|bus| rule.bus == bus));
        return found.next().filter(|_| found.next().is_none()).map(|(at, _)| at);
    }
    if before.is_some() {
        return before;
    }
    let file = path.rsplit('/').next().unwrap_or(path);
    let by_file = rules.iter().enumerate().filter(|(_, rule)| file.starts_with(rule.name));
    let by_file = by_file.max_by_key(|(_, rule)| rule.name.len()).map(|(at, _)| at);
    by_file.or(if rules.len() == 1 { Some(0) } else { None })
}

/// The rules and lists of targets in a document: itself, or what it lists.
fn parts(document: &Node) -> Vec<&Node> {
    match &document.value {
        Value::List(items) => items.iter().collect(),
        _ => match document.member("Rules").map(|rules| &rules.value.value) {
            Some(Value::List(rules)) => std::iter::once(document).chain(rules).collect(),
            _ => vec![document],
        },
    }
}

/// The documents of a file: YAML, or JSON after JSON.
fn read(text: &str) -> (Vec<Node>, Vec<Fault>) {
    if !text.trim_start().starts_with(['{', '[']) {
        return yaml::read(text);
    }
    let (mut documents, mut faults) = (Vec::new(), Vec::new());
    for piece in pieces(text) {
        let (found, wrong) = yaml::read(text.get(piece.clone()).unwrap_or_default());
        documents.extend(found.into_iter().map(|mut node| {
            shift(&mut node, piece.start);
            node
        }));
        faults.extend(wrong.into_iter().map(|fault| Fault {
            span: fault.span.start + piece.start..fault.span.end + piece.start,
            ..fault
        }));
    }
    (documents, faults)
}

/// Where each value of a text of JSON values stands; the last one may be torn.
fn pieces(text: &str) -> Vec<Span> {
    let (mut depth, mut start) = (0_usize, None);
    let (mut is_string, mut is_escaped) = (false, false);
    let mut pieces = Vec::new();
    for (at, byte) in text.bytes().enumerate() {
        if is_string {
            is_string = byte != b'"' || is_escaped;
            is_escaped = byte == b'\\' && !is_escaped;
            continue;
        }
        match byte {
            b'"' => is_string = true,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => (),
        }
        if !byte.is_ascii_whitespace() {
            start.get_or_insert(at);
        }
        if depth == 0 && matches!(byte, b'}' | b']') {
            pieces.extend(start.take().map(|start| start..at + 1));
        }
    }
    pieces.extend(start.map(|start| start..text.len()));
    pieces
}

fn shift(node: &mut Node, by: usize) {
    let moved = |span: &Span| span.start + by..span.end + by;
    node.span = moved(&node.span);
    match &mut node.value {
        Value::List(items) => items.iter_mut().for_each(|item| shift(item, by)),
        Value::Map(members) => {
            for Member { key_span, value, .. } in members {
                *key_span = moved(key_span);
                shift(value, by);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) => (),
    }
}

/// Whether a document is a rule as `describe-rule` prints it.
pub(super) fn is_rule(node: &Node) -> bool {
    members(node).iter().any(|it| matches!(it.key.as_str(), "EventPattern" | "Targets"))
}
