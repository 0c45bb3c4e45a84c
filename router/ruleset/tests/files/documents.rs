//! The reference and the schema say what the loader does.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;
use slipswitch_ruleset::Code;

use crate::doubles::load_text;

const REFERENCE: &str = include_str!("../../../../docs/rules.md");
const SCHEMA: &str = include_str!("../../../../docs/schema/rule.json");

/// What is said about a rule that has an unknown key `zzzzzz` within the section `name` lists the keys
/// that the loader knows; the schema must list the same.
#[test]
fn the_schema_has_the_keys_that_the_loader_knows() {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let target = |inner: &str| {
        format!("{{name: a, pattern: {{source: [s]}}, targets: [{{id: t, {inner}}}]}}")
    };
    let test = "zzzzzz: 1, name: t, event: {source: s, detail-type: d, detail: {}}, expect: none";
    let probes = [
        (
            "rule",
            "{zzzzzz: 1, name: a, pattern: {source: [s]}, targets: [{id: t, log: console}]}"
                .to_owned(),
        ),
        ("target", target("log: console, zzzzzz: 1")),
        ("http", target("http: {url: http://h, zzzzzz: 1}")),
        ("log", target("log: {zzzzzz: 1}")),
        ("retry", target("log: console, retry: {zzzzzz: 1}")),
        ("backoff", target("log: console, retry: {backoff: {zzzzzz: 1}}")),
        ("batch", target("log: console, batch: {events: 5, zzzzzz: 1}")),
        ("circuit", target("log: console, circuit: {zzzzzz: 1}")),
        ("step", target("log: console, transform: [{plugin: split, zzzzzz: 1}]")),
        ("input", target("log: console, transform: [{input: {path: $, zzzzzz: 1}}]")),
        (
            "test",
            format!(
                "{{name: a, pattern: {{source: [s]}}, targets: [{{id: t, log: console}}], tests: [{{{test}}}]}}"
            ),
        ),
    ];
    for (section, text) in probes {
        let problems = load_text(&text).unwrap_err();
        assert_eq!(problems.len(), 1, "{problems:?}");
        let mut known: Vec<&str> = problems[0].mend.split('`').skip(1).step_by(2).collect();
        if problems[0].mend.contains(&format!("the keys of `{section}`")) {
            known.remove(0); // The name of the section itself.
        }
        let properties = schema["$defs"][section]["properties"].as_object().unwrap();
        let mut listed: Vec<&str> = properties.keys().map(String::as_str).collect();
        known.sort_unstable();
        listed.sort_unstable();
        assert_eq!(listed, known, "{section}");
        assert_eq!(schema["$defs"][section]["additionalProperties"], Value::Bool(false));
    }
}

#[test]
fn every_key_stands_in_the_reference() {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    for (section, definition) in schema["$defs"].as_object().unwrap() {
        // EventBridge's words stand on the page about them, where one may stand within another: `RetryPolicy.…`.
        let is_ours = !section.starts_with("eventbridge");
        for key in definition["properties"].as_object().into_iter().flat_map(|keys| keys.keys()) {
            if !is_ours {
                assert!(IMPORTING.contains(key.as_str()), "{section}.{key}");
                continue;
            }
            let is_named = [
                format!("`{key}`"),
                format!("{key}:"),
                format!("{{ {key}, "),
                format!(", {key} }}"),
            ];
            assert!(is_named.iter().any(|form| REFERENCE.contains(form)), "{section}.{key}");
        }
    }
}

#[test]
fn every_page_that_a_problem_names_is_a_heading_of_the_documentation() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut pages: BTreeSet<String> = Code::all().map(|code| code.page().to_owned()).collect();
    for folder in ["broken", "warned", "failing"] {
        for entry in fs::read_dir(root.join("testdata").join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|end| end == "expected") {
                let text = fs::read_to_string(path).unwrap();
                let see = text.lines().filter_map(|line| line.strip_prefix("   see: "));
                pages.extend(see.filter_map(|rest| Some(rest.split_once(" (")?.0.to_owned())));
            }
        }
    }
    assert!(10 < pages.len(), "{pages:?}");
    for page in pages {
        let (file, anchor) = page.split_once('#').unwrap_or((&page, ""));
        let text = fs::read_to_string(root.join("../..").join(file)).unwrap();
        let headings = text.lines().filter(|line| line.starts_with('#'));
        let mut anchors = headings.map(|line| {
            let plain = line.trim_start_matches('#').trim().to_lowercase();
            let kept =
                plain.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
            kept.collect::<String>().replace(' ', "-")
        });
        assert!(anchor.is_empty() || anchors.any(|one| one == anchor), "{page}");
    }
}

const IMPORTING: &str = include_str!("../../../../docs/importing.md");

#[test]
fn a_rule_in_eventbridges_shape_is_read_as_it_is() {
    let text = IMPORTING.rsplit("```yaml\n").next().and_then(|rest| rest.split("```").next());
    let rules = load_text(text.unwrap()).unwrap();
    let [rule] = rules.rules() else { panic!("{rules:?}") };
    assert_eq!((rule.name.as_str(), rule.bus.as_str(), rule.line), ("big-orders", "shop", 1));
    assert_eq!(rule.targets[0].retry.attempts_max, 11);

    let template = "Resources:\n  One:\n    Type: AWS::Events::Rule\n    Properties: &p\n      EventPattern: { source: [a] }\n      Targets: [{ Id: b, Arn: 'arn:aws:events:::event-bus/default' }]\n  Two: { Type: AWS::Events::Rule, Properties: *p }\n";
    let names = |text: &str| {
        let rules = load_text(text).unwrap();
        rules.rules().iter().map(|rule| rule.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(template), ["One", "Two"]);
}
