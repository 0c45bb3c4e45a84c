use expect_test::{Expect, expect};

use super::*;
use crate::load::{Context, load};
use crate::plugins::{PluginStep, PluginUse, Plugins, PrepareError};
use crate::rule_set::RuleSet;
use crate::values::Values;
use crate::written::changed;

struct Nothing;

impl Plugins for Nothing {
    fn prepare(&self, _: &PluginUse<'_>) -> Result<std::sync::Arc<dyn PluginStep>, PrepareError> {
        Err(PrepareError::Missing { looked_in: "plugins".to_owned() })
    }

    fn names(&self) -> Vec<String> {
        Vec::new()
    }
}

impl Values for Nothing {
    fn env(&self, _: &str) -> Option<String> {
        None
    }

    fn file(&self, _: &str) -> Result<String, String> {
        Err("there is none".to_owned())
    }
}

const RULES: &str = r#"
name: big-orders
bus: shop
pattern: { detail: { total: [{ numeric: [">", 100] }] } }
targets:
  - id: crm
    log: console
    transform: [{ input: { paths: { id: $.detail.id }, template: '{"order": <id>}' } }]
  - id: words
    log: console
    transform: [{ input: { path: $.detail.note } }]
---
name: all
bus: shop
pattern: { source: [shop] }
targets: [{ id: audit, log: console, transform: [{ input: { constant: 1 } }] }]
tests:
  - name: any
    event: { source: shop, detail-type: T, detail: {} }
    expect: none   # a comment
"#;

fn rules(text: &str) -> RuleSet {
    let file = SourceFile { path: "rules/a.yaml".to_owned(), text: text.to_owned() };
    let limits = event::Limits::default();
    let context = Context {
        values: &Nothing,
        plugins: &Nothing,
        buses: &[],
        connections: &crate::NoConnections,
        limits,
    };
    load(&[file], &context).unwrap().rules
}

fn read(name: &str, text: &str) -> Recorded {
    let file = SourceFile { path: name.to_owned(), text: text.to_owned() };
    Recorded::read(&file, &event::Limits::default(), None)
}

/// Every outcome, with the place and the mend of those that failed.
fn said(name: &str, text: &str) -> String {
    let report = rules(RULES).test_recorded(&read(name, text), |_, _| true);
    let mut said = String::new();
    for outcome in &report.outcomes {
        let word =
            outcome.failure.as_deref().map_or("good".to_owned(), |why| format!("bad: {why}"));
        said.push_str(&format!("{} {word}\n", outcome.test));
    }
    for failure in &report.failures {
        said.push_str(&format!("{failure}\n"));
    }
    said
}

#[expect(clippy::needless_pass_by_value, reason = "reads as a table")]
fn check(name: &str, text: &str, expected: Expect) {
    expected.assert_eq(&said(name, text));
}

fn updated(name: &str, text: &str) -> String {
    let report = rules(RULES).test_recorded(&read(name, text), |_, _| true);
    changed(text, report.changes.into_iter().map(|(_, change)| change))
}

const BIG: &str =
    r#"{"source":"shop","detail-type":"T","detail":{"id":"o-1","total":500,"note":"n"}}"#;
const SMALL: &str = r#"{"source":"shop","detail-type":"T","detail":{"total":5}}"#;
const NO_NOTE: &str = r#"{"source":"shop","detail-type":"T","detail":{"id":"o-2","total":101}}"#;

fn line(event: &str, rest: &str) -> String {
    format!("{{\"bus\":\"shop\",\"event\":{event}{rest}}}\n")
}

