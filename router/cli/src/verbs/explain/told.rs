//! An explanation as lines for people: at most 80 characters where the words are ours.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use server::offline::{Nearly, Output, RuleExplained, StepExplained, TargetExplained};

use super::Answer;
use crate::output::{count, flat};

/// What is shown of a body.
const BODY_CHARS_MAX: usize = 600;
const WIDTH: usize = 80;

/// An event in the journal, and what became of it.
#[derive(Default, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct Place {
    bus: String,
    taken_at: String,
    deliveries: Vec<Delivery>,
    attempts: Vec<Attempt>,
}

#[derive(Default, Deserialize, Serialize)]
#[serde(default)]
struct Delivery {
    rule: String,
    target: String,
    replay: Option<String>,
    state: String,
    attempts: u64,
    error: Option<String>,
    dead_letter: Option<i64>,
}

#[derive(Default, Deserialize, Serialize)]
#[serde(default)]
struct Attempt {
    rule: String,
    rules: String,
}

/// Lines, with the colours of a terminal or without.
struct Lines {
    out: String,
    is_painted: bool,
}

/// `is_all`: no rule was named.
pub(super) fn told(
    answer: &Answer,
    id: Option<&str>,
    (is_all, is_painted): (bool, bool),
) -> String {
    let mut lines = Lines { out: String::new(), is_painted };
    let explained = &answer.explained;
    if let (Some(id), Some(place)) = (id, &answer.place) {
        lines.put(0, "", &format!("event {id} on bus {}, taken in {}", place.bus, place.taken_at));
        lines.put(0, "", "");
    }
    if is_all {
        let (matches, bus) = (explained.matches, &explained.bus);
        let verb = if matches == 1 { "matches" } else { "match" };
        let of = count(explained.of, "rule");
        lines.put(0, "1", &format!("{matches} of {of} on bus {bus} {verb}"));
        lines.put(0, "", "");
    }
    for rule in &explained.rules {
        lines.rule(rule, answer);
    }
    let more = explained.matches.saturating_sub(explained.rules.len());
    if is_all && 0 < more {
        lines.put(0, "2", &format!("… and {}: name one to see it", count(more, "more rule")));
    }
    if !explained.nearly.is_empty() {
        lines.put(0, "1", "these come nearest:");
        explained.nearly.iter().for_each(|near| lines.near(near));
        lines.put(0, "", "");
    }
    lines.next(answer, id);
    lines.out
}

impl Lines {
    fn rule(&mut self, rule: &RuleExplained, answer: &Answer) {
        let (sign, paint, verdict) = match rule.matches {
            true => ('✓', "32", "matches"),
            false => ('✗', "31", "does not match"),
        };
        let head = format!("{sign} {} {verdict}", rule.rule);
        self.put(0, paint, &head);
        self.put(1, "2", &format!("{}:{}, bus {}", rule.path, rule.line, rule.bus));
        if !rule.enabled {
            self.put(1, "33", "! it is disabled, and gets no event: write `enabled: true`");
        }
        let bus = &answer.explained.bus;
        if rule.bus != *bus {
            let words = format!("! it listens on bus {}, and the event is on bus {bus}", rule.bus);
            self.put(1, "33", &words);
        }
        // Its first line says again what the head says.
        for line in rule.fields.lines().skip(1).skip_while(|line| line.trim().is_empty()) {
            let paint = match line.trim_start().chars().next() {
                Some('✓') => "32",
                Some('✗') => "31",
                Some('~') => "33",
                Some('→') => "36",
                _ => "2",
            };
            self.put(0, paint, line);
        }
        self.put(0, "", "");
        for target in &rule.targets {
            self.target(rule, target);
        }
        self.happened(rule, answer);
    }

    fn target(&mut self, rule: &RuleExplained, target: &TargetExplained) {
        self.put(1, "1", &format!("→ {}  {}", target.target, target.to));
        for step in &target.steps {
            self.step(rule, step);
        }
        match (&target.error, target.outputs_total) {
            (Some(_), _) => {
                let words = match target.is_retried {
                    true => "✗ fails: it is tried again as `retry` says, then a dead letter",
                    false => "✗ fails: it is a dead letter at once",
                };
                self.put(2, "31", words);
            }
            (None, 0) => self.put(2, "33", "· dropped: nothing is sent"),
            (None, _) if target.steps.is_empty() => {
                self.put(2, "32", "✓ the event is sent as it is");
            }
            (None, all) => {
                let kind = target.outputs.first().map_or("", |output| &output.content_type);
                let what = if all == 1 { "this".to_owned() } else { count(all, "request") };
                self.put(2, "32", &format!("✓ {what} would be sent, {kind}"));
            }
        }
        match (&target.order_by, &target.order_key) {
            (Some(path), Some(key)) => self.put(2, "2", &format!("in order by {path}: {key}")),
            (Some(path), None) => {
                self.put(2, "2", &format!("in no order: there is no {path} in the event"));
            }
            (None, _) => (),
        }
        self.put(0, "", "");
    }

