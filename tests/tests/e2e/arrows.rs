//! The crates depend on each other as `ARCHITECTURE.md` says, and in no other way.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

type Graph = BTreeMap<String, BTreeSet<String>>;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests lie in the workspace")
}

/// The block that is marked `arrows`.
fn documented() -> Graph {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    let block = text.split("```arrows\n").nth(1).expect("a block of arrows");
    let lines = block.lines().take_while(|line| !line.starts_with("```"));
    let arrows = lines.map(|line| {
        let (from, to) = line.split_once('→').expect("`crate → crate, crate`");
        let to = to.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
        (from.trim().to_owned(), to.collect())
    });
    arrows.collect()
}

/// What the manifests under `router/` say; what only their tests need does not count.
fn real() -> Graph {
    let folders = fs::read_dir(root().join("router")).expect("router/");
    let names: BTreeSet<String> = folders
        .map(|entry| entry.expect("a folder").file_name().to_string_lossy().into_owned())
        .collect();
    let graph = names.iter().map(|name| {
        let manifest = root().join("router").join(name).join("Cargo.toml");
        let text = fs::read_to_string(manifest).expect("every crate has a manifest");
        let to = dependencies(&text).into_iter().filter(|dependency| names.contains(dependency));
        (name.clone(), to.collect())
    });
    graph.collect()
}

/// The names under `[dependencies]` and `[build-dependencies]`.
fn dependencies(manifest: &str) -> Vec<String> {
    let mut is_within = false;
    let mut names = Vec::new();
    for line in manifest.lines().map(str::trim) {
        if line.starts_with('[') {
            is_within = line == "[dependencies]" || line == "[build-dependencies]";
        } else if is_within && let Some((name, _)) = line.split_once(['.', ' ', '=']) {
            names.push(name.trim_start_matches("slipswitch-").to_owned());
        }
    }
    names
}

#[test]
fn the_crates_depend_on_each_other_as_documented() {
    let (documented, real) = (documented(), real());
    assert!(real.len() >= 9, "the crates were found: {real:?}");
    assert_eq!(real, documented, "the real graph (left) is not that of ARCHITECTURE.md (right)");
}

#[test]
fn dependencies_are_read_from_their_section_only() {
    let manifest = "[package]\nname = \"a\"\n[dependencies]\nbus.workspace = true\nslipswitch-event = { path = \"..\" }\n\
                    [dev-dependencies]\nplugin.workspace = true\n";
    assert_eq!(dependencies(manifest), ["bus", "event"]);
}

#[test]
fn the_engines_and_the_plugins_know_nothing_of_the_router() {
    let mut checked = 0;
    for entry in fs::read_dir(root().join("plugins")).expect("plugins/") {
        let manifest = entry.expect("an entry").path().join("Cargo.toml");
        let Ok(text) = fs::read_to_string(&manifest) else { continue };
        assert!(!text.contains("router/"), "{} uses more than the SDK", manifest.display());
        checked += 1;
    }
    assert!(checked >= 3, "the example plugins were found");
}
