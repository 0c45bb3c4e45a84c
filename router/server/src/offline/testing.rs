//! Running the tests of the rules: those that stand in the rule files, and recorded events.
//!
//! # Invariants
//!
//! - Nothing runs, and nothing is written, while the rules do not load.
//! - A file is written only when what is to be written was read again and its tests passed; then it is
//!   replaced at once, and only what its tests expect has changed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use bus::ruleset::{self, Change, Diagnostic, Recorded, SourceFile, TestOutcome, Untested};

use super::{Stopped, compile_in, settings};
use crate::folder::{read_bounded, recorded_files, whole_file};
use crate::load::{Compiled, Rejection};

/// The longest file of recorded events, in bytes.
const FILE_BYTES_MAX: u64 = 256 << 20;
/// What standard input is called.
const STANDARD_INPUT: &str = "standard input";
/// Failures that are rendered: nobody reads more of them, and each looks through its file.
const RENDERED_MAX: usize = 50;

/// Which tests, and how they are run.
#[derive(Clone, Copy, Debug, Default)]
pub struct TestRequest<'a> {
    pub rules: Option<&'a Path>,
    pub plugins: Option<&'a Path>,
    pub config: Option<&'a Path>,
    /// Only what stands in these files and folders; all there is when none is named.
    pub within: &'a [PathBuf],
    /// Recorded events that came another way.
    pub input: Option<&'a str>,
    /// The bus of recorded events that name none.
    pub bus: Option<&'a str>,
    /// Only tests whose name, rule, target or file has this in it.
    pub filter: Option<&'a str>,
    pub update: bool,
    pub color: bool,
}

/// What came of the tests.
#[derive(Debug, Default)]
pub struct Tested {
    pub rules: usize,
    pub passed: usize,
    /// One for each test that failed and is not updated.
    pub failures: Vec<Diagnostic>,
    pub outcomes: Vec<TestOutcome>,
    /// Why no test could run: the rules do not compile, or what was named is not there.
    pub problems: Vec<Diagnostic>,
    /// Failures and problems as people read them; empty when there are none.
    pub rendered: String,
    /// Files whose expectations were written anew.
    pub updated: Vec<String>,
    /// Files whose expectations could not be, and why.
    pub not_updated: Vec<(String, String)>,
    pub untested: Vec<Untested>,
}

/// The files that hold tests.
struct Files {
    /// Of recorded events, with their texts.
    recorded: Vec<(SourceFile, Recorded)>,
    /// The rule files whose tests are run; none when all are.
    rules: Option<BTreeSet<String>>,
}

/// Runs the tests.
pub fn test(request: &TestRequest<'_>) -> Tested {
    match run(request) {
        Ok(tested) => tested,
        Err(stopped) => {
            let (problems, rendered) =
                stopped.explain(request.rules.unwrap_or(Path::new("rules")), request.color);
            Tested { problems, rendered, ..Tested::default() }
        }
    }
}

fn run(request: &TestRequest<'_>) -> Result<Tested, Stopped> {
    let config = settings(request.rules, request.plugins, request.config)?;
    let limits = config.limits.of_events();
    let compiled = compile_in(&config)?;
    let mut problems = Vec::new();
    let files = find(request, &compiled, (&config.rules_dir, &limits), &mut problems)
        .map_err(|error| Stopped::Rejected(Rejection::folder(&error)))?;
    if !problems.is_empty() {
        let rendered: Vec<String> =
            problems.iter().map(|one| one.render("", request.color)).collect();
        return Ok(Tested { rendered: rendered.join("\n"), problems, ..Tested::default() });
    }
    let mut report = compiled.rules.test_some(|rule, name| {
        let is_within = files.rules.as_ref().is_none_or(|rules| rules.contains(&rule.path));
        let target = || rule.targets.iter().any(|target| request.has(&target.id));
        let is_it = request.has(name) || request.has(&rule.name) || request.has(&rule.path);
        is_within && (is_it || target())
    });
    for (file, recorded) in &files.recorded {
        report = report.and(compiled.rules.test_recorded(recorded, |name, targets| {
            request.has(name)
                || request.has(&file.path)
                || targets.iter().any(|one| request.has(one))
        }));
    }
    let mut texts = compiled.texts();
    texts.extend(files.recorded.iter().map(|(file, _)| (file.path.clone(), file.text.clone())));
    let mut tested = Tested {
        rules: compiled.rules.rules().len(),
        passed: report.passed,
        failures: report.failures,
        outcomes: report.outcomes,
        ..Tested::default()
    };
    if request.update {
        tested.update(report.changes, &texts, |path, text| {
            let file = SourceFile { path: path.to_owned(), text: text.to_owned() };
            match files.recorded.iter().any(|(file, _)| file.path == path) {
                true => {
                    let recorded = Recorded::read(&file, &limits, request.bus);
                    Some(compiled.rules.test_recorded(&recorded, |_, _| true).failures.len())
                }
                false => failures_of(&config, &file),
            }
        });
    }
    let recorded: Vec<Recorded> = files.recorded.into_iter().map(|(_, read)| read).collect();
    tested.untested = compiled.rules.untested(&recorded);
    let text = |one: &Diagnostic| texts.get(&one.path).map_or("", String::as_str);
    let told = tested.failures.iter().take(RENDERED_MAX);
    let mut rendered: Vec<String> = told.map(|one| one.render(text(one), request.color)).collect();
    let more = tested.failures.len().saturating_sub(rendered.len());
    if 0 < more {
        rendered.push(format!("… and {more} more failures; `--filter` shows some of them"));
    }
    tested.rendered = rendered.join("\n");
    Ok(tested)
}

