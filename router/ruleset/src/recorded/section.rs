//! What the keys of a case mean, and everything that is wrong with them.

use event::Event;

use super::{Case, Expected};
use crate::code::Code;
use crate::diagnostic::Fault;
use crate::expectation::{NONE, Wanted};
use crate::inline_test::{Place, STAMP};
use crate::json;
use crate::nearest::suggest;
use crate::source::Source;
use crate::written::Written;
use crate::yaml::{self, Member, Node, Span, Value};

const KEYS: [&str; 6] = ["name", "bus", "event", "expect", "errors", "partial"];
/// What a recording says of its event, and a test has no use for.
const OF_RECORDINGS: [&str; 5] = ["offset", "taken_at", "hops", "idempotency_key", "bytes"];
/// An event alone is known by these.
const OF_EVENTS: [&str; 3] = ["source", "detail-type", "detail"];
const REPLAY_NAME: &str = "replay-name";

/// The reading of one file.
pub(super) struct Reading<'a> {
    pub source: &'a Source<'a>,
    pub limits: &'a event::Limits,
    /// Of events that name none.
    pub bus: &'a str,
    pub is_yaml: bool,
    pub faults: Vec<Fault>,
}

/// The cases of a document of YAML: one, or a list of them.
pub(super) fn items(document: Node) -> Vec<Node> {
    match document.value {
        Value::List(items) => items,
        value => vec![Node { value, ..document }],
    }
}

