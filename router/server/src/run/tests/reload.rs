//! Rules that change while the router runs.

use std::fs;

use super::super::Mode;
use super::{EVENT, LONG, RULE, Scene};
use crate::config::Tests;

#[test]
fn dev_waits_for_the_mend() {
    let scene = Scene::start(&[("a.yaml", "nmae: x\n")], Mode::Dev);
    let status = scene.get("/api/v1/status").json();
    assert_eq!(
        (&status["generation"]["number"], &status["generation"]["rules"]),
        (&1.into(), &0.into())
    );
    assert!(status["last_error"]["rendered"].as_str().unwrap().contains("a.yaml"), "{status}");
    assert!(scene.get("/metrics").body.contains("slipswitch_config_last_reload_successful 0\n"));
    assert_eq!(scene.send("POST", "/events", EVENT).status, 202);

    scene.write_rule("a.yaml", RULE);
    let status = scene.status_until(|status| status["last_error"].is_null());
    assert_eq!(
        (&status["generation"]["number"], &status["generation"]["rules"]),
        (&2.into(), &1.into())
    );
    let rules = scene.get("/api/v1/rules").json();
    assert_eq!(rules[0]["name"], "all");
    assert_eq!(rules[0]["targets"][0]["kind"], "log");
}

#[test]
fn broken_rules_leave_the_old_ones_running() {
    let scene = Scene::start(&[("a.yaml", RULE)], Mode::Serve);
    scene.write_rule("b.yaml", "name: [\n");
    let status = scene.status_until(|status| !status["last_error"].is_null());
    assert_eq!(status["generation"]["number"], 1);
    assert!(status["last_error"]["diagnostics"][0]["path"].as_str().unwrap().ends_with("b.yaml"));

    scene.write_rule("b.yaml", &RULE.replace("all", "second"));
    let status = scene.status_until(|status| status["generation"]["number"] == 2);
    assert_eq!(
        (&status["generation"]["rules"], &status["last_error"]),
        (&2.into(), &serde_json::Value::Null)
    );
}

#[test]
fn a_file_that_became_empty_keeps_its_rules_until_it_is_deleted() {
    let files = [("a.yaml", RULE), ("b.yaml", &RULE.replace("all", "second")), ("c.yaml", "")];
    let scene = Scene::start(&files, Mode::Serve);
    for half_saved in ["", " \n", "# nothing but words\n", "---\n"] {
        scene.write_rule("b.yaml", half_saved);
        let status = scene.status_until(|status| !status["last_error"].is_null());
        let told = &status["last_error"]["diagnostics"][0];
        assert!(told["message"].as_str().unwrap().ends_with("rules/b.yaml became empty"), "{told}");
        assert!(told["mend"].as_str().unwrap().starts_with("is it half saved?"), "{told}");
        assert_eq!(status["generation"]["rules"], 2, "{half_saved:?}");
        scene.write_rule("b.yaml", &RULE.replace("all", "second"));
        scene.status_until(|status| status["last_error"].is_null());
    }

    fs::remove_file(scene.dir.path().join("rules/b.yaml")).unwrap();
    scene.status_until(|status| status["generation"]["rules"] == 1);
}

#[test]
fn a_reload_is_answered_when_it_runs_or_with_what_is_wrong() {
    let scene = Scene::start(&[("a.yaml", RULE)], Mode::Serve);
    let same = scene.send("POST", "/api/v1/reload", "").json();
    let generation = same["generation"].as_u64().unwrap();
    assert!(1 < generation, "{same}");
    assert_eq!(
        (&same["changed"], &same["rules"], &same["files"]),
        (&false.into(), &1.into(), &1.into())
    );
    assert_eq!(scene.get("/api/v1/status").json()["generation"]["number"], generation);

    scene.write_rule("a.yaml", "nmae: x\n");
    let refused = scene.send("POST", "/api/v1/reload", "");
    refused.problem(422, "rules-refused");
    assert!(refused.json()["rendered"].as_str().unwrap().contains("did you mean `name`?"));
    assert_eq!(scene.get("/api/v1/rules").json()[0]["name"], "all");
    assert!(scene.get("/metrics").body.contains("slipswitch_config_last_reload_successful 0\n"));
}