/// How many tests of a rule file fail that says something else than the one there is; none when the rules
/// would not load with it.
fn failures_of(config: &crate::config::Config, file: &SourceFile) -> Option<usize> {
    let compiled = super::compile_with(config, file).ok()?;
    let report = compiled.rules.test_some(|rule, _| rule.path == file.path);
    Some(report.failures.len())
}

impl TestRequest<'_> {
    fn has(&self, text: &str) -> bool {
        self.filter.is_none_or(|part| text.contains(part))
    }
}

impl Tested {
    /// Writes what came into the files of tests that failed. `check` says how many tests of a changed file fail.
    fn update(
        &mut self,
        changes: Vec<(usize, Change)>,
        texts: &BTreeMap<String, String>,
        check: impl Fn(&str, &str) -> Option<usize>,
    ) {
        let mut by_file: BTreeMap<String, Vec<(usize, Change)>> = BTreeMap::new();
        for (at, change) in changes {
            by_file.entry(self.outcomes[at].path.clone()).or_default().push((at, change));
        }
        for (path, changes) in by_file {
            let changed: BTreeSet<usize> = changes.iter().map(|(at, _)| *at).collect();
            match self.update_one(&path, changes, texts, &check) {
                Ok(()) => {
                    for at in changed {
                        self.outcomes[at].updated = true;
                    }
                    self.updated.push(path);
                }
                Err(why) => self.not_updated.push((path, why)),
            }
        }
        // Failures are in the order of the outcomes that have one.
        let mut failed = self.outcomes.iter().filter(|outcome| outcome.failure.is_some());
        self.failures.retain(|_| failed.next().is_none_or(|outcome| !outcome.updated));
    }

    fn update_one(
        &self,
        path: &str,
        changes: Vec<(usize, Change)>,
        texts: &BTreeMap<String, String>,
        check: impl Fn(&str, &str) -> Option<usize>,
    ) -> Result<(), String> {
        if path == STANDARD_INPUT {
            return Err("there is no file to write to; name one in its place".to_owned());
        }
        let before = texts.get(path).map_or("", String::as_str);
        let of_file = |outcome: &&TestOutcome| outcome.path == path && outcome.failure.is_some();
        let failed = self.outcomes.iter().filter(of_file).count();
        let changed: BTreeSet<usize> = changes.iter().map(|(at, _)| *at).collect();
        let text = ruleset::changed(before, changes.into_iter().map(|(_, change)| change));
        // Tests that were not asked for may fail as they did before.
        let others = check(path, before).map(|all| all.saturating_sub(failed));
        let left = others.map(|others| others + failed - changed.len());
        if left.is_none() || check(path, &text) != left {
            let why = "what came cannot be written in its place (an alias, or an unusual layout); write it by hand";
            return Err(why.to_owned());
        }
        replace(Path::new(path), before, &text).map_err(|error| error.to_string())
    }
}

/// All files that hold tests, read.
fn find(
    request: &TestRequest<'_>,
    compiled: &Compiled,
    (folder, limits): (&Path, &event::Limits),
    problems: &mut Vec<Diagnostic>,
) -> Result<Files, crate::folder::FolderError> {
    let is_all = request.within.is_empty() && request.input.is_none();
    let mut rules = (!is_all).then(BTreeSet::new);
    let mut paths = if is_all { recorded_files(folder, problems)? } else { Vec::new() };
    for named in request.within {
        let real = fs::canonicalize(named).ok();
        let of_rules: Vec<String> = compiled
            .texts()
            .into_keys()
            .filter(|path| {
                let path = fs::canonicalize(path).ok();
                path.zip(real.as_ref()).is_some_and(|(path, real)| path.starts_with(real))
            })
            .collect();
        if named.is_dir() {
            paths.extend(recorded_files(named, problems)?);
        } else if of_rules.is_empty() {
            paths.push(named.clone());
        }
        rules.get_or_insert_default().extend(of_rules);
    }
    paths.sort();
    paths.dedup();
    let mut recorded = Vec::new();
    for path in paths {
        let shown = path.display().to_string();
        let read = read_bounded(&path, FILE_BYTES_MAX).and_then(|bytes| {
            String::from_utf8(bytes)
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string()))
        });
        match read {
            Ok(text) => recorded.push(SourceFile { path: shown, text }),
            Err(error) => {
                let mend = "name a rule file, a file of recorded events, or a folder of them";
                problems.push(whole_file(shown, format!("cannot be read: {error}"), mend));
            }
        }
    }
    recorded.extend(
        request
            .input
            .map(|text| SourceFile { path: STANDARD_INPUT.to_owned(), text: text.to_owned() }),
    );
    let read = |file: SourceFile| {
        let read = Recorded::read(&file, limits, request.bus);
        (file, read)
    };
    Ok(Files { recorded: recorded.into_iter().map(read).collect(), rules })
}

/// Puts a file in the place of another that still says `before`, through links, with its permissions.
fn replace(path: &Path, before: &str, text: &str) -> io::Result<()> {
    let path = fs::canonicalize(path)?;
    if fs::read(&path)? != before.as_bytes() {
        let words = "it has changed meanwhile; run it again";
        return Err(io::Error::new(io::ErrorKind::ResourceBusy, words));
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    // Hidden, so that no router takes it for a rule.
    let aside = path.with_file_name(format!(".{name}.new"));
    let write = || {
        fs::write(&aside, text)?;
        fs::set_permissions(&aside, fs::metadata(&path)?.permissions())?;
        fs::File::open(&aside)?.sync_all()?;
        fs::rename(&aside, &path)
    };
    write().inspect_err(|_| {
        fs::remove_file(&aside).ok();
    })
}
