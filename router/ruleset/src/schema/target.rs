//! `targets:`: where events go.

use std::sync::Arc;

use super::keys::{KINDS, LOG, RETRY, TARGET};
use super::{Reading, has_typo};
use crate::code::Code;
use crate::nearest::{list, nearest};
use crate::overlap::Written;
use crate::rule::{BusTarget, Log, Retry, Target, TargetKind};
use crate::yaml::{self, Filling, Member, Node, Span, Value};

/// How many targets a rule may have.
const TARGETS_MAX: usize = 100;

/// The targets of a rule, as far as they could be read.
#[derive(Default)]
pub(super) struct Targets {
    pub whole: Vec<Arc<Target>>,
    /// Every id that is a name, also of a target that is broken otherwise.
    pub ids: Vec<String>,
    /// Buses that are published to, which must exist.
    pub forwards: Vec<(String, Span)>,
    pub written: Vec<Written>,
    /// Connections that the configuration does not know.
    pub connections: Vec<(String, Span)>,
}

impl Reading<'_> {
    pub(super) fn targets(&mut self, node: &Node) -> Targets {
        let mut targets = Targets::default();
        let mend = "write each target as `- id: …` with one of `http`, `log` and `bus`";
        let Some(items) = self.list(node, "`targets`", mend) else { return targets };
        if items.is_empty() || TARGETS_MAX < items.len() {
            let message = format!("a rule has 1 to {TARGETS_MAX} targets");
            let label = format!("these are {}", items.len());
            self.fault(node.span.clone(), (message, label, mend));
        }
        for item in items {
            self.target(item, &mut targets);
        }
        targets
    }

    fn target(&mut self, node: &Node, targets: &mut Targets) {
        if !self.is_section(node, &TARGET) {
            return;
        }
        let id = self.required(node, &TARGET, "id").and_then(|id| {
            let text = self.name(id, "a target")?.to_owned();
            if targets.ids.contains(&text) {
                let words = (
                    format!("the target `{text}` stands twice in this rule"),
                    "the second one",
                    "give each target its own id",
                );
                self.fault_as(Code::DuplicateName, id.span.clone(), words);
            }
            Some(text)
        });
        targets.ids.extend(id.clone());
        self.at.target = id.clone().unwrap_or_default();
        let kind = self.kind(node, targets);
        let steps = node
            .member("transform")
            .map_or(Some(Vec::new()), |transform| self.steps(&transform.value));
        let retry = node.member("retry").map_or_else(Retry::default, |retry| {
            let filled = self.filled_section(&retry.value, &RETRY);
            self.retry(&retry.value, &filled)
        });
        let flow = self.flow(node, kind.as_ref());
        if let (Some(id), Some(kind), Some(member)) = (&id, &kind, node.member("id")) {
            targets.written.push(written(id, &member.value.span, node, kind));
        }
        if let (Some(id), Some(kind), Some(steps)) = (id, kind, steps) {
            let limits = self.context.limits;
            let step_lines = self.step_lines(node);
            targets.whole.push(Arc::new(Target {
                id,
                kind,
                steps,
                step_lines,
                retry,
                flow,
                limits,
            }));
        }
    }

    fn step_lines(&self, target: &Node) -> Vec<usize> {
        let steps = target.member("transform").map(|transform| &transform.value.value);
        let Some(Value::List(items)) = steps else { return Vec::new() };
        items.iter().map(|item| self.source.line_and_column(item.span.start).0).collect()
    }

    fn kind(&mut self, node: &Node, targets: &mut Targets) -> Option<TargetKind> {
        let kinds: Vec<&Member> = KINDS.iter().filter_map(|kind| node.member(kind)).collect();
        match kinds.as_slice() {
            [one] if one.key == "http" => self.http(&one.value, targets).map(TargetKind::Http),
            [one] if one.key == "log" => self.log(&one.value).map(TargetKind::Log),
            [one] => self.bus_target(&one.value, targets).map(TargetKind::Bus),
            [] => {
                if has_typo(node, &TARGET) {
                    return None;
                }
                let words = (
                    "this target goes nowhere",
                    "neither http, log nor bus",
                    format!("add one of {}", list(&KINDS)),
                );
                self.fault_as(Code::MissingKey, node.span.clone(), words);
                None
            }
            [first, second, ..] => {
                let words = (
                    format!(
                        "a target is of one kind, and this has `{}` and `{}`",
                        first.key, second.key
                    ),
                    "the second one",
                    "make two targets of it, each with its own id",
                );
                self.fault(second.key_span.clone(), words);
                None
            }
        }
    }

    /// `log: console`, `log: { file: PATH }`, or nothing, which is the console.
    fn log(&mut self, node: &Node) -> Option<Log> {
        let filled = self.filled_section(node, &LOG);
        match &filled.value {
            _ if filled.filling == Filling::Failed => return None,
            Value::Null => return Some(Log { file: None }),
            Value::Text(text) if text == "console" => return Some(Log { file: None }),
            Value::Text(text) => {
                let mend = match nearest(text, ["console"]) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "write `console`, or `{ file: PATH }`".to_owned(),
                };
                self.fault(node.span.clone(), ("`log` is no place to write to", "unknown", mend));
                return None;
            }
            Value::Bool(_) | Value::Number(_) | Value::List(_) | Value::Map(_) => (),
        }
        if !self.is_section(node, &LOG) {
            return None;
        }
        let Some(file) = filled.member("file") else { return Some(Log { file: None }) };
        let text = self.text(&file.value, "`file`")?;
        if text.is_empty() || text.contains('\0') {
            let words = ("`file` is no path", "not a path", "write the path of a file");
            self.fault(file.value.span.clone(), words);
            return None;
        }
        if !self.is_trusted() {
            let words = (
                "a rule made over an interface writes no files of the router's machine",
                "a file",
                "write `log: console`, or keep the rule in a file of the router's folder",
            );
            self.fault_as(Code::OnlyInFiles, file.key_span.clone(), words);
            return None;
        }
        Some(Log { file: Some(text.to_owned()) })
    }

    fn bus_target(&mut self, node: &Node, targets: &mut Targets) -> Option<BusTarget> {
        let filled = self.filled(node);
        let bus = self.name(&filled, "a bus")?.to_owned();
        targets.forwards.push((bus.clone(), node.span.clone()));
        Some(BusTarget { bus })
    }
}

/// Where the events of a target go, and what becomes of them on the way, as it is written.
fn written(id: &str, span: &Span, node: &Node, kind: &TargetKind) -> Written {
    let text = |key: &str| {
        let member = node.member(key)?;
        Some(format!("{key}:{}", yaml::to_json(&member.value, &mut Vec::new()).text))
    };
    let transform = node.member("transform").filter(|member| match &member.value.value {
        Value::List(steps) => !steps.is_empty(),
        _ => true,
    });
    let sends: Vec<String> = [kind.name(), "transform"].into_iter().filter_map(text).collect();
    let passes_on_to = match kind {
        TargetKind::Bus(to) if transform.is_none() => Some(to.bus.clone()),
        _ => None,
    };
    Written { id: id.to_owned(), span: span.clone(), sends: sends.join("\n"), passes_on_to }
}
