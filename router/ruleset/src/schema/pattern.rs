//! `pattern:`: EventBridge's syntax, unchanged.

use ::pattern::never::{Held, Never, Shape, Why, never};
use ::pattern::{ParseError, Pattern};

use super::Reading;
use crate::code::Code;
use crate::nearest::{list, nearest};
use crate::yaml::{self, Member, Node, Span, Value};

/// Every event, as rules see it.
pub(crate) const SHAPE: Shape<'static> = Shape(&[
    ("version", Held::Text),
    ("id", Held::Text),
    ("detail-type", Held::Text),
    ("source", Held::Text),
    ("account", Held::Text),
    ("time", Held::Text),
    ("region", Held::Text),
    ("replay-name", Held::MaybeText),
    ("resources", Held::Texts),
    ("detail", Held::Object),
]);

impl Reading<'_> {
    pub(super) fn pattern(&mut self, node: &Node) -> Option<Pattern> {
        if !matches!(node.value, Value::Map(_)) {
            let words = (
                "a pattern must be a map",
                format!("this is {}", node.kind()),
                "write the fields to match and lists of their values, such as `source: [com.example]`",
            );
            self.fault_as(Code::WrongType, node.span.clone(), words);
            return None;
        }
        let faults_before = self.faults.len();
        let json = yaml::to_json(node, &mut self.faults);
        if faults_before != self.faults.len() {
            return None;
        }
        match Pattern::parse(&json.text) {
            Ok(pattern) => {
                if let Some(found) = never(&pattern, &SHAPE) {
                    self.never(node, &found);
                }
                Some(pattern)
            }
            Err(error) => {
                if !self.each_field(node, &mut Vec::new()) {
                    self.not_a_pattern(json.place_of(&error.span), error);
                }
                None
            }
        }
    }

    /// Reads each field by itself, since a pattern as a whole tells its first mistake alone. Returns whether any was told.
    fn each_field(&mut self, node: &Node, above: &mut Vec<Member>) -> bool {
        let Value::Map(members) = &node.value else { return false };
        let mut is_told = false;
        for member in members {
            if member.key == "$or" {
                let Value::List(alternatives) = &member.value.value else { continue };
                for alternative in alternatives {
                    is_told |= self.each_field(alternative, above);
                }
                continue;
            }
            let alone = alone(member, above);
            let json = yaml::to_json(&alone, &mut Vec::new());
            let Err(error) = Pattern::parse(&json.text) else { continue };
            above.push(Member { value: Node::new(0..0, Value::Null), ..member.clone() });
            let is_inside = self.each_field(&member.value, above);
            above.pop();
            if !is_inside {
                self.not_a_pattern(json.place_of(&error.span), error);
            }
            is_told = true;
        }
        is_told
    }

    fn not_a_pattern(&mut self, span: Span, error: ParseError) {
        let message = format!("the pattern is not valid: {}", error.message);
        self.fault_as(Code::InvalidPattern, span, (message, "here", error.mend));
    }

    fn never(&mut self, node: &Node, Never { path, why }: &Never) {
        let top = path.split('.').next().unwrap_or(path);
        let (message, label, mend) = match why {
            Why::NoSuchKey => {
                let keys: Vec<&str> = SHAPE.0.iter().map(|(key, _)| *key).collect();
                let mend = match nearest(top, keys.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!(
                        "what a sender says stands below `detail`: `detail: {{ {top}: … }}`; the keys of an event are {}",
                        list(&keys)
                    ),
                };
                (format!("events have no `{top}`"), "no event has it", mend)
            }
            Why::NothingBelow => (
                format!("`{top}` is a text in every event, with nothing below it"),
                "never there",
                format!("write a list of texts: `{top}: [\"…\"]`"),
            ),
            Why::AnObject => (
                format!("`{path}` is an object in every event, and no object fits a list of values"),
                "no event fits",
                format!("name what is in it: `{path}: {{ field: [\"…\"] }}`"),
            ),
            Why::AlwaysThere => (
                format!("every event has a `{path}`"),
                "asks for none",
                "remove the condition".to_owned(),
            ),
            Why::ATextAlways => (
                format!("`{path}` is a text in every event, and no text fits this"),
                "no text fits",
                "write texts, in quotes where they look like something else: `\"123\"`".to_owned(),
            ),
            Why::Contradiction => (
                format!("no value of `{path}` fits these conditions together"),
                "they contradict each other",
                "loosen one of them; conditions of which one is enough stand beside each other in the list"
                    .to_owned(),
            ),
        };
        let span = find(node, path).unwrap_or_else(|| node.span.clone());
        let message = format!("the pattern never matches: {message}");
        self.warning(Code::PatternNeverMatches, span, (message, label, mend));
    }
}

/// A pattern of this field and the keys above it.
fn alone(member: &Member, above: &[Member]) -> Node {
    let map = |member: Member| {
        let span = member.key_span.start..member.value.span.end.max(member.key_span.end);
        Node::new(span, Value::Map(vec![member]))
    };
    above
        .iter()
        .rev()
        .fold(map(member.clone()), |inner, above| map(Member { value: inner, ..above.clone() }))
}

/// The key of the field at `path`, whose keys are joined by dots.
fn find(node: &Node, path: &str) -> Option<Span> {
    let Value::Map(members) = &node.value else { return None };
    members.iter().find_map(|member| {
        if member.key == "$or" {
            let Value::List(alternatives) = &member.value.value else { return None };
            return alternatives.iter().find_map(|alternative| find(alternative, path));
        }
        if member.key == path {
            return Some(member.key_span.clone());
        }
        let below = path.strip_prefix(&member.key)?.strip_prefix('.')?;
        find(&member.value, below)
    })
}
