//! A comparison for people, at eighty columns.
//!
//! ```text
//! 1 of 2 rules differs; over 3 events (2 minutes): +1 −1 deliveries, 1 with another output
//!
//! big-orders/crm  changed  rules/orders.yaml:1
//!   pattern
//!     was {"detail":{"total":[{"numeric":[">",100]}]}}
//!     now {"detail":{"total":[{"numeric":[">",50]}]}}
//!   +1  would be delivered, and was not
//!     o-1  2026-11-23T08:00:00.140Z  com.shop OrderCreated
//!       before: detail.total: 60 is not > 100
//! ```

use event::Timestamp;

use super::report::{Compared, Example, Report, Totals};
use crate::output::{self, count, flat, grouped};

const WIDTH: usize = 80;
/// Of a value, so much is shown in a line.
const VALUE_CHARS: usize = 160;
/// Subscriptions that are shown, those first where most differs; and so many in which no event does, a line each.
const LOUD_MAX: usize = 50;
const QUIET_MAX: usize = 20;

pub(super) fn show(report: &Report, others: &str, is_live: bool) -> String {
    let mut page = Page { text: String::new(), is_painted: output::answer_has_color() };
    page.line(0, &page.paint("1", &verdict(report, others)));
    if 0 < report.tests.failed {
        let failed = count(report.tests.failed, "inline test");
        page.line(0, &page.paint("31", &format!("{failed} of the new rules would fail:")));
        page.text.push_str(&report.tests.rendered);
    }
    let (mut loud, quiet): (Vec<&Compared>, Vec<&Compared>) = report
        .subscriptions
        .iter()
        .partition(|one| one.counts.differ() || 0 < one.counts.dead_after);
    let weight = |one: &&Compared| {
        let Totals { gained, lost, changed, moved, .. } = one.counts;
        gained + lost + changed + moved
    };
    loud.sort_by_key(|one| std::cmp::Reverse(weight(one)));
    for one in loud.iter().take(LOUD_MAX) {
        page.subscription(one);
    }
    if LOUD_MAX < loud.len() {
        page.line(0, "");
        page.line(0, &format!("… and {} more (-o json)", loud.len() - LOUD_MAX));
    }
    if !quiet.is_empty() {
        page.line(0, "");
        page.line(0, "No event of these differs:");
        for one in quiet.iter().take(QUIET_MAX) {
            page.line(2, &format!("{}  {}: {}", name(one), one.change, one.what.join("; ")));
        }
        if QUIET_MAX < quiet.len() {
            page.line(2, &format!("and {} more (-o json)", quiet.len() - QUIET_MAX));
        }
    }
    page.end(report, is_live);
    page.text
}

fn verdict(report: &Report, others: &str) -> String {
    let Report { rules, rules_differ, events, totals, .. } = report;
    if report.subscriptions.is_empty() {
        let does = if *rules == 1 { "rule does" } else { "rules do" };
        return format!("no difference: the {rules} {does} what {others} do");
    }
    let differ = if *rules_differ == 1 { "differs" } else { "differ" };
    let rules = count(*rules, "rule");
    let over = match &report.archive {
        Some(archive) => format!(" of the archive {archive}"),
        None => String::new(),
    };
    let span = span(report).map(|span| format!(" ({span})")).unwrap_or_default();
    let events = format!("{} event{}", grouped(*events), if *events == 1 { "" } else { "s" });
    let Totals { gained, lost, changed, moved, .. } = *totals;
    let mut parts = Vec::new();
    let signed = [('+', gained), ('−', lost)].into_iter().filter(|(_, events)| 0 < *events);
    let signed: Vec<String> =
        signed.map(|(sign, events)| format!("{sign}{}", grouped(events))).collect();
    if !signed.is_empty() {
        let word = if gained + lost == 1 { "delivery" } else { "deliveries" };
        parts.push(format!("{} {word}", signed.join(" ")));
    }
    if 0 < changed {
        parts.push(format!("{} with another output", grouped(changed)));
    }
    if 0 < moved {
        parts.push(format!("{} elsewhere", grouped(moved)));
    }
    if parts.is_empty() {
        parts.push("none is delivered otherwise".to_owned());
    }
    format!("{rules_differ} of {rules} {differ}; over {events}{over}{span}: {}", parts.join(", "))
}

