//! The day of somebody who writes plugins: no router runs.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use crate::harness::{Ended, Process, Scene, plugin, repository};

const CASES: &str = r#"[
  {
    "name": "the email goes",
    "config": { "fields": ["$.detail.email"] },
    "event": { "source": "shop", "detail": { "email": "a@b", "n": 1.10 } },
    "expect": EXPECTED
  },
  { "name": "nobody knows this field",   "config": {"fields": ["detail"]}, "event": {}, "expect": [] }
]
"#;

/// A folder with the plugin `redact` and its cases.
fn project(expected: &str) -> Scene {
    let scene = Scene::new().with_plugins(&["redact"]);
    fs::create_dir(scene.path("tests")).unwrap();
    scene.write("tests/a.json", CASES.replace("EXPECTED", expected));
    scene
}

const TEST: [&str; 6] = ["plugin", "test", "--file", "plugins/redact.wasm", "--filter", "email"];

#[test]
fn a_plugin_says_what_it_is_and_what_it_costs() {
    let scene = Scene::new().with_plugins(&["redact"]);
    let shown = scene.run(&["plugin", "inspect", "plugins/redact.wasm"]).expect(0);
    for line in [
        "plugin    redact 0.",
        "role      transformer",
        "contract  slipswitch:plugin@0.",
        "compile   ",
    ] {
        assert!(shown.out.contains(line), "{line:?}: {}", shown.out);
    }
    let json =
        scene.run(&["plugin", "inspect", "plugins/redact.wasm", "-o", "json"]).expect(0).json();
    let size = fs::metadata(scene.path("plugins/redact.wasm")).unwrap().len();
    assert_eq!((&json["role"], &json["size_bytes"]), (&"transformer".into(), &size.into()));
    assert_eq!(json["digest"].as_str().unwrap().len(), 64);

    scene.write("plugins/text.wasm", "hello");
    let words = ["plugins/text.wasm: not WebAssembly: it begins with `68 65 6c 6c 6f`"];
    scene.run(&["plugin", "inspect", "plugins/text.wasm"]).expect(78).says(&words);
    scene.run(&["plugin", "inspect", "nowhere.wasm"]).expect(2).says(&["read nowhere.wasm: "]);
}

#[test]
fn plugins_of_the_rust_sdk_are_called_directly_and_all_others_as_components() {
    let scene = Scene::new();
    let mut called = std::collections::BTreeSet::new();
    for folder in fs::read_dir(repository().join("plugins")).unwrap() {
        let folder = folder.unwrap().path();
        if !folder.is_dir() {
            continue;
        }
        let how = if folder.join("Cargo.toml").is_file() { "directly" } else { "as a component" };
        let file = plugin(folder.file_name().unwrap().to_str().unwrap()).display().to_string();
        let shown = scene.run(&["plugin", "inspect", &file, "-o", "json"]).expect(0).json();
        assert_eq!(shown["called"], how, "{file}");
        called.insert(how);
    }
    assert_eq!(called.len(), 2);
    let file = plugin("redact").display().to_string();
    let shown = scene.run(&["plugin", "inspect", &file]).expect(0).out;
    assert!(shown.contains("\ncalled    directly\n"), "{shown}");
}

