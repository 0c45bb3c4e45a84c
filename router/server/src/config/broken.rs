//! Each file of `testdata/config/` and what is said about it, in the `.expected` beside it.
//!
//! `UPDATE_EXPECT=1` writes the expectations anew; read them before they are committed.

use std::fs;
use std::path::{Path, PathBuf};

use expect_test::expect_file;

use super::{Config, Diagnostic, file, masked, mend, rendered};

/// The fewest files there must be, lest they vanish unseen.
const FILES_MIN: usize = 30;

const EXAMPLE: &str = include_str!("../../../../docs/slipswitch.example.yaml");

fn problems(text: &str) -> Vec<Diagnostic> {
    file::parse("slipswitch.yaml", text, Path::new("")).err().unwrap_or_default()
}

#[test]
fn every_broken_file_is_told_its_places_and_mends() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/config");
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|end| end == "yaml")).collect();
    paths.sort();
    assert!(FILES_MIN <= paths.len());
    for path in paths {
        let text = fs::read_to_string(&path).unwrap();
        let problems = problems(&text);
        assert!(!problems.is_empty(), "{} is not broken", path.display());
        assert!(problems.len() <= mend::PROBLEMS_MAX);
        let shown = rendered(&problems, &masked::masked(&text), false);
        for one in &problems {
            assert!(!one.mend.is_empty(), "{one} has no mend");
            assert!(!shown.contains("hunter2"), "{one} tells a secret");
        }
        expect_file![path.with_extension("expected")].assert_eq(&shown);
    }
}

/// The lines of the example that hold a key with a value, each with where its value begins.
fn values() -> Vec<(usize, usize)> {
    let lines = EXAMPLE.lines().enumerate();
    let with_value = lines.filter_map(|(number, line)| {
        let (key, value) = line.split_once(": ")?;
        let is_plain =
            key.trim_start().bytes().all(|byte| byte == b'_' || byte.is_ascii_lowercase());
        (is_plain && !value.trim_start().starts_with('#')).then_some((number, key.len() + 2))
    });
    with_value.collect()
}

proptest::proptest! {
    /// Whatever number of keys is misspelt: each is named, at its place, and nothing else is.
    #[test]
    fn each_of_many_unknown_keys_is_named(chosen in proptest::sample::subsequence(values(), 1..20)) {
        let mut lines: Vec<String> = EXAMPLE.lines().map(ToOwned::to_owned).collect();
        for (number, _) in &chosen {
            let at = lines[*number].find(|c: char| !c.is_whitespace()).unwrap();
            lines[*number].insert_str(at, "zz_");
        }
        let found = problems(&lines.join("\n"));
        let places: Vec<usize> = found.iter().map(|one| one.line - 1).collect();
        let expected: Vec<usize> = chosen.iter().map(|(number, _)| *number).collect();
        proptest::prop_assert_eq!(places, expected);
        proptest::prop_assert!(found.iter().all(|one| one.message.starts_with("unknown key `zz_")));
    }

    /// And whatever number of values is of no type that anything has.
    #[test]
    fn each_of_many_wrong_values_is_named(chosen in proptest::sample::subsequence(values(), 1..20)) {
        let mut lines: Vec<String> = EXAMPLE.lines().map(ToOwned::to_owned).collect();
        for (number, at) in &chosen {
            lines[*number].truncate(*at);
            lines[*number].push_str("{ zz: [zz] }");
        }
        let found = problems(&lines.join("\n"));
        for (number, _) in &chosen {
            let is_named = found.iter().any(|one| one.line - 1 == *number);
            // A map of buses is what may stand there.
            proptest::prop_assert!(is_named, "{}: {:?}", lines[*number], found);
        }
        proptest::prop_assert!(found.iter().all(|one| chosen.iter().any(|(number, _)| one.line - 1 == *number)), "{:?}", found);
    }

    /// A part of the example taken out or put in somewhere: an answer comes, with places that are there.
    #[test]
    fn any_damage_is_told_or_read(at in 0..EXAMPLE.len(), len in 0..40_usize, into in 0..EXAMPLE.len()) {
        let near = |at: usize| (at..=EXAMPLE.len()).find(|at| EXAMPLE.is_char_boundary(*at)).unwrap();
        let (start, end, into) = (near(at), near((at + len).min(EXAMPLE.len())), near(into));
        let part = |range: std::ops::Range<usize>| EXAMPLE.get(range).unwrap();
        let all = EXAMPLE.len();
        let without = [part(0..start), part(end..all)].concat();
        let with = [part(0..into), part(start..end), part(into..all)].concat();
        for text in [without, with] {
            let found: Result<Config, _> = file::parse("x", &text, Path::new(""));
            for one in found.err().into_iter().flatten() {
                proptest::prop_assert!(text.get(one.span.clone()).is_some(), "{:?}", one);
            }
        }
    }
}
