//! The verbs that talk to a router: the built command, against something that answers as a router does.

#[path = "support/router.rs"]
mod router;
mod support;

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Command, Stdio},
    time::Duration,
};

use expect_test::expect;
use receiver::{Answer, Receiver};

use router::{answering, check, slipswitch};

#[test]
fn a_router_that_is_not_there_is_named_with_what_to_do() {
    let router = Receiver::start().unwrap();
    let url = router.url("");
    router.stop();
    for arguments in [&["status"][..], &["dlq", "ls"], &["replay", "start", "--since", "1h"]] {
        let outcome = slipswitch(&url, arguments, "");
        assert_eq!(outcome.code, Some(69), "{arguments:?}");
        assert!(
            outcome.err.contains(&url) && outcome.err.ends_with("\nnext: slipswitch doctor\n"),
            "{}",
            outcome.err
        );
        assert_eq!(outcome.out, "");
    }
    // Nobody has taken what nobody was there to take.
    let sending = slipswitch(&url, &["send"], "{}\n{}\n{}\n");
    let told = "events 1 to 3 were not taken, none was sent before them";
    assert!(sending.code == Some(69) && sending.err.contains(told), "{}", sending.err);
}

#[test]
fn wrong_usage_is_two() {
    for arguments in [
        &["sned"][..],
        &["replay", "start"],
        &["replay", "start", "--since", "soon"],
        &["dlq", "redrive"],
        &["dlq", "redrive", "--rule", "a", "--yes"],
        &["dlq", "redrive", "7", "--rule", "a"],
        &["send", "--source", "a"],
        &["status", "--url", "https://router"],
        &["dlq", "ls", "-o", "xml"],
        &["dlq", "ls", "--limit", "0"],
        &["dlq", "ls", "--since", "1h", "--until", "2h"],
        &["events", "--since", "1h", "--until", "2h"],
        &["events", "--limit", "0"],
        &["events", "--pattern", "@nowhere.json"],
        &["journal", "export", "--since", "1h", "--until", "2h"],
        &["replay", "start", "--since", "1h", "--until", "2h"],
        &["event", ""],
        &["status", "--url", "http://127.0.0.1:99999"],
    ] {
        let outcome = slipswitch("http://127.0.0.1:1", arguments, "");
        assert_eq!(outcome.code, Some(2), "{arguments:?}: {}", outcome.err);
        assert!(!outcome.err.is_empty() && outcome.out.is_empty(), "{arguments:?}");
    }
}

