//! A tree as the YAML that a person would write: blocks, short lists in one line, quotes only where they are needed.
//!
//! # Invariants
//!
//! - `read(write(node)) == node`, but for the places: numbers keep their digits, texts every character.
//!
//! # Not here
//!
//! - Comments, anchors, tags: a tree has none.

use std::fmt::Write as _;

use super::{Node, Value, scalar};

/// A list of plain values that fits stays in one line.
const LINE_MAX: usize = 80;

/// The text of a document, with a line end behind it.
pub(crate) fn write(node: &Node) -> String {
    let mut out = String::new();
    match &node.value {
        Value::Map(members) if !members.is_empty() => map(node, 0, &mut out),
        Value::List(items) if !items.is_empty() => list(items, 0, &mut out),
        _ => {
            flow(node, &mut out);
            out.push('\n');
        }
    }
    out
}

/// The members of a map, each on lines of its own; the first begins where `out` ends.
fn map(node: &Node, indent: usize, out: &mut String) {
    let Value::Map(members) = &node.value else { return };
    for (at, member) in members.iter().enumerate() {
        if at != 0 {
            pad(indent, out);
        }
        text(&member.key, out);
        out.push(':');
        value(&member.value, indent, out);
    }
}

fn list(items: &[Node], indent: usize, out: &mut String) {
    for (at, item) in items.iter().enumerate() {
        if at != 0 {
            pad(indent, out);
        }
        out.push_str("- ");
        match &item.value {
            Value::Map(members) if !members.is_empty() => map(item, indent + 2, out),
            Value::List(inner) if !inner.is_empty() => list(inner, indent + 2, out),
            Value::Text(text) if is_block(text) => block(text, indent + 2, out),
            _ => {
                flow(item, out);
                out.push('\n');
            }
        }
    }
}

/// What stands behind the colon of a key at `indent`.
fn value(node: &Node, indent: usize, out: &mut String) {
    let room = LINE_MAX.saturating_sub(out.len() - out.rfind('\n').map_or(0, |at| at + 1) + 1);
    match &node.value {
        Value::List(items) if !items.is_empty() => {
            if let Some(line) = one_line(items, room) {
                out.push(' ');
                out.push_str(&line);
                out.push('\n');
                return;
            }
            out.push('\n');
            pad(indent + 2, out);
            list(items, indent + 2, out);
        }
        Value::Map(members) if !members.is_empty() => {
            out.push('\n');
            pad(indent + 2, out);
            map(node, indent + 2, out);
        }
        Value::Text(text) if is_block(text) => {
            out.push(' ');
            block(text, indent + 2, out);
        }
        _ => {
            out.push(' ');
            flow(node, out);
            out.push('\n');
        }
    }
}

/// A list of things without structure of their own, or with very little, when it fits.
fn one_line(items: &[Node], room: usize) -> Option<String> {
    let is_flat = |node: &Node| match &node.value {
        Value::Null | Value::Bool(_) | Value::Number(_) => true,
        Value::Text(text) => !is_block(text),
        Value::List(_) | Value::Map(_) => false,
    };
    let is_small = |node: &Node| match &node.value {
        Value::Map(members) => members.iter().all(|member| match &member.value.value {
            Value::List(items) => items.iter().all(is_flat),
            _ => is_flat(&member.value),
        }),
        Value::List(items) => items.iter().all(is_flat),
        _ => is_flat(node),
    };
    // Things that have ids, such as targets, read better below each other.
    let has_id = items.iter().any(|item| item.member("id").is_some());
    if has_id || !items.iter().all(is_small) {
        return None;
    }
    let mut line = String::new();
    flow_list(items, &mut line);
    (line.chars().count() <= room).then_some(line)
}

