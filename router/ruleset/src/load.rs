//! From files to a rule set, or to everything that is wrong with them.

use std::collections::HashMap;
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Fault};
use crate::nearest::suggest;
use crate::plugins::{Plugins, StepPlace};
use crate::rule::Rule;
use crate::rule_set::RuleSet;
use crate::schema::{Draft, Reading};
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
    pub limits: event::Limits,
}

/// One file, read as far as it could be.
struct Loaded<'f> {
    source: Source<'f>,
    drafts: Vec<Draft>,
    faults: Vec<Fault>,
}

/// Reads all rules of all files.
///
/// # Errors
///
/// Every problem of every file, in the order of the files and of the places in them.
pub fn load(files: &[SourceFile], context: &Context<'_>) -> Result<RuleSet, Vec<Diagnostic>> {
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
) -> Result<RuleSet, Vec<Diagnostic>> {
    let mut loaded: Vec<Loaded<'_>> = files.iter().map(|file| read(file, context)).collect();
    find_twins(&mut loaded);
    find_missing_buses(&mut loaded, context.buses);

    let diagnostics: Vec<Diagnostic> = loaded.iter_mut().flat_map(Loaded::diagnostics).collect();
    if !diagnostics.is_empty() {
        return Err(diagnostics);
    }
    let drafts = loaded.into_iter().flat_map(|file| file.drafts);
    let rules: Vec<Arc<Rule>> = drafts.filter_map(|draft| draft.rule).map(Arc::new).collect();
    Ok(RuleSet::new(rules, files, running))
}

fn read<'f>(file: &'f SourceFile, context: &Context<'_>) -> Loaded<'f> {
    let source = Source::new(file);
    let (documents, faults) = yaml::read(&file.text);
    let mut reading = Reading { source: &source, context, faults, at: StepPlace::default() };
    let drafts = documents.iter().filter_map(|document| reading.rule(document)).collect();
    let faults = reading.faults;
    Loaded { source, drafts, faults }
}

/// Rules of one bus that have one name.
fn find_twins(files: &mut [Loaded<'_>]) {
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
            file.faults.push(Fault::new(span.clone(), words));
        }
    }
}

/// Targets that publish to a bus that nobody knows.
fn find_missing_buses(files: &mut [Loaded<'_>], configured: &[String]) {
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
            file.faults.push(Fault::new(span.clone(), (message, "unknown bus", mend)));
        }
    }
}

impl Loaded<'_> {
    fn diagnostics(&mut self) -> Vec<Diagnostic> {
        let mut faults = std::mem::take(&mut self.faults);
        faults.sort_by_key(|fault| fault.span.start);
        faults.dedup();
        faults.into_iter().map(|fault| fault.in_file(&self.source)).collect()
    }
}
