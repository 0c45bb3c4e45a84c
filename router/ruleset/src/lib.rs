//! Rule files, and the compiled rules they become.
//!
//! ```text
//! files ─▶ yaml (a tree with places) ─▶ schema (keys, values, patterns, paths, templates, plugins)
//!       ─▶ RuleSet, or every problem of every file with its place and its mend
//! ```
//!
//! `docs/rules.md` is the reference of the format.
//!
//! # Invariants
//!
//! - A [`RuleSet`] is compiled whole and never changes: either every rule of every file is in it, or
//!   there is none.
//! - A rule file may hold anything: reading it never panics and takes bounded memory.
//! - Nothing in a file is ignored in silence: what is not understood is reported.
//!
//! # Not here
//!
//! - When to load, watching files, reading them: the server's.
//! - Environment, clocks, WebAssembly: they come in as [`Values`], times and [`Plugins`].

mod code;
pub mod compare;
mod connections;
mod diagnostic;
mod documents;
mod eventbridge;
mod excerpt;
mod expectation;
mod flow;
pub mod format;
mod inline_test;
mod json;
mod load;
mod nearest;
mod overlap;
mod path;
mod plugins;
mod recorded;
mod room;
mod rule;
mod rule_set;
mod schema;
mod source;
mod switch;
mod template;
mod transform;
mod values;
mod written;
mod yaml;

pub use pattern;

pub use code::{Code, Severity};
pub use connections::{Connections, Look, NoConnections};
pub use diagnostic::Diagnostic;
pub use documents::{Document, documents};
pub use eventbridge::{
    Import, ImportedRule, Remark, TargetMap, Weight, import_commands, import_template,
};
pub use flow::{Batch, Circuit, Flow, OrderBy, Start};
pub use inline_test::{TestOutcome, TestReport};
pub use json::{Difference, difference};
pub use load::{Context, Loaded, load, reload};
pub use plugins::{
    Beside, Canary, EventState, Grant, Isolation, PluginStep, PluginUse, Plugins, PrepareError,
    Purpose, StepError, StepInput, StepOutput, StepPlace, Unlike,
};
pub use recorded::{Recorded, Untested};
pub use rule::{BusTarget, Http, Log, Retry, Rule, Target, TargetKind};
pub use rule_set::{BusRules, RuleSet, Scratch};
pub use source::SourceFile;
pub use switch::switched;
pub use transform::{About, Finds, Given, Input, Payload, Step, TransformError};
pub use values::{Values, filled};
pub use written::{Change, changed};
pub use yaml::{
    Entry as YamlEntry, Outline as YamlOutline, of_json as yaml_of_json, outline as yaml_outline,
};
