//! What the command line does without a router: checking and testing rules, trying and measuring patterns.
//!
//! # Not here
//!
//! - Opinions of its own: rules are read, compiled and tested by the code that `serve` runs.

mod bench;
mod diff;
pub mod doctor;
mod explain;
mod explain_rules;
mod format;
pub mod import;
pub mod journal;
mod patterns;
pub mod plugins;
mod sent;
mod testing;

use std::path::{Path, PathBuf};

use bus::plugin;
use bus::ruleset::SourceFile;

use crate::config::{Config, ConfigError, FILE_NAME};
use crate::connections::Fit;
use crate::load::{Compiled, Rejection, Running};
use crate::run::{folders, plugin_limits};
use crate::{folder, load};
use plugins::LoggedLines;

pub use crate::explain::{
    Explained, Nearly, Output, RuleExplained, StepExplained, TargetExplained,
};
pub use bench::{BenchError, BenchReport, bench_match};
pub use bus::ruleset::TestOutcome;
pub use bus::ruleset::pattern::explain as explanation;
pub use bus::ruleset::yaml_of_json as as_yaml;
pub use bus::ruleset::{Code, Diagnostic};
pub use diff::{DiffError, Folders, RuleFiles, diff_folders, rule_files};
pub use explain::{ExplainError, NamedText, NearestReport, pattern_explain, pattern_nearest};
pub use explain_rules::{ExplainRequest, NotExplained, explain_event};
pub use format::{FormatReport, Keep, format_files, format_text};
pub use patterns::{MatchError, Named, pattern_check, pattern_match};
pub use sent::{
    RuleDocument, SentRule, WriteRulesError, WrittenRules, rule_documents, write_rules,
};
pub use testing::{TestRequest, Tested, test};

/// What `slipswitch check` found.
#[derive(Debug, Default)]
pub struct CheckReport {
    /// Rules that compiled; none when there is any problem.
    pub rules: usize,
    pub files: usize,
    /// Inline tests that ran.
    pub tests: usize,
    /// Every problem of every file, failed tests and warnings included.
    pub diagnostics: Vec<Diagnostic>,
    /// The problems as people read them; empty when there are none.
    pub rendered: String,
}

