//! `slipswitch doctor` on machines that are well, and on such as are not.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;

use receiver::Receiver;
use serde_json::Value;

use crate::harness::{Ended, Scene};

fn free_address() -> String {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    socket.local_addr().unwrap().to_string()
}

/// With a folder for data that is as it should be, and an address that nobody has.
fn scene() -> Scene {
    let scene = Scene::new().configured(&format!("listen: {}\n", free_address()));
    fs::create_dir(scene.path("data")).unwrap();
    close(&scene, "data", 0o700);
    scene
}

fn close(scene: &Scene, path: &str, mode: u32) {
    fs::set_permissions(scene.path(path), fs::Permissions::from_mode(mode)).unwrap();
}

/// The state, what was found and the mend of one check.
#[track_caller]
fn check(ended: &Ended, about: &str) -> (String, String, String) {
    let checks = ended.json();
    let found = checks.as_array().unwrap().iter().find(|check| check["about"] == about);
    let found = found.unwrap_or_else(|| panic!("no check of {about}: {checks:#}"));
    let text = |key: &str| found[key].as_str().unwrap_or_default().to_owned();
    (text("state"), text("found"), text("mend"))
}

#[test]
fn a_machine_that_is_well_has_no_problem_and_nothing_is_left_behind() {
    let scene = scene();
    let ended = scene.run(&["doctor"]).expect(0);
    for part in ["✓ configuration", "✓ address", "is free", "✓ router", "✓ data folder", "✓ rules"]
    {
        assert!(ended.out.contains(part), "{part}:\n{}", ended.out);
    }
    assert!(ended.out.lines().all(|line| line.chars().count() <= 80), "{}", ended.out);
    assert!(!ended.out.contains('\u{1b}') && ended.err.is_empty(), "{ended:?}");
    assert_eq!(fs::read_dir(scene.path("data")).unwrap().count(), 0);
}

#[test]
fn a_running_router_is_asked_and_found_by_its_port_and_its_lock() {
    let scene = scene();
    let router = scene.serve();
    let url = format!("http://{}", router.address());
    let ended = scene.run(&["doctor", "-o", "json", "--url", &url]).expect(0);
    assert!(check(&ended, "router").1.contains("as this command is"), "{}", ended.out);
    for about in ["readiness", "router's clock", "last reload", "data lock"] {
        assert_eq!(check(&ended, about).0, "ok", "{}", ended.out);
    }
    assert!(check(&ended, "data lock").1.contains("slipswitch (process "), "{}", ended.out);
    // The same without a word about where it is.
    scene.write("slipswitch.yaml", format!("listen: {}\n", router.address()));
    let ended = scene.run(&["doctor", "-o", "json"]).expect(0);
    assert!(check(&ended, "address").1.contains("a router listens"), "{}", ended.out);
    // Rules that do not compile are on the disk, and the router goes on with none.
    scene.write("rules/a.yaml", "nmae: x\n");
    scene.run(&["reload", "--url", &url]).expect(78);
    let ended = scene.run(&["doctor", "-o", "json"]).expect(1);
    assert_eq!(check(&ended, "last reload").0, "problem", "{}", ended.out);
    let (state, found, mend) = check(&ended, "rules");
    assert_eq!(state, "problem");
    assert!(found.contains("a.yaml") && mend.contains("slipswitch check"), "{found} {mend}");
}

#[test]
fn somebody_elses_port_is_a_problem_with_a_name() {
    let scene = Scene::new();
    let stranger = Receiver::start().unwrap();
    scene.write("slipswitch.yaml", format!("listen: {}\n", stranger.address()));
    let ended = scene.run(&["doctor", "-o", "json"]).expect(1);
    assert!(check(&ended, "router").1.contains("no router"), "{}", ended.out);
    let (state, found, mend) = check(&ended, "address");
    assert_eq!(state, "problem", "{found}");
    assert!(found.contains("is no router") && mend.contains("--listen"), "{found} {mend}");
}

#[test]
fn what_is_wrong_is_told_with_the_next_command() {
    let scene = scene().configured(&format!(
        "listen: {}\nplugin: {{ upload_token: \"${{file:token}}\" }}\n",
        free_address()
    ));
    scene.write("token", "0123456789abcdef0123456789abcdef");
    close(&scene, "token", 0o644);
    close(&scene, "data", 0o755);
    let ended = scene.run(&["doctor", "-o", "json"]).expect(0);
    for about in ["secrets", "data rights"] {
        let (state, found, mend) = check(&ended, about);
        assert_eq!(state, "warning", "{found}");
        assert!(mend.contains("chmod"), "{mend}");
    }
    // A file where the folder should be.
    let ended = scene.run(&["doctor", "-o", "json", "--data", "token"]).expect(1);
    assert_eq!(check(&ended, "data folder").0, "problem", "{}", ended.out);
    // A router was named, and is not there.
    let nowhere = format!("http://{}", free_address());
    let ended = scene.run(&["doctor", "-o", "json", "--url", &nowhere]).expect(1);
    assert!(check(&ended, "router").2.contains("slipswitch serve"), "{}", ended.out);
}

#[test]
fn a_broken_configuration_is_the_first_problem_and_the_machine_is_looked_at_all_the_same() {
    let scene = scene();
    scene.write("slipswitch.yaml", "lisen: 1\n");
    let ended = scene.run(&["doctor", "-o", "json"]).expect(1);
    let checks = ended.json();
    assert_eq!(checks[0]["about"], "configuration");
    assert!(check(&ended, "configuration").1.contains("did you mean `listen`"), "{}", ended.out);
    let has =
        |about: &str| checks.as_array().unwrap().iter().any(|one: &Value| one["about"] == about);
    assert!(has("clock") && has("memory") && !has("data folder"), "{}", ended.out);
    let ended = scene.run(&["doctor", "--config", "nowhere.yaml"]).expect(1);
    assert!(ended.out.contains("✗ configuration") && ended.out.contains("nowhere.yaml"));
}

#[test]
fn wrong_words_are_wrong_usage() {
    let scene = scene();
    scene.run(&["doctor", "--url", "nonsense"]).expect(2).says(&["http://"]);
    scene.run(&["doctor", "-o", "xml"]).expect(2).says(&["table", "json"]);
    scene.run(&["doctor", "everything"]).expect(2).says(&["everything"]);
}