    fn step(&mut self, rule: &RuleExplained, step: &StepExplained) {
        let place = step.line.map(|line| format!("  {}:{line}", rule.path)).unwrap_or_default();
        self.put(2, "2", &format!("{} {}{place}", step.number, step.step));
        for line in &step.log {
            self.put(3, "2", &format!("log {line}"));
        }
        if let Some(error) = &step.error {
            self.put(3, "31", error);
        }
        for output in &step.outputs {
            self.body(output);
        }
        let more = step.outputs_total.saturating_sub(step.outputs.len());
        if 0 < more {
            self.put(3, "2", &format!("… and {more} more"));
        }
        if step.error.is_none() && step.outputs_total == 0 {
            self.put(3, "33", "drops the event");
        }
    }

    /// As it is, cut when it is long.
    fn body(&mut self, output: &Output) {
        let end = output.body.char_indices().nth(BODY_CHARS_MAX).map(|(at, _)| at);
        let is_cut = output.cut || end.is_some();
        let body = output.body.get(..end.unwrap_or(output.body.len())).unwrap_or_default();
        self.put(3, "", &flat(body));
        if is_cut {
            self.put(3, "2", "… (-o json shows more)");
        }
    }

    /// What became of the event at this rule.
    fn happened(&mut self, rule: &RuleExplained, answer: &Answer) {
        let Some(place) = &answer.place else { return };
        let its = || place.deliveries.iter().filter(|one| one.rule == rule.rule);
        if its().next().is_none() {
            return;
        }
        self.put(1, "1", "what really happened:");
        for one in its() {
            let replay = one.replay.as_ref().map(|name| format!(" (replay {name})"));
            let letter = one.dead_letter.map(|id| format!(", dead letter {id}"));
            let error = one.error.as_ref().map(|error| format!(": {error}"));
            let words = format!(
                "{}{}  {}, {}{}{}",
                one.target,
                replay.unwrap_or_default(),
                one.state,
                count(one.attempts, "attempt"),
                letter.unwrap_or_default(),
                error.unwrap_or_default()
            );
            self.put(2, "", &flat(&words));
        }
        let last = place.attempts.iter().rev().find(|attempt| attempt.rule == rule.rule);
        let digest = answer.rules_digest.as_ref();
        if last.zip(digest).is_some_and(|(last, digest)| last.rules != *digest) {
            self.put(2, "33", "the rules have changed since then");
        }
        self.put(0, "", "");
    }

    fn near(&mut self, near: &Nearly) {
        let disabled = if near.enabled { "" } else { " (disabled)" };
        let fits = format!("{} of {} fit", near.fits, near.of);
        self.put(1, "31", &format!("✗ {}{disabled}  {fits}", near.rule));
        self.put(2, "", &near.why);
    }

    /// What to type next.
    fn next(&mut self, answer: &Answer, id: Option<&str>) {
        let rules = &answer.explained.rules;
        let first = rules.first().map(|rule| rule.rule.as_str());
        let next = match (id, first, answer.explained.nearly.first()) {
            (Some(id), Some(rule), _) if rules.iter().any(|rule| rule.matches) => format!(
                "slipswitch event {id}\nnext: slipswitch replay start --since 1h --rule {rule}"
            ),
            (Some(id), None, Some(near)) => format!("slipswitch explain {} {id}", near.rule),
            (None, None, Some(near)) => format!("slipswitch explain {} --event …", near.rule),
            (_, Some(rule), _) => format!("slipswitch test --filter {rule}"),
            (Some(_), None, None) | (None, None, None) => "slipswitch check".to_owned(),
        };
        self.put(0, "2", &format!("next: {next}"));
    }

    /// A line; a longer one goes on below, and breaks at spaces where it has any.
    fn put(&mut self, indent: usize, paint: &str, text: &str) {
        let own = text.chars().take_while(|c| *c == ' ').count();
        let lead = " ".repeat(2 * indent + own);
        for part in text.split('\n') {
            let mut width = lead.len();
            let mut line = String::new();
            for word in part.trim_start().split(' ') {
                let chars = word.chars().count();
                if !line.is_empty() && WIDTH < width + 1 + chars {
                    self.painted(&lead, paint, &line);
                    line.clear();
                    width = lead.len() + 2;
                    line.push_str("  ");
                } else if !line.is_empty() {
                    line.push(' ');
                    width += 1;
                }
                line.push_str(word);
                width += chars;
            }
            self.painted(&lead, paint, &line);
        }
    }

    fn painted(&mut self, lead: &str, paint: &str, line: &str) {
        let line = if self.is_painted && !paint.is_empty() && !line.is_empty() {
            format!("{lead}\u{1b}[{paint}m{line}\u{1b}[0m")
        } else {
            format!("{lead}{line}")
        };
        writeln!(self.out, "{}", line.trim_end()).expect("a String takes every text");
    }
}
