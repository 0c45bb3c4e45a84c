//! `slipswitch replay ls`.

use clap::Args;
use serde_json::value::RawValue;

use crate::{
    client::{Address, Client},
    failure::Failure,
    output::{self, Output},
    rows::Replay,
};

const EXAMPLES: &str = "\
Examples:
  slipswitch replay ls
  slipswitch replay ls -o json \\
      | jq -r '.[] | select(.state == \"running\") | .name'";

/// List replays, running and ended.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    address: Address,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let client = Client::new(&arguments.address)?;
    let heads = [
        "NAME",
        "FROM",
        "STATE",
        "DONE",
        "SINCE",
        "UNTIL",
        "TO",
        "DELIVERED",
        "DROPPED",
        "DEAD",
        "WAITS ON",
    ];
    let row = |replay: Replay| {
        let done = replay.done();
        let waits = replay.waits_for().join("; ");
        let from = replay.from();
        let chosen = replay.chosen();
        [
            replay.name,
            from,
            replay.state,
            done,
            replay.since.unwrap_or_default(),
            replay.until.unwrap_or_default(),
            chosen,
            replay.delivered.to_string(),
            replay.dropped.to_string(),
            replay.dead.to_string(),
            waits,
        ]
    };
    let items: Vec<Box<RawValue>> = client.get("/api/v1/replays", &[])?;
    output::listing(arguments.output.format, &items, heads, row, "no replays")
}
