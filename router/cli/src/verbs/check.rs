//! `slipswitch check`: every problem of every rule file.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use server::offline::CheckReport;

use crate::annotation::annotation;
use crate::failure::{Exit, Failure};
use crate::output::{self, Format, Output, count};
use crate::sarif::sarif;
use crate::source::Source;

const EXAMPLES: &str = "\
Each problem is shown with its file, line and column, the place underlined, what to write instead, and the page that \
says more. It needs no running router. The exit code is 78 when there is an error; warnings do not count unless \
`--deny warnings` says so.

Examples:
  slipswitch check
  slipswitch check --rules my-rules --deny warnings
  slipswitch check rules/orders.yaml slipswitch.yaml
  slipswitch check --format github  for the log of a workflow of GitHub Actions
  slipswitch check --format sarif > slipswitch.sarif
  slipswitch check -o json | jq -r '.[] | \"\\(.path):\\(.line): \\(.message)\"'";

/// Check rule files and plugins, and show every problem.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Files and folders of rules, and a slipswitch.yaml, to read in the place of the folder of rules
    #[arg(value_name = "PATH", conflicts_with = "rules")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    output: Output,
    /// Show the problems to people, to programs, to GitHub Actions, or as SARIF
    #[arg(long = "format", value_name = "FORMAT", conflicts_with = "format")]
    report: Option<ReportFormat>,
    /// Treat these as errors
    #[arg(long, value_name = "WHAT")]
    deny: Option<Deny>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ReportFormat {
    Human,
    Json,
    Github,
    Sarif,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Deny {
    Warnings,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let source = &arguments.source;
    let report = server::offline::check_these(
        &arguments.paths,
        source.rules.as_deref(),
        source.plugins.as_deref(),
        source.config.as_deref(),
        output::has_color(),
    );
    let format = arguments.report.unwrap_or(match arguments.output.format {
        Format::Json | Format::Ndjson | Format::Yaml => ReportFormat::Json,
        Format::Table => ReportFormat::Human,
    });
    let (errors, warnings) = report.counts();
    match format {
        ReportFormat::Human => for_people(&report)?,
        ReportFormat::Json => output::data(arguments.output.format, &report.diagnostics)?,
        ReportFormat::Sarif => output::json(&sarif(&report.diagnostics))?,
        ReportFormat::Github => {
            for one in &report.diagnostics {
                output::line(&annotation(one))?;
            }
        }
    }
    if errors == 0 && (warnings == 0 || arguments.deny.is_none()) {
        Ok(())
    } else {
        Err(Failure::silent(Exit::BadConfiguration))
    }
}

fn for_people(report: &CheckReport) -> Result<(), Failure> {
    let (errors, warnings) = report.counts();
    if !report.diagnostics.is_empty() {
        output::complain(&report.rendered);
        output::complain(&format!(
            "{}, {} in {}",
            count(errors, "error"),
            count(warnings, "warning"),
            count(report.files, "file")
        ));
    }
    if errors == 0 {
        let what = if warnings == 0 { "problem" } else { "error" };
        output::line(&format!(
            "{}, {}, {}: no {what}",
            count(report.files, "file"),
            count(report.rules, "rule"),
            count(report.tests, "test")
        ))?;
    }
    Ok(())
}
