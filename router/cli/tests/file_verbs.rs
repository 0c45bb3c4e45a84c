//! The verbs that work on files alone, and how the router refuses to start.

mod support;

use std::fs;
use std::path::Path;

use support::{Outcome, run};

const RULE: &str = r#"name: all
pattern: { source: [a] }
targets:
  - id: console
    log: console
    transform:
      - input: { paths: { n: $.detail.n }, template: '{"n": <n>}' }
tests:
  - name: one
    event: { source: a, detail-type: T, detail: { n: 1 } }
    expect: { console: { n: EXPECTED } }
"#;

fn slipswitch(folder: &Path, arguments: &[&str], input: &str) -> Outcome {
    run(arguments, input, |command| command.current_dir(folder))
}

/// A folder with `rules/all.yaml`.
fn folder(rule: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::create_dir(folder.path().join("rules")).expect("make rules/");
    fs::write(folder.path().join("rules/all.yaml"), rule).expect("write the rule");
    folder
}

#[test]
fn good_rules_pass_check_and_test() {
    let folder = folder(&RULE.replace("EXPECTED", "1"));
    let checked = slipswitch(folder.path(), &["check"], "");
    assert_eq!(checked.out, "1 file, 1 rule, 1 test: no problem\n");
    assert_eq!((checked.code, checked.err.as_str()), (Some(0), ""));
    assert_eq!(slipswitch(folder.path(), &["check", "-o", "json"], "").out, "[]\n");
    let tested = slipswitch(folder.path(), &["test"], "");
    assert_eq!(tested.out, "1 rule with 1 test: 1 passed, 0 failed\n");
    assert_eq!((tested.code, tested.err.as_str()), (Some(0), ""));
}

#[test]
fn a_failing_test_is_three_and_shows_where() {
    let folder = folder(&RULE.replace("EXPECTED", "2"));
    let tested = slipswitch(folder.path(), &["test"], "");
    assert_eq!(tested.code, Some(3));
    assert!(tested.err.contains("rules/all.yaml:11"), "{}", tested.err);
    let listed = slipswitch(folder.path(), &["test", "-o", "json"], "");
    assert_eq!(listed.code, Some(3));
    let outcomes: serde_json::Value = serde_json::from_str(&listed.out).unwrap();
    assert_eq!(outcomes[0]["rule"], "all");
    assert!(outcomes[0]["failure"].is_string(), "{outcomes}");
    assert_eq!(slipswitch(folder.path(), &["check"], "").code, Some(78));
}

#[test]
fn broken_rules_are_seventy_eight_everywhere_and_nothing_is_started() {
    let folder = folder(&RULE.replace("targets:", "tragets:"));
    for arguments in [&["check"][..], &["test"], &["serve", "--listen", "127.0.0.1:0"]] {
        let outcome = slipswitch(folder.path(), arguments, "");
        assert_eq!(outcome.code, Some(78), "{arguments:?}: {}", outcome.err);
        assert!(outcome.err.contains("rules/all.yaml:3:1"), "{arguments:?}: {}", outcome.err);
        assert!(outcome.err.contains("targets"), "{arguments:?}: {}", outcome.err);
        assert_eq!(outcome.out, "");
    }
    let listed = slipswitch(folder.path(), &["check", "-o", "json"], "");
    let problems: serde_json::Value = serde_json::from_str(&listed.out).unwrap();
    assert_eq!(
        (&problems[0]["line"], &problems[0]["column"]),
        (&3.into(), &1.into()),
        "{problems}"
    );
}

#[test]
fn the_folders_are_the_configurations_unless_named() {
    let folder = folder(&RULE.replace("EXPECTED", "1"));
    fs::rename(folder.path().join("rules"), folder.path().join("mine")).unwrap();
    assert_eq!(slipswitch(folder.path(), &["check"], "").code, Some(78));
    assert_eq!(slipswitch(folder.path(), &["check", "--rules", "mine"], "").code, Some(0));
    fs::write(folder.path().join("slipswitch.yaml"), "rules_dir: mine\n").unwrap();
    assert_eq!(slipswitch(folder.path(), &["check"], "").code, Some(0));
    assert_eq!(slipswitch(folder.path(), &["test"], "").code, Some(0));
    fs::write(folder.path().join("slipswitch.yaml"), "rule_dir: mine\n").unwrap();
    let outcome = slipswitch(folder.path(), &["check"], "");
    assert_eq!(outcome.code, Some(78));
    assert!(outcome.err.contains("slipswitch.yaml:1:1"), "{}", outcome.err);
}

#[test]
fn a_pattern_is_right_or_shown_where_it_is_wrong() {
    let here = tempfile::tempdir().unwrap();
    let good = slipswitch(here.path(), &["pattern", "check", "--pattern", r#"{"a":[1]}"#], "");
    assert_eq!((good.code, good.out.as_str()), (Some(0), "the pattern is right\n"));
    let bare = slipswitch(here.path(), &["pattern", "check", r#"{"a":[1]}"#], "");
    assert_eq!((bare.code, bare.out.as_str()), (Some(0), "the pattern is right\n"));
    let bad = slipswitch(here.path(), &["pattern", "check", "-"], "{\n  \"a\": 1\n}\n");
    assert_eq!((bad.code, bad.out.as_str()), (Some(1), ""));
    assert!(bad.err.contains("standard input:2:8"), "{}", bad.err);
    assert_eq!(slipswitch(here.path(), &["pattern", "check"], "").code, Some(2));
    assert_eq!(slipswitch(here.path(), &["pattern", "check", "nowhere.json"], "").code, Some(1));
}

#[test]
fn patterns_are_matched_line_by_line() {
    let here = tempfile::tempdir().unwrap();
    let patterns = r#"{"id":"x","pattern":{"a":[1]}}
{"id":7,"pattern":{"a":[{"exists":true}]}}
"#;
    fs::write(here.path().join("patterns.jsonl"), patterns).unwrap();
    let arguments = ["pattern", "match", "--patterns", "patterns.jsonl", "--events", "-"];
    let matched = slipswitch(here.path(), &arguments, "{\"a\":1.0}\n{\"a\":2}\n{}\n");
    assert_eq!(
        matched.out,
        "{\"event\":0,\"matched\":[\"x\",7]}\n{\"event\":1,\"matched\":[7]}\n{\"event\":2,\"matched\":[]}\n"
    );
    assert_eq!((matched.code, matched.err.as_str()), (Some(0), ""));
    let shapes = slipswitch(here.path(), &arguments, "5\n[1]\n");
    assert_eq!(shapes.out, "{\"event\":0,\"matched\":[]}\n{\"event\":1,\"matched\":[]}\n");
    assert_eq!((shapes.code, shapes.err.as_str()), (Some(0), ""));
    let broken = slipswitch(here.path(), &arguments, "{}\n{\"a\":}\n");
    assert_eq!(broken.code, Some(1));
    assert!(broken.err.starts_with("standard input line 2, column 6"), "{}", broken.err);
}

#[test]
fn who_looks_for_run_is_shown_what_there_is() {
    let folder = folder(RULE);
    let told = slipswitch(folder.path(), &["run", "plugin.wasm"], "");
    assert_eq!(told.code, Some(2));
    for verb in ["`slipswitch dev`", "`slipswitch serve`", "`slipswitch plugin run`"] {
        assert!(told.err.contains(verb), "{}", told.err);
    }
    assert!(!slipswitch(folder.path(), &["rum"], "").err.contains("slipswitch dev"));
}
