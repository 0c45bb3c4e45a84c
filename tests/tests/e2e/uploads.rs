//! Plugins of a running router: sent to it, refused, taken back, listened to.

use std::fs;

use serde_json::json;

use crate::harness::{Ended, Process, Router, Scene, plugin};

const TOKEN: &str = "0123456789abcdef0123";
const EVENT: &str = r#"{"source":"a","detail-type":"T","detail":{"orderId":"o-1","items":[]}}"#;

fn rule(name: &str, plugin: &str, more: &str) -> String {
    format!(
        "name: {name}\npattern: {{ source: [a] }}\ntargets:\n  - id: out\n    log: {{ file: {name}.jsonl }}\n    transform:\n      - plugin: {plugin}\n{more}"
    )
}

/// A router whose rule `a` has the plugin `step`, which is order-summary to begin with.
fn scene() -> Scene {
    let scene = Scene::new().configured("plugin: { upload_token: '${file:token}' }\n");
    scene.write("token", format!("{TOKEN}\n"));
    scene.write("rules/a.yaml", rule("a", "step", ""));
    fs::copy(plugin("order-summary"), scene.path("plugins/step.wasm")).unwrap();
    scene
}

fn with_token(scene: &Scene, router: &Router, token: &str, words: &[&str]) -> Ended {
    let url = router.url();
    let mut command = scene.command(&[&["plugin"], words, &["--url", &url]].concat());
    Process::start(command.env("SLIPSWITCH_TOKEN", token), b"").ended()
}

fn step(scene: &Scene) -> Vec<u8> {
    fs::read(scene.path("plugins/step.wasm")).unwrap()
}

#[test]
fn an_upload_is_in_service_when_it_is_answered_and_can_be_taken_back() {
    let more = "plugin: { upload_token: '${file:token}' }\nlog: { level: debug }\n";
    let scene = scene().configured(more);
    let router = scene.serve();
    let run = |words: &[&str]| with_token(&scene, &router, TOKEN, words);
    let other = plugin("misbehave").display().to_string();
    let listed = run(&["ls", "-o", "json"]).expect(0).json();
    assert_eq!((&listed[0]["name"], &listed[0]["rules"][0]), (&"step".into(), &"a".into()));

    let put = ["put", other.as_str(), "--name", "step"];
    let done = run(&put).expect(0);
    assert!(
        done.out.starts_with("step 0.") && done.out.contains(": in service, generation 2"),
        "{}",
        done.out
    );
    assert_eq!(step(&scene), fs::read(&other).unwrap());
    let again = run(&put).expect(0);
    assert!(again.out.contains("was in service already, generation 2"), "{}", again.out);

    let versions = run(&["versions", "step", "-o", "json"]).expect(0).json();
    assert_eq!(versions.as_array().unwrap().len(), 2, "{versions}");
    assert!(versions[0]["until"].is_null() && versions[1]["until"].is_string(), "{versions}");
    let back = run(&["rollback", "step"]).expect(0);
    assert!(back.out.contains(": in service, generation 3"), "{}", back.out);
    assert_eq!(step(&scene), fs::read(plugin("order-summary")).unwrap());
    let first = versions[0]["digest"].as_str().unwrap();
    run(&["rollback", "step", first.get(..8).unwrap()]).expect(0);
    assert_eq!(step(&scene), fs::read(&other).unwrap());
    run(&["rollback", "step", "ffffffff"])
        .expect(1)
        .says(&["no version that is kept begins with `ffffffff`"]);

    run(&["rm", "step"]).expect(1).says(&["the rule `a` uses it: take it out of there first"]);
    let unused = run(&["put", &other, "--name", "unused"]).expect(0);
    assert!(
        unused.out.contains(": loaded, and no rule uses it yet, generation "),
        "{}",
        unused.out
    );
    run(&["rm", "unused"]).expect(0);
    assert!(!scene.path("plugins/unused.wasm").exists());
    run(&["rm", "unused"]).expect(1).says(&["there is no plugin `unused`"]);

    // The folder is what runs: who looks at it again loads nothing twice.
    let err = &router.process.err;
    let (last, _) = err.wait_for("generation=6", 0);
    scene.replace("rules/a.yaml", rule("a", "step", ""));
    err.wait_for("folders looked at, content unchanged", last);
    let status = router.status();
    assert_eq!(status["generation"]["number"], 6, "{status}");
}

