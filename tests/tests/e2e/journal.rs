//! `slipswitch journal …`: the files of a router that does not run. What is damaged is in `damage`.

use std::fs;

use serde_json::Value;

use crate::harness::{Ended, Process, Scene};

/// Large enough that an export does not fit into a pipe.
const PADDING: usize = 20_000;

fn event(id: &str, padding: usize) -> String {
    let padding = "x".repeat(padding);
    format!(
        "{{\"id\":\"{id}\",\"source\":\"a\",\n\"detail-type\":\"T\",\"detail\":{{\"padding\":\"{padding}\"}}}}"
    )
}

/// Two events on each bus are sealed, and archived on one of them; the rest is hot.
fn scene() -> Scene {
    let scene = Scene::new();
    let configure = |more: &str| {
        let configuration = format!("buses: [shop]\njournal: {{ segment_bytes: 16MiB, {more} }}\n");
        scene.write("slipswitch.yaml", configuration);
    };
    configure("seal_after: 1s }\nlog: { level: debug");
    let router = scene.serve();
    router.run(&["archive", "create", "kept", "--bus", "shop"]).expect(0);
    for number in 0..2 {
        router.send(&event(&format!("default-{number}"), 10)).ids();
        router.send_to("shop", &event(&format!("shop-{number}"), 10)).ids();
    }
    let mut sealed = 0;
    while scene.run_sealed(&router) < 4 {
        sealed = router.process.err.wait_for("events sealed", sealed).0 + 1;
    }
    router.stop().expect(0);
    configure("seal_after: 1h");
    let router = scene.serve();
    (2..42).for_each(|number| _ = router.send(&event(&format!("default-{number}"), PADDING)).ids());
    router.send_to("shop", &event("shop-2", 10)).ids();
    router.stop().expect(0);
    scene
}

impl Scene {
    fn run_sealed(&self, router: &crate::harness::Router) -> u64 {
        router.status()["router"]["journal"]["sealed_to"].as_u64().unwrap()
    }

    fn journal(&self, words: &[&str]) -> Ended {
        self.run(&[&["journal"], words].concat())
    }
}

fn ids(exported: &str) -> Vec<String> {
    let lines = exported.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.map(|event| event["id"].as_str().unwrap().to_owned()).collect()
}

fn numbered(bus: &str, numbers: std::ops::Range<usize>) -> Vec<String> {
    numbers.map(|number| format!("{bus}-{number}")).collect()
}

#[test]
fn an_export_takes_only_what_a_pattern_matches() {
    let scene = scene();
    let pattern = r#"{"id": [{"suffix": "-1"}]}"#;
    let chosen = scene.journal(&["export", "--pattern", pattern]).expect(0);
    assert_eq!(ids(&chosen.out), ["default-1", "shop-1"]);
    let kept = scene.journal(&["export", "--archive", "kept", "--pattern", pattern]).expect(0);
    assert_eq!(ids(&kept.out), ["shop-1"]);
    let wrong = scene.journal(&["export", "--pattern", "{\"id\": 1}"]).expect(2);
    assert!(wrong.out.is_empty() && wrong.err.contains("id"), "{wrong:?}");
}

