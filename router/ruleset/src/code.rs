//! The kinds of problem a file can have, each with a name that stays.
//!
//! # Invariants
//!
//! - A slug is never given another meaning: people suppress and count by it.
//! - Every page is a heading of the documentation; a test follows the links.

use std::fmt;

use serde::{Serialize, Serializer};

/// How much a problem weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// What it is about does not run.
    Error,
    /// It runs, and hardly does what was meant.
    Warning,
}

/// What kind of problem it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Code {
    BusLoop,
    ConfigurationRefused,
    ConnectionUnfit,
    DuplicateKey,
    DuplicateName,
    InvalidName,
    InvalidPath,
    InvalidPattern,
    InvalidTemplate,
    InvalidValue,
    MissingKey,
    MissingValue,
    NotSupported,
    OnlyInFiles,
    PatternNeverMatches,
    Syntax,
    TargetRefused,
    TestFailed,
    TooLarge,
    TwinTarget,
    UnknownBus,
    UnknownConnection,
    UnknownKey,
    UnknownPlugin,
    UnknownTarget,
    Unreadable,
    UnusedVariable,
    WrongType,
}

/// Of each code, in the order of their declaration: the slug, one sentence for a list of codes, and where to read on when
/// the place itself does not say.
const FACTS: [(Code, &str, &str, &str); 28] = [
    (Code::BusLoop, "bus-loop", "Events can go round from bus to bus.", "docs/rules.md#warnings"),
    (
        Code::ConfigurationRefused,
        "configuration-refused",
        "A plugin does not take its configuration or its grants.",
        "docs/rules.md#transforms",
    ),
    (
        Code::ConnectionUnfit,
        "connection-unfit",
        "A target goes over a connection that is not meant for it.",
        "docs/connections.md#in-a-rule",
    ),
    (
        Code::DuplicateKey,
        "duplicate-key",
        "A key stands twice in one map.",
        "docs/rules.md#yaml-and-where-it-bites",
    ),
    (
        Code::DuplicateName,
        "duplicate-name",
        "Two things have one name where a name must be unique.",
        "docs/rules.md#a-rule",
    ),
    (
        Code::InvalidName,
        "invalid-name",
        "A name has characters it cannot have.",
        "docs/rules.md#a-rule",
    ),
    (Code::InvalidPath, "invalid-path", "A JSONPath is not valid.", "docs/rules.md#paths"),
    (Code::InvalidPattern, "invalid-pattern", "An event pattern is not valid.", "docs/patterns.md"),
    (
        Code::InvalidTemplate,
        "invalid-template",
        "A template is not valid.",
        "docs/rules.md#templates",
    ),
    (Code::InvalidValue, "invalid-value", "A value is none that can stand there.", "docs/rules.md"),
    (
        Code::MissingKey,
        "missing-key",
        "A key that must be there is missing.",
        "docs/rules.md#a-rule",
    ),
    (
        Code::MissingValue,
        "missing-value",
        "An environment variable or a file that a value comes from is missing.",
        "docs/rules.md#values-from-outside",
    ),
    (
        Code::NotSupported,
        "not-supported",
        "This version does not do that.",
        "docs/rules.md#not-yet",
    ),
    (
        Code::OnlyInFiles,
        "only-in-files",
        "A rule made over an interface says what only a rule file of the router's folder may.",
        "docs/rules.md#rules-made-over-an-interface",
    ),
    (
        Code::PatternNeverMatches,
        "pattern-never-matches",
        "No event at all can match the pattern.",
        "docs/rules.md#warnings",
    ),
    (
        Code::Syntax,
        "syntax",
        "The file is not written as YAML is.",
        "docs/rules.md#yaml-and-where-it-bites",
    ),
    (
        Code::TargetRefused,
        "target-refused",
        "A target is at an address that nothing is sent to.",
        "docs/configuration.md#where-targets-may-be",
    ),
    (Code::TestFailed, "test-failed", "A test of a rule failed.", "docs/rules.md#tests"),
    (
        Code::TooLarge,
        "too-large",
        "More than there may be.",
        "docs/rules.md#yaml-and-where-it-bites",
    ),
    (
        Code::TwinTarget,
        "twin-target",
        "Two rules send the same events to the same place: they arrive twice.",
        "docs/rules.md#warnings",
    ),
    (
        Code::UnknownBus,
        "unknown-bus",
        "A bus that nobody knows is named.",
        "docs/rules.md#a-target",
    ),
    (
        Code::UnknownConnection,
        "unknown-connection",
        "A connection that the configuration does not have is named: deliveries wait for it.",
        "docs/connections.md#in-a-rule",
    ),
    (
        Code::UnknownKey,
        "unknown-key",
        "A key is none of those that can stand there.",
        "docs/rules.md",
    ),
    (
        Code::UnknownPlugin,
        "unknown-plugin",
        "A plugin that is named is not there, or cannot be loaded.",
        "docs/rules.md#transforms",
    ),
    (
        Code::UnknownTarget,
        "unknown-target",
        "A test names a target that its rule does not have.",
        "docs/rules.md#tests",
    ),
    (Code::Unreadable, "unreadable", "A file cannot be read.", "docs/configuration.md#folders"),
    (
        Code::UnusedVariable,
        "unused-variable",
        "A path has a name that its template never uses.",
        "docs/rules.md#warnings",
    ),
    (
        Code::WrongType,
        "wrong-type",
        "A value is of another type than what can stand there.",
        "docs/rules.md",
    ),
];

impl Code {
    /// Every code, in the order of their slugs.
    pub fn all() -> impl Iterator<Item = Self> {
        FACTS.into_iter().map(|(code, ..)| code)
    }

    /// As it is written: `unknown-key`.
    pub fn slug(self) -> &'static str {
        FACTS[self as usize].1
    }

    /// What it means, in one sentence.
    pub fn about(self) -> &'static str {
        FACTS[self as usize].2
    }

    /// The page of the documentation on it.
    pub fn page(self) -> &'static str {
        FACTS[self as usize].3
    }

    /// What it weighs unless somebody decides otherwise.
    pub fn severity(self) -> Severity {
        match self {
            Self::BusLoop
            | Self::PatternNeverMatches
            | Self::TwinTarget
            | Self::UnknownConnection
            | Self::UnusedVariable => Severity::Warning,
            Self::ConfigurationRefused
            | Self::ConnectionUnfit
            | Self::DuplicateKey
            | Self::DuplicateName
            | Self::InvalidName
            | Self::InvalidPath
            | Self::InvalidPattern
            | Self::InvalidTemplate
            | Self::InvalidValue
            | Self::MissingKey
            | Self::MissingValue
            | Self::NotSupported
            | Self::OnlyInFiles
            | Self::Syntax
            | Self::TargetRefused
            | Self::TestFailed
            | Self::TooLarge
            | Self::UnknownBus
            | Self::UnknownKey
            | Self::UnknownPlugin
            | Self::UnknownTarget
            | Self::Unreadable
            | Self::WrongType => Severity::Error,
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.slug())
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.slug())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_code_is_listed_once_under_its_own_slug() {
        let slugs: BTreeSet<&str> = Code::all().map(Code::slug).collect();
        assert_eq!(slugs.len(), FACTS.len());
        assert!(Code::all().is_sorted_by_key(Code::slug));
        assert!(FACTS.iter().enumerate().all(|(at, facts)| facts.0 as usize == at));
        for code in Code::all() {
            assert!(code.about().ends_with('.') && code.page().starts_with("docs/"), "{code}");
        }
    }
}
