//! `slipswitch test`: recorded events, from the recording to the report.

use receiver::Receiver;

use crate::harness::Scene;

const RULES: &str = "\
name: big-orders
bus: shop
pattern: { detail: { total: [{ numeric: ['>', 100] }] } }
targets:
  - id: crm
    log: console
    transform:
      - input: { paths: { id: $.detail.id }, template: '{\"order\": <id>}' }
---
name: all   # everything
bus: shop
pattern: { source: [shop] }
targets: [{ id: audit, log: console }]
tests:
  - name: any
    event: { source: shop, detail-type: T, detail: {} }
    expect: { audit: { detail: {} } }   # not the whole of it
";

fn event(total: u32) -> String {
    format!(
        r#"{{"id":"e-{total}","time":"2026-11-24T08:00:00Z","source":"shop","detail-type":"T","detail":{{"id":"o-1","total":{total}}}}}"#
    )
}

#[test]
fn a_recording_becomes_a_test_that_notices_a_changed_rule() {
    let target = Receiver::start().unwrap();
    let scene = Scene::new();
    let rule = format!(
        "name: big\nbus: shop\npattern: {{ detail: {{ total: [{{ numeric: ['>', 100] }}] }} }}\ntargets:\n  - id: crm\n    http: '{}'\n    transform: [{{ input: {{ path: $.detail.id }} }}]\n",
        target.url("/crm")
    );
    scene.write("rules/a.yaml", &rule);
    let router = scene.serve();
    for total in [5, 500] {
        router.send_to("shop", &event(total)).ids();
    }
    router.wait_until_all_is_delivered();
    let recorded = router.run(&["events", "--bus", "shop", "--order", "oldest", "-o", "json"]);
    let recorded = recorded.expect(0).out;
    router.stop();

    std::fs::create_dir(scene.path("rules/tests")).unwrap();
    scene.write("rules/tests/shop.events.json", &recorded);
    let words = ["it does not say what is expected", "--update"];
    scene.run(&["test"]).expect(3).says(&words);
    let updated = scene.run(&["test", "--update"]).expect(0);
    assert!(updated.out.contains("2 tests: 0 passed, 0 failed, 2 updated"), "{}", updated.out);
    let text = std::fs::read_to_string(scene.path("rules/tests/shop.events.json")).unwrap();
    assert!(text.contains(r#""expect": "none""#), "{text}");
    assert!(text.contains(r#""expect": {"big/crm": "o-1"}"#), "{text}");
    assert!(scene.run(&["test"]).expect(0).out.contains("2 tests: 2 passed"));
    // The router takes the folder as it is: a file of events is no rule.
    scene.run(&["check"]).expect(0);

    scene.write("rules/a.yaml", rule.replace("100", "1000"));
    let words = ["shop.events.json:", "the rule `big` does not match this event", "`--update"];
    let words = [words[0], words[1]];
    scene.run(&["test"]).expect(3).says(&words);
    scene.run(&["test", "--filter", "nothing has this"]).expect(0).says(&["no test has this"]);
}

#[test]
fn every_broken_line_and_every_name_that_is_not_there_is_told_with_its_place() {
    let scene = Scene::new();
    scene.write("rules/a.yaml", RULES.replace("{ audit: { detail: {} } }", "{}"));
    let case = |expect: &str| {
        format!(
            "{{\"bus\":\"shop\",\"event\":{},\"partial\":true,\"expect\":{expect}}}\n",
            event(500)
        )
    };
    let good = case(r#"{"big-orders/crm":{"order":"o-1"}}"#);
    let lines = [
        good.clone(),
        case(r#"{"big-order/crm":"none"}"#),
        "{\"event\": }\n".to_owned(),
        case(r#"{"big-orders/cmr":"none"}"#),
        good,
    ];
    scene.write("rules/x.events.ndjson", lines.concat());
    let ended = scene.run(&["test"]).expect(3);
    let words = [
        "x.events.ndjson:2:",
        "there is no rule `big-order`",
        "did you mean `big-orders/crm`?",
        "x.events.ndjson:3:11",
        "x.events.ndjson:4:",
        "has no target `cmr`",
        "did you mean `crm`?",
    ];
    let ended = ended.says(&words);
    assert!(ended.out.contains("6 tests: 3 passed, 3 failed"), "{}", ended.out);
    // What names something that is not there is left to its author.
    scene.run(&["test", "--update"]).expect(3);
    let after = std::fs::read_to_string(scene.path("rules/x.events.ndjson")).unwrap();
    assert_eq!(after, lines.concat());
}

#[test]
fn an_update_changes_what_a_rule_file_expects_and_nothing_else() {
    let scene = Scene::new();
    scene.write("rules/a.yaml", RULES);
    scene.run(&["test"]).expect(3).says(&["a.yaml:17:", "`audit` is sent something else"]);
    let updated = scene.run(&["test", "--update"]).expect(0);
    updated.says(&["updated ", "a.yaml"]);
    let after = std::fs::read_to_string(scene.path("rules/a.yaml")).unwrap();
    let before_it = |text: &str| text.split_once("expect:").map(|(before, _)| before.to_owned());
    assert_eq!(before_it(RULES).unwrap(), before_it(&after).unwrap());
    assert!(after.ends_with("} }   # not the whole of it\n"), "{after}");
    scene.run(&["test"]).expect(0);

    scene.write("rules/a.yaml", "nmae: x\n");
    scene.run(&["test", "--update"]).expect(78).says(&["unknown key `nmae`"]);
    assert_eq!(std::fs::read_to_string(scene.path("rules/a.yaml")).unwrap(), "nmae: x\n");
}

#[test]
fn standard_input_junit_and_coverage() {
    let scene = Scene::new();
    scene.write("rules/a.yaml", RULES.replace("{ audit: { detail: {} } }", "{}"));
    let case = format!(
        "{{\"event\":{},\"name\":\"a <wild> & \\u0007name\",\"expect\":{{\"big-orders/crm\":1}}}}",
        event(500)
    );
    let words = ["test", "-", "--bus", "shop", "--junit", "out.xml", "--coverage"];
    let ended = scene.run_on(&words, case.as_bytes()).expect(3);
    let ended = ended.says(&["standard input:1:", "1 target has no test: shop/all/audit"]);
    assert!(ended.out.contains("1 test: 0 passed, 1 failed"), "{}", ended.out);
    let report = std::fs::read_to_string(scene.path("out.xml")).unwrap();
    assert!(report.contains("name=\"a &lt;wild&gt; &amp; \u{fffd}name\""), "{report}");
    assert!(report.contains("tests=\"1\" failures=\"1\""), "{report}");
    scene.run(&["test", "nowhere.ndjson"]).expect(78).says(&["nowhere.ndjson", "cannot be read"]);
    let only = scene.run(&["test", "rules/a.yaml"]).expect(0).out;
    assert!(only.contains("1 test: 1 passed"), "{only}");
}