#[test]
fn events_travel_in_batches_with_their_own_bytes_and_their_ids_come_back() {
    let router = Receiver::start().unwrap();
    let path = "/buses/shop/events";
    router.script(
        path,
        [r#"{"entries":[{"id":"1"},{"id":"2"}]}"#, r#"{"entries":[{"id":"3"}]}"#]
            .map(|body| Answer::status(202).body(body)),
    );
    let input = "{\"a\":1.10}\n{\"a\": 1e400}\n\n{\"a\":123456789012345678901234567890}\n";
    check(
        &router,
        &["send", "--bus", "shop", "--batch", "2"],
        input,
        0,
        expect![[r#"
            1
            2
            3
            --
        "#]],
    );
    let bodies: Vec<String> =
        router.requests_to(path).iter().map(|request| request.text()).collect();
    assert_eq!(
        bodies,
        [r#"[{"a":1.10},{"a": 1e400}]"#, r#"[{"a":123456789012345678901234567890}]"#]
    );
    assert_eq!(router.requests()[0].header("content-type"), Some("application/json"));
}

#[test]
fn a_refused_event_is_named_by_its_number_and_the_others_are_kept() {
    let router = answering(
        "/buses/default/events",
        202,
        r#"{"entries":[{"id":"1"},{"error":"no source"},{"id":"3"}]}"#,
    );
    check(
        &router,
        &["send", "-"],
        "{}{}{}",
        1,
        expect![[r#"
            1
            3
            --
            event 2: no source
            1 of 3 events were refused
            next: slipswitch send --help
        "#]],
    );
}

#[test]
fn a_problem_shows_its_title_detail_and_entries() {
    let problem = r#"{"title":"all events refused","detail":"see entries","entries":[{"error":"no source"}]}"#;
    check(
        &answering("/buses/default/events", 400, problem),
        &["send", "--source", "a", "--detail-type", "T"],
        "",
        1,
        expect![[r#"
            --
            event 1: no source
            1 of 1 events were refused
            next: slipswitch send --help
        "#]],
    );
    let problem = r#"{"title":"unknown bus","detail":"there is no bus `x`; there are: default"}"#;
    check(
        &answering("/buses/x/events", 404, problem),
        &["send", "--bus", "x"],
        "{}\n{}",
        1,
        expect![[r#"
            --
            events 1 to 2: unknown bus: there is no bus `x`; there are: default
            events 1 to 2 were not all taken, none was sent before them, and nothing after them; go on with event 1; with --idempotency-key a command may be run again as it is
            next: slipswitch doctor
        "#]],
    );
}

#[test]
fn a_router_that_takes_no_more_is_told_with_where_to_go_on() {
    let router = Receiver::start().unwrap();
    let busy = r#"{"title":"Unavailable","detail":"the disk is full"}"#;
    let taken = r#"{"entries":[{"id":"1","duplicate":true},{"id":"2"}]}"#;
    router.script(EVENTS, [Answer::status(202).body(taken), Answer::status(503).body(busy)]);
    check(
        &router,
        &["send", "--batch", "2"],
        "{}\n{}\n{}\n{}\n{}",
        1,
        expect![[r#"
            1
            2
            --
            events 3 to 4: Unavailable: the disk is full
            events 3 to 4 were not all taken, events 1 to 2 were sent, and nothing after them; go on with event 3; with --idempotency-key a command may be run again as it is
            next: slipswitch doctor
        "#]],
    );
    // A disk that is full in the middle of a batch.
    let partly = r#"{"title":"Unavailable","detail":"the first 2 of 3 events are done","done":2}"#;
    check(
        &answering(EVENTS, 503, partly),
        &["send"],
        "{}\n{}\n{}",
        1,
        expect![[r#"
            --
            events 1 to 3: Unavailable: the first 2 of 3 events are done
            event 3 was not taken, events 1 to 2 were sent, and nothing after them; go on with event 3; with --idempotency-key a command may be run again as it is
            next: slipswitch doctor
        "#]],
    );
    let router = Receiver::start().unwrap();
    router.script(EVENTS, [Answer::status(202).body(taken)]);
    check(
        &router,
        &["send", "--idempotency-key", "k"],
        "{}\n{}",
        0,
        expect![[r#"
            1
            2
            --
            1 of 2 events had been sent before: nothing was stored again
        "#]],
    );
}

const EVENTS: &str = "/buses/default/events";

/// What the router makes of a batch of one, one after the other; `None` is a refusal.
fn one_by_one(ids: &[Option<&str>]) -> Receiver {
    let router = Receiver::start().expect("a port is free");
    let answers = ids.iter().map(|id| match id {
        Some(id) => Answer::status(202).body(format!(r#"{{"entries":[{{"id":"{id}"}}]}}"#)),
        None => Answer::status(400).body(r#"{"entries":[{"error":"no source"}]}"#),
    });
    router.script(EVENTS, answers);
    router
}

#[test]
fn everything_is_sent_though_nobody_reads_the_ids() {
    for (last, code, says) in [
        (Some("3"), 0, ""),
        (None, 1, "event 3: no source\n1 of 3 events were refused\nnext: slipswitch send --help\n"),
    ] {
        let router = one_by_one(&[Some("1"), Some("2"), last]);
        let mut child = Command::new(env!("CARGO_BIN_EXE_slipswitch"))
            .args(["send", "--batch", "1"])
            .env("SLIPSWITCH_URL", router.url(""))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        child.stdin.take().unwrap().write_all(b"{}\n{}\n{}\n").unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(code));
        assert_eq!(String::from_utf8_lossy(&output.stderr), says);
        assert_eq!(router.requests_to(EVENTS).len(), 3);
    }
}

#[test]
fn what_a_slow_pipe_said_is_sent_before_it_says_more() {
    let router = one_by_one(&[Some("1"), Some("2")]);
    let mut child = Command::new(env!("CARGO_BIN_EXE_slipswitch"))
        .arg("send")
        .env("SLIPSWITCH_URL", router.url(""))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut ids = BufReader::new(child.stdout.take().unwrap()).lines();
    for (count, id) in [(1, "1"), (2, "2")] {
        // No end of line: the object is whole.
        input.write_all(b"{\"a\":1}").unwrap();
        router.wait_for_count(EVENTS, count, Duration::from_secs(30)).unwrap();
        assert_eq!(ids.next().unwrap().unwrap(), id);
    }
    drop(input);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn input_that_is_no_json_is_named_by_its_place() {
    let router = answering("/buses/default/events", 202, r#"{"entries":[{"id":"1"}]}"#);
    check(
        &router,
        &["send"],
        "{}\n{\"a\":}\n{}\n",
        1,
        expect![[r#"
            1
            --
            standard input: not JSON: expected value at line 2 column 6
            1 events before that place were sent, nothing after it
            next: slipswitch send --help
        "#]],
    );
    check(
        &router,
        &["send", "nowhere.ndjson"],
        "",
        1,
        expect![[r#"
            --
            open nowhere.ndjson: No such file or directory (os error 2)
            next: slipswitch send --help
        "#]],
    );
    check(
        &router,
        &["send"],
        "",
        1,
        expect![[r#"
            --
            standard input holds no event; one is a JSON object, several are NDJSON
            next: slipswitch send --help
        "#]],
    );
}

#[test]
fn whatever_else_answers_is_not_taken_for_a_router() {
    let router = answering("/api/v1/status", 200, "<html>");
    let outcome = slipswitch(&router.url(""), &["status"], "");
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.err.contains("is no router this command understands"), "{}", outcome.err);
    let outcome = slipswitch(
        &answering("/api/v1/replays", 502, "Bad Gateway").url(""),
        &["replay", "ls"],
        "",
    );
    assert_eq!(outcome.err, "the answer was 502: Bad Gateway\nnext: slipswitch doctor\n");
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let items: Vec<String> = (0..5_000).map(|n| format!(r#"{{"name":"replay-{n}"}}"#)).collect();
    let router = answering("/api/v1/replays", 200, &format!("[{}]", items.join(",")));
    let mut child = Command::new(env!("CARGO_BIN_EXE_slipswitch"))
        .args(["replay", "ls"])
        .env("SLIPSWITCH_URL", router.url(""))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr), (Some(0), Vec::new()));
}
