//! The rules of the house that no linter knows.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Lines of code in one file: neither blank, nor comment, nor the tests at its end.
const CODE_LINES_MAX: usize = 500;
/// The same of all files of an example plugin together.
const EXAMPLE_LINES_MAX: usize = 99;
/// Names that say nothing of what is in a file.
const EMPTY_NAMES: [&str; 7] = ["util", "utils", "helper", "helpers", "common", "misc", "manager"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests lie in the workspace").into()
}

/// Every file below the workspace that git would keep, by its ending.
fn files(ending: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of the workspace") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() {
                if !["target", ".git", "data"].contains(&name.as_str()) {
                    folders.push(path);
                }
            } else if name.ends_with(ending)
                && let Ok(text) = fs::read_to_string(&path)
            {
                found.push((path, text));
            }
        }
    }
    assert!(!found.is_empty(), "no *{ending} found");
    found
}

fn sources() -> Vec<(PathBuf, String)> {
    let found = files(".rs");
    assert!(found.len() > 100, "the sources were found");
    found
}

/// Fails with the list of what breaks a rule.
fn none(what: &str, broken: impl Iterator<Item = String>) {
    let broken: Vec<String> = broken.collect();
    assert!(broken.is_empty(), "{what}:\n{}", broken.join("\n"));
}

fn code_lines(text: &str) -> usize {
    let lines = text.lines().take_while(|line| !line.starts_with("mod tests {"));
    let code = lines.map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//"));
    code.count()
}

#[test]
fn a_file_is_one_idea_of_bounded_length() {
    let long = sources().into_iter().filter_map(|(path, text)| {
        let lines = code_lines(&text);
        (lines > CODE_LINES_MAX).then(|| format!("{}: {lines} lines of code", path.display()))
    });
    none("files over 500 lines of code", long);
}

#[test]
fn an_example_of_a_plugin_is_under_a_hundred_lines() {
    let mut lines = BTreeMap::<PathBuf, usize>::new();
    for ending in [".rs", ".js", ".py"] {
        for (path, text) in files(ending) {
            let place = path.strip_prefix(root()).expect("below the workspace");
            let parts: Vec<_> = place.iter().filter_map(|part| part.to_str()).collect();
            if let ["plugins", name, "plugin.py"] | ["plugins", name, "src", ..] = parts[..] {
                *lines.entry(name.into()).or_default() += code_lines(&text);
            }
        }
    }
    assert!(lines.len() >= 10, "the examples were found");
    let long = lines.into_iter().filter(|(_, lines)| *lines > EXAMPLE_LINES_MAX);
    none(
        "examples of a hundred lines of code and more",
        long.map(|(name, lines)| format!("{}: {lines}", name.display())),
    );
}

#[test]
fn every_file_says_what_it_is() {
    let is_test = |path: &Path| {
        path.strip_prefix(root()).is_ok_and(|path| path.to_string_lossy().contains("test"))
    };
    let product = sources().into_iter().filter(|(path, _)| !is_test(path));
    let mute = product.filter(|(_, text)| !text.starts_with("//!"));
    let mute = mute.map(|(path, _)| path.display().to_string());
    none("files without a module doc at their head", mute);
}

#[test]
fn no_file_has_a_name_that_says_nothing() {
    let empty = sources().into_iter().filter_map(|(path, _)| {
        let stem = path.file_stem()?.to_string_lossy().into_owned();
        EMPTY_NAMES.contains(&stem.as_str()).then(|| path.display().to_string())
    });
    none("files with empty names", empty);
}

#[test]
fn nothing_is_left_open_in_the_code() {
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("#[ig", "nore]")];
    let open = sources().into_iter().flat_map(|(path, text)| {
        let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.to_owned()));
        let marked: Vec<String> = lines
            .filter(|(_, line)| marks.iter().any(|mark| line.contains(mark)))
            .map(|(number, line)| format!("{}:{number}: {}", path.display(), line.trim()))
            .collect();
        marked
    });
    none("left open", open);
}

#[test]
fn documents_link_to_files_that_exist() {
    let broken = files(".md").into_iter().flat_map(|(path, text)| {
        let folder = path.parent().expect("a file has a folder").to_owned();
        let links: Vec<String> = text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split([')', '#']).next())
            .filter(|link| !link.is_empty() && !link.contains("://") && !link.contains(' '))
            .filter(|link| !folder.join(link).exists())
            .map(|link| format!("{}: {link}", path.display()))
            .collect();
        links
    });
    none("links to nowhere", broken);
}

#[test]
fn no_path_of_a_machine_is_written_down() {
    let homes = [concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/wo", "rk/")];
    for ending in [".rs", ".md", ".toml", ".yaml", ".wit"] {
        let found = files(ending).into_iter().filter_map(|(path, text)| {
            let line =
                text.lines().position(|line| homes.iter().any(|home| line.contains(home)))?;
            Some(format!("{}:{}", path.display(), line + 1))
        });
        none("paths of somebody's machine", found);
    }
}
