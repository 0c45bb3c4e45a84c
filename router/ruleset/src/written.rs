//! Where in a file a test says what it expects, and what to write there instead.
//!
//! # Invariants
//!
//! - Only what is expected is touched: comments, order and every other byte of the file stay.
//! - What is written is JSON, which is YAML as well, on one line for each target.
//!
//! # Not here
//!
//! - Whether the changed file says what was meant: whoever writes it reads it again first.

use crate::expectation::{Came, NONE, quoted, written};
use crate::yaml::{Node, Span, Value};

/// A replacement of bytes of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub span: Span,
    pub text: String,
}

/// What a test would have to expect.
#[derive(Debug)]
pub(crate) enum Settled {
    Nothing,
    Targets {
        /// What each gets, as it is written.
        outputs: Vec<(String, String)>,
        /// The words of those whose transform fails.
        errors: Vec<(String, String)>,
        /// Those of which the right thing is expected already.
        right: Vec<String>,
    },
}

/// How a test stands in its file.
#[derive(Debug, Clone)]
pub(crate) struct Written {
    /// Behind its last member.
    end: usize,
    style: Style,
    expect: Option<Part>,
    errors: Option<Part>,
    /// A whole event, which becomes the `event` of a test; with its bus.
    bare: Option<(Span, String)>,
}

/// How the members of a map are set apart.
#[derive(Debug, Clone)]
enum Style {
    /// By commas: JSON, or the braces of YAML.
    Flow,
    /// By lines that begin so; `expect` is written to the right of it.
    Block(String),
}

/// A key of a test, and what it says.
#[derive(Debug, Clone)]
struct Part {
    /// What is replaced for another value, and what then stands before that.
    value: Place,
    /// The keys of the map; none when they stand elsewhere, behind an alias, or it is no map.
    members: Option<Vec<(String, Place)>>,
    /// Behind the last member, and how another one is set apart.
    end: usize,
    style: Style,
}

#[derive(Debug, Clone)]
struct Place {
    span: Span,
    lead: &'static str,
}

impl Settled {
    /// What came for each target, and whether that was expected.
    pub(crate) fn of(all: impl Iterator<Item = (String, Came, bool)>) -> Self {
        let (mut outputs, mut errors, mut right) = (Vec::new(), Vec::new(), Vec::new());
        for (target, came, is_right) in all {
            right.extend(is_right.then(|| target.clone()));
            match came {
                Ok(came) => outputs.push((target, written(&came))),
                Err(error) => errors.push((target, quoted(&error.to_string()))),
            }
        }
        Self::Targets { outputs, errors, right }
    }
}

impl Written {
    /// `node` is the map of a test.
    pub(crate) fn of(node: &Node, text: &str) -> Self {
        let style = Style::of(node, text);
        let part = |key: &str| {
            let member = node.member(key)?;
            holds(&node.span, &member.key_span)
                .then(|| Part::of(&member.key_span, &member.value, text))
        };
        let end = line_end(node, &style, text);
        Self { end, style, expect: part("expect"), errors: part("errors"), bare: None }
    }

    /// Of a test that is nothing but its event, in JSON.
    pub(crate) fn bare(whole: Span, bus: &str) -> Self {
        let (end, style, bare) = (whole.end, Style::Flow, Some((whole, bus.to_owned())));
        Self { end, style, expect: None, errors: None, bare }
    }

    /// What has to change so that the test expects this.
    pub(crate) fn changes(&self, settled: &Settled) -> Vec<Change> {
        let (outputs, errors, right) = match settled {
            Settled::Nothing => (&[][..], &[][..], &[][..]),
            Settled::Targets { outputs, errors, right } => (&outputs[..], &errors[..], &right[..]),
        };
        let is_nothing = matches!(settled, Settled::Nothing);
        let mut changes = Vec::new();
        let mut added = String::new();
        match &self.expect {
            Some(part) if is_nothing => changes.push(part.value.with(&part.style.none())),
            Some(part) => changes.extend(part.changes(outputs, right)),
            None => added.push_str(&self.style.member("expect", &self.style.map(outputs))),
        }
        match &self.errors {
            Some(part) if part.names_just(errors) && part.are_in(right) => (),
            Some(part) => changes.push(part.value.with(&flow(errors))),
            None if errors.is_empty() => (),
            None => added.push_str(&self.style.member("errors", &self.style.map(errors))),
        }
        if let Some((whole, bus)) = &self.bare {
            let start = Span { start: whole.start, end: whole.start };
            let bus = quoted(bus);
            changes.push(Change { span: start, text: format!("{{\"bus\": {bus}, \"event\": ") });
            added.push('}');
        }
        if !added.is_empty() {
            changes.push(Change { span: self.end..self.end, text: added });
        }
        changes
    }
}

impl Part {
    fn of(key: &Span, node: &Node, text: &str) -> Self {
        let style = Style::of(node, text);
        let members = match &node.value {
            Value::Map(members) if !members.is_empty() => {
                let here = members.iter().all(|member| holds(&node.span, &member.key_span));
                let place = |member: &crate::yaml::Member| {
                    (member.key.clone(), Place::of(&member.key_span, &member.value, text))
                };
                here.then(|| members.iter().map(place).collect())
            }
            _ => None,
        };
        let end = line_end(node, &style, text);
        Self { value: Place::of(key, node, text), members, end, style }
    }