/// `3 hours`
fn span(report: &Report) -> Option<String> {
    let at = |text: &Option<String>| Timestamp::parse(text.as_deref()?).ok();
    let (since, until) = (at(&report.since)?, at(&report.until)?);
    let seconds = until.as_millis().saturating_sub(since.as_millis()) / 1000;
    let units = [(86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")];
    let (length, unit) = units.into_iter().find(|(length, _)| 2 * length <= seconds)?;
    Some(count(seconds / length, unit))
}

fn name(one: &Compared) -> String {
    let bus = if one.bus == "default" { String::new() } else { format!("{}/", one.bus) };
    flat(&format!("{bus}{}/{}", one.rule, one.target))
}

struct Page {
    text: String,
    is_painted: bool,
}

impl Page {
    fn paint(&self, style: &str, text: &str) -> String {
        if self.is_painted { format!("\u{1b}[{style}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    /// Broken between words where it is too long.
    fn line(&mut self, indent: usize, text: &str) {
        let (mut width, mut begins) = (0, true);
        for word in text.split(' ') {
            let length = visible(word);
            // What is longer than a line is not helped by a new one.
            let fits_below = indent + 4 + length <= WIDTH;
            if !begins && WIDTH < width + 1 + length && fits_below {
                self.text.push('\n');
                begins = true;
            }
            if begins {
                let more = if width == 0 { 0 } else { 4 };
                self.text.push_str(&" ".repeat(indent + more));
                width = indent + more;
            } else {
                self.text.push(' ');
                width += 1;
            }
            self.text.push_str(word);
            (width, begins) = (width + length, false);
        }
        self.text.push('\n');
    }

    fn subscription(&mut self, one: &Compared) {
        self.line(0, "");
        let style = match one.change.as_str() {
            "added" => "32",
            "removed" => "31",
            _ => "33",
        };
        let place = self.paint("2", &flat(&format!("{}:{}", one.path, one.line)));
        let (title, change) = (self.paint("1", &name(one)), self.paint(style, &one.change));
        self.line(0, &format!("{title}  {change}  {place}"));
        for what in &one.what {
            self.line(2, &flat(what));
            if what == "pattern" {
                for (word, pattern) in [("was", &one.pattern_before), ("now", &one.pattern_after)] {
                    if let Some(pattern) = pattern {
                        self.line(4, &format!("{word} {}", brief(pattern)));
                    }
                }
            }
        }
        let Totals { gained, lost, changed, moved, same, dead_before, dead_after } = one.counts;
        let rows = [
            ("gained", '+', gained, "32", "would be delivered, and were not"),
            ("lost", '−', lost, "31", "were delivered, and would not be"),
            ("changed", '~', changed, "33", "would be sent as something else"),
            ("moved", '>', moved, "33", "would go elsewhere"),
        ];
        for (kind, sign, events, style, words) in rows {
            if events == 0 {
                continue;
            }
            let number = self.paint(style, &format!("{sign}{}", grouped(events)));
            self.line(2, &format!("{number}  {words}"));
            // Of a rule that comes or goes there is nothing more to say.
            let is_whole = ["added", "removed"].contains(&one.change.as_str());
            for example in one.examples.iter().filter(|example| example.kind == kind) {
                self.example(example, is_whole);
            }
        }
        if 0 < same {
            self.line(2, &format!("={}  as before", grouped(same)));
        }
        if 0 < dead_before + dead_after {
            let words = format!(
                "!{}  would be dead letters; before, {}",
                grouped(dead_after),
                grouped(dead_before)
            );
            self.line(2, &self.paint("31", &words));
        }
    }

    fn example(&mut self, example: &Example, is_whole: bool) {
        let Example { kind, taken_at, id, source, detail_type, why, path, before, after } = example;
        // What was recorded without a time has none worth telling.
        let time = if taken_at.starts_with("1970-01-01T00:00:00") { "" } else { taken_at };
        match time.is_empty() {
            true => self.line(4, &flat(id)),
            false => self.line(4, &format!("{}  {}", flat(id), self.paint("2", &flat(time)))),
        }
        self.line(6, &self.paint("2", &flat(&format!("{source} {detail_type}"))));
        match kind.as_str() {
            _ if is_whole => (),
            "gained" if !why.is_empty() => self.line(6, &format!("before: {}", flat(why))),
            "lost" if !why.is_empty() => self.line(6, &format!("lost because {}", flat(why))),
            _ => (),
        }
        let none = || "nothing".to_owned();
        let value = |value: &Option<String>| value.as_deref().map_or_else(none, brief);
        match (kind.as_str(), before, after) {
            ("changed", _, _) => {
                let at = path.as_deref().map(|path| format!("{}: ", flat(path)));
                let (was, is) = (value(before), value(after));
                let (was, is) = (self.paint("31", &was), self.paint("32", &is));
                self.line(6, &format!("{}{was} → {is}", at.unwrap_or_default()));
            }
            ("gained", _, Some(after)) => self.line(6, &format!("sent: {}", brief(after))),
            ("lost", Some(before), _) => self.line(6, &format!("was sent: {}", brief(before))),
            _ => (),
        }
    }

    fn end(&mut self, report: &Report, is_live: bool) {
        let mut notes: Vec<String> = report.notes.clone();
        if 0 < report.damaged {
            let events = count(report.damaged, "event");
            notes.push(format!(
                "{events} cannot be read: `slipswitch status` says where the damage is"
            ));
        }
        if 0 < report.unreadable {
            notes.push(format!("{} hold no event", count(report.unreadable, "record")));
        }
        for note in notes {
            self.line(0, "");
            self.line(0, &format!("note: {}", flat(&note)));
        }
        let shown = report.subscriptions.iter().flat_map(|one| &one.examples).next();
        if let Some(example) = shown.filter(|_| is_live) {
            self.line(0, "");
            let id = flat(&example.id);
            self.line(0, &self.paint("2", &format!("what became of one: slipswitch event {id}")));
            let words =
                "to take the new rules into service, copy them into the router's folder of rules";
            self.line(0, &self.paint("2", words));
        }
    }
}

/// Characters that take room on a screen.
fn visible(word: &str) -> usize {
    let mut is_escape = false;
    let shown = word.chars().filter(|character| {
        match character {
            '\u{1b}' => is_escape = true,
            'm' if is_escape => {
                is_escape = false;
                return false;
            }
            _ => (),
        }
        !is_escape
    });
    shown.count()
}

fn brief(text: &str) -> String {
    let text = flat(text);
    match text.char_indices().nth(VALUE_CHARS) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_between_words_at_eighty_columns_and_colours_take_no_room() {
        let mut page = Page { text: String::new(), is_painted: true };
        let painted = page.paint("1", "a verdict");
        page.line(2, &format!("{painted} {}", "of several words ".repeat(8).trim_end()));
        let lines: Vec<&str> = page.text.lines().collect();
        assert!(lines.len() == 2 && lines.iter().all(|line| visible(line) <= WIDTH), "{lines:?}");
        assert!(
            lines[0].starts_with("  \u{1b}[1ma") && lines[1].starts_with("      "),
            "{lines:?}"
        );
        assert_eq!(visible(&painted), 9);
    }

    #[test]
    fn rules_that_do_the_same_are_told_in_one_line() {
        let report = Report { rules: 14, ..Report::default() };
        let said = show(&report, "the running ones", true);
        assert_eq!(said, "no difference: the 14 rules do what the running ones do\n");
    }
}
