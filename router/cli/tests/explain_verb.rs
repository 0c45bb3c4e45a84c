//! `slipswitch pattern explain`: what it says, to people and to programs, and what it refuses.

mod support;

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use expect_test::expect;
use serde_json::{Value, json};

use support::{Outcome, run};

fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_slipswitch"));
    command.args(["pattern", "explain"]).args(arguments).current_dir(folder);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn explain(folder: &Path, arguments: &[&str], input: &str) -> Outcome {
    let arguments = [&["pattern", "explain"], arguments].concat();
    run(&arguments, input, |command| command.current_dir(folder))
}

const PATTERN: &str = r#"{
  "source": ["com.shop"],
  "detail": {
    "state": ["running", "stopped"],
    "total": [{"numeric": [">", 100]}],
    "items": {"sku": [{"prefix": "TV"}], "qty": [{"numeric": [">=", 5]}]}
  }
}"#;
const EVENT: &str = r#"{"source": "com.shop", "detail": {"State": "running", "total": "250",
  "items": [{"sku": "TV-55", "qty": 1}, {"sku": "PC", "qty": 9}]}}"#;
const PATTERNS: &str = r#"{"id":"big-orders","pattern":{"source":["com.shop"],"detail":{"total":[{"numeric":[">",100]}]}}}
{"id":"tv-orders","pattern":{"detail":{"items":{"sku":[{"prefix":"TV"}],"qty":[{"numeric":[">=",5]}]}}}}
{"id":7,"pattern":{"source":["com.shop"]}}
{"id":"\u001b[31m","pattern":{"source":["Com.Shop"]}}
{"id":"elsewhere","pattern":{"source":["org"],"kind":["x"]}}
"#;

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, text) in [("p.json", PATTERN), ("e.json", EVENT), ("ps.jsonl", PATTERNS)] {
        fs::write(folder.path().join(name), text).expect("write a file");
    }
    folder
}

