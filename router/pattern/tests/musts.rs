//! `docs/patterns.md` and its cases: each MUST has cases, each case has a MUST, and all hold.

use std::collections::BTreeSet;
use std::fmt::Write;

use serde_json::Value;
use slipswitch_pattern::{Dialect, Event, Matcher, Pattern, Scratch};

fn cases() -> Vec<Value> {
    let file = include_str!("../testdata/musts.jsonl");
    file.lines().map(|line| serde_json::from_str(line).expect("a case is JSON")).collect()
}

/// The numbered lines of the document.
fn musts() -> Vec<(&'static str, &'static str)> {
    let document = include_str!("../../../docs/patterns.md");
    document.lines().filter_map(|line| line.strip_prefix("- **")?.split_once("** ")).collect()
}

/// Our answer: the word, the message of an error, and its bytes if it is one of the pattern.
fn answer(case: &Value) -> (&'static str, String, Value) {
    let text = case["pattern"].as_str().expect("a case has a pattern");
    let dialect = match case["dialect"].as_str() {
        None => Dialect::Slipswitch,
        Some("eventbridge") => Dialect::EventBridge,
        Some(other) => panic!("there is no dialect {other}"),
    };
    let pattern = match Pattern::parse_in(text, dialect) {
        Ok(pattern) => pattern,
        Err(error) => {
            return ("error", error.message, serde_json::json!([error.span.start, error.span.end]));
        }
    };
    let Some(event) = case["event"].as_str() else {
        return ("valid", String::new(), Value::Null);
    };
    let mut matched = Vec::new();
    let result = Event::check(event.as_bytes()).and_then(|event| {
        Matcher::new(&[pattern]).matches(event, &mut Scratch::default(), &mut matched)
    });
    match result {
        Err(error) => ("error", error.message, Value::Null),
        Ok(()) if matched.is_empty() => ("nomatch", String::new(), Value::Null),
        Ok(()) => ("match", String::new(), Value::Null),
    }
}

#[test]
fn every_case_holds() {
    let mut wrong = String::new();
    for (at, case) in cases().iter().enumerate() {
        let (answer, message, span) = answer(case);
        let expected = case["message"].as_str().unwrap_or("");
        let is_right = answer == case["expect"]
            && message.contains(expected)
            && (case["span"].is_null() || case["span"] == span);
        if !is_right {
            writeln!(wrong, "line {}: {answer} {message} {span}: {case}", at + 1).unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn every_must_is_numbered_in_order_and_has_cases_and_every_case_has_a_must() {
    let musts = musts();
    for (at, (name, text)) in musts.iter().enumerate() {
        assert_eq!(*name, format!("P{}", at + 1), "the numbers run without a gap");
        assert!(text.contains("MUST"), "{name} says no MUST: {text}");
    }
    let named: BTreeSet<String> = musts.iter().map(|(name, _)| (*name).to_owned()).collect();
    let cases = cases();
    let tried =
        cases.iter().map(|case| case["must"].as_str().expect("a case names its MUST").to_owned());
    assert_eq!(named, tried.collect());

    let document = include_str!("../../../docs/patterns.md");
    let unnumbered =
        document.lines().filter(|line| line.contains("MUST") && !line.starts_with("- **P"));
    let unnumbered: Vec<&str> =
        unnumbered.filter(|line| !line.contains("Each MUST has a number")).collect();
    assert!(unnumbered.is_empty(), "a MUST without a number: {unnumbered:?}");
}
