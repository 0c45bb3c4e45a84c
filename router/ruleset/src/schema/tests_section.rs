//! `tests:`: events, and what should be sent for them.

use event::Event;

use super::Reading;
use super::keys::TEST;
use crate::code::Code;
use crate::diagnostic::Fault;
use crate::expectation::{NONE, Wanted};
use crate::inline_test::{Expect, Expected, InlineTest, Place, STAMP};
use crate::nearest::suggest;
use crate::written::Written;
use crate::yaml::{self, Member, Node, Span, Value};

const REPLAY_NAME: &str = "replay-name";

impl Reading<'_> {
    pub(super) fn tests(&mut self, node: &Node, ids: &[String]) -> Vec<InlineTest> {
        let mend = "write each test as `- name: …` with an `event` and what to `expect`";
        let Some(items) = self.list(node, "`tests`", mend) else { return Vec::new() };
        items.iter().filter_map(|item| self.test(item, ids)).collect()
    }

    fn test(&mut self, node: &Node, ids: &[String]) -> Option<InlineTest> {
        if !self.is_section(node, &TEST) {
            return None;
        }
        let name_node = self.required(node, &TEST, "name");
        let name = name_node.and_then(|name| self.text(name, "the `name` of a test"));
        let event = self.required(node, &TEST, "event").and_then(|event| self.event(event));
        let expect =
            self.required(node, &TEST, "expect").and_then(|expect| self.expect(expect, ids));
        let errors = node.member("errors").map(|errors| self.errors(&errors.value, ids));
        let place = self.place(&name_node?.span);
        let written = Written::of(node, self.source.text);
        let mut expect = expect?;
        if let (Some(errors), Expect::Targets(all)) = (errors, &mut expect) {
            let errors = errors?;
            // `none` beside an error says no more than that nothing is sent.
            let fails = |target: &str| errors.iter().any(|error| error.target == target);
            all.retain(|one| !(one.wanted.is_nothing() && fails(&one.target)));
            all.extend(errors);
        }
        Some(InlineTest { name: name?.to_owned(), event: event?, expect, place, written })
    }

    /// What is left out of the event is filled in; `replay-name` makes it a replayed one.
    fn event(&mut self, node: &Node) -> Option<Event> {
        let mut sent = node.clone();
        let mut replay_name = None;
        if let Value::Map(members) = &mut sent.value
            && let Some(at) = members.iter().position(|member| member.key == REPLAY_NAME)
        {
            let member = members.remove(at);
            replay_name = Some(self.text(&member.value, "`replay-name`")?.to_owned());
        }
        let faults_before = self.faults.len();
        let json = yaml::to_json(&sent, &mut self.faults);
        if faults_before != self.faults.len() {
            return None;
        }
        match Event::from_entry(json.text.as_bytes(), &self.context.limits, &STAMP) {
            Ok(event) => Some(replay_name.map_or(event.clone(), |name| event.replayed(&name))),
            Err(error) => {
                let words = (
                    format!("the event of this test could not be sent: {error}"),
                    "not an event",
                    "write it as it is sent: `source`, `detail-type` and `detail`",
                );
                self.fault(node.span.clone(), words);
                None
            }
        }
    }

    fn expect(&mut self, node: &Node, ids: &[String]) -> Option<Expect> {
        if is_none(node) {
            return Some(Expect::Nothing);
        }
        let Value::Map(members) = &node.value else {
            let words = (
                "`expect` says what each target is sent",
                format!("this is {}", node.kind()),
                "write `none`, or the id of a target and what it is sent",
            );
            self.fault(node.span.clone(), words);
            return None;
        };
        let mut expected = Vec::new();
        for member in members {
            self.is_target(member, ids);
            let outputs = match &member.value.value {
                Value::List(items) => items.iter().collect(),
                _ if is_none(&member.value) => Vec::new(),
                _ => vec![&member.value],
            };
            let outputs =
                outputs.into_iter().map(|item| yaml::to_json(item, &mut self.faults).text);
            expected.push(Expected {
                target: member.key.clone(),
                wanted: Wanted::Outputs(outputs.collect()),
                place: self.place(&member.value.span),
            });
        }
        Some(Expect::Targets(expected))
    }

    /// `errors:`, the targets whose transforms are expected to fail.
    fn errors(&mut self, node: &Node, ids: &[String]) -> Option<Vec<Expected>> {
        let Value::Map(members) = &node.value else {
            let words = (
                "`errors` says which transforms fail",
                format!("this is {}", node.kind()),
                "write the id of a target and a part of the error",
            );
            self.fault(node.span.clone(), words);
            return None;
        };
        let mut expected = Vec::new();
        for member in members {
            self.is_target(member, ids);
            let words = self.text(&member.value, "an expected error")?.to_owned();
            let (wanted, place) = (Wanted::Error(words), self.place(&member.value.span));
            expected.push(Expected { target: member.key.clone(), wanted, place });
        }
        Some(expected)
    }

    fn is_target(&mut self, member: &Member, ids: &[String]) {
        if ids.contains(&member.key) {
            return;
        }
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let mend = suggest(&member.key, &ids, "the targets of this rule are");
        let message = format!("this rule has no target `{}`", member.key);
        let words = (message, "unknown target", mend);
        self.fault_as(Code::UnknownTarget, member.key_span.clone(), words);
    }

    /// The place of `span`, as a diagnostic would show it.
    fn place(&self, span: &Span) -> Place {
        let fault = Fault::new(Code::TestFailed, span.clone(), ("", "", ""));
        let shown = fault.in_file(self.source);
        let crate::Diagnostic { span, line, column, end_column, .. } = shown;
        Place { span, line, column, end_column }
    }
}

fn is_none(node: &Node) -> bool {
    matches!(&node.value, Value::Text(text) if text == NONE)
}
