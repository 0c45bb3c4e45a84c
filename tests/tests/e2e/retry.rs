//! Targets that are down, that refuse, that ask for patience; dead letters and sending them again.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use receiver::{Answer, Receiver, Request};
use serde_json::Value;

use crate::harness::{LONG, Router, Scene};

fn rule(name: &str, url: &str, retry: &str) -> String {
    format!(
        "name: {name}\npattern: {{ source: [{name}] }}\ntargets: [{{ id: out, http: '{url}', retry: {{ {retry} }} }}]\n"
    )
}

fn event(source: &str, number: usize) -> String {
    format!(
        r#"{{"id":"{source}-{number}","source":"{source}","detail-type":"T","detail":{{"n":{number}}}}}"#
    )
}

fn subscription<'a>(status: &'a Value, rule: &str) -> &'a Value {
    let all = status["router"]["subscriptions"].as_array().unwrap();
    all.iter().find(|one| one["rule"] == rule).unwrap()
}

fn dead_letters(router: &Router, count: usize) -> Vec<Value> {
    router.wait_until("/api/v1/dead-letters", |page| {
        page["items"].as_array().unwrap().len() == count
    });
    let listed = router.run(&["dlq", "ls", "-o", "json"]).expect(0).json();
    listed.as_array().unwrap().clone()
}

fn ids(requests: &[Request]) -> BTreeSet<String> {
    requests.iter().map(|request| request.delivery_id().unwrap().to_owned()).collect()
}

#[test]
fn what_a_target_missed_while_it_was_down_arrives_once_it_is_up_again() {
    let target = Receiver::start().unwrap();
    let scene = Scene::new();
    // Without a circuit that opens: what is tested is that every delivery is tried by itself.
    let retry = "backoff: { min: 5ms, max: 50ms } }, circuit: { failures: 1000";
    scene.write("rules/a.yaml", rule("a", &target.url("/a"), retry));
    let router = scene.serve();
    target.stop();
    for number in 0..20 {
        router.send(&event("a", number)).ids();
    }
    let status = router.wait_for_status(|status| {
        let of = subscription(status, "a");
        of["failed_attempts"].as_u64().unwrap() >= 40 && of["postponed"] == 20
    });
    assert_eq!(subscription(&status, "a")["delivered"], 0);
    let error = subscription(&status, "a")["last_error"].as_str().unwrap();
    assert!(error.contains("refused"), "{error}");

    target.restart().unwrap();
    let requests = target.wait_for(LONG, |requests| ids(requests).len() == 20).unwrap();
    assert!(requests.iter().all(|request| request.attempt().unwrap() > 1), "{requests:?}");
    router.wait_for_status(|status| {
        let of = subscription(status, "a");
        of["delivered"] == 20 && of["postponed"] == 0 && of["dead"] == 0
    });
    assert_eq!(target.requests().len(), 20, "each arrived once");
}

#[test]
fn answers_that_may_change_are_tried_again_with_the_same_delivery_id_and_body() {
    let target = Receiver::start().unwrap();
    let scene = Scene::new();
    scene.write("rules/a.yaml", rule("a", &target.url("/a"), "backoff: { min: 1ms, max: 2ms }"));
    let statuses = [500, 503, 408, 409, 423, 425, 429, 599];
    target.script("/a", statuses.map(Answer::status));
    target.script("/a", [Answer::hang_up()]);
    let router = scene.serve();
    router.send(&event("a", 1)).ids();
    let requests = target.wait_for_count("/a", 10, LONG).unwrap();
    let attempts: Vec<u32> = requests.iter().filter_map(Request::attempt).collect();
    assert_eq!(attempts, (1..=10).collect::<Vec<u32>>());
    assert_eq!(ids(&requests).len(), 1);
    assert!(requests.iter().all(|request| request.body == requests[0].body));
    assert_eq!(requests.last().unwrap().answered, 200);
}

#[test]
fn a_target_that_asks_for_an_hour_gets_it_and_holds_up_no_other() {
    let target = Receiver::start().unwrap();
    let scene = Scene::new();
    scene.write("rules/a.yaml", rule("a", &target.url("/a"), "backoff: { min: 1ms, max: 2ms }"));
    scene.write("rules/b.yaml", rule("b", &target.url("/b"), ""));
    target.script("/a", [Answer::status(503).retry_after_seconds(3600)]);
    let router = scene.serve();
    router.send(&event("a", 1)).ids();
    let postponed = |status: &Value| subscription(status, "a")["postponed"] == 1;
    let status = router.wait_for_status(postponed);
    let next = subscription(&status, "a")["next_attempt_at"].as_str().unwrap();
    let patience = next.parse::<Timestamp>().unwrap().duration_since(Timestamp::now());
    assert!(patience > SignedDuration::from_mins(30), "{next}");

    router.send(&event("a", 2)).ids();
    router.send(&event("b", 1)).ids();
    target.wait_for_count("/b", 1, LONG).unwrap();
    // One thread dispatches in order: what came before b's event was there to be sent before it, too.
    let status = router.wait_for_status(|status| subscription(status, "b")["delivered"] == 1);
    assert_eq!(target.requests_to("/a").len(), 1, "the second waits for the hour, too");
    assert!(postponed(&status), "{status}");
}

