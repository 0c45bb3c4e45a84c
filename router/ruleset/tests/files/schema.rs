//! The schema that editors read and the reader of rule files agree.
//!
//! ```text
//! what the reader takes ⊆ what the schema takes
//! what the reader calls a wrong key or a wrong type ⊆ what the schema refuses
//! ```
//!
//! Between the two lies what a schema cannot say: names that must be unique, patterns, templates, plugins.

use std::fs;
use std::path::{Path, PathBuf};

use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::{Value, json};
use slipswitch_ruleset::Code;

use crate::doubles::load_text;

const SCHEMA: &str = include_str!("../../../../docs/schema/rule.json");
/// Keys that `testdata/whole` has not.
const FLOW: &str = r#"
name: flow
pattern: { source: [s] }
targets:
  - id: crm
    http: { url: "http://127.0.0.1:9000/orders", connection: crm }
    concurrency: 4
    rate: 2.5
    timeout: 3s
    order_by: $.detail.id
    batch: { events: 10, within: 1s }
    start: earliest
    circuit: { failures: 5, probe_after: 2s }
    transform:
      - plugin: count
        config: {}
        grant: [state]
        isolation: batch
      - plugin: split
        canary: { plugin: halve, share: 10%, by: $.detail.id }
      - plugin: split
        shadow: drop
tests:
  - name: broken
    event: { source: s, detail-type: d, detail: {} }
    expect: {}
    errors: {}
"#;
const EVENTBRIDGE: &str = r#"
Name: orders
EventBusName: arn:aws:events:eu-west-1:111122223333:event-bus/shop
Description: Big ones.
State: DISABLED
RoleArn: arn:aws:iam::111122223333:role/x
Arn: arn:aws:events:eu-west-1:111122223333:rule/orders
EventPattern: '{"source": ["s"]}'
Targets:
  - Id: crm
    Arn: arn:aws:lambda:eu-west-1:111122223333:function:crm
    http: https://crm.example.com/orders
    InputTransformer: { InputPathsMap: { id: $.detail.id }, InputTemplate: '{"id": <id>}' }
    RetryPolicy: { MaximumRetryAttempts: 10, MaximumEventAgeInSeconds: 3600 }
    HttpParameters: { HeaderParameters: { x-a: b }, QueryStringParameters: { q: r }, PathParameterValues: [p] }
    DeadLetterConfig: { Arn: arn:aws:sqs:eu-west-1:111122223333:dead }
    RoleArn: x
  - { Id: queue, log: console, InputPath: $.detail, SqsParameters: { MessageGroupId: all } }
  - { Id: stream, log: { file: a.log }, Input: '{"a": 1}', KinesisParameters: { PartitionKeyPath: $.detail.id } }
  - { Id: bus, Arn: "arn:aws:events:eu-west-1:111122223333:event-bus/billing" }
"#;
const RESOURCES: &str = r#"
AWSTemplateFormatVersion: "2010-09-09"
Description: Two rules.
Resources:
  One:
    Type: AWS::Events::Rule
    DeletionPolicy: Retain
    Properties:
      EventPattern: { source: [s] }
      Targets: [{ Id: l, log: console }]
"#;
const RESOURCE: &str = r#"
Type: AWS::Events::Rule
Properties:
  Name: one
  EventPattern: { source: [s] }
  Targets: [{ Id: l, log: console }]
"#;

struct Schema(Schemas, SchemaIndex);

impl Schema {
    fn new() -> Self {
        let place = "https://slipswitch.test/rule.json";
        let mut compiler = Compiler::new();
        let schema = serde_json::from_str(SCHEMA).expect("the schema is JSON");
        compiler.add_resource(place, schema).expect("its place is a URL");
        let mut compiled = Schemas::new();
        let root =
            compiler.compile(place, &mut compiled).unwrap_or_else(|error| panic!("{error:#}"));
        Self(compiled, root)
    }

    fn check(&self, document: &Value) -> Result<(), String> {
        self.0.validate(document, self.1).map_err(|error| format!("{error:#}"))
    }
}

fn documents(text: &str) -> Result<Vec<Value>, serde_saphyr::Error> {
    let options = serde_saphyr::options! { strict_booleans: true };
    serde_saphyr::from_multiple_with_options(text, options)
}

fn files(folder: &str) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(folder);
    let paths =
        fs::read_dir(folder).expect("a folder of files").map(|entry| entry.expect("a file").path());
    let mut paths: Vec<_> =
        paths.filter(|path| path.extension().is_some_and(|end| end != "expected")).collect();
    paths.sort();
    let read =
        |path: &PathBuf| (path.display().to_string(), fs::read_to_string(path).expect("text"));
    paths.iter().map(read).collect()
}

/// Rules that are right, each a document.
fn right() -> Vec<Value> {
    let mut texts: Vec<String> = files("whole").into_iter().map(|it| it.1).collect();
    texts.extend([FLOW, EVENTBRIDGE, RESOURCES, RESOURCE].map(str::to_owned));
    texts.iter().flat_map(|text| documents(text).expect("YAML")).collect()
}

