//! `slipswitch import`: what is printed, what is written, and the code it ends with.

mod support;

use std::fs;
use std::path::Path;

use support::{Outcome, run};

const RULE: &str = r#"{"Name": "orders", "EventBusName": "shop", "EventPattern": "{\"source\":[\"a\"]}"}
{"Targets": [{"Id": "audit", "Arn": "arn:aws:events:eu-west-1:1:event-bus/audit"}]}
"#;

const TEMPLATE: &str = "\
Parameters: { Stage: { Type: String } }
Resources:
  Orders:
    Type: AWS::Events::Rule
    Properties:
      Name: !Sub 'orders-${Stage}'
      EventPattern: { source: [a] }
      Targets:
        - { Id: worker, Arn: !GetAtt Worker.Arn, RoleArn: r }
";

fn slipswitch(folder: &Path, arguments: &[&str], input: &str) -> Outcome {
    run(arguments, input, |command| command.current_dir(folder))
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("rule.json"), RULE).expect("write a rule");
    fs::write(folder.path().join("template.yaml"), TEMPLATE).expect("write a template");
    fs::write(folder.path().join("map.yaml"), "Worker: { http: 'http://127.0.0.1:9/x' }\n")
        .expect("write a map");
    folder
}

#[test]
fn rules_go_to_standard_output_and_the_talk_to_standard_error() {
    let folder = folder();
    let done = slipswitch(folder.path(), &["import", "aws", "-"], RULE);
    assert_eq!(done.code, Some(0), "{}", done.err);
    assert!(
        done.out.starts_with("# From standard input, line 1.\nname: orders\nbus: shop\n"),
        "{}",
        done.out
    );
    assert!(done.err.contains("add to `buses` of slipswitch.yaml: audit"), "{}", done.err);
    assert!(done.err.contains("1 rule; everything was carried over"), "{}", done.err);
}

#[test]
fn what_is_written_passes_check_and_is_written_over_only_with_force() {
    let folder = folder();
    let with = |more: &[&str]| {
        let mut arguments =
            vec!["import", "cfn", "template.yaml", "--map", "map.yaml", "--param", "Stage=prod"];
        arguments.extend(["--out", "rules"]);
        arguments.extend(more);
        slipswitch(folder.path(), &arguments, "")
    };
    let done = with(&[]);
    assert_eq!((done.code, done.out.as_str()), (Some(0), ""), "{}", done.err);
    assert!(
        done.err.contains("to know:\n  template.yaml:9: Orders, Targets.worker.RoleArn:"),
        "{}",
        done.err
    );
    assert!(
        done.err.contains("1 rule written to rules; everything was carried over, 1 noted"),
        "{}",
        done.err
    );
    let checked = slipswitch(folder.path(), &["check"], "");
    assert_eq!(checked.code, Some(0), "{}", checked.err);

    let file = folder.path().join("rules/orders-prod.yaml");
    fs::write(&file, "mine").expect("write over it");
    let refused = with(&[]);
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.err.contains("rules/orders-prod.yaml") && refused.err.contains("--force"),
        "{}",
        refused.err
    );
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
    assert_eq!(with(&["--force"]).code, Some(0));
    assert!(fs::read_to_string(&file).unwrap().contains("name: orders-prod"));
}

#[test]
fn what_is_left_behind_is_one_and_says_how_to_go_on() {
    let folder = folder();
    let lost = slipswitch(folder.path(), &["import", "cfn", "template.yaml"], "");
    assert_eq!((lost.code, lost.out.as_str()), (Some(1), ""));
    assert!(lost.err.contains("--param Stage=…"), "{}", lost.err);
    let lost =
        slipswitch(folder.path(), &["import", "cfn", "template.yaml", "--param", "Stage=a"], "");
    assert_eq!(lost.code, Some(1));
    assert!(lost.err.contains("\"Worker\": { http: "), "{}", lost.err);
    // Right at Amazon, not right here.
    let bad = RULE.replace("orders", &"x".repeat(65));
    let refused = slipswitch(folder.path(), &["import", "aws", "-"], &bad);
    assert_eq!((refused.code, refused.out.as_str()), (Some(1), ""));
    assert!(
        refused.err.contains("is not right here") && refused.err.contains("65 characters"),
        "{}",
        refused.err
    );
    let torn = slipswitch(folder.path(), &["import", "aws", "-"], "{\"Name\": ");
    assert_eq!((torn.code, torn.out.as_str()), (Some(1), ""), "{}", torn.err);
}

#[test]
fn wrong_usage_and_missing_files_are_told() {
    let folder = folder();
    let code = |arguments: &[&str]| slipswitch(folder.path(), arguments, "").code;
    assert_eq!(code(&["import"]), Some(2));
    assert_eq!(code(&["import", "aws"]), Some(2));
    assert_eq!(code(&["import", "cfn", "template.yaml", "--param", "Stage"]), Some(2));
    assert_eq!(code(&["import", "aws", "rule.json", "--force"]), Some(2));
    let missing = slipswitch(folder.path(), &["import", "cfn", "nowhere.yaml"], "");
    assert_eq!(missing.code, Some(1));
    assert!(missing.err.contains("nowhere.yaml"), "{}", missing.err);
    fs::write(folder.path().join("map.yaml"), "- a\n").unwrap();
    let map = slipswitch(folder.path(), &["import", "aws", "rule.json", "--map", "map.yaml"], "");
    assert_eq!(map.code, Some(1));
    assert!(map.err.contains("map.yaml:1:1"), "{}", map.err);
}

/// What standard error says is to be added to the configuration.
fn stanza(err: &str) -> String {
    let head = "add to slipswitch.yaml, and set the variables:\n";
    let (_, rest) = err.split_once(head).expect("there are connections");
    let lines = rest.lines().map_while(|line| line.strip_prefix("  "));
    lines.map(|line| format!("{line}\n")).collect()
}

#[test]
fn imported_connections_and_the_rules_that_use_them_pass_check_together() {
    for template in ["connections.yaml", "api-destinations.yaml"] {
        let folder = folder();
        let path =
            format!("{}/../ruleset/testdata/import/cfn/{template}", env!("CARGO_MANIFEST_DIR"));
        let done = slipswitch(folder.path(), &["import", "cfn", &path, "--out", "rules"], "");
        assert_eq!(done.code, Some(1), "some of it cannot be carried over: {}", done.err);
        assert!(!done.err.contains("there is no connection"), "{}", done.err);
        assert!(!done.err.contains("hunter2"), "{}", done.err);
        fs::write(folder.path().join("slipswitch.yaml"), stanza(&done.err)).unwrap();
        let checked = slipswitch(folder.path(), &["check", "--deny", "warnings"], "");
        assert_eq!(checked.code, Some(0), "{}{}", stanza(&done.err), checked.err);
        assert!(checked.out.contains("1 file, 1 rule, 0 tests: no problem"), "{}", checked.out);
    }
}

#[test]
fn what_check_will_warn_of_is_shown_and_is_no_loss() {
    let folder = folder();
    let never = RULE.replace("source", "sourse");
    let done = slipswitch(folder.path(), &["import", "aws", "-"], &never);
    assert_eq!(done.code, Some(0), "{}", done.err);
    assert!(done.err.contains("`slipswitch check` will warn of these:\n"), "{}", done.err);
    assert!(done.err.contains("(pattern-never-matches)"), "{}", done.err);
}
