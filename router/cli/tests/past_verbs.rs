//! The verbs for what has passed: dead letters, replays, archives. The built command, against something that answers
//! as a router does.

#[path = "support/router.rs"]
mod router;
mod support;

use expect_test::expect;
use receiver::{Answer, Receiver};

use router::{answering, check, slipswitch};

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
            next: slipswitch dlq ls
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
        let table = "LETTERS  TARGET\n2        shop/big/crm\n1        (others)\n";
        assert_eq!(outcome.out, format!("{does}: 3 dead letters\n\n{table}"));
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
        1,
        expect![[r#"
            purged: 2
            --
            1 were left alone: they are being sent again, or not there
            next: slipswitch dlq ls
        "#]],
    );
    let none = answering("/api/v1/dead-letters", 200, r#"{"items":[],"next":null}"#);
    let ahead = slipswitch(&none.url(""), &["dlq", "ls", "--since", "2999-01-01T00:00:00Z"], "");
    let told = "no dead letters: --since 2999-01-01T00:00:00";
    assert!(ahead.err.contains(told) && ahead.err.contains("has not come yet"), "{}", ahead.err);
    let purging = answering("/api/v1/dead-letters/purge", 200, r#"{"purged":0,"left":1}"#);
    check(
        &purging,
        &["dlq", "purge", "999", "--yes"],
        "",
        1,
        expect![[r#"
            purged: 0
            --
            dead letter 999 was left alone: it is being sent again, or not there
            next: slipswitch dlq ls
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
        "2026-11-23T08:00:01+07:00",
        "--pattern",
        "{}",
        "--history",
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
                 &until=2026-11-23T01%3A00%3A01.000Z&pattern=%7B%7D&state=history&group_by=kind";
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
    assert_eq!(outcome.err, "Unknown rule: no rule `a`\nnext: slipswitch doctor\n");
}

#[test]
fn one_letter_is_shown_whole() {
    let letter = r#"{"id":7,"delivery_id":"shop/3/big/crm/0","state":"dead","kind":"refused","error":"400",
        "attempts":1,"attempts_total":3,"died_at":"d","redriven":2,"redriven_at":"r",
        "log":[{"attempt":1,"time":"t","result":"dead","status":400,"took_us":7900,"error":"no"}],
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
            attempts      1, and 2 before it was sent again
            owed since    
            last attempt  
            first died    
            died          d
            redriven      2 times, last r

            ATTEMPT  AT  RESULT  STATUS  MS  ERROR
            1        t   dead    400     7   no

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
fn a_replay_is_told_to_whom_how_fast_and_of_what_and_can_be_rehearsed() {
    let estimate = r#"{"events":900,"matched":30,"exact":false,"looked_at":90,
        "targets":[{"rule":"a","target":"t","events":30}]}"#;
    let router = answering("/api/v1/replays", 200, estimate);
    let arguments = [
        "replay",
        "start",
        "--archive",
        "orders",
        "--since",
        "2026-11-23T08:00:00Z",
        "--target",
        "a/t",
        "--pattern",
        "{\"x\":[1.10]}",
        "--rate",
        "2.5",
        "--concurrency",
        "4",
        "--dry-run",
    ];
    check(
        &router,
        &arguments,
        "",
        0,
        expect![[r#"
            events in the span: about 900
            events to send: about 30
            EVENTS    TARGET
            about 30  a/t
            at 2.5 a second, of all targets together: 12 s or more
            --
            estimated from 90 events that lie evenly in the span
        "#]],
    );
    let request = &router.requests()[0];
    assert_eq!(request.query.as_deref(), Some("dry_run=true"));
    let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
    let expected = serde_json::json!({
        "archive": "orders", "since": "2026-11-23T08:00:00.000Z", "targets": ["a/t"],
        "pattern": "{\"x\":[1.10]}", "rate": 2.5, "concurrency": 4
    });
    assert_eq!(body, expected);
}

#[test]
fn a_replay_is_shown_and_stopped_by_its_name() {
    let replay = r#"{"name":"a b","bus":"shop","state":"paused","percent":41.7,"targets":["r/t"],
        "delivered":3,"dropped":0,"dead":1,"since":"s","until":"u","started_at":"b",
        "stopped":[{"target":"r/t","why":"down since T, probed again at U: 503"}]}"#;
    let router = Receiver::start().unwrap();
    for path in ["/api/v1/replays/a%20b", "/api/v1/replays/a%20b/pause"] {
        router.always(path, Answer::status(200).body(replay));
    }
    check(
        &router,
        &["replay", "show", "a b"],
        "",
        0,
        expect![[r#"
            replay   a b
            state    paused, 41.7 %
            from     bus shop
            since    s
            until    u
            to       r/t
            rate     as fast as it goes
            so far   3 delivered, 0 dropped, 1 dead
            waits on r/t: down since T, probed again at U: 503
            started  b
            --
        "#]],
    );
    check(
        &router,
        &["replay", "pause", "a b"],
        "",
        0,
        expect![[r#"
            a b: paused at 41.7 %
            --
        "#]],
    );
}

#[test]
fn archives_are_made_listed_changed_and_removed() {
    let archive = r#"{"name":"orders","bus":"shop","pattern":null,"retention_days":0,"event_count":7,
        "size_bytes":900,"oldest":"o","newest":"n","exact":false}"#;
    let router = Receiver::start().unwrap();
    let list = format!("[{archive}]");
    let answer = |status: u16, body: &str| Answer::status(status).body(body);
    router.script("/api/v1/archives", [answer(201, archive), answer(200, &list)]);
    let answers = [answer(200, archive), answer(200, archive), answer(204, "")];
    router.script("/api/v1/archives/orders", answers);
    let url = router.url("");
    let words = [
        "archive",
        "create",
        "orders",
        "--bus",
        "shop",
        "--pattern",
        "{\"a\":[1.10]}",
        "--days",
        "9",
    ];
    assert_eq!(slipswitch(&url, &words, "").out, "orders\n");
    check(
        &router,
        &["archive", "ls"],
        "",
        0,
        expect![[r#"
            NAME    BUS   EVENTS  SIZE   OLDEST  NEWEST  DAYS  PATTERN
            orders  shop  7+      900 B  o       n       all
            --
        "#]],
    );
    let update = ["archive", "update", "orders", "--every-event", "--days", "3"];
    assert_eq!(slipswitch(&url, &update, "").code, Some(0));
    let unsure = slipswitch(&url, &["archive", "rm", "orders"], "");
    assert_eq!(unsure.code, Some(2));
    assert_eq!(
        unsure.err,
        "this removes `orders` with 7+ events for good: say --yes\nnext: slipswitch archive rm orders --yes\n"
    );
    assert_eq!(slipswitch(&url, &["archive", "rm", "orders", "--yes"], "").code, Some(0));
    assert_eq!(slipswitch(&url, &["archive", "update", "orders"], "").code, Some(2));
    let asked: Vec<String> = router
        .requests()
        .iter()
        .map(|request| format!("{} {} {}", request.method, request.path, request.text()))
        .collect();
    assert_eq!(
        asked,
        [
            r#"POST /api/v1/archives {"bus":"shop","description":"","name":"orders","pattern":"{\"a\":[1.10]}","retention_days":9}"#,
            "GET /api/v1/archives ",
            r#"PATCH /api/v1/archives/orders {"pattern":null,"retention_days":3}"#,
            "GET /api/v1/archives/orders ",
            "DELETE /api/v1/archives/orders ",
        ]
    );
}

#[test]
fn dead_letters_without_ids_are_asked_for_with_all() {
    let outcome = slipswitch("http://127.0.0.1:1", &["dlq", "redrive", "--rule", "a", "--yes"], "");
    assert!(outcome.err.contains("--all --yes"), "{}", outcome.err);
}
