//! Each template and each output of `aws events` in `testdata/import/`, and what becomes of it.
//!
//! `UPDATE_EXPECT=1` writes the expectations anew; read them before they are committed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use expect_test::expect_file;
use proptest::prelude::*;
use slipswitch_ruleset::{Import, SourceFile, TargetMap, Weight, import_commands, import_template};

use crate::doubles::load;

/// The fewest sources there must be, lest they vanish unseen.
const SOURCES_MIN: usize = 14;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/import")
}

fn sources(kind: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder().join(kind)).expect("a folder of sources");
    let paths = entries.map(|entry| entry.expect("a file of the folder").path());
    let mut paths: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|is| is != "expected")).collect();
    paths.sort();
    paths
}

fn source(path: &Path) -> SourceFile {
    let name = path
        .file_name()
        .expect("as it lies in the folder")
        .to_str()
        .expect("as it lies in the folder")
        .to_owned();
    SourceFile { path: name, text: fs::read_to_string(path).expect("as it lies in the folder") }
}

fn map() -> TargetMap {
    TargetMap::parse(&source(&folder().join("map.yaml"))).expect("as it lies in the folder")
}

fn shown(import: &Import, text: &str) -> String {
    let mut out = String::new();
    for rule in &import.rules {
        writeln!(out, "=== {} on {}, from {}:{}", rule.name, rule.bus, rule.path, rule.line)
            .expect("as it lies in the folder");
        out.push_str(&rule.text);
    }
    out.push_str("===\n");
    for one in &import.remarks {
        let weight = if one.weight == Weight::Lost { "lost" } else { "note" };
        writeln!(
            out,
            "{weight} {}:{} [{}] {}: {}",
            one.path, one.line, one.rule, one.key, one.reason
        )
        .expect("as it lies in the folder");
    }
    for problem in &import.problems {
        out.push_str(&problem.render(text, false));
    }
    writeln!(out, "wanted: {}\nbuses: {}", import.wanted.join(", "), import.buses.join(", "))
        .expect("as it lies in the folder");
    out.push_str(import.configuration.as_deref().unwrap_or_default());
    out
}

fn check(path: &Path, import: &Import, text: &str) {
    let shown = shown(import, text);
    assert!(!shown.contains("hunter2"), "{} tells a secret", path.display());
    // Where they send is a matter of the configuration; all else is right or a remark said so.
    for rule in import.rules.iter().filter(|rule| !rule.text.contains("connection:")) {
        let buses = import.buses.iter().map(|bus| SourceFile {
            path: format!("{bus}.yaml"),
            text: format!("name: of-a-test\nbus: {bus}\npattern: {{ source: [a] }}\ntargets: [{{ id: l, log: console }}]\n"),
        });
        let mut files: Vec<SourceFile> = buses.collect();
        files.push(SourceFile { path: "rule.yaml".to_owned(), text: rule.text.clone() });
        let problems = load(&files).err().unwrap_or_default();
        assert_eq!(problems, [], "{}: {}", path.display(), rule.text);
    }
    let extension = path
        .extension()
        .expect("as it lies in the folder")
        .to_str()
        .expect("as it lies in the folder");
    expect_file![path.with_extension(format!("{extension}.expected"))].assert_eq(&shown);
}

#[test]
fn every_template_is_carried_over_as_far_as_it_can_be() {
    let (paths, map) = (sources("cfn"), map());
    assert!(SOURCES_MIN <= paths.len() + sources("aws").len());
    for path in paths {
        let file = source(&path);
        check(&path, &import_template(&file, &BTreeMap::new(), &map), &file.text);
    }
}

#[test]
fn every_output_of_aws_is_carried_over_as_far_as_it_can_be() {
    let map = map();
    for path in sources("aws") {
        let file = source(&path);
        check(&path, &import_commands(std::slice::from_ref(&file), &map), &file.text);
    }
}

#[test]
fn targets_in_a_file_of_their_own_find_their_rule_by_its_name() {
    let file = |path: &str, text: &str| SourceFile { path: path.to_owned(), text: text.to_owned() };
    let targets = r#"{"Targets": [{"Id": "l", "Arn": "arn:aws:logs:::x"}]}"#;
    let rule =
        |name: &str| format!(r#"{{"Name": "{name}", "EventPattern": "{{\"source\": [\"a\"]}}"}}"#);
    let both = format!("{}\n{}", rule("orders"), rule("orders-big"));
    let files = [
        file("in/orders-big.targets.json", targets),
        file("in/rules.json", &both),
        file("in/orders.targets.json", targets),
    ];
    let import = import_commands(&files, &map());
    let names: Vec<&str> = import.rules.iter().map(|rule| rule.name.as_str()).collect();
    assert_eq!(names, ["orders", "orders-big"], "{:?}", import.remarks);
    assert_eq!((import.rules[1].path.as_str(), import.rules[1].line), ("in/rules.json", 2));

    let listed = format!("{{\"Rules\": [{}]}}\n{targets}", rule("a"));
    let import = import_commands(&[file("two.json", &listed), file("b.json", &rule("b"))], &map());
    assert!(import.rules.is_empty(), "the last of a list is not who targets are about");
    let import = import_commands(&[file("rule.json", &rule("x")), file("t.json", targets)], &map());
    assert_eq!(import.rules.len(), 1, "the only rule there is");
    let import = import_commands(&[file("a.json", &both), file("t.json", targets)], &map());
    assert_eq!(import.rules.len(), 0);
    assert!(import.remarks.iter().any(|one| one.path == "t.json" && one.reason.contains("whose")));
}

#[test]
fn parameters_decide_what_becomes_of_a_template() {
    let path = folder().join("cfn/functions.yaml");
    let given = [("Stage", "prod"), ("Team", "ops"), ("shared-audit-arn", "arn:aws:logs:::x")];
    let given = given.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let import = import_template(&source(&path), &given, &map());
    let lost: Vec<_> = import.remarks.iter().filter(|one| one.weight == Weight::Lost).collect();
    assert!(lost.is_empty(), "{lost:?}");
    let names: Vec<&str> = import.rules.iter().map(|rule| rule.name.as_str()).collect();
    assert_eq!(names, ["orders-prod-b", "OfTeam", "OnlyProd"]);
    assert!(import.rules[0].text.contains("1000000") && import.rules[0].bus == "shop-prod");
    assert!(!import.rules[0].text.contains("account") && !import.rules[0].text.contains("enabled"));
}

proptest! {
    #[test]
    fn damaged_sources_are_read_without_a_panic(
        at in 0..1000_usize, cut in 0..40_usize, with in "[{}\\[\\]:!$&*\"'\n a-z]{0,6}",
    ) {
        for kind in ["cfn", "aws"] {
            for path in sources(kind) {
                let mut file = source(&path);
                let start = file.text.floor_char_boundary(file.text.len() * at / 1000);
                let end = file.text.floor_char_boundary((start + cut).min(file.text.len()));
                file.text.replace_range(start..end, &with);
                import_template(&file, &BTreeMap::new(), &map());
                import_commands(&[file], &map());
            }
        }
    }
}
