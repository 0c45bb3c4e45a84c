//! The cases of `docs/input-templates.md`, each run as a rule.

use std::collections::HashMap;

use event::{Event, Limits, Stamp, Timestamp};
use slipswitch_ruleset::{About, Purpose};

use crate::doubles::load_text;

const PAGE: &str = include_str!("../../../../docs/input-templates.md");

/// As many as the page has: a table that is not read any more does not pass.
const CASES: usize = 115;

/// One row of a table.
struct Case {
    number: usize,
    /// What stands within `input: { … }`.
    input: String,
    event: Event,
    expected: Made,
}

#[derive(Debug, PartialEq)]
enum Made {
    Json(String),
    Text(String),
    /// Something that the message has.
    Refused(String),
    DeadLetter(String),
}

#[test]
fn every_case_of_the_page_is_so() {
    let cases = cases();
    let numbers: Vec<usize> = cases.iter().map(|case| case.number).collect();
    assert_eq!(numbers, (1..=CASES).collect::<Vec<_>>(), "a case is missing or counted twice");
    let wrong: Vec<String> = cases.iter().filter_map(wrong).collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

fn wrong(case: &Case) -> Option<String> {
    let made = run(case);
    let is_so = match (&case.expected, &made) {
        (Made::Refused(part), Made::Refused(said))
        | (Made::DeadLetter(part), Made::DeadLetter(said)) => said.contains(part.as_str()),
        (expected, made) => expected == made,
    };
    let Case { number, expected, .. } = case;
    (!is_so).then(|| format!("case {number}: expected {expected:?}\n      and it was {made:?}"))
}

/// Messages without their backticks, which a cell cannot hold.
fn run(case: &Case) -> Made {
    let Case { input, event, .. } = case;
    let rule = format!(
        "name: big-orders\nbus: shop\npattern: {{ source: [com.shopvn.order] }}\n\
         targets: [{{ id: t, log: console, transform: [{{ input: {{ {input} }} }}] }}]\n"
    );
    let rules = match load_text(&rule) {
        Ok(rules) => rules,
        Err(found) => {
            let messages: Vec<&str> = found.iter().map(|one| one.message.as_str()).collect();
            return Made::Refused(messages.join("; ").replace('`', ""));
        }
    };
    let about = About {
        rule: "big-orders",
        target: "t",
        bus: "shop",
        replay: None,
        ingested: Timestamp::parse("2026-11-24T08:00:01Z").expect("a time"),
        purpose: Purpose::Look,
    };
    match rules.rules()[0].targets[0].transform(event, &about) {
        Ok(payloads) => {
            assert_eq!(payloads.len(), 1, "an input makes one of one");
            let body = payloads[0].body.clone();
            match payloads[0].content_type.as_str() {
                "application/json" => Made::Json(body),
                "text/plain; charset=utf-8" => Made::Text(body),
                other => panic!("case {}: content type {other}", case.number),
            }
        }
        Err(error) => Made::DeadLetter(error.to_string().replace('`', "")),
    }
}

fn cases() -> Vec<Case> {
    let shared = shared();
    let mut columns: Vec<String> = Vec::new();
    let mut cases = Vec::new();
    for line in PAGE.lines() {
        let Some(cells) = cells(line) else {
            columns.clear();
            continue;
        };
        if columns.is_empty() {
            columns = cells;
            continue;
        }
        let Ok(number) = cells[0].parse::<usize>() else { continue };
        let row: HashMap<&str, &str> =
            columns.iter().map(String::as_str).zip(cells.iter().map(String::as_str)).collect();
        let origin = cells.last().expect("a row has cells");
        assert!(matches!(origin.as_str(), "seen" | "doc" | "ours"), "case {number:?}: {origin}");
        let event = event(&shared, row["event"]);
        let expected = expected(number, row["made of it"]);
        cases.push(Case { number, input: input(&row), event, expected });
    }
    cases
}

/// The cells of a row of a table.
fn cells(line: &str) -> Option<Vec<String>> {
    let inner = line.strip_prefix('|')?.strip_suffix('|')?;
    Some(inner.split('|').map(|cell| cell.trim().to_owned()).collect())
}

/// What a cell says in `code`, its line breaks put back.
fn code(cell: &str) -> String {
    let inside = cell.strip_prefix('`').and_then(|cell| cell.strip_suffix('`'));
    inside.unwrap_or_else(|| panic!("no code: {cell}")).replace('⏎', "\n")
}

fn input(row: &HashMap<&str, &str>) -> String {
    if let Some(input) = row.get("input") {
        return code(input);
    }
    // A text of JSON is one of YAML.
    let template = serde_json::to_string(&code(row["template"])).expect("a text is JSON");
    match row["paths"] {
        "" => format!("template: {template}"),
        paths => format!("template: {template}, paths: {{ {} }}", code(paths)),
    }
}

fn expected(number: usize, cell: &str) -> Made {
    match cell.split_once(' ').map(|(first, _)| first) {
        _ if cell.starts_with('`') => Made::Json(code(cell)),
        Some("text") => Made::Text(code(cell.trim_start_matches("text "))),
        Some("refused:") => Made::Refused(code(cell.trim_start_matches("refused: "))),
        Some("dead") => Made::DeadLetter(code(cell.trim_start_matches("dead letter: "))),
        _ => panic!("case {number} expects nothing that is known: {cell}"),
    }
}

/// The event that the page shows.
fn shared() -> String {
    let (_, from) = PAGE.split_once("```json\n").expect("the page shows an event");
    from.split_once("```").expect("it has an end").0.to_owned()
}

fn event(shared: &str, cell: &str) -> Event {
    let text = match cell {
        "—" => shared.to_owned(),
        detail => {
            let (head, _) = shared.split_once("\"detail\":").expect("it has a detail");
            format!("{head}\"detail\": {} }}", code(detail))
        }
    };
    let stamp = Stamp {
        id: "unused",
        time: Timestamp::from_millis(0),
        account: "unused",
        region: "unused",
    };
    Event::from_entry(text.as_bytes(), &Limits::default(), &stamp).expect("an event")
}
