//! EventBridge's own shapes: rules as Amazon's tools write them, read as rules of ours.
//!
//! ```text
//! a rule file with EventPattern and Targets ─┐
//! output of aws events describe-rule … ──────┼─▶ rule, target: our keys ─▶ schema, as any rule
//! CloudFormation and SAM templates ──────────┘   └─▶ what was lost, and why
//! ```
//!
//! # Invariants
//!
//! - Nothing is lost in silence: every key is carried over, or there is a [`Remark`] with its place.
//! - What is made is a tree of ours and is judged by the reader of rule files like any other.
//! - No secret is written: a value that is one at Amazon becomes the name of a variable.
//!
//! # Not here
//!
//! - Files and the command line.

mod api_destination;
mod arn;
mod build;
mod commands;
mod connection;
mod destination;
mod functions;
mod in_place;
mod notes;
mod rule;
mod target;
mod template;

use std::collections::BTreeSet;

use crate::diagnostic::{Diagnostic, Fault};
use crate::source::{Source, SourceFile};
use crate::yaml::{self, Node};

use build::as_text;
use notes::Notes;

pub use commands::import_commands;
pub use destination::TargetMap;
pub(crate) use in_place::in_place;
pub use notes::Weight;
pub use template::import_template;

/// What was read, and what became of it.
#[derive(Debug, Default)]
pub struct Import {
    pub rules: Vec<ImportedRule>,
    pub remarks: Vec<Remark>,
    /// What could not be read at all.
    pub problems: Vec<Diagnostic>,
    /// ARNs and logical ids that a map should know.
    pub wanted: Vec<String>,
    /// Buses that the source makes or sends to.
    pub buses: Vec<String>,
    /// What belongs into the configuration, as YAML.
    pub configuration: Option<String>,
    /// The connections in it.
    pub connections: Vec<String>,
}

/// A rule file that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedRule {
    pub bus: String,
    pub name: String,
    /// Where it was read.
    pub path: String,
    pub line: usize,
    pub text: String,
}

/// Something that was not carried over, or means something else here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    pub path: String,
    pub line: usize,
    /// As it is called at Amazon; empty when it is about no rule.
    pub rule: String,
    /// Such as `Targets.crm.Input`.
    pub key: String,
    pub weight: Weight,
    pub reason: String,
}

/// The gathering of an import. Spans count through all files, one after the other.
struct Sheet<'f> {
    files: Vec<(usize, Source<'f>)>,
    rules: Vec<ImportedRule>,
    remarks: Vec<Remark>,
    problems: Vec<Diagnostic>,
    wanted: BTreeSet<String>,
    buses: BTreeSet<String>,
    configuration: Option<String>,
    connections: Vec<String>,
}

impl<'f> Sheet<'f> {
    fn new(files: &'f [SourceFile]) -> Self {
        let mut base = 0;
        let files = files.iter().map(|file| {
            let start = base;
            base += file.text.len() + 1;
            (start, Source::new(file))
        });
        Self {
            files: files.collect(),
            rules: Vec::new(),
            remarks: Vec::new(),
            problems: Vec::new(),
            wanted: BTreeSet::new(),
            buses: BTreeSet::new(),
            configuration: None,
            connections: Vec::new(),
        }
    }

    /// Where the bytes of a file begin among those of all files.
    fn base(&self, file: usize) -> usize {
        self.files[file].0
    }

    fn faults(&mut self, file: usize, faults: Vec<Fault>) {
        let source = &self.files[file].1;
        self.problems.extend(faults.into_iter().map(|fault| fault.in_file(source)));
    }

    fn place(&self, byte: usize) -> (String, usize) {
        let at = self.files.partition_point(|(base, _)| *base <= byte).saturating_sub(1);
        match self.files.get(at) {
            Some((base, source)) => (source.path.to_owned(), source.line_and_column(byte - base).0),
            None => (String::new(), 1),
        }
    }

    /// A rule that was translated, or not; and what was said of it.
    fn add(&mut self, rule: Option<Node>, called: &str, notes: Notes) {
        if let Some(rule) = rule {
            let of = |key: &str| rule.member(key).and_then(|it| as_text(&it.value));
            let (path, line) = self.place(rule.span.start);
            let name = of("name").unwrap_or(called).to_owned();
            let bus = of("bus").unwrap_or("default").to_owned();
            self.buses.extend(forwards(&rule));
            let text = yaml::write(&rule);
            self.rules.push(ImportedRule { bus, name, path, line, text });
        }
        self.take(called, notes);
    }

    fn take(&mut self, called: &str, notes: Notes) {
        self.wanted.extend(notes.wanted);
        for said in notes.said {
            let (path, line) = self.place(said.span.start);
            let rule = called.to_owned();
            let (key, weight, reason) = (said.key, said.weight, said.reason);
            self.remarks.push(Remark { path, line, rule, key, weight, reason });
        }
    }

    fn finish(self) -> Import {
        Import {
            rules: self.rules,
            remarks: self.remarks,
            problems: self.problems,
            wanted: self.wanted.into_iter().collect(),
            buses: self.buses.into_iter().collect(),
            configuration: self.configuration,
            connections: self.connections,
        }
    }
}

/// The buses that a rule publishes to.
fn forwards(rule: &Node) -> Vec<String> {
    let targets = rule.member("targets").map(|targets| &targets.value.value);
    let Some(yaml::Value::List(targets)) = targets else { return Vec::new() };
    let buses = targets.iter().filter_map(|target| as_text(&target.member("bus")?.value));
    buses.map(str::to_owned).collect()
}