    fn names_just(&self, wanted: &[(String, String)]) -> bool {
        let named = self.members.as_ref();
        named.map_or(0, Vec::len) == wanted.len() && self.are_in_keys(wanted)
    }

    fn are_in_keys(&self, wanted: &[(String, String)]) -> bool {
        let mut named = self.members.iter().flatten();
        named.all(|(key, _)| wanted.iter().any(|(target, _)| target == key))
    }

    fn are_in(&self, right: &[String]) -> bool {
        self.members.iter().flatten().all(|(key, _)| right.contains(key))
    }

    /// So that each target of `wanted` is expected to get this, and every other one nothing.
    fn changes(&self, wanted: &[(String, String)], right: &[String]) -> Vec<Change> {
        let Some(members) = &self.members else {
            return vec![self.value.with(&flow(wanted))];
        };
        let mut changes = Vec::new();
        for (key, place) in members.iter().filter(|(key, _)| !right.contains(key)) {
            let wanted = wanted.iter().find(|(target, _)| target == key);
            let none = self.style.none();
            changes.push(place.with(wanted.map_or(none.as_str(), |(_, value)| value)));
        }
        let is_new = |target: &str| members.iter().all(|(key, _)| key != target);
        let more: String = wanted
            .iter()
            .filter(|(target, value)| is_new(target) && *value != quoted(NONE))
            .map(|(target, value)| self.style.member(target, &format!(" {value}")))
            .collect();
        if !more.is_empty() {
            changes.push(Change { span: self.end..self.end, text: more });
        }
        changes
    }
}

impl Place {
    /// The value of a key. One that begins on a later line moves up to its key.
    fn of(key: &Span, value: &Node, text: &str) -> Self {
        let between = text.get(key.end..value.span.start).unwrap_or_default();
        let has_more = between.contains('#') || !between.trim_start().starts_with(':');
        if value.span.is_empty() || has_more {
            let lead = if value.span.is_empty() { " " } else { "" };
            return Self { span: value.span.clone(), lead };
        }
        let colon = between.find(':').map_or(0, |at| at + 1);
        Self { span: key.end + colon..value.span.end, lead: " " }
    }

    fn with(&self, value: &str) -> Change {
        Change { span: self.span.clone(), text: format!("{}{value}", self.lead) }
    }
}

impl Style {
    fn of(node: &Node, text: &str) -> Self {
        let first = match &node.value {
            Value::Map(members) => members.first().map(|member| member.key_span.start),
            Value::List(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) => {
                None
            }
        };
        match first {
            Some(at) if !text.get(node.span.clone()).unwrap_or_default().starts_with('{') => {
                let before = text.get(..at).unwrap_or_default();
                let line = before.rsplit('\n').next().unwrap_or_default();
                Self::Block(" ".repeat(line.chars().count()))
            }
            _ => Self::Flow,
        }
    }

    fn none(&self) -> String {
        match self {
            Self::Flow => quoted(NONE),
            Self::Block(_) => NONE.to_owned(),
        }
    }

    /// One more member; `value` stands behind its colon.
    fn member(&self, key: &str, value: &str) -> String {
        match self {
            Self::Flow => format!(", {}:{value}", quoted(key)),
            Self::Block(indent) => format!("\n{indent}{key}:{value}"),
        }
    }

    /// A map in a value of its own; `none` when nobody gets anything.
    fn map(&self, all: &[(String, String)]) -> String {
        let is_some = |(_, value): &&(String, String)| *value != quoted(NONE);
        let all: Vec<_> = all.iter().filter(is_some).cloned().collect();
        match self {
            _ if all.is_empty() => format!(" {}", self.none()),
            Self::Flow => format!(" {}", flow(&all)),
            Self::Block(indent) => {
                let line = |(key, value): &(String, String)| format!("\n{indent}  {key}: {value}");
                all.iter().map(line).collect()
            }
        }
    }
}

fn flow(all: &[(String, String)]) -> String {
    let members: Vec<String> =
        all.iter().map(|(key, value)| format!("{}: {value}", quoted(key))).collect();
    format!("{{{}}}", members.join(", "))
}

/// Where another member of a map is written: behind the last one, and what stands behind that on its line.
fn line_end(node: &Node, style: &Style, text: &str) -> usize {
    let Value::Map(members) = &node.value else { return node.span.end };
    let last =
        members.last().map_or(node.span.end, |last| last.value.span.end.max(last.key_span.end));
    match style {
        Style::Flow => last,
        Style::Block(_) => {
            let text_end = text.get(..last).unwrap_or_default().trim_end().len();
            let rest = text.get(text_end..).unwrap_or_default();
            let line = rest.find('\n').map_or(text.len(), |at| text_end + at);
            line - usize::from(text.get(..line).is_some_and(|text| text.ends_with('\r')))
        }
    }
}

fn holds(outer: &Span, inner: &Span) -> bool {
    outer.start <= inner.start && inner.end <= outer.end
}

/// The text with the changes made; they must not overlap.
pub fn changed(text: &str, changes: impl IntoIterator<Item = Change>) -> String {
    let mut changes: Vec<Change> = changes.into_iter().collect();
    // Of two at one place the first stays the first.
    changes.sort_by_key(|change| change.span.start);
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for Change { span, text: new } in changes {
        out.push_str(text.get(at..span.start).unwrap_or_default());
        out.push_str(&new);
        at = span.end.max(at);
    }
    out.push_str(text.get(at..).unwrap_or_default());
    out
}
