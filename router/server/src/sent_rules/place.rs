//! Where a rule is kept that somebody has sent.
//!
//! ```text
//! DATA/rules/<bus>/<name>.yaml
//! ```
//!
//! # Invariants
//!
//! - Whatever a rule is called, its file stands in the folder of its bus, and counts as a rule file.
//! - Two rules never have one file.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::config::Config;

const FOLDER: &str = "rules";
/// Of a bus and of a rule; the rule files have the same limit.
const NAME_CHARS_MAX: usize = 64;

/// A rule by its bus and its name; both are names as rules have them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RuleName {
    bus: String,
    name: String,
}

impl RuleName {
    /// None when one of them is no name.
    pub(crate) fn parse(bus: String, name: String) -> Option<Self> {
        let is_plain =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        let is_name =
            |text: &str| (1..=NAME_CHARS_MAX).contains(&text.len()) && text.bytes().all(is_plain);
        (is_name(&bus) && is_name(&name)).then_some(Self { bus, name })
    }

    pub(crate) fn bus(&self) -> &str {
        &self.bus
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

/// The folder of the rules that were sent. Where there is none, no file is in it.
#[derive(Clone, Debug, Default)]
pub(crate) struct SentFolder(Option<PathBuf>);

impl SentFolder {
    /// Of a router that runs. The error says what to do about the folder of rules, which must be another one.
    pub(crate) fn of(config: &Config) -> Result<Self, String> {
        let folder = config.data_dir.join(FOLDER);
        let data = config.data_dir.canonicalize().unwrap_or_else(|_| config.data_dir.clone());
        let rules = config.rules_dir.canonicalize().unwrap_or_else(|_| config.rules_dir.clone());
        if rules.starts_with(data.join(FOLDER)) {
            let rules = config.rules_dir.display();
            return Err(format!(
                "{rules} is where rules are kept that are made over an interface: name another folder of rules with \
                 --rules, or another data folder with --data"
            ));
        }
        Ok(Self(Some(folder)))
    }

    pub(crate) fn at(folder: PathBuf) -> Self {
        Self(Some(folder))
    }

    /// The folder, once it is there.
    pub(crate) fn existing(&self) -> Option<&Path> {
        self.0.as_deref().filter(|folder| folder.is_dir())
    }

    /// Removes what a crash has left: files half written. For the start, when nobody else is here.
    pub(crate) fn sweep(&self) -> io::Result<()> {
        let Some(folder) = self.existing() else { return Ok(()) };
        for bus in fs::read_dir(folder)? {
            let bus = bus?.path();
            let files = if bus.is_dir() { Some(fs::read_dir(&bus)?) } else { None };
            for file in files.into_iter().flatten() {
                let file = file?;
                if file.file_name().as_encoded_bytes().starts_with(b".") {
                    fs::remove_file(file.path())?;
                }
            }
        }
        Ok(())
    }

    /// Whether this is the path of a rule that was sent.
    pub(crate) fn holds(&self, path: &str) -> bool {
        self.0.as_ref().is_some_and(|folder| Path::new(path).starts_with(folder))
    }

    /// The file of a rule; none where none are kept.
    pub(crate) fn file(&self, rule: &RuleName) -> Option<PathBuf> {
        let RuleName { bus, name } = rule;
        let file = format!("{}.yaml", of_rule(name));
        Some(self.0.as_ref()?.join(unhidden(bus)).join(file))
    }
}

/// What begins with a dot would be hidden, or lead upwards. A name has no `%` of its own.
fn unhidden(name: &str) -> String {
    match name.strip_prefix('.') {
        Some(rest) => format!("%2E{rest}"),
        None => name.to_owned(),
    }
}

/// `*.events.yaml` are recorded events, and no rules.
fn of_rule(name: &str) -> String {
    let name = unhidden(name);
    match name.strip_suffix(".events") {
        Some(rest) => format!("{rest}%2Eevents"),
        None => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(bus: &str, name: &str) -> Option<RuleName> {
        RuleName::parse(bus.to_owned(), name.to_owned())
    }

    #[test]
    fn every_name_has_its_own_file_below_the_folder_of_its_bus() {
        let folder = SentFolder::at("d/rules".into());
        for (bus, name, expected) in [
            ("shop", "big-orders", "d/rules/shop/big-orders.yaml"),
            ("..", "..", "d/rules/%2E./%2E..yaml"),
            (".", ".hidden", "d/rules/%2E/%2Ehidden.yaml"),
            ("a", "a.events", "d/rules/a/a%2Eevents.yaml"),
            ("a", ".events", "d/rules/a/%2Eevents.yaml"),
            ("a", "a.yaml", "d/rules/a/a.yaml.yaml"),
        ] {
            let path = folder.file(&rule(bus, name).unwrap()).unwrap();
            assert_eq!(path.to_str(), Some(expected));
            assert!(folder.holds(expected), "{expected}");
            assert!(crate::folder::is_rule_file(&path), "{expected}");
        }
        assert!(!folder.holds("d/rules-of-mine/a.yaml") && !folder.holds("rules/a.yaml"));
        assert!(!SentFolder::default().holds("a.yaml"));
        assert_eq!(SentFolder::default().file(&rule("a", "b").unwrap()), None);
    }

    #[test]
    fn what_is_no_name_has_no_file() {
        let long = "a".repeat(65);
        for bad in ["", "a/b", "../a", "a\0", "a b", "%2e%2e", "ä", long.as_str()] {
            assert_eq!(rule("shop", bad), None, "{bad:?}");
            assert_eq!(rule(bad, "a"), None, "{bad:?}");
        }
        assert!(rule("a", long.get(1..).unwrap()).is_some());
    }

    #[test]
    fn the_folder_of_rules_is_another_one() {
        let dir = tempfile::tempdir().unwrap();
        let config = |rules: &str| Config {
            data_dir: dir.path().join("data"),
            rules_dir: dir.path().join(rules),
            ..Config::default()
        };
        std::fs::create_dir_all(dir.path().join("data/rules/mine")).unwrap();
        for good in ["rules", "", "data", "data/rules-of-mine"] {
            assert!(SentFolder::of(&config(good)).is_ok(), "{good}");
        }
        for bad in ["data/rules", "data/rules/mine", "data/../data/rules"] {
            let error = SentFolder::of(&config(bad)).unwrap_err();
            assert!(error.contains("--rules"), "{error}");
        }
    }
}
