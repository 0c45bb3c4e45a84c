//! Where a reader goes on: the section of the documentation on the part of a rule that a place lies in.

use crate::code::Code;
use crate::yaml::{Member, Node, Value};

/// A key of a rule and the section on what stands below it. The deepest key around a place counts.
const SECTIONS: [(&str, &str); 14] = [
    ("pattern", "docs/patterns.md"),
    ("targets", "docs/rules.md#a-target"),
    ("transform", "docs/rules.md#transforms"),
    ("input", "docs/rules.md#transforms"),
    ("template", "docs/rules.md#templates"),
    ("paths", "docs/rules.md#paths"),
    ("path", "docs/rules.md#paths"),
    ("order_by", "docs/rules.md#paths"),
    ("by", "docs/rules.md#paths"),
    ("tests", "docs/rules.md#tests"),
    ("plugin", "docs/rules.md#transforms"),
    ("canary", "docs/rules.md#transforms"),
    ("retry", "docs/rules.md#a-target"),
    ("http", "docs/rules.md#a-target"),
];
const A_RULE: &str = "docs/rules.md#a-rule";

/// The section on the place at byte `at`; none when the kind of problem says it better.
pub(crate) fn page_of(documents: &[Node], code: Code, at: usize) -> Option<&'static str> {
    let is_about_the_place = matches!(
        code,
        Code::InvalidName
            | Code::InvalidValue
            | Code::MissingKey
            | Code::UnknownKey
            | Code::WrongType
    );
    if !is_about_the_place {
        return None;
    }
    let mut page = A_RULE;
    let mut node = around(documents, at)?;
    loop {
        node = match &node.value {
            Value::List(items) => match around(items, at) {
                Some(item) => item,
                None => return Some(page),
            },
            Value::Map(members) => {
                let Some(member) = member_around(members, at) else { return Some(page) };
                if let Some((_, section)) = SECTIONS.iter().find(|(key, _)| *key == member.key) {
                    page = section;
                }
                // What a test sends and a plugin takes has keys of its own.
                if matches!(member.key.as_str(), "event" | "expect" | "config" | "pattern") {
                    return Some(page);
                }
                &member.value
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) => return Some(page),
        };
    }
}

/// They stand in the order of the file, but for what an alias stands for.
fn around(nodes: &[Node], at: usize) -> Option<&Node> {
    nodes.get(nodes.partition_point(|node| node.span.start <= at).checked_sub(1)?)
}

fn member_around(members: &[Member], at: usize) -> Option<&Member> {
    members.get(members.partition_point(|member| member.key_span.start <= at).checked_sub(1)?)
}