#[test]
fn every_target_of_the_bus_is_looked_at_unless_the_case_is_partial() {
    let whole =
        r#","expect":{"big-orders/crm":{"order":"o-1"},"big-orders/words":"n","all/audit":1}"#;
    let part = r#","expect":{"all/audit":1}"#;
    let text = [
        line(BIG, whole),
        line(SMALL, part),
        line(BIG, part),
        line(BIG, &format!("{part},\"partial\":true,\"name\":\"part\"")),
        line(BIG, r#","expect":"none""#),
    ];
    check(
        "a.events.ndjson",
        &text.concat(),
        expect![[r#"
            line 1 good
            line 2 good
            line 3 bad: nothing is expected for `big-orders/crm`, and it is sent something: does not name `big-orders/crm`
            part good
            line 5 bad: nothing is expected for `all/audit`, and it is sent something: does not name `all/audit`
            a.events.ndjson:3:104: `line 3` failed: nothing is expected for `big-orders/crm`, and it is sent something (it is sent:
            {"order":"o-1"})
            a.events.ndjson:5:104: `line 5` failed: nothing is expected for `all/audit`, and it is sent something (it is sent:
            1)
        "#]],
    );
}

#[test]
fn a_name_that_does_not_exist_fails_with_the_nearest_and_its_place() {
    let text = [
        line(SMALL, r#","expect":{"all/audti":1}"#),
        line(SMALL, r#","expect":{"al/audit":1}"#),
        line(SMALL, r#","expect":{"big-orders/crm":{},"all/audit":1}"#),
        format!("{{\"bus\":\"shpo\",\"event\":{SMALL},\"expect\":\"none\"}}\n"),
        line(SMALL, r#","expcet":{}"#),
        line(SMALL, r#","expect":{"audit":1}"#),
    ];
    check(
        "a.events.ndjson",
        &text.concat(),
        expect![[r#"
        line 5 bad: unknown key `expcet` in a case
        line 6 bad: `audit` names no target
        line 1 bad: the rule `all` has no target `audti`: unknown target
        line 2 bad: there is no rule `al`: unknown rule
        line 3 bad: the rule `big-orders` does not match this event: not matched by its pattern
        line 4 bad: no rule listens on the bus `shpo`: no such bus
        a.events.ndjson:5:80: unknown key `expcet` in a case (did you mean `expect`?)
        a.events.ndjson:6:90: `audit` names no target (write the rule, a slash, and the id of one of its targets)
        a.events.ndjson:1:90: `line 1` failed: the rule `all` has no target `audti` (did you mean `audit`?)
        a.events.ndjson:2:90: `line 2` failed: there is no rule `al` (did you mean `all/audit`?)
        a.events.ndjson:3:107: `line 3` failed: the rule `big-orders` does not match this event (change the pattern or the event, or expect `none`)
        a.events.ndjson:4:8: `line 4` failed: no rule listens on the bus `shpo` (did you mean `shop`?)
    "#]],
    );
}

#[test]
fn what_is_broken_is_told_with_its_line_and_hides_nothing() {
    let good = line(SMALL, r#","expect":{"all/audit":1}"#);
    let text =
        format!("{good}\n{{\"event\": nonsense}}\n{good}[1\n{{\"event\":{{\"source\":1}}}}\n");
    check(
        "a.events.ndjson",
        &text,
        expect![[r#"
        line 3 bad: not JSON: expected ident
        line 5 bad: not JSON: EOF while parsing a list
        line 6 bad: this event could not be sent: `source` must be a string, and is a number
        line 1 good
        line 4 good
        a.events.ndjson:3:12: not JSON: expected ident (write one case, or one event, on each line, or all of them in an array)
        a.events.ndjson:5:2: not JSON: EOF while parsing a list (write one case, or one event, on each line, or all of them in an array)
        a.events.ndjson:6:10: this event could not be sent: `source` must be a string, and is a number (write it as it is sent: `source`, `detail-type` and `detail`)
    "#]],
    );
}

#[test]
fn an_error_of_a_transform_can_be_expected() {
    let rest = |errors: &str| {
        let expect = r#","expect":{"big-orders/crm":{"order":"o-2"},"all/audit":1}"#;
        format!("{expect},\"errors\":{{\"big-orders/words\":\"{errors}\"}}")
    };
    let text = line(NO_NOTE, &rest("$.detail.note")) + &line(NO_NOTE, &rest("something else"));
    check(
        "a.events.ndjson",
        &text,
        expect![[r#"
        line 1 good
        line 2 bad: the transform of `big-orders/words` fails with other words: expected "something else", got "step 1 (input): there is no `$.detail.note` in this event"
        a.events.ndjson:2:180: `line 2` failed: the transform of `big-orders/words` fails with other words
    "#]],
    );
}

#[test]
fn an_update_of_json_writes_what_came_and_leaves_the_rest() {
    let good = line(SMALL, r#", "expect" : {"all/audit" : 1.0}"#);
    let unknown = line(SMALL, r#","expect":{"nobody/x":1}"#);
    let text = [
        good.clone(),
        format!("  {}\n", BIG.replacen('{', "{ ", 1)),
        unknown.clone(),
        line(NO_NOTE, r#","offset":7,"taken_at":"T","expect":{"big-orders/crm":2,"all/audit":1}"#),
    ]
    .concat()
    .replace("  { ", "{ ");
    let bare = updated("a.events.ndjson", &text.replace("{ \"source\"", "{\"source\""));
    // The event alone has no bus: it is of `default`, where no rule listens.
    assert!(bare.contains(BIG) && !bare.contains(&format!("\"event\": {BIG}")), "{bare}");

    let file = SourceFile { path: "a.events.ndjson".to_owned(), text: text.clone() };
    let read = Recorded::read(&file, &event::Limits::default(), Some("shop"));
    let report = rules(RULES).test_recorded(&read, |_, _| true);
    let after = changed(&text, report.changes.into_iter().map(|(_, change)| change));
    expect![[r#"
        {"bus":"shop","event":{"source":"shop","detail-type":"T","detail":{"total":5}}, "expect" : {"all/audit" : 1.0}}
        {"bus": "shop", "event": { "source":"shop","detail-type":"T","detail":{"id":"o-1","total":500,"note":"n"}}, "expect": {"all/audit": 1, "big-orders/crm": {"order": "o-1"}, "big-orders/words": "n"}}
        {"bus":"shop","event":{"source":"shop","detail-type":"T","detail":{"total":5}},"expect":{"nobody/x":1}}
        {"bus":"shop","event":{"source":"shop","detail-type":"T","detail":{"id":"o-2","total":101}},"offset":7,"taken_at":"T","expect":{"big-orders/crm": {"order": "o-2"},"all/audit":1}, "errors": {"big-orders/words": "step 1 (input): there is no `$.detail.note` in this event"}}
    "#]].assert_eq(&after);
    assert!(after.starts_with(&good) && after.contains(&unknown));
    let again = said("a.events.ndjson", &after);
    assert_eq!(again.matches("good").count(), 3, "{again}");
}

#[test]
fn an_update_of_yaml_keeps_comments_and_layout() {
    let text = "\
# recorded on Monday
- name: big     # the big one
  bus: shop
  event: { source: shop, detail-type: T, detail: { id: o-1, total: 500, note: n } }
  expect:       # what they get
    all/audit: 1
    big-orders/crm:      # changed
      order: wrong
    big-orders/words: { deep: 1 }
  # the end
- name: small
  bus: shop
  event: { source: shop, detail-type: T, detail: {} }   # nothing yet
- { name: flow, bus: shop, event: { source: shop, detail-type: T, detail: {} }, expect: none } # x
- name: fails
  bus: shop
  event: { source: shop, detail-type: T, detail: { id: o-1, total: 500 } }
  expect:
    all/audit: 1
    big-orders/crm: { order: o-1 }
    big-orders/words:
    - a
    - b
";
    let after = updated("a.events.yaml", text);
    expect![[r##"
        # recorded on Monday
        - name: big     # the big one
          bus: shop
          event: { source: shop, detail-type: T, detail: { id: o-1, total: 500, note: n } }
          expect:       # what they get
            all/audit: 1
            big-orders/crm:      # changed
              {"order": "o-1"}
            big-orders/words: "n"
          # the end
        - name: small
          bus: shop
          event: { source: shop, detail-type: T, detail: {} }   # nothing yet
          expect:
            all/audit: 1
        - { name: flow, bus: shop, event: { source: shop, detail-type: T, detail: {} }, expect: {"all/audit": 1} } # x
        - name: fails
          bus: shop
          event: { source: shop, detail-type: T, detail: { id: o-1, total: 500 } }
          expect:
            all/audit: 1
            big-orders/crm: { order: o-1 }
            big-orders/words: none
          errors:
            big-orders/words: "step 1 (input): there is no `$.detail.note` in this event"
    "##]].assert_eq(&after);
    let again = said("a.events.yaml", &after);
    assert!(!again.contains("bad"), "{again}");
}

#[test]
fn an_inline_test_is_updated_in_its_rule_file() {
    let report = rules(RULES).test();
    let after = changed(RULES, report.changes.into_iter().map(|(_, change)| change));
    assert_eq!(after, RULES.replace("expect: none   #", "expect: {\"audit\": 1}   #"));
    assert!(rules(&after).test().failures.is_empty());
}

#[test]
fn rules_and_targets_without_a_test_are_known() {
    let recorded = read("a.events.ndjson", &line(BIG, r#","expect":{"big-orders/crm":{}}"#));
    let untested = rules(RULES).untested(&[recorded]);
    let told: Vec<_> = untested
        .iter()
        .map(|one| format!("{}/{} {:?} {}", one.bus, one.rule, one.targets, one.wholly))
        .collect();
    expect![[r#"
        shop/big-orders ["words"] false
        shop/all ["audit"] false"#]]
    .assert_eq(&told.join("\n"));
}

#[test]
fn any_bytes_are_read_without_a_panic() {
    for text in
        ["", "\n\n", "[", "[[[", "{", "\"", "nul", "[1,2]", "{\"event\":{}}", "\u{feff}{}", "{\"a"]
    {
        for name in ["a.events.ndjson", "a.events.yaml"] {
            said(name, text);
        }
    }
    let deep = format!("{{\"event\":{}1{}}}", "[".repeat(5000), "]".repeat(5000));
    assert!(said("a.events.ndjson", &deep).contains("nested deeper"));
}
