//! What a rule holds for its target alone, in the URL's query or in headers: it is sent there, and said nowhere else.

use receiver::{Answer, Gate, Receiver};

use crate::harness::{LONG, Router, Scene};

const TOKEN: &str = "TOPSECRET";
const BEARER: &str = "open-sesame";

fn rule(name: &str, target: &Receiver) -> String {
    let url = target.url(&format!("/{name}?token={TOKEN}"));
    format!(
        "name: {name}\npattern: {{ source: [a] }}\ntargets:\n  - id: out\n    \
         http: {{ url: '{url}', headers: {{ authorization: 'Bearer {BEARER}' }} }}\n    \
         timeout: 100ms\n    retry: {{ attempts: 2, backoff: {{ min: 1ms, max: 1ms }} }}\n---\n"
    )
}

/// Everything that is shown of events, targets and failures.
fn all_that_is_said(router: &Router, event: &str) -> Vec<(String, String)> {
    let verbs = [
        "status",
        "target ls",
        "dlq ls",
        "dlq count --by error",
        "dlq export",
        "dlq show 1",
        "dlq show 2",
        "dlq show 3",
        "events --since 1h",
        "event ID",
        "event ID --payloads",
        "event ID -o json",
        "dlq ls -o json",
        "target ls -o json",
        "status -o json",
    ];
    let mut said = Vec::new();
    for verb in verbs {
        let verb = verb.replace("ID", event);
        let words: Vec<&str> = verb.split(' ').collect();
        let ended = router.run(&words).expect(0);
        said.push((verb, ended.out + &ended.err));
    }
    let resources = [
        "/",
        "/metrics",
        "/readyz",
        "/api/v1/rules",
        "/api/v1/status",
        "/api/v1/subscriptions",
        "/api/v1/dead-letters",
        "/api/v1/dead-letters/1",
        "/api/v1/dead-letters/count?group_by=error",
        "/api/v1/dead-letters/export",
        "/api/v1/events",
        "/api/v1/events/ID?payloads=true",
        "/api/v1/replays",
    ];
    for path in resources {
        let path = path.replace("ID", event);
        said.push((path.clone(), router.get(&path).text()));
    }
    said
}

#[test]
fn what_a_rule_holds_for_its_target_is_said_nowhere_whatever_fails() {
    let (target, away, gate) =
        (Receiver::start().unwrap(), Receiver::start().unwrap(), Gate::shut());
    let echo = format!("cannot POST /x?token={TOKEN}, {TOKEN}, for Bearer {BEARER}, {BEARER}");
    target.always("/failing", Answer::status(500).body(echo.clone()));
    target.always("/gone", Answer::status(410).body(echo.clone()));
    target.always("/wrong", Answer::status(400).body(echo));
    target.always("/late", Answer::status(200).behind(&gate));
    let scene = Scene::new();
    let here = ["failing", "gone", "wrong", "late", "good"].map(|name| rule(name, &target));
    let rules = here.concat() + &rule("away", &away);
    scene.write("rules/all.yaml", rules);
    away.stop();
    let router = scene.serve();
    let id = router.send(r#"{"source":"a","detail-type":"T","detail":{}}"#).ids().remove(0);
    router.wait_until("/api/v1/dead-letters", |page| page["items"].as_array().unwrap().len() == 4);
    router.wait_until(&format!("/api/v1/events/{id}"), |fate| {
        let all = fate["places"][0]["deliveries"].as_array().unwrap();
        all.iter().any(|one| one["state"] == "delivered")
    });
    // The line names the command that is needed, whole.
    let enable = "it is disabled until `slipswitch target enable default/gone/out`";
    router.process.err.wait_for(enable, 0);

    let mut said = all_that_is_said(&router, &id);
    gate.open();
    let ended = router.stop().expect(0);
    said.push(("its log".to_owned(), ended.out + &ended.err));
    for (kind, word) in [("refused", "400"), ("late", "no answer within"), ("away", "refused")] {
        let is_there = said.iter().any(|(_, text)| text.contains(word));
        assert!(is_there, "nothing is said of what is {kind}, so nothing is proved");
    }
    for (what, text) in said {
        for secret in [BEARER, TOKEN, "token="] {
            assert!(!text.contains(secret), "{what} says {secret}:\n{text}");
        }
    }
    let sent = target.wait_for_count("/good", 1, LONG).unwrap();
    assert_eq!(sent[0].query.as_deref(), Some("token=TOPSECRET"), "the target has it");
    assert_eq!(sent[0].header("authorization"), Some("Bearer open-sesame"), "the target has it");
}
