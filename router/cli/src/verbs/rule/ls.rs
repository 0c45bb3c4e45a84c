//! `slipswitch rule ls`.

use clap::Args;
use serde_json::value::RawValue;

use super::made::Rule;
use crate::client::{Address, Client};
use crate::failure::Failure;
use crate::output::{self, Output};

const EXAMPLES: &str = "\
Examples:
  slipswitch rule ls --bus shop
  slipswitch rule ls -o json \\
      | jq -r '.[] | select(.from == \"interface\") | .name'";

/// List the rules that run: where each is from, and what it sends to
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Only those of this bus
    #[arg(long)]
    bus: Option<String>,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    address: Address,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let client = Client::new(&arguments.address)?;
    let mut items: Vec<Box<RawValue>> = client.get("/api/v1/rules", &[])?;
    if let Some(bus) = &arguments.bus {
        // What cannot be read is told where it is shown.
        let is_on = |rule: Rule| rule.bus == *bus;
        items.retain(|item| serde_json::from_str(item.get()).map_or(true, is_on));
    }
    let heads = ["BUS", "RULE", "STATE", "FROM", "TARGETS", "WHERE"];
    let row = |rule: Rule| {
        let targets: Vec<&str> = rule.targets.iter().map(|target| target.id.as_str()).collect();
        let (state, targets) = (rule.state().to_owned(), targets.join(" "));
        let place = format!("{}:{}", rule.path, rule.line);
        [rule.bus, rule.name, state, rule.from, targets, place]
    };
    output::listing(arguments.output.format, &items, heads, row, "no rules")
}