#[test]
fn a_plugin_that_runs_beside_another_is_in_use() {
    let scene = scene();
    for (name, beside) in [("b", "shadow: next"), ("c", "canary: { plugin: next, share: 10% }")] {
        let path = format!("rules/{name}.yaml");
        scene.write(&path, rule(name, "step", &format!("        {beside}\n")));
    }
    fs::copy(plugin("order-summary"), scene.path("plugins/next.wasm")).unwrap();
    let router = scene.serve();
    let run = |words: &[&str]| with_token(&scene, &router, TOKEN, words);
    let listed = run(&["ls", "-o", "json"]).expect(0).json();
    assert_eq!((&listed[0]["name"], &listed[0]["rules"]), (&"next".into(), &json!(["b", "c"])));
    assert_eq!(listed[1]["rules"], json!(["a", "b", "c"]));
    run(&["rm", "next"]).expect(1).says(&["the rules `b`, `c` use it: take it out of there first"]);
    assert!(scene.path("plugins/next.wasm").exists());
}

#[test]
fn one_can_go_back_while_an_unrelated_rule_file_is_broken() {
    let scene = scene();
    let router = scene.serve();
    let run = |words: &[&str]| with_token(&scene, &router, TOKEN, words);
    let other = plugin("misbehave").display().to_string();
    run(&["put", &other, "--name", "step"]).expect(0);
    scene.write("rules/half.yaml", "name: [\n");
    router.wait_for_status(|status| !status["last_error"].is_null());

    // What is wrong with the plugin itself is still told.
    scene.write("text.wasm", "hello");
    run(&["put", &scene.path("text.wasm").display().to_string(), "--name", "step"])
        .expect(78)
        .says(&["rules/a.yaml:7:17", "not WebAssembly", "nothing was changed"]);
    assert_eq!(step(&scene), fs::read(&other).unwrap());

    let back = run(&["rollback", "step"]).expect(0);
    assert!(back.out.contains(": in service, generation 3"), "{}", back.out);
    assert_eq!(step(&scene), fs::read(plugin("order-summary")).unwrap());
    let again = run(&["put", &plugin("order-summary").display().to_string(), "--name", "step"]);
    assert!(again.expect(0).out.contains("was in service already, generation 3"));
    let status = router.status();
    let rendered = status["last_error"]["rendered"].as_str().unwrap();
    assert!(rendered.contains("half.yaml"), "the folder is still broken: {rendered}");
    assert_eq!(status["generation"]["rules"], 1);

    // Another plugin that is broken does not stand in the way either, and the mend is taken up.
    fs::remove_file(scene.path("rules/half.yaml")).unwrap();
    router.wait_for_status(|status| status["last_error"].is_null());
    fs::copy(plugin("redact"), scene.path("plugins/other.wasm")).unwrap();
    let config = "        config: { fields: [$.detail.x] }\n";
    scene.write("rules/b.yaml", rule("b", "other", config));
    router.wait_for_status(|status| status["generation"]["rules"] == 2);
    scene.write("plugins/other.wasm", "damaged");
    router.wait_for_status(|status| !status["last_error"].is_null());
    let listed = run(&["ls", "-o", "json"]).expect(0).json();
    let refused = |at: usize| (listed[at]["name"].clone(), listed[at]["refused"].clone());
    let told = [("other".into(), true.into()), ("step".into(), false.into())];
    assert_eq!([refused(0), refused(1)], told, "{listed}");
    let shown = run(&["ls"]).expect(0).out;
    assert!(shown.contains(" refused "), "{shown}");
    run(&["put", &other, "--name", "step"]).expect(0);
    let versions = run(&["versions", "other", "-o", "json"]).expect(0).json();
    run(&["rollback", "other", versions[0]["digest"].as_str().unwrap()]).expect(0);
    router.wait_for_status(|status| status["last_error"].is_null());
    assert_eq!(step(&scene), fs::read(&other).unwrap());
}

