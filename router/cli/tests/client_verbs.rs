//! The verbs that talk to a router: the built command, against something that answers as a router does.

mod support;

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Command, Stdio},
    time::Duration,
};

use expect_test::{Expect, expect};
use receiver::{Answer, Receiver};

use support::{Outcome, run};

fn slipswitch(url: &str, arguments: &[&str], input: &str) -> Outcome {
    run(arguments, input, |command| command.env("SLIPSWITCH_URL", url))
}

fn check(router: &Receiver, arguments: &[&str], input: &str, code: i32, expected: Expect) {
    let Outcome { code: found, out, err } = slipswitch(&router.url(""), arguments, input);
    expected.assert_eq(&format!("{out}--\n{err}"));
    assert_eq!(found, Some(code), "{arguments:?}");
}

fn answering(path: &str, status: u16, json: &str) -> Receiver {
    let router = Receiver::start().expect("a port is free");
    router.always(path, Answer::status(status).body(json));
    router
}

#[test]
fn a_router_that_is_not_there_is_named_with_what_to_do() {
    let router = Receiver::start().unwrap();
    let url = router.url("");
    router.stop();
    for arguments in [&["status"][..], &["dlq", "ls"], &["replay", "start", "--since", "1h"]] {
        let outcome = slipswitch(&url, arguments, "");
        assert_eq!(outcome.code, Some(69), "{arguments:?}");
        assert!(
            outcome.err.contains(&url) && outcome.err.contains("slipswitch dev"),
            "{}",
            outcome.err
        );
        assert_eq!(outcome.out, "");
    }
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
        &["dlq", "ls", "-o", "yaml"],
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
    for (last, code, says) in
        [(Some("3"), 0, ""), (None, 1, "event 3: no source\n1 of 3 events were refused\n")]
    {
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
            standard input: expected value at line 2 column 6
            1 events before that place were sent, nothing after it
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
        "#]],
    );
}

const DEAD: &str = r#"{"items":[{"id":7,"state":"dead","bus":"shop","rule":"big","target":"crm","replay":null,"offset":3,
    "event_id":"e-1","event":{"detail":{"n":1e400}},"payload":"x","error":"refused\nwith 400","attempts":1,
    "died_at":"2026-11-23T01:02:03.456Z"}],"next":NEXT}"#;

