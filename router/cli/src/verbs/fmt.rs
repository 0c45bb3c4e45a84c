//! `slipswitch fmt`: rule files in one form.

use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;
use server::offline::{FormatReport, Keep, format_files, format_text};

use crate::{
    failure::{Exit, Failure},
    output::{self, count},
};

/// How large a rule file may be; the router reads none that is larger.
const INPUT_BYTES_MAX: u64 = 4 << 20;
const INPUT: &str = "standard input";

const EXAMPLES: &str = "\
Keys come in the order of docs/rules.md, two spaces further in at each level; comments, quotes, numbers and the choice \
between brackets and lines stay. What is formatted says what it said: a file of which that is not certain is left as \
it is, and named with its line. The names of the files that changed go to standard output.

Examples:
  slipswitch fmt
  # for CI: names what would change, and ends with code 1
  slipswitch fmt --check
  slipswitch fmt rules/orders.yaml my-rules/
  # for editors: from standard input to standard output
  slipswitch fmt - < draft.yaml";

/// Format rule files.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Files, and folders of them; - is standard input [default: the configuration file's folder of rules, else rules]
    #[arg(value_name = "FILE|DIR")]
    paths: Vec<PathBuf>,
    /// Write nothing; print the names of the files that would change, and end with code 1 if there are any
    #[arg(long)]
    check: bool,
    /// The configuration file [default: slipswitch.yaml, if there is one]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let Arguments { paths, check, config } = arguments;
    if paths.iter().any(|path| path == Path::new("-")) {
        return match paths.as_slice() {
            [_] => standard_input(*check),
            _ => Err(Failure::usage("`-` is standard input, and stands alone: name files, or `-`")),
        };
    }
    let keep = if *check { Keep::AsItIs } else { Keep::Formatted };
    let report = format_files(paths, config.as_deref(), keep)
        .map_err(|message| Failure::new(Exit::BadConfiguration, message))?;
    for name in &report.changed {
        output::line(name)?;
    }
    complain(&report);
    let (changed, others) = (report.changed.len(), report.files - report.changed.len());
    let done = if *check { "would change" } else { "formatted" };
    let as_is = if others == 1 { "1 as it is".to_owned() } else { format!("{others} as they are") };
    output::complain(&format!("{} {done}, {as_is}", count(changed, "file")));
    outcome(&report, *check)
}

fn complain(report: &FormatReport) {
    for problem in report.broken.iter().chain(&report.left) {
        output::complain(problem);
    }
}

fn outcome(report: &FormatReport, is_check: bool) -> Result<(), Failure> {
    if !report.broken.is_empty() {
        return Err(Failure::silent(Exit::BadConfiguration));
    }
    let is_rough = is_check && !report.changed.is_empty();
    if is_rough || !report.left.is_empty() {
        return Err(Failure::silent(Exit::Failed));
    }
    Ok(())
}

fn standard_input(is_check: bool) -> Result<(), Failure> {
    let mut before = Vec::new();
    let read = io::stdin().lock().take(INPUT_BYTES_MAX + 1).read_to_end(&mut before);
    let len = read.map_err(|error| Failure::failed(format!("read {INPUT}: {error}")))?;
    if u64::try_from(len).is_ok_and(|len| INPUT_BYTES_MAX < len) {
        let words = "is larger than a rule file may be: split it";
        return Err(Failure::failed(format!("{INPUT} ({INPUT_BYTES_MAX} bytes and more) {words}")));
    }
    let after = match format_text(INPUT, before.clone()) {
        Ok(after) => after,
        Err(report) => {
            complain(&report);
            return outcome(&report, is_check);
        }
    };
    if !is_check {
        io::stdout().lock().write_all(after.as_bytes())?;
        return Ok(());
    }
    if after.as_bytes() == before {
        return Ok(());
    }
    output::line("-")?;
    Err(Failure::silent(Exit::Failed))
}
