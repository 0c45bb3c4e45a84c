//! From the folders to a rule set that may run: read, load plugins, compile, test.
//!
//! # Invariants
//!
//! - **old rules beat bad rules**: what has any problem, in a file or in a test, is a [`Rejection`].
//! - A file whose rules run and that has become empty is a problem: it is half saved more often than meant.
//! - Synchronous: the caller chooses the thread.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bus::plugin::{self, Host};
use bus::ruleset::{self, Diagnostic, Loaded, RuleSet, Severity, SourceFile, TestReport};
use bus::{PluginFile, Shelf, Verdicts};
use sha2::{Digest as _, Sha256};

use crate::config::Tests;
use crate::connections::Fit;
use crate::folder::{Content, FolderError, Folders, whole_file};
use crate::plugins::versions::hex;
use crate::sent_rules::{self, Guarded};
use crate::values::{Digests, SystemValues};

/// What rules are loaded from and checked against; the same for a router's whole life.
#[derive(Clone)]
pub(crate) struct Source {
    pub(crate) folders: Folders,
    pub(crate) buses: Vec<String>,
    pub(crate) connections: Fit,
    pub(crate) limits: event::Limits,
    /// What every plugin is set up with.
    pub(crate) setup: plugin::Setup,
    pub(crate) host: Host,
    /// On canaries, of this process and of those before.
    pub(crate) verdicts: Arc<Verdicts>,
    /// What the rules' own tests are for.
    pub(crate) tests: Tests,
}

/// What runs at this moment; nothing at the start.
#[derive(Clone, Copy, Default)]
pub(crate) struct Running<'a> {
    pub(crate) rules: Option<&'a RuleSet>,
    pub(crate) shelf: Option<&'a Shelf>,
    pub(crate) texts: Option<&'a Texts>,
}

/// Rules that compiled.
#[derive(Clone)]
pub(crate) struct Compiled {
    pub(crate) rules: Arc<RuleSet>,
    pub(crate) shelf: Arc<Shelf>,
    /// The plugins' files that were loaded for it.
    pub(crate) plugins: Arc<Vec<PluginFile>>,
    pub(crate) files: usize,
    /// How many of the rules' own tests have run.
    pub(crate) tests: usize,
    pub(crate) texts: Texts,
    /// What is odd about them, and no reason not to run them.
    pub(crate) warnings: Vec<Diagnostic>,
}

/// Compiled, or why not; and the files besides the folders whose change changes the outcome.
pub(crate) struct Outcome {
    pub(crate) compiled: Result<Compiled, Rejection>,
    pub(crate) values_from: Digests,
}

/// The texts of the rule files by path, to show their lines in diagnostics. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Texts(Arc<BTreeMap<String, String>>);

/// Why rules do not run.
#[derive(Debug)]
pub(crate) struct Rejection {
    /// One line.
    pub(crate) message: String,
    /// Warnings included.
    pub(crate) diagnostics: Vec<Diagnostic>,
    pub(crate) files: usize,
    /// The plugins' files that were tried, by name: their digests.
    pub(crate) plugins: BTreeMap<String, String>,
    texts: Texts,
}

impl Source {
    /// Reads and compiles; the inline tests have not run yet.
    pub(crate) fn compile(&self, content: Content, running: &Running<'_>) -> Outcome {
        let looked_in = self.folders.plugins.display().to_string();
        let setup = (self.setup.clone(), &self.verdicts);
        let shelf = Shelf::load(&self.host, setup, &looked_in, &content.plugins, running.shelf);
        self.compile_with(Arc::new(shelf), content, running)
    }

