//! Rule files in one form: what `slipswitch fmt` prints, writes and leaves.

use std::fs;

use crate::harness::Scene;

const ROUGH: &str = "\
# Big ones.
bus: shop
name:   a # short
targets:
- {log: console, id: out}
pattern: {source: [a]}
";

const SMOOTH: &str = "\
# Big ones.
name: a # short
bus: shop
pattern: { source: [a] }
targets:
  - { id: out, log: console }
";

#[test]
fn rule_files_are_named_then_formatted_and_then_nothing_is_left_to_do() {
    let scene = Scene::new();
    scene.write("rules/a.yaml", ROUGH);
    scene.write("rules/b.yaml", SMOOTH.replace("name: a", "name: b"));

    let ended = scene.run(&["fmt", "--check"]).expect(1);
    assert_eq!(ended.out, "rules/a.yaml\n");
    assert_eq!(ended.err, "1 file would change, 1 as it is\nnext: slipswitch fmt\n");
    assert_eq!(fs::read_to_string(scene.path("rules/a.yaml")).unwrap(), ROUGH);

    let ended = scene.run(&["fmt"]).expect(0);
    assert_eq!(
        (ended.out.as_str(), ended.err.as_str()),
        ("rules/a.yaml\n", "1 file formatted, 1 as it is\n")
    );
    assert_eq!(fs::read_to_string(scene.path("rules/a.yaml")).unwrap(), SMOOTH);

    let ended = scene.run(&["fmt", "--check", "rules/a.yaml", "rules"]).expect(0);
    assert_eq!(
        (ended.out.as_str(), ended.err.as_str()),
        ("", "0 files would change, 2 as they are\n")
    );
    scene.run(&["check"]).expect(0);
}

#[test]
fn standard_input_is_formatted_to_standard_output() {
    let scene = Scene::new();
    assert_eq!(scene.run_on(&["fmt", "-"], ROUGH.as_bytes()).expect(0).out, SMOOTH);
    assert_eq!(scene.run_on(&["fmt", "--check", "-"], ROUGH.as_bytes()).expect(1).out, "-\n");
    assert_eq!(scene.run_on(&["fmt", "--check", "-"], SMOOTH.as_bytes()).expect(0).out, "");
    let ended = scene.run_on(&["fmt", "-"], b"name: [\n").expect(78);
    assert!(ended.out.is_empty() && ended.err.contains("standard input:1:7"), "{}", ended.err);
    scene.run_on(&["fmt", "-", "rules"], b"").expect(2);
}

#[test]
fn what_is_broken_is_shown_as_check_shows_it_and_the_others_are_formatted() {
    let scene = Scene::new();
    scene.write("rules/a.yaml", "name: a\nname: b\n");
    scene.write("rules/b.yaml", ROUGH);
    let ended = scene.run(&["fmt"]).expect(78).says(&["rules/a.yaml:2:1", "given twice"]);
    assert_eq!(ended.out, "rules/b.yaml\n");
    assert_eq!(fs::read_to_string(scene.path("rules/a.yaml")).unwrap(), "name: a\nname: b\n");
    scene.run(&["fmt", "no-such-folder"]).expect(78).says(&["no-such-folder"]);
}
