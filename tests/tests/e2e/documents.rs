//! What the documentation shows is right: by the schemas that editors read, and by `slipswitch check`.
//!
//! # Not here
//!
//! - Whether the schemas and the reader of rules agree on what nobody wrote down: `router/ruleset/tests/files/schema.rs`.

mod block;
mod schema;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use block::{Block, Kind, of_page};
use schema::{Schema, documents};
use serde_json::{Map, Value, json};

use crate::harness::{Scene, repository, transformer};

/// Plugins of the documentation that the reader is to write; the others are the repository's.
const STUBS: [&str; 1] = ["hello"];

/// Folders of what is built, fetched or recorded.
const NO_PAGES: [&str; 3] = ["target", "node_modules", "testdata"];

struct Schemas {
    rule: Schema,
    configuration: Schema,
}

impl Schemas {
    fn printed() -> Self {
        let scene = Scene::new();
        let printed = |what| Schema::new(&scene.run(&["schema", what]).expect(0).out);
        Self { rule: printed("rule"), configuration: printed("config") }
    }

    fn keys_of_the_configuration(&self) -> &Map<String, Value> {
        self.configuration.value["properties"].as_object().unwrap()
    }
}

/// The pages for readers: every `.md` of the repository but what beside test data tells where it is from.
fn pages() -> Vec<String> {
    let mut pages = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(repository().join(&folder)).unwrap() {
            let name = entry.unwrap().file_name();
            let path = folder.join(&name);
            let name = name.to_str().unwrap();
            if repository().join(&path).is_dir() {
                if !name.starts_with('.') && !NO_PAGES.contains(&name) {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|end| end == "md") {
                pages.push(path.to_str().unwrap().to_owned());
            }
        }
    }
    pages.sort();
    pages
}

#[test]
fn the_schemas_are_schemas_of_2020_12() {
    let Schemas { rule, configuration } = Schemas::printed();
    for schema in [&rule.value, &configuration.value] {
        Schema::of_schemas().check(schema).unwrap();
    }
    let broken = json!({ "$schema": rule.value["$schema"], "type": "objekt" });
    Schema::of_schemas().check(&broken).unwrap_err();
}

#[test]
fn every_example_of_the_documentation_is_right() {
    let schemas = Schemas::printed();
    let mut wrong = Vec::new();
    let mut seen = BTreeMap::<Kind, usize>::new();
    for block in pages().iter().flat_map(|page| of_page(repository(), page)) {
        let kind = block.kind(schemas.keys_of_the_configuration());
        if let Ok(kind) = kind {
            *seen.entry(kind).or_default() += 1;
        }
        let checked = kind.and_then(|kind| check(&block, kind, &schemas));
        wrong.extend(checked.err().map(|reason| format!("{}: {reason}", block.place)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    // Lest they are no longer found.
    let least = [(Kind::Rules, 6), (Kind::Configuration, 6), (Kind::Pattern, 2), (Kind::Event, 1)];
    for (kind, least) in least {
        assert!(least <= seen.get(&kind).copied().unwrap_or(0), "{seen:?}");
    }
}

fn check(block: &Block, kind: Kind, schemas: &Schemas) -> Result<(), String> {
    let documents = documents(&block.text)?;
    let alone = || match documents.as_slice() {
        [one] => Ok(one),
        all => Err(format!("one document is expected, and there are {}", all.len())),
    };
    match kind {
        Kind::Rules => rules(&block.text, &documents, schemas),
        Kind::Configuration => configuration(&block.text, alone()?, schemas),
        Kind::PartOfTarget => made_up(rule_with(vec![alone()?.clone()]), schemas),
        Kind::MapOfTargets => {
            let map = alone()?.as_object().ok_or("it is no map")?;
            made_up(rule_with(map.values().cloned().collect()), schemas)
        }
        Kind::Pattern => {
            let mut rule = rule_with(vec![json!({})]);
            rule["pattern"] = alone()?.clone();
            made_up(rule, schemas)
        }
        Kind::Event => {
            let event = alone()?;
            let mut rule = rule_with(vec![json!({})]);
            rule["pattern"] = json!({ "source": [event["source"]] });
            rule["tests"] = json!([{ "name": "it matches", "event": event, "expect": {} }]);
            made_up(rule, schemas)
        }
        Kind::Other => alone().map(drop),
    }
}

/// A rule whose targets have these keys.
fn rule_with(targets: Vec<Value>) -> Value {
    let targets = targets.into_iter().enumerate().map(|(at, mut target)| {
        if let Some(keys) = target.as_object_mut() {
            keys.insert("id".to_owned(), json!(format!("target-{at}")));
            if !["http", "log", "bus"].iter().any(|kind| keys.contains_key(*kind)) {
                keys.insert("log".to_owned(), json!("console"));
            }
        }
        target
    });
    let targets: Vec<Value> = targets.collect();
    json!({ "name": "made-up", "pattern": { "source": ["made.up"] }, "targets": targets })
}

fn made_up(rule: Value, schemas: &Schemas) -> Result<(), String> {
    rules(&rule.to_string(), &[rule], schemas)
}

fn rules(text: &str, documents: &[Value], schemas: &Schemas) -> Result<(), String> {
    for document in documents {
        schemas.rule.check(document)?;
    }
    let mut plugins = BTreeSet::new();
    documents.iter().for_each(|document| plugins_of(document, &mut plugins));
    let (stubs, shipped): (Vec<&str>, Vec<&str>) =
        plugins.iter().map(String::as_str).partition(|name| STUBS.contains(name));
    let scene = Scene::new().with_plugins(&shipped);
    for name in stubs {
        let answer = transformer("", "", "(call $text (i32.const 16) (i32.const 7))");
        scene.write(&format!("plugins/{name}.wasm"), answer);
    }
    scene.write("rules/example.yaml", text);
    accepted(&scene)
}

fn configuration(text: &str, document: &Value, schemas: &Schemas) -> Result<(), String> {
    schemas.configuration.check(document)?;
    let scene = Scene::new();
    scene.write("slipswitch.yaml", text);
    accepted(&scene)
}

/// What `slipswitch check` says. That a configuration has no such connection is a warning, and no matter here.
fn accepted(scene: &Scene) -> Result<(), String> {
    let ended = scene.run(&["check"]);
    if ended.code == Some(0) { Ok(()) } else { Err(ended.err) }
}

/// The names of the plugins, wherever one is named.
fn plugins_of(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                if let ("plugin" | "shadow", Value::String(name)) = (key.as_str(), value) {
                    into.insert(name.clone());
                }
                plugins_of(value, into);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| plugins_of(item, into)),
        _ => (),
    }
}

#[test]
fn what_is_shipped_fits_its_schema() {
    let schemas = Schemas::printed();
    let example = repository().join("docs/slipswitch.example.yaml");
    let example = fs::read_to_string(example).unwrap();
    configuration(&example, &documents(&example).unwrap()[0], &schemas).unwrap();
    let scene = Scene::new();
    let mut plugins = BTreeSet::new();
    let mut count = 0;
    for entry in fs::read_dir(repository().join("rules")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|end| end == "yaml") {
            let text = fs::read_to_string(&path).unwrap();
            for document in documents(&text).unwrap() {
                let judged = schemas.rule.check(&document);
                judged.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
                plugins_of(&document, &mut plugins);
            }
            scene.write(&format!("rules/{count}.yaml"), text);
            count += 1;
        }
    }
    assert!(6 <= count, "{count} files");
    let plugins: Vec<&str> = plugins.iter().map(String::as_str).collect();
    accepted(&scene.with_plugins(&plugins)).unwrap();
}
