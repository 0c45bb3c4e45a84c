//! `slipswitch import aws`: rules as `aws events` prints them.

use std::path::PathBuf;

use clap::Args;
use server::offline::import;

use super::{Shared, read};
use crate::failure::Failure;

const EXAMPLES: &str = "\
Targets belong to the rule printed before them in the same file, to the one that `\"Rule\"` beside them names, or to \
the one that their file is called after (orders.targets.json). The exit code is 1 when anything was left behind.

Examples:
  (aws events describe-rule --name orders --event-bus-name shop;
   aws events list-targets-by-rule --rule orders --event-bus-name shop) \\
      | slipswitch import aws -
  slipswitch import aws rules.json orders.targets.json --map targets.yaml \\
      --out rules";

/// Make rule files of what `aws events describe-rule`, `list-rules` and `list-targets-by-rule` printed
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Files of JSON or YAML, several outputs in one as you like; `-` is standard input
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    shared: Shared,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let files: Vec<import::Text> =
        arguments.files.iter().map(|path| read(path)).collect::<Result<_, _>>()?;
    let known = arguments.shared.known()?;
    let report = import::import_aws(&files, &known);
    arguments.shared.finish(&report.map_err(|error| Failure::failed(error.to_string()))?)
}
