//! From the ARN of a target to a target of ours.
//!
//! ```text
//! map, by the name in the template, by ARN, by glob ─▶ the template's API destinations ─▶ buses by themselves
//! ```
//!
//! # Not here
//!
//! - What is sent: `target`.

use super::arn;
use super::build::{map, member, text};
use super::functions::first_missing;
use crate::code::Code;
use crate::diagnostic::{Diagnostic, Fault};
use crate::source::{Source, SourceFile};
use crate::yaml::{self, Filling, Member, Node, Value};

/// How many entries a map may have.
const ENTRIES_MAX: usize = 10_000;

/// What stands for which ARN, as somebody wrote it down.
#[derive(Debug, Default)]
pub struct TargetMap(Vec<(String, Node)>);

impl TargetMap {
    /// Reads `ARN, glob or logical id: { http: … }` from YAML.
    ///
    /// # Errors
    ///
    /// Every problem of the file.
    pub fn parse(file: &SourceFile) -> Result<Self, Vec<Diagnostic>> {
        let source = Source::new(file);
        let (documents, mut faults) = yaml::read(&file.text);
        let mut entries = Vec::new();
        let mend = "write an ARN, a glob such as `arn:aws:lambda:*:function:orders-*`, or a logical id of the template, \
                    and what to send to: `{ http: https://… }`, `{ bus: NAME }` or `{ log: console }`";
        for document in documents {
            let Value::Map(members) = document.value else {
                let label = format!("this is {}", document.kind());
                faults.push(Fault::new(
                    Code::WrongType,
                    document.span.clone(),
                    ("a map of targets must be a map", label, mend),
                ));
                continue;
            };
            for Member { key, key_span, value } in members {
                let is_map = matches!(value.value, Value::Map(_));
                if !is_map || value.member("id").is_some() || value.member("transform").is_some() {
                    let words =
                        ("this is no target to map to", "without `id` and `transform`", mend);
                    faults.push(Fault::new(Code::InvalidValue, key_span, words));
                } else if entries.len() < ENTRIES_MAX {
                    entries.push((key, value));
                } else {
                    let message = format!("a map has at most {ENTRIES_MAX} targets");
                    faults.push(Fault::new(
                        Code::TooLarge,
                        key_span,
                        (message, "one too many", "use globs"),
                    ));
                }
            }
        }
        if faults.is_empty() {
            return Ok(Self(entries));
        }
        Err(faults.into_iter().map(|fault| fault.in_file(&source)).collect())
    }

    /// The exact entry before the first glob.
    pub(super) fn get(&self, names: &[&str]) -> Option<&Node> {
        let exact = self.0.iter().find(|(key, _)| names.contains(&key.as_str()));
        let globs = self.0.iter().filter(|(key, _)| key.contains('*'));
        let mut globs = globs.filter(|(key, _)| names.iter().any(|name| arn::is_like(key, name)));
        exact.or_else(|| globs.next()).map(|(_, node)| node)
    }
}

/// Where a target goes.
pub(super) enum Destination {
    /// The keys of a target, without `id`. What is to be said of it comes with it.
    Here { target: Node, said: Vec<(&'static str, String)> },
    /// Nobody knows; the reason, and the name to map it by.
    Nowhere { reason: String, wanted: Option<String> },
}

/// Finds what an ARN stands for.
pub(super) trait Destinations {
    fn of(&self, arn: &Node) -> Destination;
}

/// Targets outside a template: the map, and buses.
pub(super) struct Mapped<'m>(pub &'m TargetMap);

impl Destinations for Mapped<'_> {
    fn of(&self, node: &Node) -> Destination {
        let Value::Text(arn) = &node.value else {
            let reason = "its `Arn` is no text".to_owned();
            return Destination::Nowhere { reason, wanted: None };
        };
        if let Some(target) = self.0.get(&[arn]) {
            return Destination::Here { target: target.clone(), said: Vec::new() };
        }
        if let Some(bus) = arn::bus(arn) {
            return to_bus(node, bus);
        }
        Destination::Nowhere { reason: nowhere(arn, node), wanted: Some(arn.clone()) }
    }
}

/// A bus of this router; none when the name is not known.
pub(super) fn to_bus(node: &Node, name: &str) -> Destination {
    if node.filling == Filling::Failed && name.contains("${") {
        let missing = first_missing(&Node { filling: Filling::Failed, ..text(&node.span, name) });
        let missing = missing.map(|it| it.0).unwrap_or_default();
        let reason = format!("the name of the bus is not known: give `--param {missing}=…`");
        return Destination::Nowhere { reason, wanted: None };
    }
    let bus = arn::bus_here(name);
    let target = map(&node.span, vec![member("bus", text(&node.span, &bus))]);
    Destination::Here { target, said: Vec::new() }
}

pub(super) fn nowhere(arn: &str, node: &Node) -> String {
    let known = if node.filling == Filling::Failed { " (as far as it is known)" } else { "" };
    format!("nothing stands for `{arn}`{known}: say with --map what does")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<TargetMap, Vec<Diagnostic>> {
        TargetMap::parse(&SourceFile { path: "map.yaml".to_owned(), text: text.to_owned() })
    }

    #[test]
    fn an_exact_entry_wins_over_a_glob_and_the_first_glob_over_the_second() {
        let map = parse("arn:*: { log: console }\n'*': { bus: rest }\narn:a: { bus: exact }\nWorker: { bus: w }").unwrap();
        let found = |names: &[&str]| map.get(names).map(yaml::write);
        assert_eq!(found(&["arn:a"]).unwrap(), "bus: exact\n");
        assert_eq!(found(&["arn:b"]).unwrap(), "log: console\n");
        assert_eq!(found(&["arn:b", "Worker"]).unwrap(), "bus: w\n");
        assert_eq!(found(&["x"]).unwrap(), "bus: rest\n");
    }

    #[test]
    fn what_is_no_map_of_targets_is_told_with_its_place() {
        for (text, place) in [
            ("- a", "map.yaml:1:1"),
            ("a: b\n", "map.yaml:1:1"),
            ("a: {id: x, log: console}", "map.yaml:1:1"),
            ("a: {\n", "map.yaml"),
        ] {
            let problems = parse(text).unwrap_err();
            assert!(problems[0].to_string().starts_with(place), "{problems:?}");
        }
    }
}
