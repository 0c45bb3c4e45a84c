//! `slipswitch target ls`.

use clap::Args;
use serde_json::value::RawValue;

use crate::{
    client::{Address, Client},
    failure::Failure,
    output::{self, Output},
    rows::Subscription,
};

const EXAMPLES: &str = "\
Examples:
  slipswitch target ls
  slipswitch target ls -o json \\
      | jq -r '.[] | select(.circuit.state != \"closed\") | .target'";

/// List targets: whether deliveries go, how much waits, and why
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
    let heads = ["BUS", "RULE", "TARGET", "STATE", "SINCE", "IN FLIGHT", "POSTPONED", "LAG", "WHY"];
    let row = |one: Subscription| {
        let (state, since, why) = one.condition();
        let rule = one.rule_of();
        let (in_flight, postponed, lag) = (one.in_flight, one.postponed, one.lag);
        [
            one.bus,
            rule,
            one.target,
            state,
            since,
            in_flight.to_string(),
            postponed.to_string(),
            lag.to_string(),
            why,
        ]
    };
    let items: Vec<Box<RawValue>> = client.get("/api/v1/subscriptions", &[])?;
    output::listing(arguments.output.format, &items, heads, row, "no targets: no rule has one yet")
}