    fn compile_with(
        &self,
        shelf: Arc<Shelf>,
        mut content: Content,
        running: &Running<'_>,
    ) -> Outcome {
        sent_rules::take_out_copies(&mut content.rules, &self.folders.sent);
        let values = SystemValues::default();
        let none = RuleSet::empty();
        let loaded = ruleset::reload(
            &content.rules,
            &ruleset::Context {
                values: &Guarded { values: &values, sent: &self.folders.sent },
                plugins: shelf.as_ref(),
                buses: &self.buses,
                connections: &self.connections,
                limits: self.limits,
            },
            running.rules.unwrap_or(&none),
        );
        shelf.settle();
        let files = content.rules.len();
        let texts = Texts::of(content.rules);
        let compiled = match loaded {
            Ok(Loaded { rules, warnings }) if content.problems.is_empty() => {
                let (rules, plugins) = (Arc::new(rules), Arc::new(content.plugins));
                Ok(Compiled { rules, shelf, plugins, files, tests: 0, texts, warnings })
            }
            loaded => {
                let mut diagnostics = content.problems;
                diagnostics.extend(loaded.map_or_else(|all| all, |loaded| loaded.warnings));
                Err(Rejection::broken(diagnostics, files, texts))
            }
        };
        Outcome { compiled, values_from: values.into_digests() }
    }

    /// Compiles rules that somebody has sent, with the plugins of `shelf`. They are no reload: nothing is carried over.
    pub(crate) fn compile_sent(
        &self,
        rules: Vec<SourceFile>,
        shelf: Option<&Shelf>,
        running: &RuleSet,
    ) -> Result<Compiled, Rejection> {
        let looked_in = self.folders.plugins.display().to_string();
        let none =
            || Shelf::load(&self.host, (self.setup.clone(), &self.verdicts), &looked_in, &[], None);
        let shelf = shelf.map_or_else(none, |shelf| shelf.with(&[], None));
        let content = Content { rules, plugins: Vec::new(), problems: Vec::new(), digest: [0; 32] };
        let running = Running { rules: Some(running), ..Running::default() };
        self.compile_with(Arc::new(shelf), content, &running).compiled
    }

    /// Compiles what may take the place of `running`, and runs the inline tests.
    pub(crate) fn load(&self, content: Content, running: Running<'_>) -> Outcome {
        let files = content.plugins.iter();
        let plugins: BTreeMap<String, String> =
            files.map(|file| (file.name.clone(), hex(&Sha256::digest(&file.bytes)))).collect();
        let Outcome { compiled, values_from } =
            self.tested(self.compile(content, &running), running);
        let compiled = compiled.map_err(|rejection| Rejection { plugins, ..rejection });
        Outcome { compiled, values_from }
    }

    /// As `load`, of what runs with another file of a plugin, or with one plugin less. None when nothing runs.
    pub(crate) fn load_beside(
        &self,
        file: Option<PluginFile>,
        gone: Option<&str>,
        running: Running<'_>,
    ) -> Option<Outcome> {
        let Running { shelf: Some(shelf), texts: Some(texts), .. } = running else { return None };
        let plugins: Vec<PluginFile> = file.into_iter().collect();
        let shelf = Arc::new(shelf.with(&plugins, gone));
        let (rules, problems) = (texts.files(), Vec::new());
        let content = Content { rules, plugins, problems, digest: [0; 32] };
        Some(self.tested(self.compile_with(shelf, content, &running), running))
    }

    /// As `load`, of what runs with other rule files. None when nothing runs.
    pub(crate) fn load_changed(
        &self,
        change: impl FnOnce(&mut Vec<SourceFile>),
        running: Running<'_>,
    ) -> Option<Outcome> {
        let Running { shelf: Some(shelf), texts: Some(texts), .. } = running else { return None };
        let shelf = Arc::new(shelf.with(&[], None));
        let (mut rules, plugins, problems) = (texts.files(), Vec::new(), Vec::new());
        change(&mut rules);
        let content = Content { rules, plugins, problems, digest: [0; 32] };
        Some(self.tested(self.compile_with(shelf, content, &running), running))
    }