/// A value within one line.
fn flow(node: &Node, out: &mut String) {
    match &node.value {
        Value::Null => out.push_str("null"),
        Value::Bool(is) => write!(out, "{is}").expect("a String takes every text"),
        Value::Number(number) => out.push_str(number),
        Value::Text(content) => text(content, out),
        Value::List(items) => flow_list(items, out),
        Value::Map(members) => {
            out.push('{');
            for (at, member) in members.iter().enumerate() {
                out.push_str(if at == 0 { " " } else { ", " });
                text(&member.key, out);
                out.push_str(": ");
                flow(&member.value, out);
            }
            out.push_str(if members.is_empty() { "}" } else { " }" });
        }
    }
}

fn flow_list(items: &[Node], out: &mut String) {
    out.push('[');
    for (at, item) in items.iter().enumerate() {
        out.push_str(if at == 0 { "" } else { ", " });
        flow(item, out);
    }
    out.push(']');
}

fn text(text: &str, out: &mut String) {
    if is_plain(text) {
        out.push_str(text);
    } else if is_quotable(text) {
        out.push('\'');
        out.push_str(&text.replace('\'', "''"));
        out.push('\'');
    } else {
        quoted(text, out);
    }
}

/// Whether a text needs no quotes, wherever it stands.
fn is_plain(text: &str) -> bool {
    let is_first = |c: char| c.is_ascii_alphabetic() || matches!(c, '_' | '/' | '$' | '.');
    let is_other = |c: char| {
        c.is_ascii_alphanumeric()
            || matches!(c, '_' | '/' | '$' | '.' | '-' | ' ' | '@' | '+' | '=' | ':')
    };
    let is_document = |text: &str| text.starts_with("...") || text.starts_with("---");
    let is_short = text.starts_with(|c: char| c.is_ascii_digit())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    // Other readers of YAML take these for booleans.
    let is_switch =
        ["y", "n", "yes", "no", "on", "off"].iter().any(|it| text.eq_ignore_ascii_case(it));
    (text.starts_with(is_first) || is_short)
        && !is_switch
        && text.chars().all(is_other)
        && !text.ends_with([' ', ':'])
        && !text.contains(": ")
        && !is_document(text)
        && scalar::resolve(text) == Value::Text(text.to_owned())
}

/// Whether single quotes do: one line of characters that everybody can see.
fn is_quotable(text: &str) -> bool {
    text.contains('"') && text.chars().all(|c| (' '..='~').contains(&c))
}

fn quoted(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if is_shown(c) => out.push(c),
            c => write!(out, "\\U{:08x}", u32::from(c)).expect("a String takes every text"),
        }
    }
    out.push('"');
}

/// Whether a character stands for itself in a text of YAML's.
fn is_shown(c: char) -> bool {
    let is_break = matches!(c, '\u{2028}' | '\u{2029}');
    let is_noncharacter = u32::from(c) & 0xFFFE == 0xFFFE;
    !c.is_control() && !is_break && !is_noncharacter && c != '\u{feff}'
}

/// Whether a text reads best as a literal block: several lines, none of which would lose anything.
fn is_block(text: &str) -> bool {
    let lines = text.trim_end_matches('\n');
    lines.contains('\n')
        && !lines.starts_with([' ', '\n', '\t'])
        && lines.split('\n').all(|line| !line.ends_with([' ', '\t']))
        && text.chars().all(|c| c == '\n' || is_shown(c))
}

fn block(text: &str, indent: usize, out: &mut String) {
    let lines = text.trim_end_matches('\n');
    let ends = text.len() - lines.len();
    out.push('|');
    out.push_str(match ends {
        0 => "-",
        1 => "",
        _ => "+",
    });
    out.push('\n');
    for line in lines.split('\n') {
        if !line.is_empty() {
            pad(indent, out);
            out.push_str(line);
        }
        out.push('\n');
    }
    out.extend(std::iter::repeat_n('\n', ends.saturating_sub(1)));
}

