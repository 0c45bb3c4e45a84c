//! Files that are right, and what becomes of them.

use std::time::Duration;

use expect_test::expect_file;
use slipswitch_ruleset::{Log, RuleSet, Scratch, SourceFile, StepPlace, TargetKind};

use crate::doubles::{load, load_text, places};

const SHOP: &str = include_str!("../../testdata/whole/shop.yaml");

fn whole(text: &str) -> RuleSet {
    load_text(text).unwrap_or_else(|problems| {
        panic!("{}", problems.iter().map(|one| one.render(text, false)).collect::<String>())
    })
}

#[test]
fn every_key_reaches_its_place() {
    let rules = whole(SHOP);
    let rule = &rules.rules()[0];
    assert_eq!((rule.name.as_str(), rule.bus.as_str(), rule.line), ("big-orders", "shop", 2));
    assert_eq!(rule.description.as_deref(), Some("Orders that somebody should look at."));
    assert!(rule.enabled && !rules.rules()[1].enabled);

    let TargetKind::Http(http) = &rule.targets[0].kind else { panic!("not http") };
    assert_eq!(http.url, "http://127.0.0.1:9000/orders");
    assert_eq!(http.url_shown, "http://127.0.0.1:${PORT}/orders");
    assert_eq!(http.headers[0], ("authorization".to_owned(), "Bearer t0ken".to_owned()));
    assert_eq!(http.timeout, Duration::from_secs(2));
    assert!(!format!("{rules:?} {rule:?}").contains("t0ken"), "a secret is printed");

    let retry = rule.targets[0].retry;
    assert_eq!((retry.attempts_max, retry.age_max), (185, Duration::from_secs(86_400)));
    assert_eq!(retry, rule.targets[1].retry, "these are the defaults");

    let TargetKind::Http(http) = &rule.targets[1].kind else { panic!("not http") };
    assert_eq!(
        (http.url.as_str(), http.timeout),
        ("http://127.0.0.1:9000/words", Duration::from_secs(10))
    );
    let kinds: Vec<_> = rule.targets.iter().map(|target| target.kind.name()).collect();
    assert_eq!(kinds, ["http", "http", "log", "log", "bus", "log"]);
    assert_eq!(
        rule.targets[2].kind,
        TargetKind::Log(Log { file: Some("orders-9000.log".to_owned()) })
    );
    assert!(rule.targets[0].calls_plugins() && !rule.targets[1].calls_plugins());
}

#[test]
fn the_tests_of_a_file_pass() {
    let report = whole(SHOP).test();
    let said: String = report.failures.iter().map(|one| one.render(SHOP, false)).collect();
    assert_eq!(said, "");
    assert_eq!((report.passed, report.outcomes.len()), (4, 4));
}

#[test]
fn numbers_keep_their_digits_from_file_to_output() {
    let rules = whole(
        r#"
name: digits
pattern: { detail: { big: [123456789012345678901234567890], small: [1.10] } }
targets:
  - id: log
    log: console
    transform:
      - input: { constant: { big: 123456789012345678901234567890, small: 1.10, huge: 1e400, no: [NO] } }
tests:
  - name: sent
    event: { source: s, detail-type: d, detail: { big: 123456789012345678901234567890, small: 1.1 } }
    expect: { log: { big: 123456789012345678901234567890, small: 1.10, huge: 1e400, no: ["NO"] } }
  - name: not sent
    event: { source: s, detail-type: d, detail: { big: 2, small: 1.1 } }
    expect: none
"#,
    );
    assert_eq!(rules.test().failures, []);
    assert!(rules.rules()[0].pattern.text().contains("123456789012345678901234567890"));
}

#[test]
fn json_is_yaml_and_nothing_is_no_rule() {
    let json = r#"{"name":"a","pattern":{"source":["s"]},"targets":[{"id":"log","log":{}}]}"#;
    assert_eq!(whole(json).rules().len(), 1);
    for nothing in ["", "\n", "# only words\n", "---\n---\n", "null", "\u{feff}"] {
        assert_eq!(whole(nothing).rules().len(), 0, "{nothing:?}");
    }
}

#[test]
fn line_ends_of_windows_and_a_byte_order_mark_are_read() {
    let text = format!("\u{feff}{}", SHOP.replace('\n', "\r\n"));
    let report = whole(&text).test();
    assert_eq!((report.passed, report.failures), (4, Vec::new()));
}