#[test]
fn a_refusal_is_a_dead_letter_at_once_and_redriving_it_delivers() {
    let target = Receiver::start().unwrap();
    let scene = Scene::new();
    scene.write("rules/a.yaml", rule("a", &target.url("/a"), ""));
    scene.write("rules/b.yaml", rule("b", &target.url("/b"), ""));
    target.always("/a", Answer::status(422).body("no such order"));
    target.always("/b", Answer::status(302).header("location", &target.url("/elsewhere")));
    let router = scene.serve();
    for number in 0..3 {
        router.send(&event("a", number)).ids();
    }
    router.send(&event("b", 0)).ids();

    let letters = dead_letters(&router, 4);
    let of_a: Vec<&Value> = letters.iter().filter(|letter| letter["rule"] == "a").collect();
    assert_eq!(of_a.len(), 3);
    for letter in &of_a {
        assert_eq!(
            (&letter["attempts"], &letter["target"]),
            (&1.into(), &"out".into()),
            "{letter}"
        );
        assert!(letter["error"].as_str().unwrap().contains("422"), "{letter}");
        assert_eq!(letter["event"]["id"], letter["event_id"]);
    }
    let of_b = letters.iter().find(|letter| letter["rule"] == "b").unwrap();
    assert!(of_b["error"].as_str().unwrap().contains("302"), "{of_b}");
    assert!(target.requests_to("/elsewhere").is_empty(), "redirects are not followed");

    router.run(&["dlq", "redrive"]).expect(2).says(&["--all --yes"]);
    router.run(&["dlq", "redrive", "--all"]).expect(2).says(&["--yes"]);
    router.run(&["dlq", "redrive", "4711"]).expect(1).says(&["4711"]);
    assert_eq!(dead_letters(&router, 4).len(), 4, "none of that touched one");

    let first = ids(&target.requests_to("/a"));
    target.always("/a", Answer::status(200));
    target.forget();
    let one = of_a[0]["id"].to_string();
    assert_eq!(router.run(&["dlq", "redrive", &one]).expect(0).out, "redriven: 1\n");
    target.wait_for_count("/a", 1, LONG).unwrap();
    let redriven = router.run(&["dlq", "redrive", "--all", "--rule", "a", "--yes"]).expect(0);
    assert_eq!(redriven.out, "redriven: 2\n");
    let requests = target.wait_for_count("/a", 3, LONG).unwrap();
    assert_eq!(ids(&requests), first, "the same deliveries as before");

    router.run(&["dlq", "redrive", "--all", "--yes"]).expect(0);
    target.wait_for_count("/b", 1, LONG).unwrap();
    let again = dead_letters(&router, 1);
    assert_eq!(again[0]["rule"], "b", "what is refused once more comes back");
}

#[test]
fn retries_that_run_out_end_as_a_dead_letter_that_counts_them() {
    let target = Receiver::start().unwrap();
    let scene = Scene::new();
    let retry = "attempts: 3, backoff: { min: 1ms, max: 2ms }";
    scene.write("rules/a.yaml", rule("a", &target.url("/a"), retry));
    target.always("/a", Answer::status(500));
    let router = scene.serve();
    router.send(&event("a", 1)).ids();
    let letters = dead_letters(&router, 1);
    assert_eq!(letters[0]["attempts"], 3);
    assert!(letters[0]["error"].as_str().unwrap().contains("500"), "{letters:?}");
    assert_eq!(letters[0]["delivery_id"], "default/0/a/out/0");
    assert_eq!(target.requests_to("/a").len(), 3);
    let table = router.run(&["dlq", "ls"]).expect(0).out;
    assert!(table.contains("a-1") && table.contains("500"), "{table}");
}

#[test]
fn an_event_that_a_plugin_calls_invalid_is_a_dead_letter_without_a_payload() {
    let target = Receiver::start().unwrap();
    let scene = Scene::new().with_plugins(&["order-summary"]);
    let url = target.url("/a");
    scene.write(
        "rules/a.yaml",
        format!("name: a\npattern: {{ source: [a] }}\ntargets: [{{ id: out, http: '{url}', transform: [{{ plugin: order-summary }}] }}]\n"),
    );
    let router = scene.serve();
    router.send(&event("a", 1)).ids();
    let letters = dead_letters(&router, 1);
    assert!(letters[0]["payload"].is_null(), "{letters:?}");
    let error = letters[0]["error"].as_str().unwrap();
    assert!(error.contains("order-summary") && error.contains("orderId"), "{error}");
    assert_eq!(letters[0]["event"]["detail"]["n"], 1);
    assert!(target.requests().is_empty());
}