#[test]
fn a_case_that_fails_shows_its_place_the_difference_and_what_came_out() {
    let scene = project(r#"[{ "source": "shop" }]"#);
    let failed = scene.run(&TEST).expect(3);
    assert_eq!(failed.out, "plugins/redact.wasm, 1 case: 0 passed, 1 failed\n");
    failed.says(&[
        "`the email goes` failed: at $.account: expected nothing",
        "[tests/a.json:6:15]",
        "  what came out:\n  [\n",
        "\"n\": 1.10",
    ]);

    let all = scene
        .run(&["plugin", "test", "--file", "plugins/redact.wasm", "-o", "json"])
        .expect(3)
        .json();
    assert_eq!((&all[0]["line"], &all[1]["name"]), (&6.into(), &"nobody knows this field".into()));
    assert!(
        all[1]["failure"].as_str().unwrap().contains("its configuration is refused: "),
        "{all}"
    );
}

#[test]
fn an_update_writes_what_came_out_and_leaves_every_other_byte() {
    let scene = project("[]");
    let updated = scene.run(&[&TEST[..], &["--update"]].concat()).expect(0);
    assert_eq!(updated.out, "plugins/redact.wasm, 1 case: 0 passed, 1 updated, 0 failed\n");
    scene.run(&TEST).expect(0);

    let (before, after) = CASES.split_once("EXPECTED").unwrap();
    let text = fs::read_to_string(scene.path("tests/a.json")).unwrap();
    let written = text.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
    let written = written.unwrap_or_else(|| panic!("something else changed:\n{text}"));
    assert!(written.starts_with("[\n      {\n        \"version\": \"0\",\n"), "{written}");
    assert!(written.ends_with("          \"n\": 1.10\n        }\n      }\n    ]"), "{written}");
}

#[test]
fn what_is_no_case_is_told_with_its_place_and_runs_nothing() {
    let scene = project("[]");
    scene.write("tests/b.json", "{ \"name\": \"b\",\n  \"evnt\": {} }");
    scene.run(&TEST).expect(78).says(&[
        "unknown key `evnt`",
        "[tests/b.json:2:3]",
        "did you mean `event`?",
    ]);
    fs::remove_dir_all(scene.path("tests")).unwrap();
    scene.run(&TEST).expect(2).says(&["there is no folder tests"]);
    scene.run(&["plugin", "test"]).expect(2).says(&["there is no *.wasm in ."]);
}

#[test]
fn what_was_built_of_older_sources_is_not_tested_and_run_with_a_warning() {
    let scene = project("[]");
    fs::create_dir(scene.path("src")).unwrap();
    fs::copy(plugin("redact"), scene.path("redact.wasm")).unwrap();
    let built = fs::metadata(scene.path("redact.wasm")).unwrap().modified().unwrap();
    let test = ["plugin", "test", "--filter", "email"];
    let run = ["plugin", "run", "redact.wasm", "--config", r#"{"fields": ["$.detail.email"]}"#];
    let change = |seconds: u64| {
        for name in ["Cargo.toml", "src/lib.rs"] {
            scene.write(name, "");
            let file = fs::File::options().append(true).open(scene.path(name)).unwrap();
            file.set_modified(built + Duration::from_secs(seconds)).unwrap();
        }
    };
    let words = "the sources are newer than redact.wasm (";
    change(0);
    scene.run(&test).expect(3);
    assert!(!scene.run_on(&run, b"{}").expect(0).err.contains(words));
    change(1);
    let mend = "changed after it was built): run `slipswitch plugin build`";
    scene.run(&test).expect(1).says(&[words, mend]);
    scene.run_on(&run, b"{}").expect(0).says(&[words, mend]);
}

#[test]
fn events_run_through_a_plugin_and_what_each_costs_is_told() {
    let scene = Scene::new().with_plugins(&["order-summary"]);
    let run = |input: &str, more: &[&str]| {
        let words = [&["plugin", "run", "plugins/order-summary.wasm"], more].concat();
        scene.run_on(&words, input.as_bytes())
    };
    let order = r#"{"detail-type": "T", "detail": {"orderId": "o-1", "items": []}}"#;
    let ran = run(&format!("[{order}]\n{order}"), &["--config", r#"{"greeting": "Hi"}"#]).expect(0);
    let output = r#"{"body": "Hi Order o-1: 0 items", "attributes": {"content-type": "text/plain; charset=utf-8"}}"#;
    assert_eq!(ran.out, format!("{output}\n{output}\n"));
    let cells = |line: usize| -> Vec<String> {
        ran.err
            .lines()
            .nth(line)
            .unwrap()
            .split("  ")
            .map(|cell| cell.trim().to_owned())
            .filter(|cell| !cell.is_empty())
            .collect()
    };
    assert_eq!(cells(0), ["EVENT", "DETAIL-TYPE", "CAME", "TIME", "INSTRUCTIONS", "MEMORY"]);
    let (first, second) = (cells(1), cells(2));
    assert_eq!((first[1].as_str(), first[2].as_str()), ("T", "1 output"));
    assert!(
        first[3].contains('s') && first[4].contains(',') && first[5].contains("MiB"),
        "{first:?}"
    );
    assert_eq!(second[0], "2");

    let failed = run(r#"{"detail": {}}"#, &["--quiet"]).expect(1);
    assert!(
        failed.err.starts_with("event 1: invalid: ") && failed.err.lines().count() == 2,
        "{}",
        failed.err
    );
    run(r#"{"detial": {}}"#, &[])
        .expect(2)
        .says(&["standard input, event 1: unknown key `detial`; did you mean `detail`?"]);
    run("", &["--config", r#"{"greting": 1}"#]).expect(78).says(&["refuses its configuration"]);
    run("", &["--grant", "files"])
        .expect(2)
        .says(&["`files` is nothing that a plugin can be granted"]);
}

#[test]
fn what_a_plugin_is_cut_off_for_has_a_name_and_no_number_of_instructions() {
    let scene = Scene::new().with_plugins(&["misbehave"]);
    let run = |how: &str| {
        let config = format!(r#"{{"how": "{how}"}}"#);
        let words = ["plugin", "run", "plugins/misbehave.wasm", "--config", &config];
        scene.run_on(&words, br#"{"detail": {}}"#).expect(1).err
    };
    let spun = run("spin");
    let words = "event 1: limit: the plugin used more than 250ms of CPU time (`plugin.cpu_ms`), in `misbehave::";
    assert!(spun.starts_with(words), "{spun}");
    let row = spun.lines().find(|line| line.starts_with("1 ")).unwrap();
    assert_eq!(row.split_whitespace().nth(5), Some("-"), "{spun}");
    assert!(spun.contains(" and - instructions each"), "{spun}");
    let said = run("invalid");
    assert!(said.starts_with("event 1: output: the plugin's output is refused: "), "{said}");
}

/// With nothing in `PATH` but these programs, each a shell script.
fn run_with_tools(scene: &Scene, tools: &[(&str, String)], words: &[&str]) -> Ended {
    let path = scene.path("tools");
    fs::create_dir_all(&path).unwrap();
    for (name, script) in tools {
        scene.write(&format!("tools/{name}"), format!("#!/bin/sh\n{script}\n"));
        fs::set_permissions(path.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let mut command = scene.command(words);
    Process::start(command.env("PATH", path).env_remove("RUSTC"), b"").ended()
}

#[test]
fn a_new_project_has_all_it_needs_and_is_not_written_twice() {
    let scene = Scene::new();
    for role in ["transformer", "filter", "batch"] {
        let name = format!("my-{role}");
        scene.run(&["plugin", "new", &name, "--lang", "rust", "--role", role]).expect(0);
        let text = |file: &str| fs::read_to_string(scene.path(&name).join(file)).unwrap();
        assert!(text("Cargo.toml").contains(&format!("name = \"{name}\"")));
        let attribute =
            if role == "batch" { "#[batch_transformer]" } else { &format!("#[{role}]") };
        assert!(text("src/lib.rs").contains(attribute), "{role}");
        assert!(text(".slipswitch/sdk/rust/src/lib.rs").contains("slipswitch"));
    }
    let again = ["plugin", "new", "my-filter", "--lang", "rust"];
    scene.run(&again).expect(2).says(&["my-filter is there already: nothing was written"]);
    let reserved = ["plugin", "new", "test", "--lang", "rust"];
    scene.run(&reserved).expect(2).says(&["`my-test` would do"]);

    fs::write(scene.path("my-filter/.slipswitch/sdk/rust/src/lib.rs"), "broken").unwrap();
    scene.run(&["plugin", "update-sdk", "my-filter"]).expect(0);
    let mended =
        fs::read_to_string(scene.path("my-filter/.slipswitch/sdk/rust/src/lib.rs")).unwrap();
    assert!(mended.contains("slipswitch"));
}

#[test]
fn a_build_says_what_is_missing_and_puts_what_it_made_into_place() {
    let scene = Scene::new();
    scene.run(&["plugin", "new", "hello", "--lang", "rust"]).expect(0);
    let build = ["plugin", "build", "hello", "--out", "plugins"];
    run_with_tools(&scene, &[], &build)
        .expect(1)
        .says(&["there is no `cargo`", "https://rustup.rs"]);

    let metadata = r#"echo '{"packages":[{"name":"hello","manifest_path":"'$PWD'/Cargo.toml"}]}'"#;
    let cargo = |built: &str| {
        let artifact =
            format!(r#"echo '{{"manifest_path":"'$PWD'/Cargo.toml","filenames":["{built}"]}}'"#);
        ("cargo", format!("case $1 in metadata) {metadata};; *) {artifact};; esac"))
    };
    let made = plugin("redact").display().to_string();
    let without = [cargo(&made), ("rustc", "echo /nowhere".to_owned())];
    let words = ["your Rust has no target wasm32-unknown-unknown", "rustup target add"];
    run_with_tools(&scene, &without, &build).expect(1).says(&words);

    let with = ("rustc", "echo /".to_owned());
    let built = run_with_tools(&scene, &[cargo(&made), with.clone()], &build).expect(0);
    assert!(built.out.starts_with("plugins/hello.wasm: redact 0."), "{}", built.out);
    let bytes = |path| fs::read(path).unwrap();
    assert_eq!(bytes(scene.path("plugins/hello.wasm")), bytes(plugin("redact")));
    assert_eq!(bytes(scene.path("hello/hello.wasm")), bytes(plugin("redact")));

    // What is no plugin does not take the place of one.
    let bad = scene.path("hello/Cargo.toml").with_file_name("bad.wasm");
    fs::write(&bad, "no").unwrap();
    let tools = [cargo(&bad.display().to_string()), with];
    run_with_tools(&scene, &tools, &build).expect(78).says(&["not WebAssembly"]);
    assert_eq!(bytes(scene.path("plugins/hello.wasm")), bytes(plugin("redact")));
}

#[test]
fn an_environment_of_another_python_is_made_anew_and_an_old_python_makes_none() {
    let scene = Scene::new();
    scene.run(&["plugin", "new", "hello", "--lang", "python"]).expect(0);
    fs::copy(plugin("redact"), scene.path("hello/hello.wasm")).unwrap();
    let build = |version: &str| {
        let script = format!(
            "[ $1 = -c ] && echo {version} && exit\necho made >> made; /bin/mkdir -p $4/bin\n\
             echo 'version = {version}.2' > $4/pyvenv.cfg\n\
             for p in pip slipswitch-build; do echo '#!/bin/sh' > $4/bin/$p; /bin/chmod +x $4/bin/$p; done"
        );
        run_with_tools(&scene, &[("python3", script)], &["plugin", "build", "hello"])
    };
    let made = || fs::read_to_string(scene.path("hello/made")).unwrap_or_default().lines().count();
    build("3.9").expect(1).says(&["python3 is 3.9, and Python 3.11 is the oldest"]);
    assert_eq!(made(), 0);
    for (version, expected) in [("3.11", 1), ("3.11", 1), ("3.12", 2), ("3.12", 2)] {
        build(version).expect(0);
        assert_eq!(made(), expected, "{version}");
    }
}
