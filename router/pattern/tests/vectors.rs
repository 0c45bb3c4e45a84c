//! The cases and messages written by others: all of them, in EventBridge's dialect, and each difference
//! that is meant, with its reason.

use std::fmt::Write;

use serde_json::Value;
use slipswitch_pattern::{Dialect, Event, Matcher, Pattern, PatternIndex, Scratch};

/// Suite, name, pattern and event of a case we answer differently, our answer, and why.
type Difference =
    (&'static str, &'static str, &'static str, &'static str, &'static str, &'static str);

const MEANT: &[Difference] = &[
    (
        "event-ruler-oracle",
        "trailing-event",
        r#"{"a":[1]}"#,
        r#"{"a":1} garbage"#,
        "error",
        "an event is one JSON text: what follows it is damage, and must not be lost silently",
    ),
    (
        "event-ruler-oracle",
        "trailing-event",
        r#"{"a":[1]}"#,
        r#"{"a":1}}"#,
        "error",
        "an event is one JSON text: what follows it is damage, and must not be lost silently",
    ),
    (
        "event-ruler-oracle",
        "num-bigint",
        r#"{"a":[12345678901234567890]}"#,
        r#"{"a":1.2345678901234567890e19}"#,
        "match",
        "numbers of any length compare by their value; there, long ones compare as text",
    ),
];

