//! Running the cases of a plugin against the built file, in the real host.
//!
//! # Invariants
//!
//! - Nothing runs while any file of cases is broken: all that is wrong with them is told at once.
//! - An update touches only cases that fail.

use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bus::plugin::{self, ConfigureError, Grant, Plugin, Role, Setup};
use bus::ruleset::{Code, Diagnostic};
use serde::Serialize;

use super::cases::{self, Case};
use super::judge::{self, Came};
use super::layout::expectation;
use super::pretend::{Entries, Lines, State, call};
use super::update::{self, Change};
use super::{PluginError, host, load, read};
use crate::config::at;
use crate::folder::{read_bounded, whole_file};

const FILE_BYTES_MAX: u64 = 16 << 20;
const FILES_MAX: usize = 1_000;

/// What came of all cases.
#[derive(Debug, Default)]
pub struct PluginTests {
    /// One for each case that ran, in the order of the files.
    pub outcomes: Vec<CaseOutcome>,
    /// The failures as people read them; empty when there are none.
    pub rendered: String,
    /// Files whose expectations were written anew.
    pub updated: Vec<PathBuf>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CaseOutcome {
    pub file: String,
    pub line: usize,
    pub name: String,
    /// Why it failed; null when it passed.
    pub failure: Option<String>,
    /// It failed, and what came out is what it expects now.
    pub updated: bool,
}

struct CaseFile {
    path: PathBuf,
    shown: String,
    text: String,
    cases: Vec<Case>,
}

/// Runs the cases in the `*.json` of `folder`, those whose name contains `filter`; with `update`, what came out of
/// those that fail becomes what they expect.
///
/// # Errors
///
/// When the plugin does not load, there is no case, or a file of cases is broken or cannot be written.
pub fn plugin_test(
    wasm: &Path,
    folder: &Path,
    filter: Option<&str>,
    update: bool,
) -> Result<PluginTests, PluginError> {
    let files = find(folder)?;
    let file = read(wasm)?;
    let plugin = load(&host(plugin::Options::default())?, wasm, &file)?;
    let mut tests = PluginTests::default();
    let mut rendered = Vec::new();
    for CaseFile { path, shown, text, cases } in files {
        let mut changes = Vec::new();
        for case in cases.iter().filter(|case| filter.is_none_or(|part| case.name.contains(part))) {
            let run = Run::of(&plugin, case);
            let of_this = if update { run.changes(&text, case, plugin.role()) } else { Vec::new() };
            let (outcome, failure) = run.told(case, &shown, &text, plugin.role());
            let updated = !of_this.is_empty();
            tests.outcomes.push(CaseOutcome { updated, ..outcome });
            rendered.extend(failure.filter(|_| !updated));
            changes.extend(of_this);
        }
        if !changes.is_empty() {
            update::write(&path, &update::changed(&text, changes))?;
            tests.updated.push(path);
        }
    }
    tests.rendered = rendered.join("\n");
    Ok(tests)
}

/// What came of one case.
struct Run {
    /// Why it fails, and at which bytes.
    failure: Option<(String, Range<usize>)>,
    /// None when the plugin could not be configured.
    came: Option<Came>,
    state: Entries,
    lines: Vec<String>,
}

impl Run {
    fn of(plugin: &Plugin, case: &Case) -> Self {
        let lines = Lines::default();
        let setup =
            Setup { grants: case.grants, lines: Some(Arc::new(lines.clone())), ..Setup::default() };
        let configured = match plugin.configure(&case.config, setup) {
            Ok(configured) => configured,
            Err(error) => {
                let words = match error {
                    ConfigureError::NotGranted { missing, imports } => {
                        let all: Vec<&str> = imports.iter().map(|import| import.name()).collect();
                        let missing = Grant::quoted(&missing);
                        format!("it asks for {missing}: write `\"grant\": {all:?}` in the case")
                    }
                    error => format!("its configuration is refused: {error}"),
                };
                let failure = Some((words, case.place.config.clone()));
                return Self { failure, came: None, state: Entries::new(), lines: lines.take() };
            }
        };
        let state = State::of(case.state.clone());
        let came = call(&configured, &case.event, &case.attributes, &state);
        let state = state.entries();
        let failure = failure(case, plugin.role(), &came, &state);
        Self { failure, came: Some(came), state, lines: lines.take() }
    }

    fn changes(&self, text: &str, case: &Case, role: Role) -> Vec<Change> {
        let (Some(_), Some(came)) = (&self.failure, &self.came) else { return Vec::new() };
        let state = update::state_change(text, case, &self.state);
        [Some(update::change(text, case, came, role)), state].into_iter().flatten().collect()
    }

