//! Rules that take the place of others answer as if nothing had run before.

use slipswitch_ruleset::{RuleSet, Scratch, SourceFile};

use crate::doubles::{load, reload};

/// A rule in a few words: its name, the source it wants, and whether it is enabled.
type Said = (&'static str, &'static str, bool);

fn files(rules: &[Said]) -> [SourceFile; 1] {
    let rule = |(name, source, enabled): &Said| {
        format!(
            "---\nname: {name}\nenabled: {enabled}\npattern: {{source: [{source}]}}\n\
             targets: [{{id: t, log: console}}]\n"
        )
    };
    let text = rules.iter().map(rule).collect();
    [SourceFile { path: "rules.yaml".to_owned(), text }]
}

/// The names of the rules that match an event of each source.
fn answers(rules: &RuleSet, scratch: &mut Scratch) -> Vec<Vec<String>> {
    let Some(bus) = rules.on("default") else { return Vec::new() };
    let of = |source: &str| {
        let event = format!(r#"{{"source":"{source}"}}"#);
        let matched = bus.matches(event.as_bytes(), scratch).expect("the event is one");
        matched.iter().map(|rule| rule.name.clone()).collect()
    };
    ["a", "b", "c"].map(of).into()
}

#[test]
fn rules_that_follow_others_answer_as_if_they_were_the_first() {
    let steps: &[&[Said]] = &[
        &[("one", "a", true), ("two", "a", true), ("three", "b", true)],
        // In another order, with a pattern changed.
        &[("three", "b", true), ("two", "c", true), ("one", "a", true)],
        // Fewer.
        &[("two", "c", true)],
        // Others in the free places, and more than there were.
        &[
            ("new", "a", true),
            ("two", "c", true),
            ("x", "a", true),
            ("y", "a", true),
            ("z", "b", true),
        ],
        // Disabled, and enabled again.
        &[("new", "a", false), ("two", "c", false), ("x", "a", true), ("y", "b", true)],
        &[("new", "a", true), ("two", "a", true), ("x", "a", true), ("y", "b", true)],
        // None at all, which is a bus that no rule listens on, and again some.
        &[],
        &[("one", "a", true), ("two", "b", true)],
    ];
    let mut running = RuleSet::empty();
    let mut scratch = Scratch::default();
    for (step, said) in steps.iter().enumerate() {
        let first = load(&files(said)).expect("the rules are right");
        running = reload(&files(said), &running).expect("the rules are right");
        let (expected, got) = (answers(&first, &mut scratch), answers(&running, &mut scratch));
        assert_eq!(got, expected, "step {step}");
        assert_eq!(got.iter().flatten().count(), said.iter().filter(|one| one.2).count());
    }
}
