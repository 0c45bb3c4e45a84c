//! The example plugins, as those who look for an example find them.

use std::fs;

use crate::harness::{Scene, plugin, repository};

#[test]
fn every_example_passes_its_own_cases_as_webassembly() {
    let scene = Scene::new();
    let mut names = Vec::new();
    for entry in fs::read_dir(repository().join("plugins")).unwrap() {
        let folder = entry.unwrap().path();
        // Those in other languages need tools that not every machine has; their own builds run their cases.
        if !folder.join("Cargo.toml").is_file() {
            continue;
        }
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        let (folder, file) = (folder.display().to_string(), plugin(&name).display().to_string());
        let ended = scene.run(&["plugin", "test", &folder, "--file", &file]).expect(0);
        assert!(ended.out.ends_with(" passed, 0 failed\n"), "{}", ended.out);
        names.push(name);
    }
    assert!(names.len() >= 8, "{names:?}");
}