#[test]
fn a_backlog_that_loses_its_rule_is_told() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let http = format!("http: 'http://{}/'", silent.local_addr().unwrap());
    let owed = RULE.replace("log: { file: OUT }", &http);
    // Written under another name, where nobody looks: the reload is the first to see it.
    let scene = Scene::start_with(&[("a.yaml", &owed)], Mode::Serve, |config| {
        config.reload.poll = LONG;
    });
    let scene = scene.unwrap();
    let elsewhere = scene.dir.path().join("elsewhere.yaml");
    fs::hard_link(scene.dir.path().join("rules/a.yaml"), &elsewhere).unwrap();
    assert_eq!(scene.send("POST", "/buses/shop/events", EVENT).status, 202);
    scene.status_until(|status| status["router"]["subscriptions"][0]["in_flight"] == 1);
    fs::write(&elsewhere, owed.replace("name: all", "name: second")).unwrap();

    let told = scene.send("POST", "/api/v1/reload", "").json();
    assert_eq!(told["changed"], true, "{told}");
    let removed = told["removed"].as_array().unwrap();
    assert_eq!(removed.len(), 1, "{told}");
    assert_eq!((&removed[0]["bus"], &removed[0]["rule"]), (&"shop".into(), &"all".into()));
    assert_eq!((&removed[0]["behind"], &removed[0]["under_way"]), (&0.into(), &1.into()));
    assert!(removed[0]["kept_until"].is_string(), "{told}");
    let again = scene.send("POST", "/api/v1/reload", "").json();
    assert_eq!(again["removed"], serde_json::json!([]), "told once");
    drop(silent); // So that the stop has nothing to wait for.
}

#[test]
fn tests_that_fail_keep_rules_out_only_where_they_are_enforced() {
    let failing = format!(
        "{RULE}tests:\n  - {{ name: no, event: {{ source: other, detail-type: T, detail: {{}} }}, expect: {{}} }}\n"
    );
    for (tests, runs) in [(Tests::Enforced, false), (Tests::Warned, true), (Tests::Off, true)] {
        let scene = Scene::start_with(&[("a.yaml", RULE)], Mode::Serve, |config| {
            config.reload.tests = tests;
        });
        let scene = scene.unwrap();
        scene.write_rule("b.yaml", &failing.replace("all", "second"));
        let reload = scene.send("POST", "/api/v1/reload", "");
        let status = scene.get("/api/v1/status").json();
        assert_eq!(status["generation"]["rules"], if runs { 2 } else { 1 }, "{tests:?}");
        assert_eq!(reload.status, if runs { 200 } else { 422 }, "{tests:?}: {}", reload.body);
        if runs {
            assert_eq!(reload.json()["tests"], u64::from(tests == Tests::Warned));
        }
    }
}

#[test]
fn a_rotated_secret_is_a_change() {
    let dir = tempfile::tempdir().unwrap();
    let secret = dir.path().join("secret");
    fs::write(&secret, "one").unwrap();
    let http = format!(
        "http: {{ url: 'http://127.0.0.1:9/', headers: {{ authorization: '${{file:{}}}' }} }}",
        secret.display()
    );
    let rule = RULE.replace("log: { file: OUT }", &http);
    let scene = Scene::start(&[("a.yaml", &rule)], Mode::Serve);
    fs::write(&secret, "two").unwrap();
    scene.status_until(|status| status["generation"]["number"] == 2);
    let rules = scene.get("/api/v1/rules").body;
    assert!(rules.contains("http://127.0.0.1:9/") && !rules.contains("two"), "{rules}");

    fs::remove_file(&secret).unwrap();
    scene.status_until(|status| !status["last_error"].is_null());
    fs::write(&secret, "two").unwrap();
    scene.status_until(|status| status["last_error"].is_null());
}

#[test]
fn a_folder_that_vanishes_is_an_error_and_its_return_a_reload() {
    let scene = Scene::start(&[("a.yaml", RULE)], Mode::Serve);
    let (rules, aside) = (scene.dir.path().join("rules"), scene.dir.path().join("aside"));
    fs::rename(&rules, &aside).unwrap();
    let status = scene.status_until(|status| !status["last_error"].is_null());
    assert!(status["last_error"]["message"].as_str().unwrap().contains("rules"), "{status}");
    assert_eq!(status["generation"]["rules"], 1);
    fs::rename(&aside, &rules).unwrap();
    scene.status_until(|status| status["last_error"].is_null());
    scene.write_rule("b.yaml", &RULE.replace("all", "second"));
    scene.status_until(|status| status["generation"]["rules"] == 2);
}
