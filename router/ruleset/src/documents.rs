//! The rules of a file one by one, each with its own text.
//!
//! ```text
//! # of all       ┐
//! name: a        │ "# of all\nname: a\n"      a
//! ---            ┘
//! name: b          "name: b\n"                b
//! ```
//!
//! # Invariants
//!
//! - A file of one document is that document, byte for byte.
//!
//! # Not here
//!
//! - Whether a rule is right: only its names are read.

use crate::diagnostic::{Diagnostic, Fault};
use crate::eventbridge;
use crate::source::{Source, SourceFile};
use crate::yaml::{self, Node, Value};

/// The bus of a rule that names none.
const BUS_DEFAULT: &str = "default";

/// One document of a rule file.
#[derive(Debug, PartialEq, Eq)]
pub struct Document {
    pub text: String,
    /// The line of the file where it begins; the first is 1.
    pub line: usize,
    /// Bus and name of each of its rules; one, unless it is a template of several.
    pub rules: Vec<(String, String)>,
}

/// The documents of a file; empty ones are none.
///
/// # Errors
///
/// What is wrong with the YAML.
pub fn documents(file: &SourceFile) -> Result<Vec<Document>, Vec<Diagnostic>> {
    let (nodes, faults) = yaml::read(&file.text);
    if !faults.is_empty() {
        return Err(told(file, faults));
    }
    let texts = match nodes.len() {
        1 => vec![(1, file.text.clone())],
        _ => split(&file.text),
    };
    let mut documents = Vec::new();
    for (line, text) in texts {
        let (nodes, faults) = yaml::read(&text);
        match nodes.as_slice() {
            [] if faults.is_empty() => (),
            [node] if faults.is_empty() => {
                documents.push(Document { line, rules: names(node), text });
            }
            // Directives, which belong to several lines of a file.
            _ => return Err(told(file, faults)),
        }
    }
    Ok(documents)
}

fn told(file: &SourceFile, faults: Vec<Fault>) -> Vec<Diagnostic> {
    let source = Source::new(file);
    faults.into_iter().map(|fault| fault.in_file(&source)).collect()
}

/// What stands between lines that begin with `---`: YAML knows no other meaning of them, within texts neither.
fn split(text: &str) -> Vec<(usize, String)> {
    let mut pieces = vec![(1, String::new())];
    for (at, line) in text.split_inclusive('\n').enumerate() {
        let behind = line.strip_prefix("---");
        let behind =
            behind.filter(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']));
        if let Some(rest) = behind {
            let rest = rest.trim_start_matches([' ', '\t']);
            pieces.push((at + 1, rest.trim_start_matches(['\r', '\n']).to_owned()));
        } else if let Some((_, piece)) = pieces.last_mut() {
            piece.push_str(line);
        }
    }
    pieces
}

fn names(node: &Node) -> Vec<(String, String)> {
    let name = |rule: &Node| {
        let text = |key: &str| match &rule.member(key)?.value.value {
            Value::Text(text) => Some(text.clone()),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::List(_) | Value::Map(_) => {
                None
            }
        };
        Some((text("bus").unwrap_or_else(|| BUS_DEFAULT.to_owned()), text("name")?))
    };
    match eventbridge::in_place(node, &mut Vec::new()) {
        Some(rules) => rules.iter().filter_map(name).collect(),
        None => name(node).into_iter().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(usize, String, String)> {
        let file = SourceFile { path: "a.yaml".to_owned(), text: text.to_owned() };
        let rules = |document: &Document| {
            let names = document.rules.iter().map(|(bus, name)| format!("{bus}/{name}"));
            names.collect::<Vec<_>>().join(" ")
        };
        let found = documents(&file).unwrap().into_iter();
        found.map(|one| (one.line, rules(&one), one.text)).collect()
    }

    fn one(line: usize, rules: &str, text: &str) -> (usize, String, String) {
        (line, rules.to_owned(), text.to_owned())
    }

    #[test]
    fn each_document_has_its_own_text_and_one_alone_is_the_file() {
        let alone = "# of all\n---\nname: a # it\nbus: shop\n...\n";
        assert_eq!(read(alone), [one(1, "shop/a", alone)]);
        assert_eq!(
            read(
                "# of all\nname: a\ndescription: |\n  x\n   ---\n---\n\n--- # two\nname: b\n--- {name: c}\n"
            ),
            [
                one(1, "default/a", "# of all\nname: a\ndescription: |\n  x\n   ---\n"),
                one(8, "default/b", "# two\nname: b\n"),
                one(10, "default/c", "{name: c}\n"),
            ]
        );
        assert_eq!(read("# nothing\n"), []);
    }

    #[test]
    fn rules_in_other_shapes_have_names_too() {
        let more = "EventPattern: { source: [a] }, Targets: [{ Id: t, Arn: x, log: console }]";
        let rule = format!(
            "Type: AWS::Events::Rule\nProperties: {{ Name: a, EventBusName: shop, {more} }}\n"
        );
        assert_eq!(read(&rule)[0].1, "shop/a");
        let one = |name: &str| {
            format!(
                "  {name}: {{ Type: AWS::Events::Rule, Properties: {{ Name: {name}, {more} }} }}\n"
            )
        };
        let template = format!("Resources:\n{}{}", one("a"), one("b"));
        assert_eq!(read(&template)[0].1, "default/a default/b");
        assert_eq!(read("pattern: {}\n")[0].1, "");
    }

    #[test]
    fn broken_yaml_is_told_with_its_place() {
        let file =
            SourceFile { path: "a.yaml".to_owned(), text: "name: a\n---\nb: [\n".to_owned() };
        let told = documents(&file).unwrap_err();
        assert!(told.iter().all(|one| 3 <= one.line), "{told:?}");
    }
}