#[test]
fn the_journal_of_a_stopped_router_is_verified_listed_and_exported() {
    let scene = scene();
    let verified = scene.journal(&["verify"]).expect(0);
    assert!(verified.out.ends_with(": no fault\n") && verified.err.is_empty(), "{verified:?}");
    let json = scene.journal(&["verify", "-o", "json"]).expect(0).json();
    assert_eq!((&json["faults_count"], json["faults"].as_array().unwrap().len()), (&0.into(), 0));
    assert_eq!(scene.journal(&["repair"]).expect(0).out, "nothing to repair\n");
    assert_eq!(scene.journal(&["repair", "--yes"]).expect(0).out, "nothing to repair\n");

    let parts = scene.journal(&["info", "-o", "json"]).expect(0).json();
    let parts: Vec<_> = parts
        .as_array()
        .unwrap()
        .iter()
        .map(|part| {
            let text = |key: &str| part[key].as_str().unwrap().to_owned();
            (
                text("part"),
                text("name"),
                part["records"].as_u64().unwrap(),
                part["next_offset"].as_u64().unwrap(),
            )
        })
        .collect();
    let part =
        |part: &str, name: &str, records, next| (part.to_owned(), name.to_owned(), records, next);
    let expected = [
        part("hot", "", 45, 45),
        part("bus", "default", 2, 4),
        part("bus", "shop", 2, 4),
        part("archive", "kept", 2, 4),
        part("attempts", "attempts", 0, 0),
    ];
    assert_eq!(parts, expected);
    let table = scene.journal(&["info"]).expect(0).out;
    assert!(table.starts_with("PART ") && table.contains("archive  "), "{table}");

    let export = |words: &[&str]| ids(&scene.journal(&[&["export"], words].concat()).expect(0).out);
    let all = [numbered("default", 0..42), numbered("shop", 0..3)].concat();
    assert_eq!(export(&[]), all);
    assert_eq!(export(&["--bus", "shop"]), numbered("shop", 0..3));
    assert_eq!(
        export(&["--archive", "kept"]),
        numbered("shop", 0..3),
        "the last is not sealed yet"
    );
    assert_eq!(export(&["--since", "1h"]), all);
    assert_eq!(export(&["--until", "1h"]), [""; 0]);
    // Between the two sealed ones, by the time when they were received.
    let second = scene.journal(&["export", "--archive", "kept"]).expect(0).out;
    let time = |line: &str| {
        serde_json::from_str::<Value>(line).unwrap()["time"].as_str().unwrap().to_owned()
    };
    let time = time(second.lines().nth(1).unwrap());
    assert_eq!(export(&["--archive", "kept", "--since", &time]), numbered("shop", 1..3));
    assert_eq!(export(&["--archive", "kept", "--until", &time]), numbered("shop", 0..1));

    // Its bytes are no text: past the harness.
    let packed = scene.command(&["journal", "export", "--bus", "shop", "--zstd"]).output().unwrap();
    assert!(packed.status.success(), "{packed:?}");
    let unpacked = zstd::decode_all(&packed.stdout[..]).unwrap();
    assert_eq!(ids(str::from_utf8(&unpacked).unwrap()), numbered("shop", 0..3));

    // Without the database nobody knows what belongs to an archive: that is said, and how much it is.
    fs::rename(scene.path("data/state.sqlite"), scene.path("aside.sqlite")).unwrap();
    let sealed = scene.journal(&["export", "--archive", "kept"]).expect(1);
    assert_eq!(ids(&sealed.out), numbered("shop", 0..2));
    sealed.says(&["archive \"kept\"", "41 events from offset 4 on", "not sealed yet"]);
}

#[test]
fn an_export_whose_reader_goes_away_is_no_error() {
    let scene = scene();
    for zstd in ["", "--zstd"] {
        // Compressed, it fits into the pipe, and nobody notices.
        let line = format!(
            "{{ \"$0\" journal export {zstd}; echo \"code $?\" >&2; }} | head -c 100 > /dev/null"
        );
        let binary = scene.command(&[]);
        let mut command = std::process::Command::new("sh");
        command.args(["-c", &line]).arg(binary.get_program()).current_dir(scene.path("."));
        let ended = Process::start(&mut command, b"").ended().expect(0);
        assert_eq!(ended.err, "code 0\n");
    }
}

#[test]
fn a_journal_in_use_is_left_alone_and_so_is_a_folder_that_has_none() {
    let scene = Scene::new();
    let router = scene.serve();
    router.send(&event("e-1", 10)).ids();
    fs::create_dir(scene.path("empty")).unwrap();
    for verb in [&["verify"][..], &["repair"], &["repair", "--yes"], &["info"], &["export"]] {
        // A check that could not look has found no fault.
        let code = if verb == ["verify"] { 2 } else { 1 };
        scene.journal(verb).expect(code).says(&[
            "data folder data",
            "a router has it open",
            "--data",
        ]);
        for folder in ["empty", "nowhere"] {
            let none = scene.journal(&[verb, &["--data", folder]].concat()).expect(code);
            none.says(&[folder, "there is no journal in it", "--data"]);
        }
    }
    assert!(
        fs::read_dir(scene.path("empty")).unwrap().next().is_none()
            && !scene.path("nowhere").exists()
    );
    router.send(&event("e-2", 10)).ids();
    router.stop().expect(0);
    assert_eq!(ids(&scene.journal(&["export"]).expect(0).out), ["e-1", "e-2"]);
}

#[test]
fn wrong_words_after_journal_are_told_apart() {
    let scene = Scene::new();
    scene.serve().stop().expect(0);
    for words in [&[][..], &["fly"], &["verify", "--zstd"], &["export", "--since", "yesterday"]] {
        scene.journal(words).expect(2);
    }
    scene
        .journal(&["export", "--bus", "a", "--archive", "b"])
        .expect(2)
        .says(&["cannot be used with"]);
    scene
        .journal(&["export", "--bus", "shop"])
        .expect(1)
        .says(&["no events of bus \"shop\"", "there are: none"]);
    scene.journal(&["export", "--archive", "old"]).expect(1).says(&["archive \"old\""]);
    scene.journal(&["verify", "--config", "none.yaml"]).expect(78).says(&["none.yaml"]);
    scene.write("slipswitch.yaml", "data_dir: elsewhere\n");
    scene.journal(&["verify"]).expect(2).says(&["elsewhere"]);
    scene.journal(&["verify", "--data", "data"]).expect(0);
}
