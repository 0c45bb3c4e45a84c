//! What other rules would have done: `slipswitch diff`, against a running router and over recorded events.

use std::io::Write as _;
use std::net::TcpStream;

use expect_test::{Expect, expect};
use receiver::Receiver;
use serde_json::{Value, json};

use crate::harness::{Ended, Router, Scene};

/// What may differ from run to run: times, and where the target listens.
fn steady(text: &str, target: &Receiver) -> String {
    let url = target.url("");
    let text = text.replace(url.trim_end_matches('/'), "http://target");
    let words = text.split_inclusive([' ', '\n']).map(|word| {
        let bare = word.trim_end();
        let is_time = bare.len() == 24 && bare.ends_with('Z') && bare.contains('T');
        if is_time { word.replace(bare, "TIME") } else { word.to_owned() }
    });
    let text: String = words.collect();
    // The first paragraph says how long a time it was, and breaks where that ends.
    let Some((first, rest)) = text.split_once("\n\n") else { return text };
    let first = first.split_whitespace().collect::<Vec<_>>().join(" ");
    let first = match first.split_once(" (") {
        Some((before, span)) => {
            let after = span.split_once("): ").map_or(span, |(_, after)| after);
            format!("{before}: {after}")
        }
        None => first,
    };
    format!("{first}\n\n{rest}")
}

fn order(number: usize) -> String {
    let total = number * 50;
    format!(
        r#"{{"id":"o-{number}","source":"com.shop","detail-type":"OrderCreated","detail":{{"total":{total},"mail":"a{number}@example.org"}}}}"#
    )
}

fn rules(target: &Receiver) -> String {
    let url = target.url("/crm");
    format!(
        "name: big-orders\nbus: shop\npattern: {{ detail: {{ total: [{{ numeric: ['>', 100] }}] }} }}\ntargets:\n  \
         - id: crm\n    http: {{ url: \"{url}\" }}\n    transform:\n      - input: {{ path: $.detail }}\n\
         ---\nname: all\nbus: shop\npattern: {{ source: [com.shop] }}\ntargets:\n  - id: file\n    log: {{ file: all.jsonl }}\n"
    )
}

/// Six orders: two are sealed and in an archive, four are hot.
fn scene(target: &Receiver) -> (Scene, Router) {
    let scene = Scene::new();
    let configure = |seal_after: &str| {
        let configuration = format!(
            "buses: [shop]\njournal: {{ segment_bytes: 16MiB, seal_after: {seal_after} }}\nreload: {{ debounce_ms: 10, poll_ms: 500 }}\nlog: {{ level: debug }}\n"
        );
        scene.write("slipswitch.yaml", configuration);
    };
    scene.write("rules/shop.yaml", rules(target));
    configure("1s");
    let router = scene.serve();
    router.run(&["archive", "create", "kept", "--bus", "shop"]).expect(0);
    (1..3).for_each(|number| _ = router.send_to("shop", &order(number)).ids());
    let mut sealed = 0;
    while router.status()["router"]["journal"]["sealed_to"].as_u64() < Some(2) {
        sealed = router.process.err.wait_for("events sealed", sealed).0 + 1;
    }
    router.stop().expect(0);
    configure("1h");
    let router = scene.serve();
    (3..7).for_each(|number| _ = router.send_to("shop", &order(number)).ids());
    router.wait_until_all_is_delivered();
    (scene, router)
}

impl Scene {
    fn diff(&self, router: &Router, words: &[&str]) -> Ended {
        let url = router.url();
        self.run(&[&["diff", "--url", &url], words].concat())
    }
}

/// Other rules in the folder `new`.
fn changed(scene: &Scene, target: &Receiver) {
    let new = rules(target)
        .replace("numeric: ['>', 100]", "numeric: ['<=', 200]")
        .replace("{ path: $.detail }", "{ path: $.detail.total }")
        .replace("all.jsonl", "every.jsonl");
    std::fs::create_dir(scene.path("new")).unwrap();
    scene.write("new/shop.yaml", &new);
}

fn check(ended: Ended, target: &Receiver, expected: Expect) {
    expected.assert_eq(&steady(&ended.expect(0).out, target));
}