#[test]
fn every_field_is_explained_the_reason_first() {
    let here = folder();
    let told = explain(here.path(), &["--pattern", "@p.json", "--event", "@e.json"], "");
    expect![[r#"
        ✗ no match: detail.items: no single element had both qty and sku (and 2 more)

          ~ detail.items.qty: 9 is >= 5, at detail.items[1].qty
          ~ detail.items.sku: "TV-55" begins with "TV", at detail.items[0].sku
          ✗ detail.items: no single element had both qty and sku
            qty fits in detail.items[1]
            sku fits in detail.items[0]
          ✗ detail.state: absent, expected one of "running", "stopped"
            → detail.State exists, detail.state does not
          ✗ detail.total: "250" is a string, expected a number > 100
            → without its quotes it would fit
          ✓ source: "com.shop"
    "#]]
    .assert_eq(&told.out);
    assert_eq!((told.code, told.err.as_str()), (Some(1), ""));
}

#[test]
fn a_match_is_zero_and_the_texts_come_from_anywhere() {
    let here = folder();
    let expected = "✓ match: every field fits\n\n  ✓ a: 5 is > 1\n";
    let (pattern, event) = (r#"{"a": [{"numeric": [">", 1]}]}"#, r#" {"a": 5}"#);
    fs::write(here.path().join("five.json"), event).unwrap();
    for (arguments, input) in [
        (["--pattern", pattern, "--event", event], ""),
        (["--pattern", "-", "--event", event], pattern),
        (["--pattern", pattern, "--event", "-"], event),
        (["--pattern", pattern, "--event", "@-"], event),
        (["--pattern", pattern, "--event", "@five.json"], ""),
    ] {
        let told = explain(here.path(), &arguments, input);
        assert_eq!((told.code, told.out.as_str()), (Some(0), expected), "{}", told.err);
    }
}

#[test]
fn programs_get_an_object() {
    let here = folder();
    let arguments = ["--pattern", "@p.json", "--event", "@e.json", "--json"];
    let told = explain(here.path(), &arguments, "");
    assert_eq!(told.code, Some(1), "{}", told.err);
    let value: Value = serde_json::from_str(&told.out).unwrap();
    assert_eq!((&value["matches"], &value["alternatives_total"]), (&json!(false), &json!(1)));
    assert!(value["why"].as_str().unwrap().starts_with("detail.items: no single element had both"));
    let nearest = &value["alternatives"][0];
    assert_eq!(
        nearest["failures"],
        json!([
            {"path": "detail.items", "why": "no single element had both qty and sku"},
            {"path": "detail.state", "why": "absent, expected one of \"running\", \"stopped\""},
            {"path": "detail.total", "why": "\"250\" is a string, expected a number > 100"},
        ])
    );
    assert_eq!((&nearest["fits_total"], &nearest["fields_total"]), (&json!(2), &json!(5)));
    assert_eq!(
        nearest["fields"][3],
        json!({
            "path": "detail.total",
            "verdict": "misses",
            "why": "\"250\" is a string, expected a number > 100",
            "hints": ["without its quotes it would fit"],
            "expected": ["a number > 100"],
            "expected_total": 1,
            "found": [{
                "place": "detail.total",
                "shown": "\"250\"",
                "kind": "string",
                "fits": [],
                "why": "\"250\" is a string, expected a number > 100",
            }],
            "found_total": 1,
        })
    );
    let party = json!({"key": "qty", "must_be_absent": false, "places": ["detail.items[1]"], "places_total": 1});
    assert_eq!(nearest["conflicts"][0]["parties"][0], party);
}

#[test]
fn of_many_patterns_the_nearest_are_listed() {
    let here = folder();
    let told =
        explain(here.path(), &["--patterns", "ps.jsonl", "--event", "-", "--limit", "3"], EVENT);
    expect![[r#"
        ✓ 1 of 5 patterns matches

          ✓ 7
          ✗ tv-orders   1 of 2 fit  detail.items: no single element had both qty and sku
          ✗ big-orders  1 of 2 fit  detail.total: "250" is a string, expected a number > 100
          ✗  [31m       0 of 1 fit  source: "com.shop" differs from "Com.Shop" in case only
          … and 1 more not matching
    "#]]
    .assert_eq(&told.out);
    assert_eq!((told.code, told.err.as_str()), (Some(0), ""));

    let arguments = ["--patterns", "-", "--event", "@e.json", "--json", "--limit", "2"];
    let told = explain(here.path(), &arguments, PATTERNS);
    let value: Value = serde_json::from_str(&told.out).unwrap();
    assert_eq!(
        value,
        json!({
            "patterns_total": 5,
            "matches_total": 1,
            "nearest": [
                {"id": 7, "matches": true, "fits_total": 1, "fields_total": 1, "why": "every field fits"},
                {
                    "id": "tv-orders", "matches": false, "fits_total": 1, "fields_total": 2,
                    "why": "detail.items: no single element had both qty and sku",
                },
                {
                    "id": "big-orders", "matches": false, "fits_total": 1, "fields_total": 2,
                    "why": "detail.total: \"250\" is a string, expected a number > 100",
                },
            ],
        })
    );
    let none = explain(here.path(), &["--patterns", "ps.jsonl", "--event", "{}"], "");
    assert!(none.out.starts_with("✗ 0 of 5 patterns match\n"), "{}", none.out);
    assert_eq!(none.code, Some(1));
}

#[test]
fn long_numbers_are_ids_that_stay_as_they_are() {
    let here = folder();
    let patterns = r#"{"id":12345678901234567890123,"pattern":{"x":[1]}}
{"id":12345678901234567890124,"pattern":{"x":[2]}}"#;
    for form in [&[][..], &["--json"]] {
        let arguments = [&["--patterns", "-", "--event", "{}"], form].concat();
        let told = explain(here.path(), &arguments, patterns);
        for id in ["12345678901234567890123", "12345678901234567890124"] {
            assert!(told.out.contains(id), "{}{}", told.out, told.err);
        }
    }
}

#[test]
fn the_exit_code_is_the_verdict_though_nobody_reads() {
    let here = folder();
    let verdicts = [
        (["--pattern", r#"{"source": ["com.shop"]}"#], 0),
        (["--pattern", "@p.json"], 1),
        (["--patterns", "ps.jsonl"], 0),
    ];
    let none = (["--patterns", "none.jsonl"], 1);
    fs::write(here.path().join("none.jsonl"), "{\"id\":1,\"pattern\":{\"x\":[1]}}\n").unwrap();
    for (pattern, code) in verdicts.into_iter().chain([none]) {
        for form in [&[][..], &["--json"]] {
            let mut command =
                command(here.path(), &[&pattern[..], &["--event", "-"], form].concat());
            let mut child = command.spawn().expect("the command starts");
            drop(child.stdout.take());
            // It answers after it has read this.
            child.stdin.take().expect("piped above").write_all(EVENT.as_bytes()).unwrap();
            let output = child.wait_with_output().expect("the command ends");
            assert_eq!(output.status.code(), Some(code), "{pattern:?} {form:?}");
            assert_eq!(output.stderr, b"", "{pattern:?} {form:?}");
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn an_answer_that_cannot_be_written_is_two() {
    let here = folder();
    for pattern in [["--pattern", "@p.json"], ["--patterns", "ps.jsonl"]] {
        for form in [&[][..], &["--json"]] {
            let full = fs::File::options().write(true).open("/dev/full").unwrap();
            let mut command =
                command(here.path(), &[&pattern[..], &["--event", "@e.json"], form].concat());
            let output = command.stdout(full).output().expect("the command ends");
            let err = String::from_utf8(output.stderr).expect("it prints text");
            assert_eq!(output.status.code(), Some(2), "{pattern:?} {form:?}: {err}");
            assert!(err.starts_with("write to standard output: "), "{pattern:?} {form:?}: {err}");
        }
    }
}

#[test]
fn what_is_not_right_is_named_with_its_place_and_is_two() {
    let here = folder();
    fs::write(here.path().join("bad.json"), "{\n  \"a\": }").unwrap();
    let good = r#"{"a": [1]}"#;
    for (arguments, expected) in [
        (["--pattern", r#"{"a": 1}"#, "--event", "{}"], "--pattern:1:7"),
        (["--pattern", "@bad.json", "--event", "{}"], "bad.json:2:8"),
        (["--pattern", good, "--event", "@bad.json"], "bad.json:2:8"),
        (["--pattern", good, "--event", "[1]"], "--event:1:1"),
        (["--pattern", good, "--event", "-"], "standard input:1:2"),
        (["--pattern", "p.json", "--event", "{}"], "to read a file, write --pattern @p.json"),
        (["--pattern", good, "--event", "@nowhere.json"], "open nowhere.json"),
        (["--pattern", "-", "--event", "-"], "cannot both be standard input"),
        (["--patterns", "-", "--event", "-"], "cannot both be standard input"),
        (["--patterns", "bad.json", "--event", "{}"], "bad.json line 1: "),
        (["--patterns", "nowhere.jsonl", "--event", "{}"], "open nowhere.jsonl"),
        (["--pattern", good, "--patterns", "ps.jsonl"], "cannot be used with"),
        (["--pattern", good, "--limit", "5"], "cannot be used with"),
    ] {
        let told = explain(here.path(), &arguments, "{5}");
        assert_eq!((told.code, told.out.as_str()), (Some(2), ""), "{arguments:?}: {}", told.err);
        assert!(told.err.contains(expected), "{arguments:?}: {}", told.err);
    }
}
