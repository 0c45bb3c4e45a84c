//! Recorded events, and what each target of their bus is expected to get: tests in files of their own.
//!
//! ```text
//! {"bus": "shop", "event": {…}, "expect": {"big-orders/crm": {"order": "o-1"}}}
//! ```
//!
//! A case is a map with `event`, or, in JSON, the event alone: what `slipswitch events -o json` and
//! `slipswitch journal export` print is a file of cases that do not say yet what they expect.
//!
//! # Invariants
//!
//! - A file may hold anything: reading it never panics, and a broken case hides no other one.
//! - A target that is not named is expected to get nothing, unless the case is `partial`.
//! - A name that no rule, target or bus has fails the case, with the name that was probably meant.
//!
//! # Not here
//!
//! - Which files there are, and writing them: the server's.

mod json_lines;
mod judge;
mod section;

use event::Event;

use crate::diagnostic::{Diagnostic, Fault};
use crate::expectation::Wanted;
use crate::inline_test::{Place, TestOutcome};
use crate::source::{Source, SourceFile};
use crate::written::Written;
use crate::yaml;

pub use judge::Untested;

/// The bus of a case that names none, unless another one is asked for.
const BUS_DEFAULT: &str = "default";

/// A file of recorded events, read.
pub struct Recorded {
    path: String,
    cases: Vec<Case>,
    /// What is wrong with the cases that are not among them.
    broken: Vec<Diagnostic>,
}

struct Case {
    name: String,
    bus: String,
    bus_place: Place,
    event: Event,
    /// None: it does not say.
    expect: Option<Vec<Expected>>,
    is_partial: bool,
    place: Place,
    expect_place: Place,
    written: Written,
}

/// What one target is expected to get.
struct Expected {
    /// As it is written: `rule/target`.
    name: String,
    key: Place,
    wanted: Wanted,
    value: Place,
}

impl Recorded {
    /// Reads a file: YAML when its name says so, else JSON, one case a line or all in an array.
    ///
    /// `bus` is that of events that name none.
    pub fn read(file: &SourceFile, limits: &event::Limits, bus: Option<&str>) -> Self {
        let source = Source::new(file);
        let is_yaml = [".yaml", ".yml"].iter().any(|end| file.path.ends_with(end));
        let (nodes, mut faults) = if is_yaml {
            let (documents, faults) = yaml::read(&file.text);
            (documents.into_iter().flat_map(section::items).collect(), faults)
        } else {
            json_lines::read(&file.text)
        };
        let bus = bus.unwrap_or(BUS_DEFAULT);
        let mut reading =
            section::Reading { source: &source, limits, bus, is_yaml, faults: Vec::new() };
        let cases = nodes.iter().filter_map(|node| reading.case(node)).collect();
        faults.append(&mut reading.faults);
        faults.sort_by_key(|fault: &Fault| fault.span.start);
        let broken = faults.into_iter().map(|fault| fault.in_file(&source)).collect();
        Self { path: file.path.clone(), cases, broken }
    }

    /// How many cases there are, the broken ones left out.
    pub fn cases(&self) -> usize {
        self.cases.len()
    }

    /// Whether there are cases that could not be read.
    pub fn is_broken(&self) -> bool {
        !self.broken.is_empty()
    }

    fn outcome(&self, case: &Case) -> TestOutcome {
        let (test, path, line) = (case.name.clone(), self.path.clone(), case.place.line);
        TestOutcome { rule: None, test, path, line, failure: None, updated: false }
    }
}

#[cfg(test)]
mod tests;
