//! `slipswitch test`: the tests that stand in the rule files.

use clap::Args;

use crate::failure::{Exit, Failure};
use crate::output::{self, Format, Output, count};
use crate::source::Source;

const EXAMPLES: &str = "\
Each test gives a rule an event and says what its targets shall be sent, or that nothing shall be. Patterns, templates \
and plugins run for real; nothing is delivered, and no router needs to run. The exit code is 3 when a test fails, 78 \
when the rules do not even load.

Examples:
  slipswitch test
  slipswitch test --rules my-rules
  slipswitch test -o json | jq -r '.[] | select(.failure) | .rule'";

/// Run the tests in the rule files.
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
    let report = server::offline::test(
        source.rules.as_deref(),
        source.plugins.as_deref(),
        source.config.as_deref(),
    );
    if !report.problems.is_empty() {
        output::complain(&report.rendered);
        output::complain(&format!("{}; no test was run", count(report.problems.len(), "problem")));
        return Err(Failure::silent(Exit::BadConfiguration));
    }
    let failed = report.failures.len();
    match arguments.output.format {
        Format::Json => output::json(&report.outcomes)?,
        Format::Table => {
            if failed > 0 {
                output::complain(&report.rendered);
            }
            let tests = count(report.passed + failed, "test");
            output::line(&format!(
                "{} with {tests}: {} passed, {failed} failed",
                count(report.rules, "rule"),
                report.passed
            ))?;
        }
    }
    if failed == 0 { Ok(()) } else { Err(Failure::silent(Exit::TestsFailed)) }
}
