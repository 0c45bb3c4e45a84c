//! `slipswitch dlq export`.

use clap::Args;

use crate::{
    client::{Address, Client},
    failure::Failure,
    verbs::dlq::filter::Filter,
};

const EXAMPLES: &str = "\
One JSON object a line, newest first, each with the whole event and the payload.

Examples:
  slipswitch dlq export > dead.ndjson
  slipswitch dlq export --rule big-orders | jq -c .event | slipswitch send \\
      --bus shop
  slipswitch dlq export --state all | zstd > letters.ndjson.zst";

/// Write dead letters to standard output, one a line.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    address: Address,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let client = Client::new(&arguments.address)?;
    let query = arguments.filter.set()?;
    client.stream("/api/v1/dead-letters/export", &query, std::io::stdout().lock())
}
