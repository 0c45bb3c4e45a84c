//! An explanation matches when the naive matcher does.

use serde_json::Value;
use slipswitch_pattern::{Event, Pattern, explain, naive, nearest};

fn cases(file: &str) -> impl Iterator<Item = Value> {
    file.lines().map(|line| serde_json::from_str(line).expect("a case is JSON"))
}

/// Those cases of a file that a pattern and an event make, and how many of them match.
fn agreement(file: &str) -> (usize, usize) {
    let (mut asked, mut matches) = (0, 0);
    for case in cases(file) {
        let (Some(pattern), Some(event)) = (case["pattern"].as_str(), case["event"].as_str())
        else {
            continue;
        };
        let (Ok(pattern), Ok(event)) = (Pattern::parse(pattern), Event::check(event.as_bytes()))
        else {
            continue;
        };
        let mut matched = Vec::new();
        let matcher = naive::Matcher::new(std::slice::from_ref(&pattern));
        let result = matcher.matches(event, &mut naive::Scratch::default(), &mut matched);
        asked += 1;
        match (result, explain(&pattern, event)) {
            (Ok(()), Ok(explanation)) => {
                matches += matched.len();
                assert_eq!(explanation.is_match(), !matched.is_empty(), "{case}\n{explanation}");
            }
            (expected, told) => assert_eq!(expected.err(), told.err(), "{case}"),
        }
    }
    (asked, matches)
}

#[test]
fn explanations_agree_with_the_matcher_on_every_case() {
    for file in
        [include_str!("../../testdata/patterns.jsonl"), include_str!("../../testdata/musts.jsonl")]
    {
        let (asked, matches) = agreement(file);
        assert!(100 < matches && matches < asked - 100, "{matches} of {asked} match");
    }
}

#[test]
fn an_event_with_too_many_combinations_is_an_error_as_it_is_for_the_matcher() {
    // Two arrays at one path, and fields that find values in one and in the other, in turns.
    let left = vec![r#"{"b":1,"d":1}"#; 1_100].join(",");
    let right = vec![r#"{"c":1,"e":1}"#; 1_100].join(",");
    let event = format!(r#"{{"a":[{left}],"a":[{right}],"f":1}}"#);
    let event = Event::check(event.as_bytes()).unwrap();
    let (many, one) = (r#""a":{"b":[1],"c":[1],"d":[1],"e":[1]}"#, r#""f":[1]"#);
    // After an alternative that matches, no other is asked.
    for (first, second, is_error) in [(many, one, true), (one, many, false)] {
        let pattern = format!(r#"{{"$or": [{{{first}}}, {{{second}}}]}}"#);
        let pattern = [Pattern::parse(&pattern).unwrap()];
        let mut matched = Vec::new();
        let matcher = naive::Matcher::new(&pattern);
        let result = matcher.matches(event, &mut naive::Scratch::default(), &mut matched);
        assert_eq!(result.is_err(), is_error);
        assert_eq!(explain(&pattern[0], event).err(), result.clone().err());
        assert_eq!(nearest(&pattern, event, 1).err(), result.err());
    }
}