impl Reading<'_> {
    /// None when anything is wrong with it, which is then among the faults.
    pub(super) fn case(&mut self, node: &Node) -> Option<Case> {
        let before = self.faults.len();
        let Value::Map(members) = &node.value else {
            let mend = "write `{\"bus\": …, \"event\": {…}, \"expect\": {…}}`, or an event alone";
            let message = "a case must be a map".to_owned();
            self.fault(
                Code::WrongType,
                &node.span,
                (message, format!("this is {}", node.kind()), mend.to_owned()),
            );
            return None;
        };
        let is_bare = !self.is_yaml
            && node.member("event").is_none()
            && OF_EVENTS.iter().any(|key| node.member(key).is_some());
        let event = if is_bare {
            self.event(node)
        } else {
            self.keys(members);
            self.given_event(node)
        };
        let of_case = |key: &str| node.member(key).filter(|_| !is_bare);
        let name = of_case("name").and_then(|name| self.text(name));
        let bus = of_case("bus");
        let bus_name = bus.and_then(|bus| self.text(bus)).unwrap_or_else(|| self.bus.to_owned());
        let is_partial = of_case("partial").is_some_and(|partial| self.is_partial(partial));
        let expect = of_case("expect");
        let outputs = expect.map(|expect| self.outputs(&expect.value));
        let errors = of_case("errors").map(|errors| self.errors(&errors.value));
        if self.faults.len() != before {
            return None;
        }
        let place = self.place(&(node.span.start..node.span.start + 1));
        let written = match is_bare {
            true => Written::bare(node.span.clone(), &bus_name),
            false => Written::of(node, self.source.text),
        };
        Some(Case {
            name: name.unwrap_or_else(|| format!("line {}", place.line)),
            bus: bus_name,
            bus_place: bus.map_or_else(|| place.clone(), |bus| self.place(&bus.value.span)),
            event: event?,
            expect: together(outputs, errors),
            is_partial,
            expect_place: expect.map_or_else(|| place.clone(), |one| self.place(&one.key_span)),
            place,
            written,
        })
    }

    fn keys(&mut self, members: &[Member]) {
        for (at, Member { key, key_span, .. }) in members.iter().enumerate() {
            let is_known = KEYS.contains(&key.as_str()) || OF_RECORDINGS.contains(&key.as_str());
            if !is_known {
                let mend = suggest(key, &KEYS, "the keys of a case are");
                let message = format!("unknown key `{key}` in a case");
                self.fault(Code::UnknownKey, key_span, (message, "unknown".to_owned(), mend));
            } else if members.iter().take(at).any(|before| before.key == *key) {
                let message = format!("the key `{key}` is given twice");
                let mend = "keep one of the two".to_owned();
                self.fault(
                    Code::DuplicateKey,
                    key_span,
                    (message, "the second one".to_owned(), mend),
                );
            }
        }
    }

    fn given_event(&mut self, node: &Node) -> Option<Event> {
        match node.member("event") {
            Some(event) => self.event(&event.value),
            None => {
                let message = "a case has no `event`".to_owned();
                let mend = "add `event`, as it is sent".to_owned();
                let start = node.span.start..node.span.start + 1;
                self.fault(
                    Code::MissingKey,
                    &start,
                    (message, "`event` is missing".to_owned(), mend),
                );
                None
            }
        }
    }

    /// Of JSON the sender's bytes, of YAML what it stands for.
    fn event(&mut self, node: &Node) -> Option<Event> {
        let text = if self.is_yaml {
            let before = self.faults.len();
            let text = yaml::to_json(node, &mut self.faults).text;
            if self.faults.len() != before {
                return None;
            }
            text
        } else {
            self.source.text.get(node.span.clone()).unwrap_or_default().to_owned()
        };
        let (text, replay) = without_replay(text);
        match Event::from_entry(text.as_bytes(), self.limits, &STAMP) {
            Ok(event) => Some(replay.map_or(event.clone(), |name| event.replayed(&name))),
            Err(error) => {
                let message = format!("this event could not be sent: {error}");
                let mend = "write it as it is sent: `source`, `detail-type` and `detail`";
                self.fault(
                    Code::InvalidValue,
                    &node.span,
                    (message, "not an event".to_owned(), mend.to_owned()),
                );
                None
            }
        }
    }

    fn text(&mut self, Member { key, value, .. }: &Member) -> Option<String> {
        if let Value::Text(text) = &value.value {
            return Some(text.clone());
        }
        let message = format!("`{key}` must be a text");
        let mend = "put it in quotes".to_owned();
        self.fault(
            Code::WrongType,
            &value.span,
            (message, format!("this is {}", value.kind()), mend),
        );
        None
    }

    fn is_partial(&mut self, Member { value, .. }: &Member) -> bool {
        if let Value::Bool(is) = value.value {
            return is;
        }
        let message = "`partial` must be `true` or `false`".to_owned();
        let mend =
            "write `true` when targets that are not named are not to be looked at".to_owned();
        self.fault(
            Code::WrongType,
            &value.span,
            (message, format!("this is {}", value.kind()), mend),
        );
        false
    }

    fn outputs(&mut self, node: &Node) -> Vec<Expected> {
        if is_none(node) {
            return Vec::new();
        }
        let mend = "write `none`, or a map from `rule/target` to what it is sent";
        let members = self.map(node, "`expect` says what each target is sent", mend);
        let mut all = Vec::new();
        for member in members {
            let items = match &member.value.value {
                Value::List(items) => items.iter().collect(),
                _ if is_none(&member.value) => Vec::new(),
                _ => vec![&member.value],
            };
            let outputs =
                items.into_iter().map(|item| yaml::to_json(item, &mut self.faults).text).collect();
            all.extend(self.expected(member, Wanted::Outputs(outputs)));
        }
        all
    }

    fn errors(&mut self, node: &Node) -> Vec<Expected> {
        let mend = "write a map from `rule/target` to a part of the error";
        let members = self.map(node, "`errors` says which transforms fail", mend);
        let mut all = Vec::new();
        for member in members {
            if let Some(part) = self.text(member) {
                all.extend(self.expected(member, Wanted::Error(part)));
            }
        }
        all
    }

    fn map<'n>(&mut self, node: &'n Node, message: &str, mend: &str) -> &'n [Member] {
        if let Value::Map(members) = &node.value {
            return members;
        }
        let label = format!("this is {}", node.kind());
        self.fault(Code::WrongType, &node.span, (message.to_owned(), label, mend.to_owned()));
        &[]
    }

    fn expected(&mut self, member: &Member, wanted: Wanted) -> Option<Expected> {
        if member.key.split_once('/').is_none() {
            let message = format!("`{}` names no target", member.key);
            let mend = "write the rule, a slash, and the id of one of its targets".to_owned();
            self.fault(
                Code::UnknownTarget,
                &member.key_span,
                (message, "without a slash".to_owned(), mend),
            );
            return None;
        }
        let (key, value) = (self.place(&member.key_span), self.place(&member.value.span));
        Some(Expected { name: member.key.clone(), key, wanted, value })
    }

    fn place(&self, span: &Span) -> Place {
        let shown = Fault::new(Code::InvalidValue, span.clone(), ("", "", "")).in_file(self.source);
        Place {
            span: shown.span,
            line: shown.line,
            column: shown.column,
            end_column: shown.end_column,
        }
    }

    fn fault(&mut self, code: Code, span: &Span, words: (String, String, String)) {
        self.faults.push(Fault::new(code, span.clone(), words));
    }
}

/// `none` beside an error says no more than that nothing is sent.
fn together(
    outputs: Option<Vec<Expected>>,
    errors: Option<Vec<Expected>>,
) -> Option<Vec<Expected>> {
    let (mut outputs, errors) = match (outputs, errors) {
        (None, None) => return None,
        (outputs, errors) => (outputs.unwrap_or_default(), errors.unwrap_or_default()),
    };
    let fails = |name: &str| errors.iter().any(|error| error.name == name);
    outputs.retain(|one| !(one.wanted.is_nothing() && fails(&one.name)));
    outputs.extend(errors);
    Some(outputs)
}

/// An event of a replay is one that says its name.
fn without_replay(text: String) -> (String, Option<String>) {
    let mut replay = None;
    let mut kept = Vec::new();
    for (key, value) in json::members(&text) {
        match value.strip_prefix('"').and_then(|value| value.strip_suffix('"')) {
            Some(name) if key == REPLAY_NAME => replay = Some(json::unescape(name).into_owned()),
            _ => kept.push(format!("\"{key}\":{value}")),
        }
    }
    match replay {
        None => (text, None),
        Some(name) => (format!("{{{}}}", kept.join(",")), Some(name)),
    }
}

fn is_none(node: &Node) -> bool {
    matches!(&node.value, Value::Text(text) if text == NONE)
}
