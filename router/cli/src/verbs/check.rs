//! `slipswitch check`: every problem of every rule file.

use clap::Args;

use crate::{
    failure::{Exit, Failure},
    output::{self, Format, Output, count},
    source::Source,
};

const EXAMPLES: &str = "\
Each problem is shown with its file, line and column, the place underlined, and what to write instead. It needs no \
running router. The exit code is 78 when there is a problem.

Examples:
  slipswitch check
  slipswitch check --rules my-rules
  slipswitch check -o json | jq -r '.[] | \"\\(.path):\\(.line): \\(.message)\"'";

/// Check rule files and plugins, and show every problem.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    output: Output,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let source = &arguments.source;
    let report = server::offline::check(
        source.rules.as_deref(),
        source.plugins.as_deref(),
        source.config.as_deref(),
    );
    match arguments.output.format {
        Format::Json => output::json(&report.diagnostics)?,
        Format::Table if report.diagnostics.is_empty() => output::line(&format!(
            "{}, {}, {}: no problem",
            count(report.files, "file"),
            count(report.rules, "rule"),
            count(report.tests, "test")
        ))?,
        Format::Table => {
            output::complain(&report.rendered);
            output::complain(&count(report.diagnostics.len(), "problem"));
        }
    }
    if report.diagnostics.is_empty() {
        Ok(())
    } else {
        Err(Failure::silent(Exit::BadConfiguration))
    }
}
