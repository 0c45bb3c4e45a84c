//! `slipswitch explain`: why did it not match, and what would be sent.

use receiver::{Answer, Receiver};

use crate::harness::Scene;

const RULES: &str = "\
name: big-orders
bus: shop
pattern:
  source: [shop]
  detail: { total: [{ numeric: ['>', 100] }] }
targets:
  - id: crm
    http: 'http://127.0.0.1:9/orders?token=hidden-token'
    order_by: $.detail.id
    transform:
      - input: { paths: { id: $.detail.id }, template: '{\"order\": <id>}' }
      - input: { path: $.order }
  - id: note
    log: { file: notes.jsonl }
    transform:
      - input: { path: $.detail.note }
---
name: off
bus: shop
enabled: false
pattern: { source: [shop] }
targets: [{ id: out, log: console }]
";

fn event(total: u32) -> String {
    format!(r#"{{"source":"shop","detail-type":"T","detail":{{"id":"o-1","total":{total}}}}}"#)
}

#[test]
fn a_rule_is_explained_field_by_field_and_step_by_step_without_a_router() {
    let scene = Scene::new();
    scene.write("rules/a.yaml", RULES);
    let ended = scene.run(&["explain", "big-orders", "--event", &event(500)]).expect(0);
    for part in [
        "✓ big-orders matches\n",
        "rules/a.yaml:1, bus shop",
        "✓ detail.total: 500",
        "→ crm  POST http://127.0.0.1:9/orders\n",
        "1 input  rules/a.yaml:11\n      {\"order\":\"o-1\"}\n",
        "2 input  rules/a.yaml:12\n      \"o-1\"\n",
        "in order by $.detail.id: \"o-1\"",
        "→ note  file notes.jsonl",
        "step 1 (input): there is no `$.detail.note` in this event",
        "next: slipswitch test --filter big-orders",
    ] {
        assert!(ended.out.contains(part), "{part}\n{}", ended.out);
    }
    assert!(!ended.out.contains("hidden-token"), "{}", ended.out);
    assert!(ended.out.lines().all(|line| line.chars().count() <= 80), "{}", ended.out);

    let ended = scene.run(&["explain", "big-orders", "--event", &event(5)]).expect(1);
    assert!(ended.out.contains("✗ big-orders does not match\n"), "{}", ended.out);
    assert!(ended.out.contains("✗ detail.total: 5 is not > 100"), "{}", ended.out);
    let ended = scene.run(&["explain", "off", "--event", &event(5)]).expect(1);
    assert!(ended.out.contains("it is disabled"), "{}", ended.out);

    let all = scene.run(&["explain", "--bus", "shop", "--event", &event(5)]).expect(1);
    assert!(all.out.starts_with("0 of 2 rules on bus shop match\n"), "{}", all.out);
    assert!(all.out.contains("✗ big-orders  1 of 2 fit\n    detail.total: 5"), "{}", all.out);
    let json = scene.run(&["explain", "big-orders", "-o", "json", "--event", &event(500)]);
    let json = json.expect(0).json();
    assert_eq!(json["rules"][0]["targets"][0]["steps"][1]["outputs"][0]["body"], "\"o-1\"");
}

#[test]
fn wrong_words_are_met_with_the_right_ones() {
    let scene = Scene::new();
    scene.write("rules/a.yaml", RULES);
    let run = |words: &[&str]| scene.run(&[&["explain"], words].concat());
    run(&[]).expect(2).says(&["name an event", "slipswitch explain big-orders --event"]);
    run(&["big-order", "--event", &event(5)]).expect(2).says(&["did you mean `big-orders`?"]);
    run(&["--bus", "shpo", "--event", &event(5)]).expect(2).says(&["did you mean `shop`?"]);
    run(&["off", "--event", "{\"source\": }"]).expect(2).says(&["--event:1:12", "not JSON"]);
    run(&["off", "--event", "{}"]).expect(2).says(&["`source` is missing"]);
    run(&["off", "id", "--event", "{}"]).expect(2).says(&["given twice"]);
    run(&["off", "--event", "{}", "--rules", "nowhere"]).expect(78).says(&["nowhere"]);
}

#[test]
fn an_event_of_the_journal_is_explained_with_what_became_of_it() {
    let target = Receiver::start().unwrap();
    target.always("/crm", Answer::status(400));
    let scene = Scene::new();
    let rule = format!(
        "name: big\nbus: shop\npattern: {{ source: [shop] }}\ntargets: [{{ id: crm, http: '{}' }}]\n",
        target.url("/crm")
    );
    scene.write("rules/a.yaml", &rule);
    let router = scene.serve();
    let sent = event(5).replacen('{', "{\"id\":\"e-1\",", 1);
    router.send_to("shop", &sent).ids();
    router.wait_until("/api/v1/events/e-1", |fate| {
        fate["places"][0]["deliveries"][0]["state"] == "dead"
    });
    let ended = router.run(&["explain", "big", "e-1"]).expect(0);
    for part in
        ["event e-1 on bus shop", "✓ big matches", "what really happened:", "crm  dead, 1 attempt"]
    {
        assert!(ended.out.contains(part), "{part}\n{}", ended.out);
    }
    assert!(!ended.out.contains("rules have changed"), "{}", ended.out);
    assert_eq!(target.requests_to("/crm").len(), 1, "nothing is sent by looking");
    let all = router.run(&["explain", "e-1"]).expect(0);
    assert!(all.out.contains("1 of 1 rule on bus shop matches"), "{}", all.out);
    router.run(&["explain", "bgi", "e-1"]).expect(2).says(&["did you mean `big`?"]);
    router.run(&["explain", "e-2"]).expect(2).says(&["there is no event `e-2`"]);

    scene.replace("rules/a.yaml", rule.replace("[shop]", "[other]"));
    router.wait_for_status(|status| status["generation"]["number"] == 2);
    let ended = router.run(&["explain", "big", "e-1"]).expect(1);
    assert!(ended.out.contains("the rules have changed since then"), "{}", ended.out);
    assert!(ended.out.contains("✗ source: \"shop\" is not \"other\""), "{}", ended.out);
    scene.run(&["explain", "e-1", "--url", "http://127.0.0.1:1"]).expect(69);
}
