//! The families are what they say, and our two matchers find the same in them.

use pattern::{Event, Matcher, Pattern, PatternIndex, Scratch, naive};
use slipswitch_bench_match::{Family, Spec, all};

/// The naive matcher is asked up to here.
const PATTERNS_MAX: usize = 1_000;
/// Looks of the naive matcher at one pattern and one event, for each family.
const LOOKS: usize = 20_000;

fn parsed(family: &Family) -> Vec<Pattern> {
    let parse = |text: &String| {
        Pattern::parse(text).unwrap_or_else(|error| panic!("{text}: {}", error.message))
    };
    family.patterns.iter().map(parse).collect()
}

/// What both find in some events of the family, which must be the same.
fn found(spec: &Spec) -> usize {
    let family = spec.make();
    let patterns = parsed(&family);
    let (matcher, naive) = (Matcher::new(&patterns), naive::Matcher::new(&patterns));
    let (mut scratch, mut naive_scratch) = (Scratch::default(), naive::Scratch::default());
    let (mut matched, mut expected) = (Vec::<PatternIndex>::new(), Vec::<PatternIndex>::new());
    let mut count = 0;
    let bytes = family.events[0].len();
    let some = (LOOKS / patterns.len() * 1_000 / bytes).clamp(3, family.events.len());
    for (number, event) in family.events.iter().take(some).enumerate() {
        let event = Event::check(event).expect("a family's event can be matched");
        matcher
            .matches(event, &mut scratch, &mut matched)
            .expect("a family's event can be matched");
        naive
            .matches(event, &mut naive_scratch, &mut expected)
            .expect("a family's event can be matched");
        matched.sort_unstable();
        assert_eq!(matched, expected, "{}: event {number}", spec.name);
        count += matched.len();
    }
    count
}

#[test]
fn patterns_are_patterns_and_events_are_events() {
    for spec in all() {
        let mut family = spec.make();
        assert_eq!(family.patterns.len(), spec.patterns, "{}", spec.name);
        assert!(200 <= family.events.len(), "{}", spec.name);
        // The large families are made like the small ones: a part of them stands for all.
        if PATTERNS_MAX < spec.patterns {
            family.patterns = family.patterns.into_iter().step_by(11).collect();
            family.events.truncate(100);
        }
        parsed(&family);
        for event in &family.events {
            Event::check(event).unwrap_or_else(|error| panic!("{}: {error}", spec.name));
            let json: serde_json::Value = serde_json::from_slice(event).unwrap();
            let pointer = format!("/{}", family.probe.join("/"));
            assert!(json.pointer(&pointer).is_some(), "{}: no {pointer}", spec.name);
        }
    }
}

#[test]
fn events_differ_and_are_the_same_each_time() {
    for spec in all().iter().filter(|spec| spec.patterns <= PATTERNS_MAX) {
        let family = spec.make();
        assert_eq!(family.events, spec.make().events, "{}", spec.name);
        assert_eq!(family.patterns, spec.make().patterns, "{}", spec.name);
        let mut events = family.events;
        let count = events.len();
        events.sort_unstable();
        events.dedup();
        assert_eq!(events.len(), count, "{}", spec.name);
    }
}

#[test]
fn the_matcher_finds_what_the_naive_one_finds() {
    for spec in all().iter().filter(|spec| spec.patterns <= PATTERNS_MAX) {
        let count = found(spec);
        // A single rule, and five that name one lot each, match too seldom for so few events.
        assert!(0 < count || spec.patterns <= 5, "{}: nothing matched", spec.name);
    }
}
