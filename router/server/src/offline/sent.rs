//! Rules made over an interface, as the command line needs them: one by one out of a file, and into files.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use bus::ruleset::{self, SourceFile};

use crate::plugins::versions::replace;
use crate::sent_rules::{RuleName, SentFolder};

pub use bus::ruleset::Document as RuleDocument;

/// A rule as a router keeps it.
pub struct SentRule {
    pub bus: String,
    pub name: String,
    pub text: String,
}

/// What became of rules that were to be written.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct WrittenRules {
    pub files: Vec<PathBuf>,
    /// Files that held the same already.
    pub same: usize,
}

#[derive(Debug, thiserror::Error)]
pub enum WriteRulesError {
    #[error("the router names a rule `{name}` on the bus `{bus}`, which are no names")]
    NoName { bus: String, name: String },

    #[error("{} there already, with something else in {}: {}; --force writes over {}", if .0.len() == 1 { "one file is" } else { "some files are" }, them(.0), .0.join(", "), them(.0))]
    Exists(Vec<String>),

    #[error("write {}: {source}", path.display())]
    Disk { path: PathBuf, source: io::Error },
}

fn them(all: &[String]) -> &'static str {
    if all.len() == 1 { "it" } else { "them" }
}

/// The rules of a file one by one, each with its own text.
///
/// # Errors
///
/// What is wrong with the file as YAML, as people read it.
pub fn rule_documents(path: &str, text: &str, color: bool) -> Result<Vec<RuleDocument>, String> {
    let file = SourceFile { path: path.to_owned(), text: text.to_owned() };
    ruleset::documents(&file).map_err(|problems| {
        let shown: Vec<String> = problems.iter().map(|one| one.render(text, color)).collect();
        shown.join("\n")
    })
}

/// Writes each rule into a file of its own: `BUS/NAME.yaml` below the folder.
///
/// # Errors
///
/// When a file is there, holds something else, and `is_forced` is not said, nothing is written. When the disk fails,
/// some may be.
pub fn write_rules(
    rules: &[SentRule],
    folder: &Path,
    is_forced: bool,
) -> Result<WrittenRules, WriteRulesError> {
    let place = SentFolder::at(folder.to_owned());
    let mut new = Vec::new();
    let mut taken = Vec::new();
    let mut written = WrittenRules::default();
    for SentRule { bus, name, text } in rules {
        let file = RuleName::parse(bus.clone(), name.clone()).and_then(|rule| place.file(&rule));
        let no_name = || WriteRulesError::NoName { bus: bus.clone(), name: name.clone() };
        let path = file.ok_or_else(no_name)?;
        match fs::read(&path) {
            Ok(there) if there == text.as_bytes() => written.same += 1,
            Err(error) if error.kind() == io::ErrorKind::NotFound => new.push((path, text)),
            Ok(_) | Err(_) => {
                taken.push(path.display().to_string());
                new.push((path, text));
            }
        }
    }
    if !taken.is_empty() && !is_forced {
        return Err(WriteRulesError::Exists(taken));
    }
    for (path, text) in new {
        let made = path.parent().map_or(Ok(()), fs::create_dir_all);
        if let Err(source) = made.and_then(|()| replace(&path, text.as_bytes())) {
            return Err(WriteRulesError::Disk { path, source });
        }
        written.files.push(path);
    }
    Ok(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(name: &str, text: &str) -> SentRule {
        let (bus, name, text) = ("shop".to_owned(), name.to_owned(), text.to_owned());
        SentRule { bus, name, text }
    }

    #[test]
    fn files_are_written_once_and_over_others_only_by_force() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("rules");
        let all = [rule("a", "1"), rule("..", "2")];
        let written = write_rules(&all, &folder, false).unwrap();
        assert_eq!(written.files, ["shop/a.yaml", "shop/%2E..yaml"].map(|it| folder.join(it)));
        let again = write_rules(&all, &folder, false).unwrap();
        assert_eq!(again, WrittenRules { files: Vec::new(), same: 2 });
        let other = [rule("b", "1"), rule("a", "3")];
        let error = write_rules(&other, &folder, false).unwrap_err().to_string();
        assert!(error.contains("shop/a.yaml; --force writes over it"), "{error}");
        assert!(!folder.join("shop/b.yaml").exists(), "nothing is written");
        write_rules(&other, &folder, true).unwrap();
        assert_eq!(fs::read_to_string(folder.join("shop/a.yaml")).unwrap(), "3");
        for name in ["../x", "", "a/b"] {
            assert!(write_rules(&[rule(name, "1")], &folder, true).is_err(), "{name}");
        }
    }
}