#[test]
fn what_does_not_load_or_breaks_a_test_is_refused_whole() {
    let scene = scene();
    let tests =
        "tests:\n  - name: one\n    event: EVENT\n    expect: { out: \"Order o-1: 0 items\" }\n";
    scene.write("rules/b.yaml", rule("b", "step", &tests.replace("EVENT", EVENT)));
    let router = scene.serve();
    let before = step(&scene);
    let refused = |code: i32, file: &str, name: &str, words: &[&str]| {
        let ended = with_token(&scene, &router, TOKEN, &["put", file, "--name", name]);
        ended.expect(code).says(words);
        assert_eq!(step(&scene), before);
        assert_eq!(
            fs::read_dir(scene.path("plugins")).unwrap().count(),
            1,
            "nothing is left lying"
        );
    };
    scene.write("text.wasm", "hello");
    refused(78, "text.wasm", "new", &["Plugin refused: not WebAssembly", "nothing was changed"]);
    refused(
        78,
        "text.wasm",
        "step",
        &["rules/a.yaml:7:17", "Plugin refused", "nothing was changed"],
    );
    let other = plugin("misbehave").display().to_string();
    refused(
        78,
        &other,
        "step",
        &["test `one` of rule `b` failed", "1 of 1 inline tests failed; nothing was changed"],
    );
    refused(1, &other, "../step", &["is no name for a plugin"]);
    assert_eq!(router.status()["generation"]["number"], 1);
}

#[test]
fn nobody_changes_plugins_without_the_token() {
    let scene = scene();
    let router = scene.serve();
    let file = plugin("redact").display().to_string();
    for (token, words) in [
        ("", "this takes the router's token"),
        ("0123456789abcdef0124", "this is not the router's token"),
    ] {
        for words_of in [&["put", file.as_str()][..], &["rm", "step"], &["rollback", "step"]] {
            with_token(&scene, &router, token, words_of).expect(1).says(&[words]);
        }
    }
    drop(router);
    let closed = Scene::new();
    let router = closed.serve();
    with_token(&closed, &router, TOKEN, &["put", &file])
        .expect(1)
        .says(&["Forbidden", "upload_token"]);

    let broken = Scene::new().configured("plugin: { upload_token: secret }\n");
    broken.run(&["serve"]).expect(78).says(&["the token itself does not stand in this file"]);
    let missing = Scene::new().configured("plugin: { upload_token: '${file:nowhere}' }\n");
    missing.run(&["serve"]).expect(78).says(&["plugin.upload_token: read ", "nowhere"]);
}

#[test]
fn the_lines_of_a_plugin_are_shown_and_followed() {
    let scene = Scene::new().with_plugins(&["misbehave"]);
    scene.write("rules/a.yaml", rule("a", "misbehave", "        config: { how: panic }\n"));
    let router = scene.serve();
    let url = router.url();
    let logs = ["plugin", "logs", "misbehave", "--url", &url];
    let follower = Process::start(&mut scene.command(&[&logs[..], &["-f"]].concat()), b"");
    assert_eq!(router.send(EVENT).status, 202);
    follower.out.wait_for("misbehaving on purpose, on event", 0);
    let shown = scene.run(&[&logs[..], &["-o", "json", "--level", "error"]].concat()).expect(0);
    let line: serde_json::Value = serde_json::from_str(shown.out.lines().next().unwrap()).unwrap();
    assert_eq!((&line["plugin"], &line["level"]), (&"misbehave".into(), &"error".into()));
    assert_eq!(line["rule"], "a", "{line}");
    scene
        .run(&["plugin", "logs", "misbehav", "--url", &url])
        .expect(1)
        .says(&["did you mean `misbehave`?"]);

    // A follower does not hold a stop up.
    router.process.terminate();
    assert_eq!(follower.ended().code, Some(0));
}