#[test]
fn a_changed_folder_is_compared_over_the_journal_and_nothing_is_sent() {
    let target = Receiver::start().unwrap();
    let (scene, router) = scene(&target);
    let before = target.requests().len();
    assert_eq!(before, 4);

    check(
        scene.diff(&router, &[]),
        &target,
        expect![[r#"
        no difference: the 2 rules do what the running ones do
    "#]],
    );
    assert_eq!(scene.diff(&router, &["--exit-code"]).code, Some(0));

    changed(&scene, &target);
    let words = &["--rules", "new"];
    check(
        scene.diff(&router, words),
        &target,
        expect![[r#"
        2 of 2 rules differ; over 6 events: +2 −2 deliveries, 2 with another output, 6 elsewhere

        shop/all/file  changed  new/shop.yaml:10
          goes to the file every.jsonl, was the file all.jsonl
          >6  would go elsewhere
            o-6  TIME
              com.shop OrderCreated
            o-5  TIME
              com.shop OrderCreated

        shop/big-orders/crm  changed  new/shop.yaml:1
          pattern
            was {"detail":{"total":[{"numeric":[">",100]}]}}
            now {"detail":{"total":[{"numeric":["<=",200]}]}}
          transform: step 1 (input)
          +2  would be delivered, and were not
            o-2  TIME
              com.shop OrderCreated
              before: detail.total: 100 is not > 100
              sent: 100
            o-1  TIME
              com.shop OrderCreated
              before: detail.total: 50 is not > 100
              sent: 50
          −2  were delivered, and would not be
            o-6  TIME
              com.shop OrderCreated
              lost because detail.total: 300 is not <= 200
              was sent: {"total":300,"mail":"a6@example.org"}
            o-5  TIME
              com.shop OrderCreated
              lost because detail.total: 250 is not <= 200
              was sent: {"total":250,"mail":"a5@example.org"}
          ~2  would be sent as something else
            o-4  TIME
              com.shop OrderCreated
              $: {"total":200,"mail":"a4@example.org"} → 200
            o-3  TIME
              com.shop OrderCreated
              $: {"total":150,"mail":"a3@example.org"} → 150

        what became of one: slipswitch event o-6
        to take the new rules into service, copy them into the router's folder of rules
    "#]],
    );
    assert_eq!(scene.diff(&router, &["--rules", "new", "--exit-code"]).code, Some(1));
    assert_eq!(target.requests().len(), before, "nothing was sent");
    assert!(!scene.path("every.jsonl").exists());
}

#[test]
fn the_events_are_those_that_were_asked_for() {
    let target = Receiver::start().unwrap();
    let (scene, router) = scene(&target);
    changed(&scene, &target);
    let found = scene.diff(&router, &["--rules", "new", "-o", "json"]).expect(0).json();
    let counts = |found: &Value| {
        ["events", "gained", "lost", "changed", "moved"].map(|key| found[key].as_u64().unwrap())
    };
    assert_eq!(counts(&found), [6, 2, 2, 2, 6], "{found:#}");
    let asked = |words: &[&str]| {
        let words = [&["--rules", "new", "-o", "json"], words].concat();
        counts(&scene.diff(&router, &words).expect(0).json())
    };
    assert_eq!(asked(&["--limit", "3"]), [3, 0, 2, 1, 3]);
    assert_eq!(asked(&["--limit", "5"]), [5, 1, 2, 2, 5]);
    scene.diff(&router, &["--rules", "new", "--limit", "0"]).expect(2).says(&["from 1"]);
    assert_eq!(asked(&["--archive", "kept"]), [6, 2, 2, 2, 6]);
    assert_eq!(asked(&["--archive", "kept", "--limit", "5"]), [5, 1, 2, 2, 5]);
    assert_eq!(asked(&["--since", "1h"]), [6, 2, 2, 2, 6]);
    assert_eq!(asked(&["--until", "1h"]), [0; 5]);
    let pattern = r#"{"detail": {"total": [50, 250]}}"#;
    assert_eq!(asked(&["--pattern", pattern]), [2, 1, 1, 0, 2]);

    let same = scene.diff(&router, &["--bus", "default", "--rules", "new"]).expect(0);
    assert!(same.out.contains("over 0 events"), "{}", same.out);
}

#[test]
fn what_cannot_be_compared_is_said_with_its_place() {
    let target = Receiver::start().unwrap();
    let (scene, router) = scene(&target);
    std::fs::create_dir(scene.path("new")).unwrap();
    scene.write("new/shop.yaml", rules(&target).replace("pattern:", "patern:"));
    let broken = scene.diff(&router, &["--rules", "new"]).expect(78);
    broken.says(&["new/shop.yaml", "patern", "did you mean `pattern`?"]);

    scene.write("new/shop.yaml", rules(&target));
    scene.diff(&router, &["--bus", "shpo"]).expect(1).says(&["there is no bus `shpo`", "`shop`"]);
    scene.diff(&router, &["--archive", "kpt"]).expect(1).says(&["kpt", "kept"]);
    scene.diff(&router, &["--rules", "nowhere"]).expect(78).says(&["nowhere"]);
    scene.diff(&router, &["--pattern", "{"]).expect(1).says(&["`pattern`"]);
    scene.diff(&router, &["--limit", "5", "--all"]).expect(2);
    scene.run(&["diff", "--against", "rules"]).expect(2).says(&["--events"]);
    scene.run(&["diff", "--url", "http://127.0.0.1:1"]).expect(69);

    let mut connection = router.connect();
    let problem = |connection: &mut crate::harness::Connection, body: &Value| {
        let answer =
            connection.post("/api/v1/rules/diff", "application/json", body.to_string().as_bytes());
        answer.unwrap().problem()
    };
    let (status, kind, _) = problem(&mut connection, &json!({ "files": 1 }));
    assert_eq!((status, kind.as_str()), (400, "bad-request"));
    let (status, _, detail) = problem(&mut connection, &json!({ "files": [], "examples": 1000 }));
    assert!(status == 400 && detail.contains("`examples`"), "{detail}");
    let files = json!([{ "path": "a.yaml", "text": "name: x\n" }]);
    let (status, kind, detail) = problem(&mut connection, &json!({ "files": files }));
    assert_eq!((status, kind.as_str()), (422, "rules-refused"), "{detail}");
}

#[test]
fn tests_that_would_fail_are_told_and_the_comparison_goes_on() {
    let target = Receiver::start().unwrap();
    let (scene, router) = scene(&target);
    let tested = format!(
        "{}tests:\n  - name: one\n    event: {{ source: com.shop, detail-type: T, detail: {{}} }}\n    expect: none\n",
        rules(&target)
    );
    std::fs::create_dir(scene.path("new")).unwrap();
    scene.write("new/shop.yaml", tested);
    let found = scene.diff(&router, &["--rules", "new"]).expect(0);
    assert!(found.out.starts_with("no difference"), "{}", found.out);
    assert!(found.out.contains("1 inline test of the new rules would fail"), "{}", found.out);
}

#[test]
fn two_folders_are_compared_over_recorded_events_without_a_router() {
    let target = Receiver::start().unwrap();
    let scene = Scene::new();
    scene.write("rules/shop.yaml", rules(&target));
    std::fs::create_dir(scene.path("new")).unwrap();
    let new = rules(&target).replace("numeric: ['>', 100]", "numeric: ['>', 200]");
    scene.write("new/shop.yaml", new.replace("name: all", "name: every"));
    let events: String = (1..7).map(|number| order(number) + "\n").collect();
    let words = &["diff", "--against", "rules", "--rules", "new", "--events", "-"];
    let found = scene.run_on(words, events.as_bytes());
    check(
        found,
        &target,
        expect![[r#"
        2 of 2 rules differ; over 6 events: −2 deliveries

        shop/big-orders/crm  changed  new/shop.yaml:1
          pattern
            was {"detail":{"total":[{"numeric":[">",100]}]}}
            now {"detail":{"total":[{"numeric":[">",200]}]}}
          −2  were delivered, and would not be
            o-4
              com.shop OrderCreated
              lost because detail.total: 200 is not > 200
              was sent: {"total":200,"mail":"a4@example.org"}
            o-3
              com.shop OrderCreated
              lost because detail.total: 150 is not > 200
              was sent: {"total":150,"mail":"a3@example.org"}
          =2  as before

        No event of these differs:
          shop/every/file  renamed: it was all/file: it begins as a new subscription,
              and the old one ends with what it owes
    "#]],
    );
    let broken = scene.run_on(words, b"{\"source\":1}");
    broken.expect(2).says(&["standard input: event 1:", "`source` must be a string"]);
}

#[test]
fn a_client_that_goes_away_ends_the_work() {
    let target = Receiver::start().unwrap();
    let (_scene, router) = scene(&target);
    let text = rules(&target).replace("com.shop", "com.other");
    let body = json!({ "files": [{ "path": "a.yaml", "text": text }] }).to_string();
    let request = format!(
        "POST /api/v1/rules/diff HTTP/1.1\r\nhost: test\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    for _ in 0..20 {
        let mut gone = TcpStream::connect(router.address()).unwrap();
        gone.write_all(request.as_bytes()).unwrap();
        drop(gone);
    }
    // There is one turn, and it is free again.
    let asked = |connection: &mut crate::harness::Connection| {
        connection.raw(request.as_bytes()).unwrap();
        connection.answer().unwrap().status
    };
    router.wait_until("/api/v1/status", |_| asked(&mut router.connect()) == 200);
}
