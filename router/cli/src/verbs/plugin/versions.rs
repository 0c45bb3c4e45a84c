//! `slipswitch plugin versions`.

use clap::Args;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::client::{Address, Client, escaped};
use crate::failure::Failure;
use crate::output::{self, Output};

use super::ls::short;

const EXAMPLES: &str = "\
The newest first; the one without an end is in service. So many are kept as plugin.versions says.

Examples:
  slipswitch plugin versions my-plugin
  slipswitch plugin rollback my-plugin 4cabfd7c";

/// List the versions of a plugin that were in service and can be again.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Its name, as `slipswitch plugin ls` shows it
    name: String,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    address: Address,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Row {
    digest: String,
    version: String,
    size_bytes: u64,
    since: String,
    until: Option<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let client = Client::new(&arguments.address)?;
    let path = format!("/api/v1/plugins/{}/versions", escaped(&arguments.name));
    let items: Vec<Box<RawValue>> = client.get(&path, &[])?;
    let heads = ["DIGEST", "VERSION", "SIZE", "SINCE", "UNTIL"];
    let row = |row: Row| {
        let until = row.until.unwrap_or_else(|| "in service".to_owned());
        [short(&row.digest), row.version, output::size(row.size_bytes), row.since, until]
    };
    output::listing(arguments.output.format, &items, heads, row, "no versions")
}