/// Which rules are compiled.
#[derive(Clone, Copy)]
enum Chosen<'a> {
    /// The folder's.
    All,
    /// Those of these files and folders.
    Paths(&'a [PathBuf]),
    /// The folder's, with another text of this file.
    Changed(&'a SourceFile),
}

/// Why rules could not even be compiled.
enum Stopped {
    Config(ConfigError),
    Host(plugin::HostError),
    Rejected(Rejection),
}

/// Reads, compiles and tests the rules, and tells every problem.
///
/// A folder that is not named is the configuration's, as it is for `serve`.
pub fn check(rules: Option<&Path>, plugins: Option<&Path>, config: Option<&Path>) -> CheckReport {
    check_these(&[], rules, plugins, config, false)
}

/// The same, with these files and folders in the place of the folder of rules, when there are any. One of the
/// configuration's name is the configuration. With `color`, what is rendered is for a terminal.
pub fn check_these(
    paths: &[PathBuf],
    rules: Option<&Path>,
    plugins: Option<&Path>,
    config: Option<&Path>,
    color: bool,
) -> CheckReport {
    let is_config = |path: &&PathBuf| path.file_name().is_some_and(|name| name == FILE_NAME);
    let config = config.or(paths.iter().find(is_config).map(PathBuf::as_path));
    let paths: Vec<PathBuf> = paths.iter().filter(|path| !is_config(path)).cloned().collect();
    let compiled = match compile(&paths, rules, plugins, config) {
        Ok(compiled) => compiled,
        Err(stopped) => {
            let files =
                if let Stopped::Rejected(rejection) = &stopped { rejection.files } else { 0 };
            let (diagnostics, rendered) =
                stopped.explain(rules.unwrap_or(Path::new("rules")), color);
            return CheckReport { files, diagnostics, rendered, ..CheckReport::default() };
        }
    };
    let report = compiled.rules.test();
    let tests = report.passed + report.failures.len();
    let mut diagnostics = report.failures;
    diagnostics.extend_from_slice(&compiled.warnings);
    diagnostics
        .sort_by(|one, other| (&one.path, one.span.start).cmp(&(&other.path, other.span.start)));
    CheckReport {
        rules: compiled.rules.rules().len(),
        files: compiled.files,
        tests,
        rendered: compiled.render(&diagnostics, color),
        diagnostics,
    }
}

impl CheckReport {
    /// How many errors and how many warnings there are.
    pub fn counts(&self) -> (usize, usize) {
        let errors = self.diagnostics.iter().filter(|one| one.is_error()).count();
        (errors, self.diagnostics.len() - errors)
    }
}

fn compile(
    paths: &[PathBuf],
    rules: Option<&Path>,
    plugins: Option<&Path>,
    config: Option<&Path>,
) -> Result<Compiled, Stopped> {
    let chosen = if paths.is_empty() { Chosen::All } else { Chosen::Paths(paths) };
    compile_chosen(&settings(rules, plugins, config)?, chosen, None)
}

/// The configuration, with the folders that were named.
fn settings(
    rules: Option<&Path>,
    plugins: Option<&Path>,
    config: Option<&Path>,
) -> Result<Config, Stopped> {
    let mut config = Config::read(config).map_err(Stopped::Config)?;
    if let Some(rules) = rules {
        config.rules_dir = rules.to_owned();
    }
    if let Some(plugins) = plugins {
        config.plugins_dir = plugins.to_owned();
    }
    Ok(config)
}

fn compile_in(config: &Config) -> Result<Compiled, Stopped> {
    compile_chosen(config, Chosen::All, None)
}

/// With somebody who reads what plugins log.
fn compile_heard(config: &Config, lines: &LoggedLines) -> Result<Compiled, Stopped> {
    compile_chosen(config, Chosen::All, Some(std::sync::Arc::new(lines.clone())))
}

/// With another text of one rule file.
fn compile_with(config: &Config, file: &SourceFile) -> Result<Compiled, Stopped> {
    compile_chosen(config, Chosen::Changed(file), None)
}

fn compile_chosen(
    config: &Config,
    chosen: Chosen<'_>,
    lines: Option<std::sync::Arc<dyn plugin::LineSink>>,
) -> Result<Compiled, Stopped> {
    // Nothing is kept: a check leaves no trace.
    let options = plugin::Options { cache_dir: None, ..plugin::Options::default() };
    let host = plugin::Host::new(options).map_err(Stopped::Host)?;
    let source = load::Source {
        folders: folders(config),
        buses: config.buses.clone(),
        connections: Fit::of(config),
        limits: config.limits.of_events(),
        setup: plugin::Setup {
            limits: plugin_limits(&config.plugin),
            lines,
            ..plugin::Setup::default()
        },
        host,
        verdicts: std::sync::Arc::default(),
        tests: config.reload.tests,
    };
    let folders = &source.folders;
    let content = match chosen {
        Chosen::Paths(paths) => folders.read_these(paths),
        Chosen::All | Chosen::Changed(_) => folders.read(),
    };
    let mut content = content.map_err(|error| Stopped::Rejected(Rejection::folder(&error)))?;
    if let Chosen::Changed(changed) = chosen {
        for file in content.rules.iter_mut().filter(|file| file.path == changed.path) {
            file.text.clone_from(&changed.text);
        }
    }
    source.compile(content, &Running::default()).compiled.map_err(Stopped::Rejected)
}

impl Stopped {
    fn explain(self, rules: &Path, color: bool) -> (Vec<Diagnostic>, String) {
        match self {
            Self::Rejected(rejection) if rejection.diagnostics.is_empty() => {
                let shown = rules.display().to_string();
                let rendered = rejection.message.clone();
                (vec![folder::whole_file(shown, rejection.message, "")], rendered)
            }
            Self::Rejected(rejection) => {
                let rendered = rejection.render(color);
                (rejection.diagnostics, rendered)
            }
            Self::Config(error) => {
                let rendered = error.render(color);
                (error.into_diagnostics(), rendered)
            }
            Self::Host(error) => {
                let message = format!("start the plugin host: {error}");
                let shown = rules.display().to_string();
                (vec![folder::whole_file(shown, message.clone(), "")], message)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const RULE: &str = "name: all\nbus: shop\npattern: { source: [a] }\ntargets:\n  - id: file\n    log: { file: out.jsonl }\ntests:\n  - name: one\n    event: { source: a, detail-type: T, detail: {} }\n    expect: EXPECT\n";

    fn test(rules: &Path) -> Tested {
        let rules = Some(rules);
        super::test(&TestRequest { rules, ..TestRequest::default() })
    }

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(dir.path().join(name), text).unwrap();
        }
        dir
    }

    #[test]
    fn good_rules_are_counted_with_their_tests() {
        let good = RULE.replace("EXPECT", "{ file: { source: a } }");
        let none = RULE.replace("EXPECT", "none").replace("source: a,", "source: b,");
        let dir = folder(&[("a.yaml", &none)]);
        let report = check(Some(dir.path()), None, None);
        assert_eq!((report.rules, report.files, report.tests), (1, 1, 1), "{}", report.rendered);
        assert_eq!((report.diagnostics.len(), report.rendered.as_str()), (0, ""));

        let dir = folder(&[("a.yaml", &none), ("b.yaml", &good.replace("all", "other"))]);
        let report = test(dir.path());
        assert_eq!(report.passed + report.failures.len(), 2, "{}", report.rendered);
        assert_eq!(report.outcomes.len(), 2);
    }

    #[test]
    fn files_and_folders_that_are_named_are_read_alone() {
        let dir = folder(&[("a.yaml", "nmae: x\n"), ("slipswitch.yaml", "lisen: x\n")]);
        fs::create_dir(dir.path().join("b")).unwrap();
        let none = RULE.replace("EXPECT", "none").replace("source: a,", "source: b,");
        fs::write(dir.path().join("b/good.yaml"), none).unwrap();
        let paths = |names: &[&str]| -> Vec<PathBuf> {
            names.iter().map(|name| dir.path().join(name)).collect()
        };
        let report = check_these(&paths(&["b", "b/good.yaml"]), None, None, None, false);
        assert_eq!((report.files, report.rules), (1, 1), "{}", report.rendered);
        let report = check_these(&paths(&["b/good.yaml", "a.yaml"]), None, None, None, false);
        assert_eq!((report.files, report.counts().0), (2, 3), "{}", report.rendered);
        let report = check_these(&paths(&["b", "slipswitch.yaml"]), None, None, None, false);
        assert!(report.rendered.contains("`lisen`"), "{}", report.rendered);
        let report = check_these(&paths(&["gone.yaml"]), None, None, None, false);
        assert!(report.rendered.contains("gone.yaml"), "{}", report.rendered);
    }

    #[test]
    fn what_is_rendered_for_a_terminal_has_colours_and_the_same_words() {
        let dir = folder(&[("a.yaml", "nmae: x\n"), ("slipswitch.yaml", "lisen: x\n")]);
        for named in [vec![], vec![dir.path().join("slipswitch.yaml")]] {
            let rendered =
                |color| check_these(&named, Some(dir.path()), None, None, color).rendered;
            assert!(!rendered(false).contains('\u{1b}'));
            let mut parts = vec![];
            for part in rendered(true).split("\u{1b}[") {
                parts.push(part.split_once('m').map_or(part, |(_, words)| words).to_owned());
            }
            assert!(1 < parts.len());
            let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            assert_eq!(words(&parts.concat()).len(), words(&rendered(false)).len());
        }
    }

    #[test]
    fn a_failing_test_is_a_failure_and_a_problem_of_the_check() {
        let dir = folder(&[("a.yaml", &RULE.replace("EXPECT", "none"))]);
        let report = test(dir.path());
        assert_eq!((report.passed, report.failures.len(), report.problems.len()), (0, 1, 0));
        assert!(report.rendered.contains("a.yaml"), "{}", report.rendered);
        assert_eq!(check(Some(dir.path()), None, None).diagnostics.len(), 1);
    }

    #[test]
    fn every_problem_of_every_file_is_told() {
        let dir = folder(&[("a.yaml", "nmae: x\n"), ("b.yaml", "- 1\n"), ("c.yaml", "")]);
        fs::write(dir.path().join("d.yaml"), b"\xff").unwrap();
        let report = check(Some(dir.path()), None, None);
        for name in ["a.yaml", "b.yaml", "d.yaml"] {
            assert!(report.diagnostics.iter().any(|one| one.path.ends_with(name)), "{name}");
            assert!(report.rendered.contains(name), "{name}: {}", report.rendered);
        }
        assert_eq!((report.rules, report.files), (0, 3));
        assert!(!test(dir.path()).problems.is_empty());
    }

    #[test]
    fn a_missing_folder_or_configuration_is_a_problem() {
        let report = check(Some(Path::new("/nowhere/rules")), None, None);
        assert!(report.rendered.contains("/nowhere/rules"), "{}", report.rendered);
        assert_eq!(report.diagnostics.len(), 1);
        let dir = folder(&[]);
        let report = check(Some(dir.path()), None, Some(Path::new("/nowhere.yaml")));
        assert!(report.rendered.contains("/nowhere.yaml"), "{}", report.rendered);
        let report = check(Some(dir.path()), Some(Path::new("/nowhere/plugins")), None);
        assert!(report.rendered.contains("/nowhere/plugins"), "{}", report.rendered);
    }
}
