//! From files to a rule set, or to everything that is wrong with them.

use std::collections::HashMap;
use std::sync::Arc;

use crate::code::Code;
use crate::connections::Connections;
use crate::diagnostic::{Diagnostic, Fault};
use crate::eventbridge;
use crate::nearest::suggest;
use crate::overlap::{self, Seen};
use crate::plugins::{Plugins, StepPlace};
use crate::rule::Rule;
use crate::rule_set::RuleSet;
use crate::schema::{Draft, Reading, page_of};
use crate::source::{Source, SourceFile};
use crate::values::Values;
use crate::yaml;

/// The bus that always is.
const BUS_DEFAULT: &str = "default";

/// What rules may lean on.
pub struct Context<'a> {
    pub values: &'a dyn Values,
    pub plugins: &'a dyn Plugins,
    /// The buses of the configuration; those that a rule listens on come on top, and `default`.
    pub buses: &'a [String],
    pub connections: &'a dyn Connections,
    pub limits: event::Limits,
}

/// Rules that may run, and what is odd about them.
#[derive(Debug)]
pub struct Loaded {
    pub rules: RuleSet,
    /// In the order of the files and of the places in them. They never stop rules from running.
    pub warnings: Vec<Diagnostic>,
}

/// One file, read as far as it could be.
struct ReadFile<'f> {
    source: Source<'f>,
    drafts: Vec<Draft>,
    faults: Vec<Fault>,
    warnings: Vec<Fault>,
}

/// Reads all rules of all files.
///
/// # Errors
///
/// Every problem of every file, warnings included, in the order of the files and of the places in them.
pub fn load(files: &[SourceFile], context: &Context<'_>) -> Result<Loaded, Vec<Diagnostic>> {
    reload(files, context, &RuleSet::empty())
}

/// As [`load`], for rules that take the place of others: a pattern that stays is not compiled again.
///
/// # Errors
///
/// As [`load`].
pub fn reload(
    files: &[SourceFile],
    context: &Context<'_>,
    running: &RuleSet,
) -> Result<Loaded, Vec<Diagnostic>> {
    let mut read: Vec<ReadFile<'_>> = files.iter().map(|file| read(file, context)).collect();
    find_twins(&mut read);
    find_missing_buses(&mut read, context.buses);
    find_overlaps(&mut read);
    find_missing_connections(&mut read, context.connections);

    let diagnostics: Vec<Diagnostic> = read.iter_mut().flat_map(ReadFile::diagnostics).collect();
    if diagnostics.iter().any(Diagnostic::is_error) {
        return Err(diagnostics);
    }
    let drafts = read.into_iter().flat_map(|file| file.drafts);
    let rules: Vec<Arc<Rule>> = drafts.filter_map(|draft| draft.rule).map(Arc::new).collect();
    Ok(Loaded { rules: RuleSet::new(rules, files, running), warnings: diagnostics })
}

fn read<'f>(file: &'f SourceFile, context: &Context<'_>) -> ReadFile<'f> {
    let source = Source::new(file);
    let (documents, faults) = yaml::read(&file.text);
    let (warnings, at) = (Vec::new(), StepPlace::default());
    let mut reading = Reading { source: &source, context, faults, warnings, at };
    let mut drafts = Vec::new();
    for document in &documents {
        match eventbridge::in_place(document, &mut reading.faults) {
            Some(rules) => drafts.extend(rules.iter().filter_map(|rule| reading.rule(rule))),
            None => drafts.extend(reading.rule(document)),
        }
    }
    let Reading { mut faults, mut warnings, .. } = reading;
    for fault in faults.iter_mut().chain(&mut warnings) {
        fault.page = fault.page.or_else(|| page_of(&documents, fault.code, fault.span.start));
    }
    ReadFile { source, drafts, faults, warnings }
}

/// Rules of one bus that have one name.
fn find_twins(files: &mut [ReadFile<'_>]) {
    let mut first: HashMap<(String, String), String> = HashMap::new();
    for file in files {
        for draft in &file.drafts {
            let Some((name, span)) = &draft.name else { continue };
            let line = file.source.line_and_column(span.start).0;
            let place = format!("{}:{line}", file.source.path);
            let key = (draft.bus.clone(), name.clone());
            let Some(other) = first.get(&key) else {
                first.insert(key, place);
                continue;
            };
            let words = (
                format!("the rule `{name}` stands twice on the bus `{}`", draft.bus),
                "the second one",
                format!("the first is at {other}: give one of them another name"),
            );
            file.faults.push(Fault::new(Code::DuplicateName, span.clone(), words));
        }
    }
}

/// Targets that publish to a bus that nobody knows.
fn find_missing_buses(files: &mut [ReadFile<'_>], configured: &[String]) {
    let listened = files.iter().flat_map(|file| &file.drafts).map(|draft| draft.bus.clone());
    let mut known: Vec<String> = configured.iter().cloned().chain(listened).collect();
    known.push(BUS_DEFAULT.to_owned());
    known.sort_unstable();
    known.dedup();
    let words: Vec<&str> = known.iter().map(String::as_str).collect();
    for file in files {
        for (bus, span) in file.drafts.iter().flat_map(|draft| &draft.forwards) {
            if words.binary_search(&bus.as_str()).is_ok() {
                continue;
            }
            let mend =
                suggest(bus, &words, "add it to `buses` in the configuration; the buses are");
            let message = format!("there is no bus `{bus}`");
            let words = (message, "unknown bus", mend);
            file.faults.push(Fault::new(Code::UnknownBus, span.clone(), words));
        }
    }
}

/// What the rules do together.
fn find_overlaps(files: &mut [ReadFile<'_>]) {
    let seen: Vec<Seen<'_, '_>> =
        files.iter().map(|file| Seen { source: &file.source, drafts: &file.drafts }).collect();
    for (file, warning) in overlap::warnings(&seen) {
        files[file].warnings.push(warning);
    }
}

/// Targets that go over a connection that nobody knows: rules may come before the configuration, and their deliveries
/// wait until it is there.
fn find_missing_connections(files: &mut [ReadFile<'_>], configured: &dyn Connections) {
    let words = configured.names();
    for file in files {
        for (connection, span) in file.drafts.iter().flat_map(|draft| &draft.connections) {
            let mend = if words.is_empty() {
                "add it to `connections` in the configuration, which has none".to_owned()
            } else {
                let otherwise = "add it to `connections` in the configuration; the connections are";
                suggest(connection, &words, otherwise)
            };
            let message = format!(
                "there is no connection `{connection}`: deliveries to this target wait until there is"
            );
            let words = (message, "unknown connection", mend);
            file.warnings.push(Fault::new(Code::UnknownConnection, span.clone(), words));
        }
    }
}

impl ReadFile<'_> {
    fn diagnostics(&mut self) -> Vec<Diagnostic> {
        let mut faults = std::mem::take(&mut self.faults);
        faults.append(&mut self.warnings);
        faults.sort_by_key(|fault| fault.span.start);
        faults.dedup();
        faults.into_iter().map(|fault| fault.in_file(&self.source)).collect()
    }
}
