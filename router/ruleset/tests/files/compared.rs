//! What other rules would have done.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use bytes::Bytes;
use event::{Event, Limits, Stamp, Timestamp};
use expect_test::{Expect, expect};
use proptest::prelude::*;
use slipswitch_ruleset::compare::{Comparison, Look, Report, Seen, Side, Tally};
use slipswitch_ruleset::pattern::{self, Pattern, naive};
use slipswitch_ruleset::{About, Finds, Payload, Purpose, RuleSet, Target, TransformError};

use crate::doubles::load_text;

const EXAMPLES: usize = 2;

fn rules(text: &str) -> Arc<RuleSet> {
    let loaded = load_text(text);
    Arc::new(loaded.unwrap_or_else(|problems| panic!("{problems:#?}\n{text}")))
}

fn event(number: usize, detail: &str) -> Event {
    let stamp = Stamp {
        id: &format!("e-{number}"),
        time: Timestamp::from_millis(0),
        account: "0",
        region: "r",
    };
    let entry = format!(r#"{{"source":"shop","detail-type":"Order","detail":{detail}}}"#);
    Event::from_entry(entry.as_bytes(), &Limits::default(), &stamp).unwrap()
}

/// Remembers from one target to the next what paths found, as whoever compares does.
fn making(
    finds: &Finds,
) -> impl Fn(&Side, &Event, Timestamp) -> Result<Vec<Payload>, TransformError> {
    move |side, event, ingested| {
        let (rule, target, bus) = (&side.rule.name, &side.target.id, &side.rule.bus);
        let about = About { rule, target, bus, replay: None, ingested, purpose: Purpose::Look };
        side.target.transform_with(event, &about, Some(finds))
    }
}

/// Of events that come in one a second, looked at by two that take turns.
fn compare(before: &str, after: &str, events: &[Event]) -> Report {
    let comparison = Comparison::new(rules(before), rules(after));
    let finds = Finds::default();
    let make = making(&finds);
    let at = |offset: usize| Timestamp::from_millis(i64::try_from(offset).unwrap() * 1000);
    let mut tally: Tally = comparison.tally();
    for bus in comparison.buses() {
        let mut looks = [0, 1].map(|_| Look::new(&comparison, bus, EXAMPLES));
        for (offset, event) in events.iter().enumerate() {
            let envelope = event.bytes();
            let seen = Seen { offset: offset as u64, envelope, taken_at: at(offset) };
            looks[offset % 2].event(seen, &make);
        }
        for look in looks {
            tally = tally.and(look.tally(), EXAMPLES);
        }
    }
    let find = |_bus: &str, offset: u64| -> Option<(Bytes, Timestamp)> {
        let offset = usize::try_from(offset).ok()?;
        Some((events.get(offset)?.bytes().clone(), at(offset)))
    };
    comparison.report(&tally, &find, &make)
}

fn check(before: &str, after: &str, details: &[&str], expected: Expect) {
    let events: Vec<Event> =
        details.iter().enumerate().map(|(number, detail)| event(number, detail)).collect();
    let report = compare(before, after, &events);
    let mut text = format!("{} of {} rules\n", report.rules_differ, report.rules);
    for one in &report.subscriptions {
        let counts = one.counts;
        writeln!(
            text,
            "{}/{} {:?}: +{} -{} ~{} >{} ={} dead {} {}",
            one.rule,
            one.target,
            one.change,
            counts.gained,
            counts.lost,
            counts.changed,
            counts.moved,
            counts.same,
            counts.dead_before,
            counts.dead_after
        )
        .unwrap();
        one.what.iter().for_each(|what| writeln!(text, "  {what}").unwrap());
        for example in &one.examples {
            let of = |value: &Option<String>| value.clone().unwrap_or_default();
            writeln!(text, "  {:?} {}: {}", example.kind, example.id, example.why).unwrap();
            if example.before.is_some() || example.after.is_some() {
                let (path, before, after) =
                    (of(&example.path), of(&example.before), of(&example.after));
                writeln!(text, "    {path}: {before} → {after}").unwrap();
            }
        }
    }
    report.notes.iter().for_each(|note| writeln!(text, "note: {note}").unwrap());
    expected.assert_eq(&text);
}

fn rule(name: &str, pattern: &str, more: &str) -> String {
    format!(
        "name: {name}\npattern: {pattern}\ntargets:\n  - id: crm\n    http: {{ url: \"http://crm/x\" }}\n{more}"
    )
}

const BIG: &str = "{ detail: { total: [{ numeric: ['>', 100] }] } }";

#[test]
fn the_same_rules_in_other_words_differ_in_nothing() {
    let one = rule("big", BIG, "");
    let other =
        format!("# moved\n{}", rule("big", "\n  detail:\n    total: [{numeric: ['>', 100]}]", ""));
    let comparison = Comparison::new(rules(&one), rules(&other));
    assert!(comparison.is_same() && comparison.buses().next().is_none());
    check(
        &one,
        &other,
        &[r#"{"total":250}"#],
        expect![[r#"
        0 of 1 rules
    "#]],
    );
}

#[test]
fn another_pattern_says_who_comes_who_goes_and_why() {
    check(
        &rule("big", BIG, ""),
        &rule("big", "{ detail: { total: [{ numeric: ['>', 200] }], state: [paid] } }", ""),
        &[
            r#"{"total":250,"state":"paid"}"#,
            r#"{"total":150,"state":"paid"}"#,
            r#"{"total":250,"state":"open"}"#,
            r#"{"total":101,"state":"paid"}"#,
            r#"{"total":5}"#,
        ],
        expect![[r#"
            1 of 1 rules
            big/crm Changed: +0 -3 ~0 >0 =1 dead 0 0
              pattern
              Lost e-3: detail.total: 101 is not > 200
              Lost e-2: detail.state: "open" is not "paid"
        "#]],
    );
    check(
        &rule("big", BIG, ""),
        &rule("big", "{ source: [shop] }", ""),
        &[r#"{"total":5}"#, r#"{"total":500}"#],
        expect![[r#"
            1 of 1 rules
            big/crm Changed: +1 -0 ~0 >0 =1 dead 0 0
              pattern
              Gained e-0: detail.total: 5 is not > 100
        "#]],
    );
}

#[test]
fn another_output_says_where_and_a_failure_is_an_outcome() {
    let input = |path: &str| format!("    transform:\n      - input: {{ path: {path} }}\n");
    check(
        &rule("big", BIG, &input("$.detail")),
        &rule("big", BIG, &input("$.detail.order")),
        &[
            r#"{"total":250,"order":{"total":250}}"#,
            r#"{"total":250}"#,
            r#"{"order":{"total":250},"total":"101"}"#,
        ],
        expect![[r#"
            1 of 1 rules
            big/crm Changed: +0 -0 ~2 >0 =0 dead 0 1
              transform: step 1 (input)
              Changed e-1: transform: step 1 (input)
                : delivered → a dead letter: step 1 (input): there is no `$.detail.order` in this event
              Changed e-0: transform: step 1 (input)
                $.order: {"total":250} → 
        "#]],
    );
    // The event as it is on the one side, and made by a step on the other.
    check(
        &rule("big", BIG, ""),
        &rule(
            "big",
            BIG,
            "    transform:\n      - plugin: redact\n        config: { fields: [a] }\n",
        ),
        &[r#"{"total":250,"mail":"an@example.org"}"#, r#"{"total":250}"#],
        expect![[r#"
            1 of 1 rules
            big/crm Changed: +0 -0 ~1 >0 =1 dead 0 0
              transform: none → plugin redact
              Changed e-0: transform: none → plugin redact
                $.detail.mail: "an@example.org" → "***"
        "#]],
    );
    check(
        &rule("big", BIG, "    transform: [{ plugin: split }]\n"),
        &rule("big", BIG, "    transform: [{ plugin: count, grant: [state] }]\n"),
        &[r#"{"total":250}"#],
        expect![[r#"
            1 of 1 rules
            big/crm Changed: +0 -1 ~0 >0 =0 dead 0 0
              transform: plugin split → plugin count
              Lost e-0: its transform lets the event go
                : {"n":1} → 
        "#]],
    );
}

#[test]
fn rules_and_targets_that_come_go_or_are_renamed_are_told_apart() {
    let two = |name: &str| {
        let more = "  - id: file\n    log: { file: out.jsonl }\n";
        rule(name, BIG, more)
    };
    let all = &[r#"{"total":250}"#, r#"{"total":5}"#];
    check(
        &two("big"),
        &rule("big", BIG, ""),
        all,
        expect![[r#"
        1 of 1 rules
        big/file Removed: +0 -1 ~0 >0 =0 dead 0 0
          the target is gone
          what it still owes is for the file out.jsonl
          Lost e-0: the target is gone
    "#]],
    );
    check(
        &rule("big", BIG, ""),
        &two("huge"),
        all,
        expect![[r#"
        1 of 1 rules
        huge/crm Renamed: +0 -0 ~0 >0 =0 dead 0 0
          it was big/crm: it begins as a new subscription, and the old one ends with what it owes
        huge/file Added: +1 -0 ~0 >0 =0 dead 0 0
          the rule is new
          for the file out.jsonl
          Gained e-0: the rule is new
    "#]],
    );
    let off = format!("{}enabled: false\n", rule("big", BIG, ""));
    check(
        &rule("big", BIG, ""),
        &off,
        all,
        expect![[r#"
        1 of 1 rules
        big/crm Removed: +0 -1 ~0 >0 =0 dead 0 0
          disabled
          what it still owes is for http://crm/x
          Lost e-0: disabled
    "#]],
    );
    check(
        &off,
        &rule("big", BIG, ""),
        all,
        expect![[r#"
        1 of 1 rules
        big/crm Added: +1 -0 ~0 >0 =0 dead 0 0
          enabled: it was disabled
          for http://crm/x
          Gained e-0: enabled: it was disabled
    "#]],
    );
}

#[test]
fn another_destination_moves_and_another_way_of_delivering_moves_nothing() {
    let all = &[r#"{"total":250}"#, r#"{"total":5}"#];
    let before = rule("big", BIG, "");
    let to = |http: &str| before.replace("{ url: \"http://crm/x\" }", http);
    check(
        &before,
        &to("{ url: \"http://other/y?token=1\" }"),
        all,
        expect![[r#"
        1 of 1 rules
        big/crm Changed: +0 -0 ~0 >1 =0 dead 0 0
          goes to http://other/y, was http://crm/x
          Moved e-0: goes to http://other/y, was http://crm/x
    "#]],
    );
    let headers = "{ url: \"http://crm/x\", headers: { x-key: \"${SECRET}\" } }";
    check(
        &before,
        &to(headers),
        all,
        expect![[r#"
        1 of 1 rules
        big/crm Changed: +0 -0 ~0 >0 =0 dead 0 0
          header x-key: new
    "#]],
    );
    check(
        &before,
        &to("{ url: \"http://crm/x\", connection: crm }"),
        all,
        expect![[r#"
        1 of 1 rules
        big/crm Changed: +0 -0 ~0 >0 =0 dead 0 0
          connection: none → crm
    "#]],
    );
    let more = "    retry: { attempts: 3 }\n    concurrency: 2\n    order_by: $.detail.total\n";
    check(
        &before,
        &rule("big", BIG, more),
        all,
        expect![[r#"
        1 of 1 rules
        big/crm Changed: +0 -0 ~0 >0 =0 dead 0 0
          retry attempts: 185 → 3
          concurrency: none → 2
          order_by: none → $.detail.total
    "#]],
    );
}

#[test]
fn a_configuration_of_a_plugin_is_compared_and_never_shown() {
    let step = |field: &str| {
        format!("    transform:\n      - plugin: redact\n        config: {{ fields: [{field}] }}\n")
    };
    let (before, after) = (rule("big", BIG, &step("a")), rule("big", BIG, &step("\"${SECRET}\"")));
    check(
        &before,
        &after,
        &[r#"{"total":250}"#],
        expect![[r#"
        1 of 1 rules
        big/crm Changed: +0 -0 ~0 >0 =1 dead 0 0
          transform: step 1 (plugin redact)
    "#]],
    );
}

const PATTERNS: [&str; 5] = [
    "{ source: [shop] }",
    "{ detail: { n: [{ numeric: ['>', 2] }] } }",
    "{ detail: { n: [1, 2, 3] } }",
    "{ detail: { tag: [{ prefix: a }] } }",
    "{ $or: [{ detail: { n: [4] } }, { detail: { tag: [b] } }] }",
];
const STEPS: [&str; 6] = [
    "[]",
    "[{ input: { path: $.detail } }]",
    "[{ input: { path: $.detail.tag } }]",
    "[{ plugin: drop }]",
    "[{ plugin: split }]",
    "[{ input: { paths: { n: $.detail.n }, template: '{\"n\": <n>, \"r\": \"<aws.events.rule-name>\"}' } }]",
];

/// Of a rule: whether it is there, enabled, its pattern, and of two targets steps and destination.
type Drawn = (bool, bool, usize, [(bool, usize, bool); 2]);

fn drawn() -> impl Strategy<Value = Vec<Drawn>> {
    let target = (any::<bool>(), 0..STEPS.len(), any::<bool>());
    let rule = (
        prop::bool::weighted(0.8),
        prop::bool::weighted(0.8),
        0..PATTERNS.len(),
        [target.clone(), target],
    );
    prop::collection::vec(rule, 4)
}

fn written(drawn: &[Drawn]) -> String {
    let mut text = String::new();
    for (number, (is_there, enabled, pattern, targets)) in drawn.iter().enumerate() {
        if !is_there {
            continue;
        }
        let pattern = PATTERNS[*pattern];
        write!(text, "---\nname: r{number}\nenabled: {enabled}\npattern: {pattern}\ntargets:\n")
            .unwrap();
        for (at, (is_there, steps, elsewhere)) in targets.iter().enumerate() {
            if at == 0 || *is_there {
                let (steps, file) = (STEPS[*steps], if *elsewhere { "x" } else { "y" });
                let steps =
                    if steps == "[]" { String::new() } else { format!("    transform: {steps}\n") };
                write!(text, "  - id: t{at}\n    log: {{ file: {file} }}\n{steps}").unwrap();
            }
        }
    }
    text
}

/// What a target is sent: as values, with their kinds.
type Sent = Result<Vec<(serde_json::Value, String)>, String>;

fn sent(target: &Target, rule: &str, event: &Event) -> Sent {
    let (bus, target_id) = ("default", target.id.as_str());
    let about = About {
        rule,
        target: target_id,
        bus,
        replay: None,
        ingested: Timestamp::from_millis(0),
        purpose: Purpose::Look,
    };
    let made = target.transform(event, &about).map_err(|error| error.to_string())?;
    let value = |payload: Payload| {
        let text = || serde_json::Value::from(payload.body.as_str());
        (serde_json::from_str(&payload.body).unwrap_or_else(|_| text()), payload.content_type)
    };
    Ok(made.into_iter().map(value).collect())
}

/// What each subscription is sent of the event, and where to: found out the plain way.
fn naive(rules: &RuleSet, event: &Event) -> BTreeMap<String, (Sent, String)> {
    let mut found = BTreeMap::new();
    let is_match = |pattern: &Pattern| {
        let matcher = naive::Matcher::new(std::slice::from_ref(pattern));
        let (mut scratch, mut matched) = (naive::Scratch::default(), Vec::new());
        let event = pattern::Event::check(event.bytes()).unwrap();
        matcher.matches(event, &mut scratch, &mut matched).unwrap();
        !matched.is_empty()
    };
    let matching = rules.rules().iter().filter(|rule| rule.enabled && is_match(&rule.pattern));
    for rule in matching {
        for target in &rule.targets {
            let name = format!("{}/{}", rule.name, target.id);
            found.insert(name, (sent(target, &rule.name, event), format!("{:?}", target.kind)));
        }
    }
    found
}

proptest! {
    #[test]
    fn the_counts_are_those_of_running_both_sets_over_every_event(
        before in drawn(),
        after in drawn(),
        details in prop::collection::vec((0..6_u8, "[abc]{0,2}"), 1..20),
    ) {
        let events: Vec<Event> = details.iter().enumerate().map(|(number, (n, tag))| {
            event(number, &format!(r#"{{"n":{n},"tag":"{tag}"}}"#))
        }).collect();
        let (before, after) = (written(&before), written(&after));
        let report = compare(&before, &after, &events);
        let (old, new) = (rules(&before), rules(&after));
        let was: BTreeMap<String, String> = report.subscriptions.iter().filter_map(|one| {
            Some((one.was.clone()?, format!("{}/{}", one.rule, one.target)))
        }).collect();
        let mut counted: BTreeMap<String, [u64; 4]> = BTreeMap::new();
        for event in &events {
            let renamed = |(name, found)| (was.get(&name).cloned().unwrap_or(name), found);
            let old: BTreeMap<_, _> = naive(&old, event).into_iter().map(renamed).collect();
            let new = naive(&new, event);
            let names: Vec<&String> = old.keys().chain(new.keys().filter(|name| !old.contains_key(*name))).collect();
            for name in names {
                let goes = |side: Option<&(Sent, String)>| side.is_some_and(|(sent, _)| {
                    sent.as_ref().map_or(true, |sent| !sent.is_empty())
                });
                let (one, other) = (old.get(name), new.get(name));
                let counts = counted.entry(name.clone()).or_default();
                match (goes(one), goes(other)) {
                    (false, false) => (),
                    (false, true) => counts[0] += 1,
                    (true, false) => counts[1] += 1,
                    (true, true) => {
                        let (one, other) = (one.unwrap(), other.unwrap());
                        counts[2] += u64::from(one.0 != other.0);
                        counts[3] += u64::from(one.1 != other.1);
                    }
                }
            }
        }
        for one in &report.subscriptions {
            let name = format!("{}/{}", one.rule, one.target);
            let expected = counted.remove(&name).unwrap_or_default();
            let counts = one.counts;
            let found = [counts.gained, counts.lost, counts.changed, counts.moved];
            prop_assert_eq!(found, expected, "{} of\n{}\n{}", name, before, after);
            for example in &one.examples {
                prop_assert!(!example.why.is_empty(), "{:?}", example);
            }
        }
        for (name, counts) in counted {
            prop_assert_eq!(counts, [0; 4], "{} is said to be the same\n{}\n{}", name, before, after);
        }
    }
}