fn pad(indent: usize, out: &mut String) {
    out.extend(std::iter::repeat_n(' ', indent));
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use proptest::prelude::*;

    use super::*;
    use crate::yaml::{Member, read};

    /// Without places, so that two trees of different texts compare.
    fn bare(node: &Node) -> Node {
        let value = match &node.value {
            Value::List(items) => Value::List(items.iter().map(bare).collect()),
            Value::Map(members) => Value::Map(
                members
                    .iter()
                    .map(|it| Member {
                        key: it.key.clone(),
                        key_span: 0..0,
                        value: bare(&it.value),
                    })
                    .collect(),
            ),
            other => other.clone(),
        };
        Node::new(0..0, value)
    }

    fn check_round(node: &Node) {
        let text = write(node);
        let (documents, faults) = read(&text);
        assert_eq!(faults, [], "{text}");
        match documents.as_slice() {
            [one] => assert_eq!(bare(one), bare(node), "{text}"),
            [] => assert_eq!(node.value, Value::Null, "{text}"),
            _ => panic!("{text}"),
        }
    }

    fn leaf() -> impl Strategy<Value = Value> {
        let words = prop::sample::select(vec![
            "",
            "no",
            "true",
            "null",
            "~",
            "1.10",
            "0x1F",
            "2026-01-01",
            "a: b",
            "a #b",
            "- x",
            "? x",
            "!Ref x",
            "&a",
            "*a",
            "<<",
            "--- x",
            "...",
            "a:",
            "@x",
            "`x`",
            "%x",
            "key",
            "$.detail.id",
            "<id>",
            "\u{feff}x",
            "it's \"it\"",
            "a\nb\n",
            "a\n\nb",
            "a\nb\n\n\n",
            " a\nb",
            "a \nb",
            "\n",
            "a\r\nb",
            "a\tb",
            "{\n  \"a\": <b>\n}\n",
        ]);
        prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,5})?([eE][+-]?[0-9]{1,3})?".prop_map(Value::Number),
            any::<String>().prop_map(Value::Text),
            "[a-c:#\\-?!&* \n\t'\"{},\\[\\]|>%@`]{0,12}".prop_map(Value::Text),
            words.prop_map(|word| Value::Text(word.to_owned())),
        ]
    }

    fn tree() -> impl Strategy<Value = Node> {
        let leaf = leaf().prop_map(|value| Node::new(0..0, value));
        leaf.prop_recursive(5, 60, 6, |inner| {
            let key = prop_oneof![any::<String>(), "[a-z<:# \n-]{1,6}".prop_map(String::from)];
            // The reader keeps `<<` for merge keys when it stands without quotes, which it never does here.
            let members =
                prop::collection::btree_map(key, inner.clone(), 0..6).prop_map(|members| {
                    let members = members.into_iter();
                    Value::Map(
                        members.map(|(key, value)| Member { key, key_span: 0..0, value }).collect(),
                    )
                });
            let items = prop::collection::vec(inner, 0..6).prop_map(Value::List);
            prop_oneof![members, items].prop_map(|value| Node::new(0..0, value))
        })
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(node in tree()) {
            check_round(&node);
        }
    }

    #[test]
    fn it_looks_as_a_person_would_write_it() {
        let text = "{name: a, pattern: {source: [com.shop], detail: {amount: [{numeric: ['>', 1.10]}]}}, targets: [{id: t, log: console, transform: [{input: {paths: {id: $.detail.id}, template: \"{\\n  \\\"id\\\": <id>\\n}\"}}]}]}";
        let (documents, _) = read(text);
        expect![[r#"
            name: a
            pattern:
              source: [com.shop]
              detail:
                amount: [{ numeric: [">", 1.10] }]
            targets:
              - id: t
                log: console
                transform:
                  - input:
                      paths:
                        id: $.detail.id
                      template: |-
                        {
                          "id": <id>
                        }
        "#]]
        .assert_eq(&write(&documents[0]));
    }
}
