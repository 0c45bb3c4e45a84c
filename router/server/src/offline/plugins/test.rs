//! Running the cases of a plugin against the built file, in the real host.
//!
//! # Invariants
//!
//! - Nothing runs while any file of cases is broken: all that is wrong with them is told at once.
//! - An update touches only what a case expects, and only of cases that fail; every other byte of a file stays.

use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use bus::plugin::{self, Configured, Plugin, Role, Setup};
use bus::ruleset::Diagnostic;
use serde::Serialize;

use super::cases::{self, Case};
use super::judge::{self, Came};
use super::layout::expectation;
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
            let outcome = run(&plugin, case);
            let change = match (update, &outcome.failure, &outcome.came) {
                (true, Some(_), Some(came)) => Some(change(&text, case, came, &plugin)),
                _ => None,
            };
            let failed = outcome.told(case, &shown, &text, plugin.role());
            tests.outcomes.push(CaseOutcome { updated: change.is_some(), ..failed.0 });
            rendered.extend(failed.1.filter(|_| change.is_none()));
            changes.extend(change);
        }
        if !changes.is_empty() {
            write(&path, &changed(&text, changes))?;
            tests.updated.push(path);
        }
    }
    tests.rendered = rendered.join("\n");
    Ok(tests)
}

/// Why a case fails and at which bytes, and what came out, if anything could.
struct Run {
    failure: Option<String>,
    place: Range<usize>,
    came: Option<Came>,
}

fn run(plugin: &Plugin, case: &Case) -> Run {
    let configured = match plugin.configure(&case.config, Setup::default()) {
        Ok(configured) => configured,
        Err(error) => {
            let failure = Some(format!("its configuration is refused: {error}"));
            return Run { failure, place: case.place.config.clone(), came: None };
        }
    };
    let came = call(&configured, case);
    let failure = match &case.expect {
        Some(expect) => judge::differs(expect, plugin.role(), &came),
        None => Some("it does not say what it expects; `--update` writes it".to_owned()),
    };
    let first_byte = case.place.case.start..case.place.case.start + 1;
    let place = case.place.expect.clone().unwrap_or(first_byte);
    Run { failure, place, came: Some(came) }
}

impl Run {
    /// The outcome, and the failure as people read it.
    fn told(
        self,
        case: &Case,
        shown: &str,
        text: &str,
        role: Role,
    ) -> (CaseOutcome, Option<String>) {
        let message = self.failure.as_deref().unwrap_or_default();
        let message = format!("`{}` failed: {message}", case.name);
        let diagnostic = at(shown, text, self.place, [message, String::new(), String::new()]);
        let outcome = CaseOutcome {
            file: shown.to_owned(),
            line: diagnostic.line,
            name: case.name.clone(),
            failure: self.failure,
            updated: false,
        };
        let rendered = outcome.failure.is_some().then(|| {
            let came = self.came.map(|came| expectation(&came, role, "  "));
            let came =
                came.map_or_else(String::new, |came| format!("  what came out:\n  {came}\n"));
            format!("{}{came}", diagnostic.render(text, false))
        });
        (outcome, rendered)
    }
}

fn call(configured: &Configured, case: &Case) -> Came {
    let event = &case.event;
    configured.call(&plugin::Event {
        id: event.id(),
        source: event.source(),
        detail_type: event.detail_type(),
        time: event.time_text(),
        time_ms: event.time().as_millis(),
        json: event.json(),
        detail: event.detail_span(),
        attributes: &case.attributes,
        position: 0,
    })
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

/// A replacement of bytes of a file.
struct Change {
    from: usize,
    to: usize,
    text: String,
}

fn change(text: &str, case: &Case, came: &Came, plugin: &Plugin) -> Change {
    if let Some(place) = &case.place.expect {
        let value = expectation(came, plugin.role(), indent(text, place.start));
        return Change { from: place.start, to: place.end, text: value };
    }
    // Behind the last member, and as far to the right as the first one.
    let whole = &case.place.case;
    let body = text.get(whole.start..whole.end).unwrap_or_default();
    let inside = body.strip_suffix('}').unwrap_or(body).trim_end();
    let at = whole.start + inside.len();
    let first_key = whole.start + body.find('"').unwrap_or(0);
    let is_spread = text.get(whole.start..first_key).is_some_and(|space| space.contains('\n'));
    let indent = indent(text, first_key);
    let gap = if is_spread { format!("\n{indent}") } else { " ".to_owned() };
    let value = expectation(came, plugin.role(), indent);
    Change { from: at, to: at, text: format!(",{gap}\"expect\": {value}") }
}

/// The space at the begin of the line that byte `at` is in.
fn indent(text: &str, at: usize) -> &str {
    let before = text.get(..at).unwrap_or_default();
    let line = text.get(before.rfind('\n').map_or(0, |end| end + 1)..).unwrap_or_default();
    let space = line.len() - line.trim_start_matches([' ', '\t']).len();
    line.get(..space).unwrap_or_default()
}

fn changed(text: &str, mut changes: Vec<Change>) -> String {
    changes.sort_by_key(|change| std::cmp::Reverse(change.from));
    let mut out = text.to_owned();
    for Change { from, to, text } in changes {
        out.replace_range(from..to, &text);
    }
    out
}

fn write(path: &Path, text: &str) -> Result<(), PluginError> {
    let aside = path.with_extension("json.new");
    fs::write(&aside, text)
        .and_then(|()| fs::rename(&aside, path))
        .map_err(|source| PluginError::Unwritable { path: path.to_owned(), source })
}
