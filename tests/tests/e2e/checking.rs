//! `check` for programs and for other services, warnings, and the schemas.

use std::fs;

use serde_json::Value;

use crate::harness::{Scene, repository};

const BROKEN: &str = "name: a\npatern: { source: [a] }\ntargets: [{ id: out, log: console }]\n";
const NEVER: &str = "name: a\npattern: { foo: [\"50%\"] }\ntargets: [{ id: out, log: console }]\n";

#[test]
fn github_shows_each_problem_at_its_line() {
    let scene = Scene::new();
    scene.write("rules/a.yaml", BROKEN);
    scene.write("rules/b.yaml", NEVER.replace("name: a", "name: b"));
    let shown = scene.run(&["check", "--format", "github"]).expect(78);
    let lines: Vec<&str> = shown.out.lines().collect();
    assert_eq!(
        lines[0],
        "::error file=rules/a.yaml,line=2,endLine=2,col=1,endColumn=7,title=slipswitch unknown-key::\
         unknown key `patern` in a rule%0Adid you mean `pattern`?%0ASee docs/rules.md#a-rule"
    );
    assert!(lines[1].starts_with("::warning file=rules/b.yaml,line=2,"), "{}", lines[1]);
    assert_eq!((lines.len(), shown.err.as_str()), (2, "next: slipswitch check --format github\n"));
}

#[test]
fn sarif_names_each_kind_of_problem_and_its_place() {
    let scene = Scene::new();
    scene.write("rules/a b.yaml", BROKEN);
    let sarif = scene.run(&["check", "--format", "sarif"]).expect(78).json();
    assert_eq!(sarif["version"], "2.1.0");
    let run = &sarif["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    let result = &run["results"][0];
    let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
    assert_eq!(
        (&rules[index]["id"], &result["ruleId"]),
        (&"unknown-key".into(), &"unknown-key".into())
    );
    assert_eq!(result["level"], "error");
    let place = &result["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "rules/a%20b.yaml");
    let region: Value =
        serde_json::json!({ "startLine": 2, "startColumn": 1, "endLine": 2, "endColumn": 7 });
    assert_eq!(place["region"], region);
    // Without a problem it is the same file with no result.
    scene.write("rules/a b.yaml", BROKEN.replace("patern", "pattern"));
    let sarif = scene.run(&["check", "--format", "sarif"]).expect(0).json();
    assert_eq!(sarif["runs"][0]["results"], serde_json::json!([]));
}

#[test]
fn warnings_count_when_somebody_says_so() {
    let scene = Scene::new();
    scene.write("rules/a.yaml", NEVER);
    scene
        .run(&["check"])
        .expect(0)
        .says(&["0 errors, 1 warning in 1 file", "events have no `foo`"]);
    scene.run(&["check", "--deny", "warnings"]).expect(78);
    let list = scene.run(&["check", "-o", "json"]).expect(0).json();
    assert_eq!(
        (&list[0]["severity"], &list[0]["code"]),
        (&"warning".into(), &"pattern-never-matches".into())
    );
    let ended = scene.serve().stop();
    assert!(
        ended.err.contains("the rules run, and are hardly all meant as they are"),
        "{}",
        ended.err
    );
}

#[test]
fn files_that_are_named_are_checked_alone() {
    let scene = Scene::new();
    scene.write("rules/a.yaml", BROKEN);
    fs::create_dir(scene.path("other")).unwrap();
    scene.write("other/b.yaml", BROKEN.replace("patern", "pattern"));
    scene.run(&["check", "other"]).expect(0);
    scene.run(&["check", "other/b.yaml", "rules/a.yaml"]).expect(78).says(&["rules/a.yaml:2:1"]);
}

#[test]
fn the_schemas_are_those_of_the_documentation() {
    let scene = Scene::new();
    for what in ["rule", "config"] {
        let path = repository().join(format!("docs/schema/{what}.json"));
        let kept = fs::read_to_string(path).unwrap();
        assert_eq!(scene.run(&["schema", what]).expect(0).out, kept);
        scene.run(&["schema", what, "--output", "out.json"]).expect(0);
        assert_eq!(fs::read_to_string(scene.path("out.json")).unwrap(), kept);
    }
}
