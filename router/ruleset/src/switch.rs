//! A rule on or off, in its text: everything else stays as it was written, comments included.
//!
//! # Invariants
//!
//! - What is handed out was read again: it says what was wanted, and all else that it said before.

use crate::source::SourceFile;
use crate::yaml::{self, Member, Node, Value};

/// How a rule says whether it is on: in its own keys, or in EventBridge's.
struct Switch {
    key: &'static str,
    wanted: &'static str,
    is_foreign: bool,
}

/// The text of a file of one rule with `enabled` as it is wanted; none when that is not plain to do.
pub fn switched(file: &SourceFile, is_enabled: bool) -> Option<String> {
    let document = one_document(&file.text)?;
    let switch = Switch::of(&document, is_enabled);
    let text = written(&file.text, switch.place(&document), &switch)?;
    let after = one_document(&text)?;
    let said = switch.place(&after).member(switch.key).map(|member| &member.value.value);
    let is_said = match said? {
        Value::Bool(is) => !switch.is_foreign && *is == is_enabled,
        Value::Text(text) => switch.is_foreign && text == switch.wanted,
        Value::Null | Value::Number(_) | Value::List(_) | Value::Map(_) => false,
    };
    (is_said && switch.rest(&document) == switch.rest(&after)).then_some(text)
}

fn one_document(text: &str) -> Option<Node> {
    let (documents, faults) = yaml::read(text);
    let mut documents = documents.into_iter();
    match (documents.next(), documents.next()) {
        (Some(one), None) if faults.is_empty() => Some(one),
        _ => None,
    }
}

impl Switch {
    fn of(document: &Node, is_enabled: bool) -> Self {
        let is_foreign = document.member("name").is_none();
        let (key, wanted) = match (is_foreign, is_enabled) {
            (false, true) => ("enabled", "true"),
            (false, false) => ("enabled", "false"),
            (true, true) => ("State", "ENABLED"),
            (true, false) => ("State", "DISABLED"),
        };
        Self { key, wanted, is_foreign }
    }

    /// The map that has the key, or gets it.
    fn place<'n>(&self, document: &'n Node) -> &'n Node {
        let properties = document.member("Properties").filter(|_| self.is_foreign);
        properties.map_or(document, |member| &member.value)
    }

    /// All that a document says beside it.
    fn rest(&self, document: &Node) -> String {
        let mut document = document.clone();
        let has_properties = self.is_foreign && document.member("Properties").is_some();
        if let Value::Map(members) = &mut document.value {
            for member in members.iter_mut().filter(|it| has_properties && it.key == "Properties") {
                self.take_out(&mut member.value);
            }
        }
        if !has_properties {
            self.take_out(&mut document);
        }
        yaml::to_json(&document, &mut Vec::new()).text
    }

    fn take_out(&self, node: &mut Node) {
        if let Value::Map(members) = &mut node.value {
            members.retain(|Member { key, .. }| key != self.key);
        }
    }
}

fn written(text: &str, map: &Node, switch: &Switch) -> Option<String> {
    let Switch { key, wanted, .. } = switch;
    if let Some(member) = map.member(key) {
        let span = &member.value.span;
        let (before, after) = (text.get(..span.start)?, text.get(span.end..)?);
        // JSON stays JSON.
        let quote = ["\"", "'"]
            .into_iter()
            .find(|quote| text.get(span.clone()).is_some_and(|it| it.starts_with(quote)));
        let quote = quote.unwrap_or_default();
        return Some(format!("{before}{quote}{wanted}{quote}{after}"));
    }
    let Value::Map(members) = &map.value else { return None };
    let first = members.first()?.key_span.start;
    if text.get(map.span.start..)?.starts_with('{') {
        // A map in braces, JSON perhaps.
        let at = map.span.start + 1;
        let quote = if switch.is_foreign { "\"" } else { "" };
        let (before, after) = (text.get(..at)?, text.get(at..)?);
        return Some(format!("{before}\"{key}\": {quote}{wanted}{quote},{after}"));
    }
    let (before, after) = (text.get(..first)?, text.get(first..)?);
    let line = before.rfind('\n').map_or(0, |at| at + 1);
    let indent = before.get(line..)?;
    indent.trim().is_empty().then(|| format!("{before}{key}: {wanted}\n{indent}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn switch(text: &str, is_enabled: bool) -> Option<String> {
        switched(&SourceFile { path: "a.yaml".to_owned(), text: text.to_owned() }, is_enabled)
    }

    #[test]
    fn only_the_switch_is_written_anew() {
        for (text, is_enabled, expected) in [
            (
                "# mine\nname: a # it\nenabled:   false # off\nbus: b\n",
                true,
                "# mine\nname: a # it\nenabled:   true # off\nbus: b\n",
            ),
            (
                "# mine\nname: a # it\n\nbus: b",
                false,
                "# mine\nenabled: false\nname: a # it\n\nbus: b",
            ),
            ("---\nname: a\n", false, "---\nenabled: false\nname: a\n"),
            (
                "{\"name\": \"a\", \"enabled\": true}",
                false,
                "{\"name\": \"a\", \"enabled\": false}",
            ),
            ("{\n  \"name\": \"a\"\n}\n", false, "{\"enabled\": false,\n  \"name\": \"a\"\n}\n"),
            ("Name: a\nState: ENABLED\n", false, "Name: a\nState: DISABLED\n"),
            (
                "Type: AWS::Events::Rule\nProperties:\n  Name: a\n",
                false,
                "Type: AWS::Events::Rule\nProperties:\n  State: DISABLED\n  Name: a\n",
            ),
            ("{Name: a}", true, "{\"State\": \"ENABLED\",Name: a}"),
        ] {
            assert_eq!(switch(text, is_enabled).as_deref(), Some(expected), "{text}");
            let again = switch(expected, is_enabled);
            assert_eq!(again.as_deref(), Some(expected), "it is so already: {text}");
        }
    }

    #[test]
    fn a_text_that_is_not_plainly_one_rule_stays() {
        for text in
            ["", "a: 1\n---\nb: 2\n", "[", "- a", "{}", "name: a\nenabled: &is true\nx: *is\n"]
        {
            assert_eq!(switch(text, false), None, "{text}");
        }
    }
}