    /// The outcome, and the failure as people read it.
    fn told(
        self,
        case: &Case,
        shown: &str,
        text: &str,
        role: Role,
    ) -> (CaseOutcome, Option<String>) {
        let (failure, place) = self.failure.unzip();
        let message = failure.as_deref().unwrap_or_default();
        let message = format!("`{}` failed: {message}", case.name);
        let place = place.unwrap_or_else(|| case.place.case.clone());
        let found = at(shown, text, place, [message, String::new(), String::new()]);
        let diagnostic = Diagnostic { code: Code::TestFailed, page: cases::PAGE, ..found };
        let outcome = CaseOutcome {
            file: shown.to_owned(),
            line: diagnostic.line,
            name: case.name.clone(),
            failure,
            updated: false,
        };
        let rendered = outcome.failure.is_some().then(|| {
            let mut rendered = diagnostic.render(text, false);
            if let Some(came) = self.came {
                let came = expectation(&came, role, "  ");
                rendered.push_str(&format!("  what came out:\n  {came}\n"));
            }
            if !self.lines.is_empty() {
                rendered.push_str(&format!("  what it logged:\n  {}\n", self.lines.join("\n  ")));
            }
            rendered
        });
        (outcome, rendered)
    }
}

fn failure(
    case: &Case,
    role: Role,
    came: &Came,
    state: &Entries,
) -> Option<(String, Range<usize>)> {
    let first_byte = case.place.case.start..case.place.case.start + 1;
    let place = case.place.expect.clone().unwrap_or_else(|| first_byte.clone());
    let Some(expect) = &case.expect else {
        return Some(("it does not say what it expects; `--update` writes it".to_owned(), place));
    };
    if let Some(words) = judge::differs(expect, role, came) {
        return Some((words, place));
    }
    let words = judge::state_differs(case.expect_state.as_ref()?, state)?;
    Some((words, case.place.expect_state.clone().unwrap_or(first_byte)))
}

/// Every file of cases, read; all that is wrong with any of them is told together.
fn find(folder: &Path) -> Result<Vec<CaseFile>, PluginError> {
    let mut files = Vec::new();
    let mut broken: Vec<(Diagnostic, String)> = Vec::new();
    for path in list(folder)? {
        let shown = path.strip_prefix(".").unwrap_or(&path).display().to_string();
        let text = match read_bounded(&path, FILE_BYTES_MAX).map(String::from_utf8) {
            Ok(Ok(text)) => text,
            Ok(Err(error)) => {
                let message = format!("not UTF-8 text: {error}");
                broken.push((whole_file(shown, message, "save the file as UTF-8"), String::new()));
                continue;
            }
            Err(source) => return Err(PluginError::Unreadable { path, source }),
        };
        match cases::parse(&shown, &text) {
            Ok(cases) => files.push(CaseFile { path, shown, text, cases }),
            Err(found) => broken.extend(found.into_iter().map(|one| (one, text.clone()))),
        }
    }
    if !broken.is_empty() {
        let rendered: Vec<String> =
            broken.iter().map(|(one, text)| one.render(text, false)).collect();
        let diagnostics = broken.into_iter().map(|(one, _)| one).collect();
        return Err(PluginError::Cases { diagnostics, rendered: rendered.join("\n") });
    }
    if files.iter().all(|file| file.cases.is_empty()) {
        return Err(PluginError::NothingThere(format!(
            "there is no case in {}: write one into {}, such as {{\"name\": \"…\", \"event\": {{\"detail\": {{}}}}}}, \
             and let --update write what comes out",
            folder.display(),
            folder.join("cases.json").display()
        )));
    }
    Ok(files)
}

fn list(folder: &Path) -> Result<Vec<PathBuf>, PluginError> {
    let unreadable = |source| PluginError::Unreadable { path: folder.to_owned(), source };
    let listing = match fs::read_dir(folder) {
        Ok(listing) => listing,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(PluginError::NothingThere(format!(
                "there is no folder {}: cases are files of JSON in it; `slipswitch plugin test DIR` takes DIR/tests",
                folder.display()
            )));
        }
        Err(error) => return Err(unreadable(error)),
    };
    let mut files = Vec::new();
    for entry in listing {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == "json") && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    if files.len() > FILES_MAX {
        let folder = folder.display();
        let words = format!(
            "more than {FILES_MAX} files of cases in {folder}: put several cases into a file, as an array"
        );
        return Err(PluginError::NothingThere(words));
    }
    Ok(files)
}
