//! The same answer as a table, as JSON, as lines of JSON and as YAML; and what is made of the command line itself.

use serde_json::Value;

use crate::harness::Scene;

#[test]
fn a_listing_says_the_same_as_json_as_lines_and_as_yaml() {
    let scene = Scene::new();
    let router = scene.serve();
    for id in ["e-1", "e-2"] {
        let event = format!(
            "{{\"id\":\"{id}\",\"source\":\"a\",\"detail-type\":\"T\",\"detail\":{{\"price\":1.10,\n\"no\":\"no\"}}}}"
        );
        router.send(&event).ids();
    }
    let list =
        |format: &str| router.run(&["events", "--order", "oldest", "-o", format]).expect(0).out;
    let json = list("json");
    let items: Vec<Value> = serde_json::from_str(&json).unwrap();
    assert_eq!(items.len(), 2, "{json}");
    let lines: Vec<Value> =
        list("ndjson").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines, items);
    let yaml = list("yaml");
    for part in ["- bus: default\n", "price: 1.10\n", "id: e-2\n"] {
        assert!(yaml.contains(part), "{part}\n{yaml}");
    }
    // One that is no list is one line.
    let status = router.run(&["status", "-o", "ndjson"]).expect(0).out;
    assert_eq!(status.lines().count(), 1, "{status}");
}

#[test]
fn shells_and_the_manual_know_every_verb() {
    let scene = Scene::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = scene.run(&["completions", shell]).expect(0).out;
        assert!(script.contains("redrive") && script.contains("only-rule"), "{shell}");
    }
    let page = scene.run(&["man", "dlq", "redrive"]).expect(0).out;
    assert!(page.contains(".TH slipswitch-dlq-redrive 1"), "{page}");
    scene.run(&["man", "dlq", "rdrive"]).expect(2).says(&["has no verb `rdrive`", "redrive"]);
    scene.run(&["man", "--out", "pages"]).expect(0);
    for page in ["slipswitch", "slipswitch-dlq", "slipswitch-dlq-redrive", "slipswitch-serve"] {
        let text = std::fs::read_to_string(scene.path(&format!("pages/{page}.1"))).unwrap();
        assert!(text.contains(".SH NAME"), "{page}");
    }
}
