//! `slipswitch diff`: what the rules in a folder would have done that the running ones did not.

mod ask;
mod recorded;
mod report;
mod show;

use std::path::PathBuf;

use clap::Args;

use crate::{
    client::Address,
    failure::{Exit, Failure},
    matching::Matching,
    output::{self, Format, Output, at_least_one},
    source::Source,
    span::Between,
};
use report::Report;

/// Events of each bus when nothing is said of how many.
const LIMIT_DEFAULT: usize = 100_000;

const EXAMPLES: &str = "\
Both sets of rules are run over events of the past: patterns, templates and plugins. The answer is which events would \
be delivered that were not, which no longer would, and of which something else would be sent, each with examples and \
the reason. Nothing is sent, and the router goes on as it is. The rules are compiled by the router, with its \
environment and its plugins. What a bus target passes on is not followed, and plugins that keep state meet each event \
with none.

With --against, two folders are compared without a router, over recorded events.

Examples:
  slipswitch diff  ./rules and the last 100,000 events of each bus
  slipswitch diff --rules new-rules --since 7d
  slipswitch diff --archive orders --all \\
      --pattern '{\"detail\": {\"total\": [{\"numeric\": [\">\", 100]}]}}'
  slipswitch diff -o json | jq '.subscriptions[] | {rule, gained, lost}'
  slipswitch diff --against main/rules --rules rules --events recorded.ndjson \\
      --exit-code

The exit code is 0 whatever differs; with --exit-code it is 1 when anything does, 78 when the rules do not compile.";

/// Compare the rules in a folder with the running ones by what they would have done.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    source: Source,
    /// Only events of this bus [default: each on which something differs]
    #[arg(long)]
    bus: Option<String>,
    /// Events that this archive holds, instead of those that the journal holds
    #[arg(long, value_name = "NAME", conflicts_with = "against")]
    archive: Option<String>,
    #[command(flatten)]
    between: Between,
    /// The last so many of each bus [default: 100000, or all of them with --since]
    #[arg(long, value_name = "COUNT", value_parser = at_least_one, conflicts_with_all = ["all", "against"])]
    limit: Option<usize>,
    /// All events there are
    #[arg(long, conflicts_with = "against")]
    all: bool,
    #[command(flatten)]
    matching: Matching,
    /// So many examples of each kind of difference
    #[arg(long, value_name = "COUNT", default_value_t = 2)]
    examples: usize,
    /// Compare with the rules in this folder instead of the running ones; needs no router
    #[arg(long, value_name = "DIR", requires = "events", conflicts_with_all = ["Between", "Matching"])]
    against: Option<PathBuf>,
    /// Recorded events for --against: one a line or an array; `-` for standard input
    #[arg(long, value_name = "FILE", requires = "against")]
    events: Option<PathBuf>,
    /// Exit with 1 when anything differs
    #[arg(long)]
    exit_code: bool,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    address: Address,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let found = match (&arguments.against, &arguments.events) {
        (Some(against), Some(events)) => recorded::compare(arguments, against, events)?,
        _ => ask::compare(arguments)?,
    };
    let report: Report = serde_json::from_str(found.get()).map_err(|error| {
        Failure::failed(format!("the router answers what this command cannot read: {error}"))
    })?;
    match arguments.output.format {
        format @ (Format::Json | Format::Ndjson | Format::Yaml) => output::data(format, &found)?,
        Format::Table => {
            let names = match &arguments.against {
                Some(against) => format!("those in {}", against.display()),
                None => "the running ones".to_owned(),
            };
            let is_live = arguments.against.is_none();
            output::line(show::show(&report, &names, is_live).trim_end())?;
        }
    }
    if arguments.exit_code && !report.subscriptions.is_empty() {
        return Err(Failure::answer(Exit::Failed));
    }
    Ok(())
}