#[test]
fn an_alias_stands_for_its_anchor() {
    let rules = whole(
        "
name: a
pattern: &all { source: [s] }
targets:
  - { id: one, http: http://h/1, retry: &slow { attempts: 3, backoff: { min: 1m } } }
  - { id: two, http: http://h/2, retry: *slow }
---
name: b
pattern: { source: [s] }
targets: [{ id: one, log: console }]
",
    );
    let retry = rules.rules()[0].targets[1].retry;
    assert_eq!((retry.attempts_max, retry.backoff_min), (3, Duration::from_secs(60)));
}

#[test]
fn a_bus_gives_the_enabled_rules_that_match() {
    let rules = whole(SHOP);
    assert_eq!(rules.buses().collect::<Vec<_>>(), ["shop"]);
    assert!(rules.on("default").is_none());
    let on_shop = rules.on("shop").unwrap();
    let mut scratch = Scratch::default();
    let mut names = |event: &str| {
        let matched = on_shop.matches(event.as_bytes(), &mut scratch).unwrap();
        matched.iter().map(|rule| rule.name.clone()).collect::<Vec<_>>()
    };
    let big = r#"{"source":"com.shopvn.order","detail-type":"OrderCreated","replay-name":"r","detail":{"totalAmount":1000001}}"#;
    assert_eq!(names(big), ["big-orders"]);
    assert_eq!(names(r#"{"replay-name":"r"}"#), [""; 0], "disabled");
    assert!(on_shop.matches(b"{", &mut scratch).is_err());
    assert_eq!(on_shop.rules().len(), 2);
    assert!(rules.rules()[0].matches(big.as_bytes(), &mut scratch));
    assert!(!rules.rules()[1].matches(big.as_bytes(), &mut scratch));
}

#[test]
fn the_digest_tells_every_change() {
    let file = |path: &str, text: &str| SourceFile { path: path.to_owned(), text: text.to_owned() };
    let digest = |files: &[SourceFile]| load(files).unwrap().digest().to_owned();
    let one = digest(&[file("a", ""), file("b", "# x")]);
    assert_eq!(one.len(), 64);
    assert_eq!(one, digest(&[file("a", ""), file("b", "# x")]));
    assert_ne!(one, digest(&[file("a", ""), file("b", "# y")]));
    assert_ne!(one, digest(&[file("a", ""), file("c", "# x")]));
    assert_eq!(digest(&[]), RuleSet::empty().digest());
}

#[test]
fn rules_of_one_name_may_stand_on_two_buses_but_not_in_two_files_of_one() {
    let rule = |bus: &str| {
        format!(
            "{{name: a, bus: {bus}, pattern: {{source: [s]}}, targets: [{{id: log, log: console}}]}}"
        )
    };
    let file = |path: &str, bus: &str| SourceFile { path: path.to_owned(), text: rule(bus) };
    assert_eq!(load(&[file("1.yaml", "x"), file("2.yaml", "y")]).unwrap().rules().len(), 2);
    let problems = load(&[file("1.yaml", "x"), file("2.yaml", "x")]).unwrap_err();
    assert_eq!(
        problems[0].to_string(),
        "2.yaml:1:8: the rule `a` stands twice on the bus `x` (the first is at 1.yaml:1: give one of them another name)"
    );
}

#[test]
fn problems_of_all_files_come_at_once() {
    let file = |path: &str, text: &str| SourceFile { path: path.to_owned(), text: text.to_owned() };
    let good = "{name: a, pattern: {source: [s]}, targets: [{id: log, log: console}]}";
    let problems = load(&[file("1.yaml", "nmae: x"), file("2.yaml", good), file("3.yaml", "- 1")]);
    let paths: Vec<_> = problems.unwrap_err().into_iter().map(|one| one.path).collect();
    assert_eq!(paths, ["1.yaml", "1.yaml", "1.yaml", "3.yaml"]);
}

#[test]
fn a_failed_test_is_shown_at_its_place_with_what_was_sent() {
    const FAILING: &str = include_str!("../../testdata/failing/tests.yaml");

    let report = whole(FAILING).test();
    let rendered: String = report.failures.iter().map(|one| one.render(FAILING, false)).collect();
    expect_file!["../../testdata/failing/tests.yaml.expected"].assert_eq(&rendered);
    assert_eq!(report.passed, 1);
    assert_eq!(report.outcomes.len(), 1 + report.failures.len());
    let passed: Vec<_> = report.outcomes.iter().filter(|one| one.failure.is_none()).collect();
    assert_eq!((passed[0].test.as_str(), passed[0].line), ("passes", 22));
}

#[test]
fn a_plugin_beside_another_passes_the_tests_of_the_rule_too() {
    let report = |other: &str| {
        let rule = format!(
            r#"
name: a
pattern: {{ source: [s] }}
targets:
  - id: log
    log: console
    transform: [{{ plugin: split, canary: {{ plugin: {other}, share: 1% }} }}]
tests:
  - name: two of one
    event: {{ source: s, detail-type: d, detail: {{}} }}
    expect: {{ log: [{{ n: 1 }}, {{ n: 2 }}] }}
  - name: not mine
    event: {{ source: other, detail-type: d, detail: {{}} }}
    expect: none
"#
        );
        whole(&rule).test()
    };
    let broken = report("drop");
    assert_eq!((broken.passed, broken.outcomes.len()), (1, 2));
    let words = "`log` is sent another number of outputs, with the canary `drop` in its place: expected 2, got 0";
    assert_eq!(broken.outcomes[0].failure.as_deref(), Some(words));
    assert_eq!(report("halve").failures, []);
}

#[test]
fn a_plugin_knows_the_step_that_it_is_for() {
    let rule = "
name: a
bus: shop
pattern: { source: [s] }
targets:
  - { id: one, log: console, transform: [{ plugin: split }] }
  - { id: two, log: console, transform: [{ input: { path: $.detail } }, { plugin: drop }] }
---
name: b
pattern: { source: [s] }
targets: [{ id: one, log: console, transform: [{ plugin: drop }] }]
";
    let place = |bus: &str, rule: &str, target: &str, step| {
        let owned = |name: &str| name.to_owned();
        StepPlace { bus: owned(bus), rule: owned(rule), target: owned(target), step }
    };
    let expected = [
        place("shop", "a", "one", 0),
        place("shop", "a", "two", 1),
        place("default", "b", "one", 0),
    ];
    assert_eq!(places(rule), expected);
}