/// A pattern that EventBridge's dialect refuses, what ours says of the event, and why.
type Wider = (&'static str, &'static str, &'static str);

const WIDER: &[Wider] = &[
    (
        r#"{"EventBusArn": [{"wildcard": "*:*:*:*:*:event-bus/*"}]}"#,
        "match",
        "a wildcard may be as complex as it likes: matching it takes one pass",
    ),
    (r#"{"a":[{"cidr":"10.0.0.1/32"}]}"#, "match", "a network of one address is a network"),
];

/// A message, how ours begins for its example, and why.
type OtherMessage = (&'static str, &'static str, &'static str);

const OTHER_MESSAGES: &[OtherMessage] = &[
    (
        "Path `name` cannot be allowed multiple times",
        "Unexpected end-of-input: was expecting closing quote for a string value",
        "the example is cut off; whole, it is a pattern in which the later list counts, as in the case testWithRuleOverride",
    ),
    (
        "Path `detail.eventSource` cannot be allowed multiple times",
        "Unexpected end-of-input",
        "the example is cut off; whole, it is a pattern in which the later list counts, as in the case testWithRuleOverride",
    ),
];

struct Case {
    line: usize,
    fields: Value,
}

impl Case {
    fn text(&self, key: &str) -> &str {
        self.fields[key].as_str().unwrap_or("")
    }

    fn is(&self, difference: &Difference) -> bool {
        let (suite, name, pattern, event, ..) = *difference;
        self.text("suite") == suite
            && self.text("name") == name
            && self.text("pattern") == pattern
            && self.text("event") == event
    }
}

fn cases() -> Vec<Case> {
    let file = include_str!("../testdata/patterns.jsonl");
    let parse = |(at, line)| Case {
        line: at + 1,
        fields: serde_json::from_str(line).expect("a case is JSON"),
    };
    file.lines().enumerate().map(parse).collect()
}

/// Our answer, and the message if it is an error.
fn answer(case: &Case) -> (&'static str, String) {
    answer_in(case, Dialect::EventBridge)
}

fn answer_in(case: &Case, dialect: Dialect) -> (&'static str, String) {
    let pattern = match Pattern::parse_in(case.text("pattern"), dialect) {
        Ok(pattern) => pattern,
        Err(error) => {
            let text = case.text("pattern");
            assert!(error.span.start <= error.span.end && error.span.end <= text.len());
            assert!(
                text.is_char_boundary(error.span.start) && text.is_char_boundary(error.span.end)
            );
            assert!(!error.mend.is_empty(), "line {}", case.line);
            return ("error", error.message);
        }
    };
    assert_eq!(pattern.text(), case.text("pattern"));
    if case.fields["event"].is_null() {
        return ("valid", String::new());
    }
    let mut matched = Vec::new();
    let event = case.text("event").as_bytes();
    let result = Event::check(event).and_then(|event| {
        Matcher::new(&[pattern]).matches(event, &mut Scratch::default(), &mut matched)
    });
    match result {
        Err(error) => ("error", error.message),
        Ok(()) if matched == [PatternIndex(0)] => ("match", String::new()),
        Ok(()) => ("nomatch", String::new()),
    }
}

/// A message without where it happened, which the span says: Jackson puts in the whole source.
fn without_source(message: &str) -> String {
    let message = message.strip_prefix("Event pattern is not valid. Reason: ").unwrap_or(message);
    let message = message.split("\n at [Source").next().unwrap_or(message);
    let message = match message.split_once(": ") {
        Some((class, rest)) if class.starts_with("com.") || class.starts_with("java.") => rest,
        _ => message,
    };
    // A feature of Jackson that nobody can switch on here.
    let message = message.split(" (not recognized as one since Feature").next().unwrap_or(message);
    match (message.split_once("[Source: "), message.rsplit_once("; line: ")) {
        (Some((before, _)), Some((_, place))) => {
            let place = place.trim_end_matches(')').trim_end_matches(']');
            format!("{before}line: {place})")
        }
        _ => message.to_owned(),
    }
}

#[test]
fn every_case_is_answered_as_expected_or_differs_with_a_reason() {
    let mut wrong = String::new();
    let cases = cases();
    assert_eq!(cases.len(), 972);
    for case in &cases {
        let meant = MEANT.iter().find(|difference| case.is(difference));
        let expected = meant.map_or(case.text("expect"), |difference| difference.4);
        let (answer, message) = answer(case);
        if answer != expected {
            writeln!(
                wrong,
                "line {}: {answer} {message} instead of {expected}: {}",
                case.line, case.fields
            )
            .unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn every_message_is_the_known_one() {
    let mut wrong = String::new();
    let mut compared = 0;
    for case in &cases() {
        let known = case.fields["aws_message"].as_str().or(case.fields["ruler_message"].as_str());
        let Some(known) = known else {
            continue;
        };
        compared += 1;
        let (_, message) = answer(case);
        let known = without_source(known);
        if message != known {
            writeln!(wrong, "line {}: {message}\n     instead of {known}", case.line).unwrap();
        }
    }
    assert_eq!(compared, 107);
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn every_difference_that_is_meant_is_still_there() {
    let cases = cases();
    for difference in MEANT {
        let mut found = cases.iter().filter(|case| case.is(difference)).peekable();
        assert!(found.peek().is_some(), "no such case: {difference:?}");
        assert!(!difference.5.is_empty());
        for case in found {
            assert_ne!(case.text("expect"), difference.4, "no difference any more: {difference:?}");
            assert_eq!(answer(case).0, difference.4, "{difference:?}");
        }
    }
}

#[test]
fn our_dialect_differs_only_where_it_takes_more() {
    let mut wider = Vec::new();
    for case in &cases() {
        let (theirs, ours) = (answer(case), answer_in(case, Dialect::Slipswitch));
        if theirs != ours {
            assert_eq!(theirs.0, "error", "line {}", case.line);
            wider.push((case.text("pattern").to_owned(), ours.0));
        }
    }
    let mut expected: Vec<(String, &str)> =
        WIDER.iter().map(|(pattern, answer, _)| ((*pattern).to_owned(), *answer)).collect();
    expected.sort();
    wider.sort();
    assert_eq!(wider, expected);
}

#[test]
fn every_known_message_is_ours_for_its_example() {
    let file = include_str!("../testdata/pattern-errors.tsv");
    let (mut compared, mut wrong) = (0, String::new());
    for row in file.lines().skip(1) {
        let [message, _, _, example] = row.split('\t').collect::<Vec<_>>()[..] else {
            panic!("a row has four columns: {row}");
        };
        compared += 1;
        let error = Pattern::parse_in(example, Dialect::EventBridge).expect_err("it is no pattern");
        assert!(error.span.start <= error.span.end && error.span.end <= example.len());
        assert!(!error.mend.is_empty() && error.mend != error.message);
        let meant = OTHER_MESSAGES.iter().find(|(theirs, ..)| *theirs == message);
        let is_right = match meant {
            Some((_, ours, _)) => error.message.starts_with(ours),
            // Where in the text it is, the span says.
            None => error.message == without_source(message),
        };
        if !is_right {
            writeln!(wrong, "{}\n     instead of {message}\n     for {example}", error.message)
                .unwrap();
        }
    }
    assert_eq!(compared, 60);
    assert!(wrong.is_empty(), "{wrong}");
    for (theirs, ..) in OTHER_MESSAGES {
        assert!(file.lines().any(|row| row.starts_with(&format!("{theirs}\t"))), "{theirs}");
    }
}

#[test]
fn all_patterns_in_one_matcher_answer_as_each_alone() {
    let cases = cases();
    let patterns: Vec<Pattern> =
        cases.iter().filter_map(|case| Pattern::parse(case.text("pattern")).ok()).collect();
    let together = Matcher::new(&patterns);
    let alone: Vec<Matcher> =
        patterns.iter().map(|pattern| Matcher::new(std::slice::from_ref(pattern))).collect();
    let (mut scratch, mut matched, mut one) = (Scratch::default(), Vec::new(), Vec::new());
    for event in cases.iter().step_by(7).map(|case| case.text("event").as_bytes()) {
        let Ok(event) = Event::check(event) else { continue };
        together.matches(event, &mut scratch, &mut matched).unwrap();
        matched.sort_unstable();
        let mut expected = Vec::new();
        for (index, matcher) in (0..).zip(&alone) {
            matcher.matches(event, &mut scratch, &mut one).unwrap();
            expected.extend(one.iter().map(|_| PatternIndex(index)));
        }
        assert_eq!(matched, expected);
    }
}
