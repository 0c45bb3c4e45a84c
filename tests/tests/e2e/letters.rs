//! Dead letters, by the command line: found, counted, looked at, sent again, exported, removed.

use receiver::{Answer, Receiver};
use serde_json::Value;

use crate::harness::{LONG, Router, Scene};

fn rule(name: &str, url: &str, more: &str) -> String {
    format!(
        "name: {name}\npattern: {{ source: [shop] }}\ntargets: [{{ id: out, http: '{url}', retry: {{ attempts: 2, backoff: {{ min: 1ms, max: 2ms }} }}{more} }}]\n"
    )
}

fn letters(router: &Router, query: &str, count: usize) -> Vec<Value> {
    let path = format!("/api/v1/dead-letters?{query}");
    let page = router.wait_until(&path, |page| page["items"].as_array().unwrap().len() == count);
    page["items"].as_array().unwrap().clone()
}

/// Two rules, six events: six letters refused by one target, six that the other has no time for.
fn scene(target: &Receiver) -> (Scene, Router) {
    let scene = Scene::new();
    scene.write("rules/strict.yaml", rule("strict", &target.url("/strict"), ""));
    scene.write("rules/busy.yaml", rule("busy", &target.url("/busy"), ""));
    target.always("/strict", Answer::status(422).body("no such customer"));
    target.always("/busy", Answer::status(503));
    let router = scene.serve();
    for number in 0..6 {
        let event = format!(
            r#"{{"id":"e-{number}","source":"shop","detail-type":"T","detail":{{"n":{number}}}}}"#
        );
        router.send(&event).ids();
    }
    letters(&router, "", 12);
    (scene, router)
}

#[test]
fn at_three_in_the_morning_letters_are_counted_understood_and_sent_again() {
    let target = Receiver::start().unwrap();
    let (_scene, router) = scene(&target);
    let by_target = router.run(&["dlq", "count", "--by", "target", "-o", "json"]).expect(0).json();
    assert_eq!(by_target.as_array().unwrap().len(), 2);
    assert_eq!(by_target[0]["letters"], 6);
    let by_error = router.run(&["dlq", "count", "--by", "error", "--rule", "strict"]).expect(0).out;
    assert!(by_error.contains("no such customer"), "{by_error}");
    assert_eq!(router.run(&["dlq", "count", "--kind", "unavailable"]).expect(0).out, "6\n");
    let pattern = r#"{"detail":{"n":[{"numeric":["<",2]}]}}"#;
    let words = ["dlq", "count", "--pattern", pattern, "--kind", "refused"];
    assert_eq!(router.run(&words).expect(0).out, "2\n");
    router.run(&["dlq", "ls", "--rule", "stric"]).expect(1).says(&["did you mean `strict`?"]);

    let metrics = router.get("/metrics").text();
    let depth = r#"slipswitch_dead_letters{bus="default",rule="busy",target="out"} 6"#;
    assert!(metrics.contains(depth), "{metrics}");
    assert!(metrics.contains("slipswitch_dead_letter_oldest_seconds{bus=\"default\""), "{metrics}");

    let one = letters(&router, "rule=strict", 6)[0]["id"].to_string();
    let shown = router.run(&["dlq", "show", &one]).expect(0).out;
    assert!(shown.contains("refused: POST") && shown.contains("e-5"), "{shown}");
    let exported = router.run(&["dlq", "export", "--rule", "strict"]).expect(0).out;
    assert_eq!(exported.lines().count(), 6);
    for line in exported.lines() {
        let letter: Value = serde_json::from_str(line).unwrap();
        assert_eq!(letter["event"]["id"], letter["event_id"]);
    }

    // The busy one is back: all of its letters, after a look at how many.
    target.always("/busy", Answer::status(200));
    target.forget();
    let rehearsal = router.run(&["dlq", "redrive", "--all", "--kind", "unavailable"]).expect(2);
    assert_eq!(
        rehearsal.out,
        "to redrive: 6 dead letters\n\nLETTERS  TARGET\n6        default/busy/out\n"
    );
    assert!(target.requests().is_empty());
    let words = ["dlq", "redrive", "--all", "--kind", "unavailable", "--yes"];
    assert_eq!(router.run(&words).expect(0).out, "redriven: 6\n");
    target.wait_for_count("/busy", 6, LONG).unwrap();
    letters(&router, "state=delivered", 6);
    let history = router.run(&["dlq", "ls", "--history", "-o", "json"]).expect(0).json();
    assert_eq!(history.as_array().unwrap().len(), 6);
    assert_eq!(history[0]["redriven"], 1);

    // The strict one refuses again: the same letters, again.
    router.run(&["dlq", "redrive", &one]).expect(0);
    let again = router.wait_until(&format!("/api/v1/dead-letters/{one}"), |letter| {
        letter["state"] == "dead" && letter["redriven"] == 1
    });
    assert_eq!((&again["attempts"], &again["attempts_total"]), (&1.into(), &2.into()));
    let whole = router.wait_until(&format!("/api/v1/dead-letters/{one}"), |letter| {
        letter["log"].as_array().unwrap().len() == 2
    });
    assert_eq!(
        (&whole["log"][0]["result"], &whole["log"][1]["status"]),
        (&"dead".into(), &422.into())
    );

    let words = ["dlq", "purge", "--all", "--rule", "strict", "--yes"];
    assert_eq!(router.run(&words).expect(0).out, "purged: 6\n");
    assert_eq!(router.run(&["dlq", "count"]).expect(0).out, "0\n");
    assert_eq!(router.run(&["dlq", "count", "--state", "all"]).expect(0).out, "6\n");
    router.run(&["dlq", "show", &one]).expect(1).says(&["purged"]);
    // What is not there is said, and makes the code 1, whatever was to be done with it.
    router.run(&["dlq", "redrive", "4711"]).expect(1).says(&["dead letter 4711: "]);
    router.run(&["dlq", "purge", "4711", "--yes"]).expect(1).says(&["not there"]);
}

#[test]
fn a_mended_rule_takes_its_letters_anew_and_only_it() {
    let target = Receiver::start().unwrap();
    let (scene, router) = scene(&target);
    let input =
        ", transform: [{ input: { paths: { n: $.detail.n }, template: '{\"number\": <n>}' } }]";
    scene.replace("rules/strict.yaml", rule("strict", &target.url("/mended"), input));
    router.wait_for_status(|status| status["generation"]["number"] == 2);
    target.forget();
    let words = ["dlq", "redrive", "--all", "--rule", "strict", "--to", "rules", "--yes"];
    let narrowed = [&words[..], &["--only-rule", "strict"]].concat();
    assert_eq!(router.run(&narrowed).expect(0).out, "redriven: 6\n");
    let requests = target.wait_for_count("/mended", 6, LONG).unwrap();
    let mut bodies: Vec<String> = requests.iter().map(receiver::Request::text).collect();
    bodies.sort();
    assert_eq!(bodies[0], r#"{"number":0}"#);
    letters(&router, "state=delivered", 6);
    assert!(target.requests_to("/busy").is_empty(), "the other rule was not asked");
    assert!(requests[0].delivery_id().unwrap().contains("/strict/out/0"));
    letters(&router, "rule=busy", 6);
}