    fn tested(&self, mut outcome: Outcome, running: Running<'_>) -> Outcome {
        outcome.compiled = outcome.compiled.and_then(|compiled| {
            let emptied = running.rules.map_or_else(Vec::new, |rules| compiled.emptied(rules));
            if !emptied.is_empty() {
                return Err(Rejection::broken(emptied, compiled.files, compiled.texts));
            }
            if self.tests == Tests::Off {
                return Ok(compiled);
            }
            let report = compiled.rules.test();
            let tests = report.passed + report.failures.len();
            if report.failures.is_empty() || self.tests == Tests::Warned {
                let unmet = report.failures.into_iter();
                let unmet = unmet.map(|one| Diagnostic { severity: Severity::Warning, ..one });
                let warnings = compiled.warnings.into_iter().chain(unmet).collect();
                return Ok(Compiled { tests, warnings, ..compiled });
            }
            Err(compiled.untested(report))
        });
        outcome
    }
}

impl Compiled {
    pub(crate) fn render(&self, diagnostics: &[Diagnostic], color: bool) -> String {
        self.texts.render(diagnostics, color)
    }

    /// The warnings as people read them; empty when there are none.
    pub(crate) fn warnings(&self) -> String {
        self.render(&self.warnings, false)
    }

    /// The texts of the rule files, by path.
    pub(crate) fn texts(&self) -> BTreeMap<String, String> {
        self.texts.0.as_ref().clone()
    }

    /// The files that are still there, hold no rule, and held some of the rules that run.
    fn emptied(&self, running: &RuleSet) -> Vec<Diagnostic> {
        let paths = |rules: &RuleSet| -> BTreeSet<String> {
            rules.rules().iter().map(|rule| rule.path.clone()).collect()
        };
        let (before, now) = (paths(running), paths(&self.rules));
        let emptied = before.difference(&now).filter(|path| self.texts.0.contains_key(*path));
        let mend = "is it half saved? delete the file to remove its rules";
        emptied.map(|path| whole_file(path.clone(), format!("{path} became empty"), mend)).collect()
    }

    fn untested(self, report: TestReport) -> Rejection {
        let failed = report.failures.len();
        let total = report.passed + failed;
        let mut diagnostics = report.failures;
        diagnostics.extend(self.warnings);
        Rejection {
            message: format!("{failed} of {total} inline tests failed"),
            diagnostics,
            files: self.files,
            plugins: BTreeMap::new(),
            texts: self.texts,
        }
    }
}

impl Rejection {
    pub(crate) fn folder(error: &FolderError) -> Self {
        Self {
            message: error.to_string(),
            diagnostics: Vec::new(),
            files: 0,
            plugins: BTreeMap::new(),
            texts: Texts::default(),
        }
    }

    fn broken(diagnostics: Vec<Diagnostic>, files: usize, texts: Texts) -> Self {
        let errors: Vec<&Diagnostic> = diagnostics.iter().filter(|one| one.is_error()).collect();
        let message = match errors.as_slice() {
            [one] => format!("{}:{}:{}: {}", one.path, one.line, one.column, one.message),
            more => format!("{} problems in the rule files", more.len()),
        };
        Self { message, diagnostics, files, plugins: BTreeMap::new(), texts }
    }

    /// The diagnostics as people read them, or the message when there are none.
    pub(crate) fn render(&self, color: bool) -> String {
        if self.diagnostics.is_empty() {
            return self.message.clone();
        }
        self.texts.render(&self.diagnostics, color)
    }
}

impl Texts {
    fn of(files: Vec<SourceFile>) -> Self {
        Self(Arc::new(files.into_iter().map(|file| (file.path, file.text)).collect()))
    }

    pub(crate) fn of_file(&self, path: &str) -> Option<&str> {
        self.0.get(path).map(String::as_str)
    }

    /// The files again, sorted by path.
    fn files(&self) -> Vec<SourceFile> {
        let files = self.0.iter();
        files.map(|(path, text)| SourceFile { path: path.clone(), text: text.clone() }).collect()
    }

    fn render(&self, diagnostics: &[Diagnostic], color: bool) -> String {
        let text = |one: &Diagnostic| self.0.get(&one.path).map_or("", String::as_str);
        let rendered: Vec<String> =
            diagnostics.iter().map(|one| one.render(text(one), color)).collect();
        rendered.join("\n")
    }
}
