//! `slipswitch plugin test`: the cases of a project against the built file.

use std::path::PathBuf;

use clap::Args;
use server::offline::plugins::{CaseOutcome, plugin_test};

use crate::failure::{Exit, Failure};
use crate::output::{self, Format, Output, count};

use super::stale::stale;
use super::{built, failure};

const EXAMPLES: &str = "\
A case is an event and what shall come out of it; tests/*.json hold one, or an array of them, each. They run in the host \
that a router runs, with its limits; no router needs to run. Build first: `slipswitch plugin build`. The exit code is 3 \
when a case fails, 1 when a source changed after the build, 78 when the plugin does not load or a case cannot be read.

  { \"name\": \"an order becomes a line\", \"config\": {},
    \"event\": { \"detail\": { \"id\": \"o-1\" } },
    \"expect\": [ { \"body\": \"order o-1\", \"attributes\":
      { \"content-type\": \"text/plain\" } } ] }

`expect` is an array of outputs ([] when the event is dropped), true or false for a filter, or { \"error\": \"invalid\" } \
(retry, fatal, trap, output, limit).

Examples:
  slipswitch plugin test
  slipswitch plugin test my-plugin --filter order
  slipswitch plugin test --update  write what comes out as what is expected
  slipswitch plugin test my-plugin --file plugins/my-plugin.wasm";

/// Run the cases of a plugin, tests/*.json.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The project
    #[arg(value_name = "DIR", default_value = ".")]
    project: PathBuf,
    /// The plugin [default: the only *.wasm in DIR]
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Only the cases whose name contains this
    #[arg(long, value_name = "NAME")]
    filter: Option<String>,
    /// Where a case fails, write what came out as what it expects
    #[arg(long)]
    update: bool,
    #[command(flatten)]
    output: Output,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let Arguments { project, file, filter, update, output } = arguments;
    let file = match file {
        Some(file) => file.clone(),
        None => built(project)?,
    };
    if let Some(words) = stale(&file) {
        return Err(Failure::failed(format!("nothing was tested: {words}")));
    }
    let tests = plugin_test(
        &file,
        &project.strip_prefix(".").unwrap_or(project).join("tests"),
        filter.as_deref(),
        *update,
    )
    .map_err(|error| failure(&error))?;
    let all = tests.outcomes.len();
    if let (0, Some(filter)) = (all, filter) {
        return Err(Failure::usage(format!("no case has {filter:?} in its name")));
    }
    let count_of =
        |is: fn(&CaseOutcome) -> bool| tests.outcomes.iter().filter(|one| is(one)).count();
    let updated = count_of(|one| one.updated);
    let failed = count_of(|one| one.failure.is_some() && !one.updated);
    match output.format {
        format @ (Format::Json | Format::Ndjson | Format::Yaml) => {
            output::data(format, &tests.outcomes)?
        }
        Format::Table => {
            if !tests.rendered.is_empty() {
                output::complain(&tests.rendered);
            }
            for path in &tests.updated {
                output::complain(&format!("{}: updated; look at what changed", path.display()));
            }
            let passed = all - failed - updated;
            let name = file.display();
            let updated = if updated == 0 { String::new() } else { format!("{updated} updated, ") };
            let cases = count(all, "case");
            output::line(&format!("{name}, {cases}: {passed} passed, {updated}{failed} failed"))?;
        }
    }
    if failed == 0 { Ok(()) } else { Err(Failure::silent(Exit::TestsFailed)) }
}