#[test]
fn every_file_that_is_right_is_right_for_editors() {
    let schema = Schema::new();
    let warned = files("warned").into_iter().flat_map(|(_, text)| documents(&text).unwrap());
    for document in right().into_iter().chain(warned) {
        schema.check(&document).unwrap_or_else(|error| panic!("{document}: {error}"));
    }
    for text in [FLOW, EVENTBRIDGE, RESOURCES, RESOURCE] {
        load_text(text).unwrap();
    }
}

/// Codes of what is wrong with the form alone.
fn is_of_form(code: Code) -> bool {
    matches!(code, Code::UnknownKey | Code::MissingKey | Code::WrongType)
}

#[test]
fn a_broken_file_whose_form_is_wrong_is_refused_in_editors_too() {
    let schema = Schema::new();
    let mut refused = 0;
    for (path, text) in files("broken") {
        let problems = load_text(&text).unwrap_err();
        // What is no YAML at all has no documents.
        let Ok(documents) = documents(&text) else { continue };
        let is_refused = documents.iter().any(|document| schema.check(document).is_err());
        let is_wrong = problems.iter().any(|one| is_of_form(one.code));
        assert!(is_refused || !is_wrong, "{path}: {problems:?}");
        refused += usize::from(is_refused);
    }
    assert!(30 <= refused, "{refused}");
}

/// Places of a document where anything may stand: what is there is the user's own.
const FREE: [&str; 9] = [
    "pattern",
    "EventPattern",
    "event",
    "expect",
    "errors",
    "config",
    "constant",
    "headers",
    "paths",
];

/// Every document that differs from one by one change, with the pointer of the change.
fn changed(document: &Value) -> Vec<(String, Value)> {
    let values = [
        json!(null),
        json!(true),
        json!(0),
        json!(1),
        json!(-1),
        json!(1.5),
        json!(100_000_000),
        json!(""),
        json!("x"),
        json!("$.x"),
        json!("1s"),
        json!("9d"),
        json!("${PORT}"),
        json!("none"),
        json!("console"),
        json!([]),
        json!({}),
        json!(["x"]),
        json!({ "x": "y" }),
        json!([{}]),
    ];
    let mut pointers = Vec::new();
    gather(document, String::new(), &mut pointers);
    let mut found = Vec::new();
    for pointer in &pointers {
        // A file of nothing is no rule; editors may well expect one.
        for value in values.iter().filter(|_| !pointer.is_empty()) {
            let mut other = document.clone();
            *other.pointer_mut(pointer).expect("it was found there") = value.clone();
            found.push((pointer.clone(), other));
        }
        let (parent, key) = pointer.rsplit_once('/').unwrap_or_default();
        let key = key.replace("~1", "/");
        let mut without = document.clone();
        if let Some(Value::Object(members)) =
            without.pointer_mut(parent).filter(|_| !pointer.is_empty())
        {
            members.remove(&key);
            found.push((pointer.clone(), without));
        }
        let mut with = document.clone();
        if let Some(Value::Object(members)) = with.pointer_mut(pointer) {
            members.insert("zebra".to_owned(), json!(1));
            found.push((pointer.clone(), with));
        }
    }
    found
}

fn gather(value: &Value, at: String, into: &mut Vec<String>) {
    into.push(at.clone());
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                let below = format!("{at}/{}", key.replace('/', "~1"));
                if FREE.contains(&key.as_str()) {
                    into.push(below);
                } else {
                    gather(value, below, into);
                }
            }
        }
        Value::Array(items) => {
            items
                .iter()
                .enumerate()
                .for_each(|(index, item)| gather(item, format!("{at}/{index}"), into));
        }
        _ => (),
    }
}

#[test]
fn a_change_that_the_reader_takes_is_right_for_editors_and_a_wrong_key_or_type_is_not() {
    let schema = Schema::new();
    let (mut taken, mut wrong, mut disagreed) = (0, 0, Vec::new());
    for (pointer, document) in right().iter().flat_map(changed) {
        let text = document.to_string();
        let judged = schema.check(&document);
        match load_text(&text) {
            Ok(_) => {
                taken += 1;
                if let Err(error) = judged {
                    disagreed.push(format!("taken by the reader alone: {pointer}: {error}"));
                }
            }
            Err(problems) => {
                if let Some(form) = problems.iter().find(|one| is_of_form(one.code)) {
                    wrong += 1;
                    if judged.is_ok() {
                        disagreed.push(format!(
                            "refused by the reader alone: {pointer} in {text}: {form}"
                        ));
                    }
                }
            }
        }
    }
    let first: Vec<&str> = disagreed.iter().map(String::as_str).take(50).collect();
    assert!(disagreed.is_empty(), "{} disagreements\n{}", disagreed.len(), first.join("\n"));
    assert!(300 < taken && 1000 < wrong, "{taken} taken, {wrong} wrong in form");
}
