//! From the tree of a file to rules: what each key means, and everything that is wrong.
//!
//! # Invariants
//!
//! - A problem never hides another: reading goes on with what is left.
//! - When nothing is reported the rule is whole.
//!
//! # Not here
//!
//! - What needs other files: `load` looks for names given twice and for buses that do not exist.

mod duration;
mod flow;
mod http;
mod input;
pub(crate) mod keys;
mod pages;
mod pattern;
mod plugin;
mod retry;
mod rule;
mod steps;
mod target;
mod tests_section;

use keys::Section;

use crate::code::Code;
use crate::diagnostic::Fault;
use crate::load::Context;
use crate::nearest::{list, nearest, suggest};
use crate::plugins::StepPlace;
use crate::source::Source;
use crate::values;
use crate::yaml::{Filling, Node, Span, Value};

pub(crate) use self::pattern::SHAPE;
pub(crate) use pages::page_of;
pub(crate) use rule::Draft;

/// The reading of one file.
pub(crate) struct Reading<'a> {
    pub source: &'a Source<'a>,
    pub context: &'a Context<'a>,
    pub faults: Vec<Fault>,
    /// What does not stop a rule from running.
    pub warnings: Vec<Fault>,
    /// The step that is being read.
    pub at: StepPlace,
}

impl Reading<'_> {
    /// Adds a value that is none that can stand there; `words` are the message, the label and the mend.
    fn fault<M: Into<String>, L: Into<String>, N: Into<String>>(
        &mut self,
        span: Span,
        words: (M, L, N),
    ) {
        self.fault_as(Code::InvalidValue, span, words);
    }

    /// Adds a problem of another kind.
    fn fault_as<M: Into<String>, L: Into<String>, N: Into<String>>(
        &mut self,
        code: Code,
        span: Span,
        words: (M, L, N),
    ) {
        self.faults.push(Fault::new(code, span, words));
    }

    /// Adds what does not stop the rule from running.
    fn warning<M: Into<String>, L: Into<String>, N: Into<String>>(
        &mut self,
        code: Code,
        span: Span,
        words: (M, L, N),
    ) {
        self.warnings.push(Fault::new(code, span, words));
    }

    /// Whether `node` is a map; its unknown keys are reported.
    fn is_section(&mut self, node: &Node, section: &Section) -> bool {
        let Value::Map(members) = &node.value else {
            let message = format!("{} must be a map", section.name);
            let mend = format!("its keys are {}", list(section.keys));
            let label = format!("this is {}", node.kind());
            self.fault_as(Code::WrongType, node.span.clone(), (message, label, mend));
            return false;
        };
        for member in members {
            let key = member.key.as_str();
            let span = member.key_span.clone();
            if let Some((_, why, mend)) = section.refused.iter().find(|(it, ..)| *it == key) {
                let words = (format!("`{key}` {why}"), "not supported", *mend);
                self.fault_as(Code::NotSupported, span, words);
            } else if !section.keys.contains(&key) {
                let otherwise = format!("the keys of {} are", section.name);
                let mend = suggest(key, section.keys, &otherwise);
                let message = format!("unknown key `{key}` in {}", section.name);
                self.fault_as(Code::UnknownKey, span, (message, "unknown", mend));
            }
        }
        true
    }

    /// The value of a key that must be there.
    fn required<'n>(&mut self, node: &'n Node, section: &Section, key: &str) -> Option<&'n Node> {
        let found = node.member(key);
        if found.is_none() && !is_misspelt(node, section, key) {
            let message = format!("{} has no `{key}`", section.name);
            let mend = format!("add `{key}:`");
            let words = (message, format!("`{key}` is missing"), mend);
            self.fault_as(Code::MissingKey, node.span.clone(), words);
        }
        found.map(|member| &member.value)
    }

    fn text<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n str> {
        if node.filling == Filling::Failed {
            return None;
        }
        if let Value::Text(text) = &node.value {
            return Some(text);
        }
        let mend = match &node.value {
            Value::Number(text) => format!("put it in quotes: \"{text}\""),
            Value::Bool(is) => format!("put it in quotes: \"{is}\""),
            Value::Null | Value::Text(_) | Value::List(_) | Value::Map(_) => {
                "write a text".to_owned()
            }
        };
        let message = format!("{what} must be a text");
        let label = format!("this is {}", node.kind());
        self.fault_as(Code::WrongType, node.span.clone(), (message, label, mend));
        None
    }

    fn list<'n>(&mut self, node: &'n Node, what: &str, mend: &str) -> Option<&'n [Node]> {
        if let Value::List(items) = &node.value {
            return Some(items);
        }
        let message = format!("{what} must be a list");
        let label = format!("this is {}", node.kind());
        self.fault_as(Code::WrongType, node.span.clone(), (message, label, mend));
        None
    }

    /// A name as EventBridge has them; `what` is the kind of thing, such as "a rule".
    fn name<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n str> {
        let text = self.text(node, &format!("the name of {what}"))?;
        if is_name(text) {
            return Some(text);
        }
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        let (part, label) = match text.char_indices().find(|(_, c)| !is_plain(*c)) {
            Some((at, c)) => (at..at + c.len_utf8(), "not allowed".to_owned()),
            None => (0..text.len(), format!("{} characters long", text.len())),
        };
        let shown = if node.filling == Filling::None { text } else { "this" };
        let words = (
            format!("`{shown}` is no name for {what}"),
            label,
            "a name has 1 to 64 letters (A to Z, a to z), digits, dots, hyphens and underscores",
        );
        self.fault_as(Code::InvalidName, node.place_of(part, self.source.text), words);
        None
    }

    /// Whether what is read is as good as its owner's hand; see [`values::Values::trusts`].
    fn is_trusted(&self) -> bool {
        self.context.values.trusts(self.source.path)
    }

    /// `node` with the values from outside in its texts.
    fn filled(&mut self, node: &Node) -> Node {
        values::fill(node, self.source, self.context.values, &mut self.faults)
    }

    /// The same, of a map without what does not belong to it.
    fn filled_section(&mut self, node: &Node, section: &Section) -> Node {
        let mut known = node.clone();
        if let Value::Map(members) = &mut known.value {
            members.retain(|member| section.keys.contains(&member.key.as_str()));
        }
        self.filled(&known)
    }
}

/// Whether `node` has a key that is probably meant to be `key`.
fn is_misspelt(node: &Node, section: &Section, key: &str) -> bool {
    let Value::Map(members) = &node.value else { return false };
    let mut unknown = members.iter().filter(|member| !section.keys.contains(&member.key.as_str()));
    unknown.any(|member| {
        let name = member.key.as_str();
        nearest(name, section.keys.iter().copied()) == Some(key)
            || section.refused.iter().any(|(it, why, _)| *it == name && *why == keys::FOREIGN)
    })
}

/// Whether `node` has a key that is probably meant to be another one.
fn has_typo(node: &Node, section: &Section) -> bool {
    section.keys.iter().any(|key| is_misspelt(node, section, key))
}

fn is_name(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    (1..=64).contains(&text.len()) && text.bytes().all(is_plain)
}
