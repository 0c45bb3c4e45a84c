//! The other verbs: what they print, where, and with which exit code.

use expect_test::{Expect, expect};
use receiver::Receiver;
use serde_json::Value;

use crate::harness::{Ended, LONG, Scene};

fn rule(name: &str, url: &str, rest: &str) -> String {
    format!(
        "name: {name}\npattern: {{ source: [a] }}\ntargets: [{{ id: out, http: '{url}' }}]\n{rest}"
    )
}

/// Exit code, standard output, and standard error behind bars.
#[expect(clippy::needless_pass_by_value, reason = "reads as a table")]
fn check(ended: Ended, expected: Expect) {
    let mut seen = format!("code {}\n{}", ended.code.unwrap(), ended.out);
    for line in ended.err.lines() {
        seen.push_str(&format!("| {line}\n"));
    }
    expected.assert_eq(&seen);
}

#[test]
fn send_takes_options_a_file_or_standard_input_and_prints_the_ids() {
    let target = Receiver::start().unwrap();
    let scene = Scene::new();
    scene.write("rules/a.yaml", rule("a", &target.url("/a"), ""));
    let router = scene.serve();
    let url = router.url();
    let words = ["--source", "a", "--detail-type", "T", "--detail", r#"{ "n": 1.10 }"#];
    let sent = scene.run(&[&["send", "--url", &url], &words[..]].concat()).expect(0);
    let id = sent.out.trim_end().to_owned();
    assert_eq!((id.len(), id.split('-').count()), (36, 5), "{id}");

    let event = |id: &str| {
        format!(r#"{{"id":"{id}","source":"a","detail-type":"T","detail":{{"n":1e400}}}}"#)
    };
    scene.write("events.ndjson", format!("{}\n{}\n", event("f-1"), event("f-2")));
    let sent = scene.run(&["send", "--url", &url, "events.ndjson"]).expect(0);
    assert_eq!(sent.out, "f-1\nf-2\n");
    let array = format!("[{},\n{}]", event("i-1"), event("i-2"));
    let sent = scene.run_on(&["send", "--url", &url, "--batch", "1"], array.as_bytes()).expect(0);
    assert_eq!(sent.out, "i-1\ni-2\n");

    let requests = target.wait_for_count("/a", 5, LONG).unwrap();
    let body = |id: &str| {
        let is_it = |one: &&receiver::Request| one.header("slipswitch-event-id") == Some(id);
        requests.iter().find(is_it).unwrap().text()
    };
    assert!(body(&id).ends_with(r#""detail":{ "n": 1.10 }}"#), "{}", body(&id));
    assert!(body("f-2").ends_with(r#""detail":{"n":1e400}}"#));
}

#[test]
fn send_reports_what_is_refused_and_what_is_no_json_by_its_number() {
    let scene = Scene::new();
    let router = scene.serve();
    let send =
        |words: &[&str], input: &str| router.run_on(&[&["send"], words].concat(), input.as_bytes());
    let good = r#"{"id":"g","source":"a","detail-type":"T","detail":{}}"#;
    check(
        send(&[], &format!("{good}\n{{\"source\":\"a\"}}\n{good}\n")),
        expect![[r#"
            code 1
            g
            g
            | event 2: `detail-type` is missing; an event needs `source`, `detail-type` and `detail`
            | 1 of 3 events were refused
            | next: slipswitch send --help
        "#]],
    );
    check(
        send(&[], &format!("{good}\nnot an event\n{good}\n")),
        expect![[r#"
            code 1
            g
            | standard input: not JSON: expected ident at line 2 column 2
            | 1 events before that place were sent, nothing after it
            | next: slipswitch send --help
        "#]],
    );
    check(
        send(&["--bus", "nowhere"], good),
        expect![[r#"
            code 1
            | event 1: Unknown bus: there is no bus `nowhere`; the buses are default; name it in slipswitch.yaml or in a rule
            | next: slipswitch status
        "#]],
    );
    check(
        send(&[], ""),
        expect![[r#"
            code 1
            | standard input holds no event; one is a JSON object, several are NDJSON
            | next: slipswitch send --help
        "#]],
    );
    check(
        send(&["no-such-file"], ""),
        expect![[r#"
            code 1
            | open no-such-file: No such file or directory (os error 2)
            | next: slipswitch send --help
        "#]],
    );
    send(&["--source", "a"], "").expect(2).says(&["--detail-type"]);
    send(&["--source", "a", "--detail-type", "T", "--detail", "{"], "")
        .expect(2)
        .says(&["--detail"]);
}

#[test]
fn a_router_that_is_not_there_is_exit_code_69_for_every_verb_that_needs_one() {
    let scene = Scene::new();
    let url = "http://127.0.0.1:1"; // Privileged, and used by nothing: a port just freed may be another test's.
    for words in [
        &["status"][..],
        &["send", "--source", "a", "--detail-type", "T"],
        &["dlq", "ls"],
        &["dlq", "redrive", "1"],
        &["dlq", "redrive", "--all", "--yes"],
        &["replay", "ls"],
        &["replay", "start", "--since", "1h"],
    ] {
        let ended = scene.run(&[words, &["--url", url]].concat()).expect(69);
        ended.says(&[
            "no router answers at",
            url,
            "\nnext: slipswitch doctor --url http://127.0.0.1:1\n",
        ]);
    }
    scene.run(&["status", "--url", "https://localhost"]).expect(2).says(&["http"]);
}

#[test]
fn wrong_usage_is_exit_code_2() {
    let scene = Scene::new();
    for words in [&[][..], &["fly"], &["status", "--colour"], &["pattern"]] {
        scene.run(words).expect(2).says(&["Usage: slipswitch"]);
    }
    scene
        .run(&["status", "-o", "xml"])
        .expect(2)
        .says(&["[possible values: table, json, ndjson, yaml]"]);
    let version = scene.run(&["--version"]).expect(0).out;
    assert!(version.starts_with("slipswitch "), "{version}");
}

#[test]
fn status_shows_rules_journal_plugins_and_subscriptions() {
    let target = Receiver::start().unwrap();
    let scene = Scene::new().with_plugins(&["redact"]);
    scene.write("rules/a.yaml", rule("first-rule", &target.url("/a"), ""));
    let router = scene.serve();
    router.send(r#"{"source":"a","detail-type":"T","detail":{}}"#).ids();
    target.wait_for_count("/a", 1, LONG).unwrap();
    let delivered = |status: &Value| status["router"]["subscriptions"][0]["delivered"] == 1;
    router.wait_for_status(delivered);
    let table = router.run(&["status"]).expect(0).out;
    for part in [&router.url(), "first-rule", "out", "1 event, ", "redact 0.1.0", "DELIVERED"] {
        assert!(table.contains(part), "no {part} in\n{table}");
    }
    let document = router.run(&["status", "-o", "json"]).expect(0).json();
    assert!(delivered(&document), "{document}");
    assert_eq!(document["generation"]["rules"], 1);
    let listed = router.run(&["dlq", "ls"]).expect(0);
    assert_eq!(listed.out, "", "standard output holds rows alone");
}

#[test]
fn check_shows_every_problem_of_every_file_at_its_place() {
    let scene = Scene::new();
    scene.write(
        "rules/a.yaml",
        "name: a\npatern: { source: [a] }\ntargets: [{ id: out, log: console }]\n",
    );
    scene.write(
        "rules/b.yaml",
        "name: b\npattern: { source: a }\ntargets: [{ id: out, http: 'ftp://x' }]\n",
    );
    scene.write("rules/c.json", r#"{ "name": "c", "pattern": {"#);
    check(
        scene.run(&["check"]),
        expect![[r#"
            code 78
            |   × unknown key `patern` in a rule
            |    ╭─[rules/a.yaml:2:1]
            |  1 │ name: a
            |  2 │ patern: { source: [a] }
            |    · ───┬──
            |    ·    ╰── unknown
            |  3 │ targets: [{ id: out, log: console }]
            |    ╰────
            |   help: did you mean `pattern`?
            |    see: docs/rules.md#a-rule (unknown-key)
            | 
            |   × the pattern is not valid: "source" must be an object or an array
            |    ╭─[rules/b.yaml:2:20]
            |  1 │ name: b
            |  2 │ pattern: { source: a }
            |    ·                    ┬
            |    ·                    ╰── here
            |  3 │ targets: [{ id: out, http: 'ftp://x' }]
            |    ╰────
            |   help: put the value in a list: [value]
            |    see: docs/patterns.md (invalid-pattern)
            | 
            |   × `url` is no URL to send to: its scheme is neither http nor https
            |    ╭─[rules/b.yaml:3:28]
            |  2 │ pattern: { source: a }
            |  3 │ targets: [{ id: out, http: 'ftp://x' }]
            |    ·                            ────┬────
            |    ·                                ╰── not a URL to send to
            |    ╰────
            |   help: write `http://` or `https://`
            |    see: docs/rules.md#a-target (invalid-value)
            | 
            |   × `{` is never closed
            |    ╭─[rules/c.json:1:27]
            |  1 │ { "name": "c", "pattern": {
            |    ·                           ┬
            |    ·                           ╰── the closing bracket is missing
            |    ╰────
            |   help: close it; is the file cut off?
            |    see: docs/rules.md#yaml-and-where-it-bites (syntax)
            | 4 errors, 0 warnings in 3 files
            | next: slipswitch check
        "#]],
    );
    let list = scene.run(&["check", "-o", "json"]).expect(78).json();
    let paths: Vec<&str> =
        list.as_array().unwrap().iter().map(|one| one["path"].as_str().unwrap()).collect();
    for path in ["rules/a.yaml", "rules/b.yaml", "rules/c.json"] {
        assert!(paths.contains(&path), "{paths:?}");
    }
}

#[test]
fn check_of_a_folder_that_is_not_there_says_so() {
    check(
        Scene::new().run(&["check", "--rules", "nowhere"]),
        expect![[r#"
            code 78
            | there is no folder nowhere for rules: create it, or name another with --rules
            | 1 error, 0 warnings in 0 files
            | next: slipswitch check --help
        "#]],
    );
}

#[test]
fn check_says_how_much_it_looked_at_when_all_is_well() {
    let scene = Scene::new();
    scene.write("rules/a.yaml", rule("a", "http://127.0.0.1:9/", ""));
    check(
        scene.run(&["check"]),
        expect![[r#"
        code 0
        1 file, 1 rule, 0 tests: no problem
    "#]],
    );
    assert_eq!(scene.run(&["check", "-o", "json"]).expect(0).out, "[]\n");
}

#[test]
fn test_runs_the_tests_of_the_rules_and_exits_3_when_one_fails() {
    let scene = Scene::new();
    let tests = "\
tests:
  - name: matches
    event: { source: a, detail-type: T, detail: {} }
    expect: {}
  - name: does not
    event: { source: b, detail-type: T, detail: {} }
    expect: none
";
    scene.write("rules/a.yaml", rule("a", "http://127.0.0.1:9/", tests));
    check(
        scene.run(&["test"]),
        expect![[r#"
        code 0
        1 rule with 2 tests: 2 passed, 0 failed
    "#]],
    );
    scene.write(
        "rules/a.yaml",
        rule("a", "http://127.0.0.1:9/", &tests.replace("source: b", "source: a")),
    );
    check(
        scene.run(&["test"]),
        expect![[r#"
            code 3
            1 rule with 2 tests: 1 passed, 1 failed
            |   × test `does not` of rule `a` failed: nothing is expected, and `out` is sent
            |   │ something
            |    ╭─[rules/a.yaml:8:11]
            |  7 │     expect: {}
            |  8 │   - name: does not
            |    ·           ────┬───
            |    ·               ╰── expects none
            |  9 │     event: { source: a, detail-type: T, detail: {} }
            |    ╰────
            |   help: it is sent:
            |         {"version":"0","id":"00000000-0000-0000-0000-000000000000","detail-type":"T","source":"a","account":"000000000000","time":"2026-01-01T00:00:00.000Z","region":"local","resources":[],"detail":{}}
            |    see: docs/rules.md#tests (test-failed)
            | if what came is right, --update writes it into the tests
            | next: slipswitch test --filter 'does not'
        "#]],
    );
    let outcomes = scene.run(&["test", "-o", "json"]).expect(3).json();
    assert_eq!(outcomes.as_array().unwrap().len(), 2, "{outcomes}");
    scene.write("rules/a.yaml", "name: [");
    scene.run(&["test"]).expect(78).says(&["[rules/a.yaml:1:7]", "no test was run"]);
}

#[test]
fn pattern_check_says_whether_a_pattern_is_right_and_where_it_is_not() {
    let scene = Scene::new();
    check(
        scene.run(&["pattern", "check", "--pattern", r#"{"source":["a"]}"#]),
        expect![[r#"
        code 0
        the pattern is right
    "#]],
    );
    check(
        scene.run(&["pattern", "check", "--pattern", r#"{"source":"a"}"#]),
        expect![[r#"
            code 1
            |   × "source" must be an object or an array
            |    ╭─[pattern:1:11]
            |  1 │ {"source":"a"}
            |    ·           ─┬─
            |    ·            ╰── here
            |    ╰────
            |   help: put the value in a list: [value]
            |    see: docs/patterns.md (invalid-pattern)
            | next: slipswitch pattern check --help
        "#]],
    );
    scene.write("p.json", "{\n  \"detail\": { \"n\": [{ \"numric\": [\">\", 1] }] }\n}\n");
    check(
        scene.run(&["pattern", "check", "p.json"]),
        expect![[r#"
            code 1
            |   × Unrecognized match type numric
            |    ╭─[p.json:2:23]
            |  1 │ {
            |  2 │   "detail": { "n": [{ "numric": [">", 1] }] }
            |    ·                       ────┬───
            |    ·                           ╰── here
            |  3 │ }
            |    ╰────
            |   help: write numeric
            |    see: docs/patterns.md (invalid-pattern)
            | next: slipswitch pattern check --help
        "#]],
    );
    check(
        scene.run_on(&["pattern", "check", "-"], b"{\"a\": [\"\xff\"]}"),
        expect![[r#"
            code 1
            | read standard input: stream did not contain valid UTF-8
            | next: slipswitch pattern check --help
        "#]],
    );
}

#[test]
fn pattern_match_prints_a_line_for_each_event() {
    let scene = Scene::new();
    let patterns = "\
{\"id\":\"big\",\"pattern\":{\"n\":[{\"numeric\":[\">\",10]}]}}
{\"id\":7,\"pattern\":{\"n\":[{\"exists\":true}]}}
{\"id\":\"deep\",\"pattern\":{\"a\":{\"b\":[{\"prefix\":\"x\"}]}}}
";
    scene.write("patterns.jsonl", patterns);
    let events = "{\"n\":11}\n{\"n\":10.0}\n\n{\"a\":[{\"b\":\"y\"},{\"b\":\"xy\"}]}\n{}\n";
    let words = ["pattern", "match", "--patterns", "patterns.jsonl", "--events", "-"];
    check(
        scene.run_on(&words, events.as_bytes()),
        expect![[r#"
        code 0
        {"event":0,"matched":["big",7]}
        {"event":1,"matched":[7]}
        {"event":2,"matched":["deep"]}
        {"event":3,"matched":[]}
    "#]],
    );
    check(
        scene.run_on(&words, b"{\"n\":1}\nnope\n{}\n"),
        expect![[r#"
            code 1
            {"event":0,"matched":[7]}
            | standard input line 2, column 2: not JSON: expected ident; write one event a line
            | next: slipswitch pattern match --help
        "#]],
    );
    scene.write("patterns.jsonl", "{\"id\":\"a\",\"pattern\":{\"n\":[]}}\n");
    check(
        scene.run_on(&words, b""),
        expect![[r#"
            code 1
            | patterns.jsonl line 1, column 27, pattern "a": Empty arrays are not allowed; list what the field may be, or ask with [{"exists": false}] that it is missing
            | next: slipswitch pattern match --help
        "#]],
    );
    scene
        .run(&["pattern", "match", "--patterns", "nowhere", "--events", "-"])
        .expect(1)
        .says(&["nowhere"]);
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let scene = Scene::new();
    scene.write("p.jsonl", "{\"id\":\"a\",\"pattern\":{\"n\":[1]}}\n");
    scene.write("e.jsonl", "{\"n\":1}\n".repeat(20_000));
    let mut command =
        scene.command(&["pattern", "match", "--patterns", "p.jsonl", "--events", "e.jsonl"]);
    let mut child = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