#[test]
fn dead_letters_are_a_table_or_an_array() {
    let router = answering("/api/v1/dead-letters", 200, &DEAD.replace("NEXT", "null"));
    check(
        &router,
        &["dlq", "ls", "--rule", "big ones"],
        "",
        0,
        expect![[r#"
            ID  STATE  DIED                      BUS   RULE  TARGET  ATTEMPTS  EVENT  ERROR
            7   dead   2026-11-23T01:02:03.456Z  shop  big   crm     1         e-1    refused with 400
            --
        "#]],
    );
    assert_eq!(router.requests()[0].query.as_deref(), Some("rule=big%20ones&limit=100"));
    let outcome = slipswitch(&router.url(""), &["dlq", "ls", "-o", "json"], "");
    assert!(outcome.out.starts_with('[') && outcome.out.contains("1e400"), "{}", outcome.out);

    let nothing = answering("/api/v1/dead-letters", 200, r#"{"items":[],"next":null}"#);
    check(
        &nothing,
        &["dlq", "ls"],
        "",
        0,
        expect![[r#"
        --
        no dead letters
    "#]],
    );
    assert_eq!(slipswitch(&nothing.url(""), &["dlq", "ls", "-o", "json"], "").out, "[]\n");
    check(
        &nothing,
        &["dlq", "ls", "--bus", "shop", "--rule", "nope"],
        "",
        0,
        expect![[r#"
            --
            no dead letters of bus "shop", rule "nope"; without filters, `slipswitch dlq ls` shows all that wait
        "#]],
    );
}

#[test]
fn pages_of_dead_letters_are_followed_up_to_the_limit() {
    let router = Receiver::start().unwrap();
    let path = "/api/v1/dead-letters";
    router.script(path, ["7", "6"].map(|next| Answer::default().body(DEAD.replace("NEXT", next))));
    router.always("/unused", Answer::default());
    let outcome = slipswitch(&router.url(""), &["dlq", "ls", "--limit", "2", "-o", "json"], "");
    assert_eq!(outcome.code, Some(0), "{}", outcome.err);
    assert_eq!(outcome.out.matches("1e400").count(), 2);
    assert_eq!(outcome.err, "there are more than 2; see them with --limit\n");
    let queries: Vec<Option<String>> =
        router.requests().into_iter().map(|request| request.query).collect();
    assert_eq!(queries, [Some("limit=2".to_owned()), Some("limit=1&before=7".to_owned())]);
}

#[test]
fn a_redrive_names_what_it_could_not_send_again() {
    let path = "/api/v1/dead-letters/redrive";
    let router =
        answering(path, 200, r#"{"redriven":1,"refused":[{"id":9,"reason":"the rule is gone"}]}"#);
    check(
        &router,
        &["dlq", "redrive", "7", "9"],
        "",
        1,
        expect![[r#"
            redriven: 1
            --
            dead letter 9: the rule is gone
        "#]],
    );
    slipswitch(&router.url(""), &["dlq", "redrive", "--all", "--yes", "--bus", "shop"], "");
    let bodies: Vec<String> = router.requests().iter().map(|request| request.text()).collect();
    assert_eq!(bodies, [r#"{"ids":[7,9]}"#, r#"{"all":true,"bus":"shop"}"#]);
}

#[test]
fn what_touches_many_letters_says_how_many_before_it_does_it() {
    let counted = r#"{"dry_run":true,"letters":3,"groups":[
        {"bus":"shop","rule":"big","target":"crm","letters":2},{"letters":1}]}"#;
    for (verb, does) in [("redrive", "to redrive"), ("purge", "to purge")] {
        let router = answering(&format!("/api/v1/dead-letters/{verb}"), 200, counted);
        let outcome = slipswitch(&router.url(""), &["dlq", verb, "--all", "--rule", "big"], "");
        assert_eq!(outcome.code, Some(2), "{}", outcome.err);
        assert_eq!(outcome.out, format!("{does}: 3\n  2  shop/big/crm\n  1  (others)\n"));
        assert!(outcome.err.contains("say --yes"), "{}", outcome.err);
        let dry = slipswitch(&router.url(""), &["dlq", verb, "--all", "--yes", "--dry-run"], "");
        assert_eq!((dry.code, dry.err.as_str()), (Some(0), ""));
        let bodies: Vec<String> = router.requests().iter().map(|request| request.text()).collect();
        assert_eq!(
            bodies,
            [r#"{"all":true,"dry_run":true,"rule":"big"}"#, r#"{"all":true,"dry_run":true}"#]
        );
    }
    let purging = answering("/api/v1/dead-letters/purge", 200, r#"{"purged":2,"left":1}"#);
    check(
        &purging,
        &["dlq", "purge", "7", "8", "9", "--yes"],
        "",
        0,
        expect![[r#"
            purged: 2
            --
            1 were left alone: they are being sent again, or not there
        "#]],
    );
}

#[test]
fn every_filter_goes_over_the_wire() {
    let path = "/api/v1/dead-letters/count";
    let groups =
        r#"{"letters":2,"groups":[{"kind":"refused","letters":2,"oldest":"a","newest":"b"}]}"#;
    let router = answering(path, 200, groups);
    let time = "2026-11-23T08:00:00+07:00";
    let arguments = [
        "dlq",
        "count",
        "--by",
        "kind",
        "--bus",
        "b",
        "--rule",
        "r",
        "--target",
        "t",
        "--replay",
        "p",
        "--kind",
        "refused",
        "--error",
        "no",
        "--since",
        time,
        "--until",
        time,
        "--pattern",
        "{}",
        "--redriven",
    ];
    check(
        &router,
        &arguments,
        "",
        0,
        expect![[r#"
            LETTERS  KIND     OLDEST  NEWEST
            2        refused  a       b
            --
        "#]],
    );
    let query = "bus=b&rule=r&target=t&replay=p&kind=refused&error=no&since=2026-11-23T01%3A00%3A00.000Z\
                 &until=2026-11-23T01%3A00%3A00.000Z&pattern=%7B%7D&state=history&group_by=kind";
    assert_eq!(router.requests()[0].query.as_deref(), Some(query));
    let missing = slipswitch(&router.url(""), &["dlq", "ls", "--pattern", "@nowhere.json"], "");
    assert_eq!(missing.code, Some(2));
    assert!(missing.err.contains("read nowhere.json"), "{}", missing.err);
}

#[test]
fn an_export_is_passed_on_as_it_comes_and_a_refusal_is_not() {
    let path = "/api/v1/dead-letters/export";
    let router = answering(path, 200, "{\"id\":7}\n{\"id\":6}\n");
    let outcome = slipswitch(&router.url(""), &["dlq", "export", "--rule", "a"], "");
    assert_eq!((outcome.code, outcome.out.as_str()), (Some(0), "{\"id\":7}\n{\"id\":6}\n"));
    let router = answering(path, 404, r#"{"title":"Unknown rule","detail":"no rule `a`"}"#);
    let outcome = slipswitch(&router.url(""), &["dlq", "export", "--rule", "a"], "");
    assert_eq!((outcome.code, outcome.out.as_str()), (Some(1), ""));
    assert_eq!(outcome.err, "Unknown rule: no rule `a`\n");
}

#[test]
fn one_letter_is_shown_whole() {
    let letter = r#"{"id":7,"delivery_id":"shop/3/big/crm/0","state":"dead","kind":"refused","error":"400",
        "attempts":1,"attempts_total":3,"died_at":"d","redriven":2,"redriven_at":"r",
        "event":{"detail":{"n":1e400}},"payload":"x\ny"}"#;
    let router = answering("/api/v1/dead-letters/7", 200, letter);
    check(
        &router,
        &["dlq", "show", "7"],
        "",
        0,
        expect![[r#"
            letter        7
            delivery      shop/3/big/crm/0
            state         dead
            error         refused: 400
            attempts      1 (since its first: 3)
            owed since    
            last attempt  
            first died    
            died          d
            redriven      2 times, last r

            event:
            {"detail":{"n":1e400}}

            payload:
            x y
            --
        "#]],
    );
}

#[test]
fn a_replay_is_asked_for_in_absolute_times_and_its_name_comes_back() {
    let router = answering("/api/v1/replays", 201, r#"{"name":"r-1","state":"running"}"#);
    let arguments = [
        "replay",
        "start",
        "--since",
        "2026-11-23T08:00:00+07:00",
        "--until",
        "0s",
        "--rule",
        "a",
        "--rule",
        "b",
    ];
    check(
        &router,
        &arguments,
        "",
        0,
        expect![[r#"
            r-1
            --
        "#]],
    );
    let body: serde_json::Value = serde_json::from_slice(&router.requests()[0].body).unwrap();
    assert_eq!(body["since"], "2026-11-23T01:00:00.000Z");
    assert_eq!(body["rules"], serde_json::json!(["a", "b"]));
    assert_eq!(body["bus"], "default");
    assert!(body["until"].as_str().unwrap().starts_with("20"));
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
    assert_eq!(outcome.err, "the answer was 502: Bad Gateway\n");
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

#[test]
fn dead_letters_without_ids_are_asked_for_with_all() {
    let outcome = slipswitch("http://127.0.0.1:1", &["dlq", "redrive", "--rule", "a", "--yes"], "");
    assert!(outcome.err.contains("--all --yes"), "{}", outcome.err);
}
