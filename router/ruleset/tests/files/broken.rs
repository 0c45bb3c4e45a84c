//! Each file of `testdata/broken/` and what is said about it, in the `.expected` beside it.
//!
//! `UPDATE_EXPECT=1` writes the expectations anew; read them before they are committed.

use std::fs;
use std::path::PathBuf;

use expect_test::expect_file;
use slipswitch_ruleset::SourceFile;

use crate::doubles::{load, warnings};

/// The fewest files there must be, lest they vanish unseen.
const FILES_MIN: usize = 60;

fn files_of(folder: &str) -> Vec<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata").join(folder);
    let entries = fs::read_dir(folder)
        .expect("a folder of files")
        .map(|entry| entry.expect("a file of the folder").path());
    let is_rule_file = |path: &PathBuf| path.extension().is_some_and(|is| is != "expected");
    let mut paths: Vec<PathBuf> = entries.filter(is_rule_file).collect();
    paths.sort();
    paths
}

#[test]
fn every_broken_file_is_told_its_places_and_mends() {
    let paths = files_of("broken");
    assert!(FILES_MIN <= paths.len());
    for path in paths {
        let text = fs::read_to_string(&path).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let diagnostics = load(&[SourceFile { path: name, text: text.clone() }])
            .expect_err(&format!("{} is not broken", path.display()));
        let rendered: String = diagnostics.iter().map(|one| one.render(&text, false)).collect();
        for one in &diagnostics {
            assert!(!one.mend.is_empty(), "{one} has no mend");
            assert!(!rendered.contains("hunter2"), "{one} tells a secret");
        }
        expect_file![expected(&path)].assert_eq(&rendered);
    }
}

#[test]
fn rules_that_run_and_are_hardly_meant_are_warned_of() {
    let paths = files_of("warned");
    assert!(5 <= paths.len());
    for path in paths {
        let text = fs::read_to_string(&path).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let found = warnings(&[SourceFile { path: name, text: text.clone() }]);
        assert!(!found.is_empty() && found.iter().all(|one| !one.is_error()), "{found:?}");
        let rendered: String = found.iter().map(|one| one.render(&text, false)).collect();
        expect_file![expected(&path)].assert_eq(&rendered);
    }
}

fn expected(path: &std::path::Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".expected");
    name.into()
}
