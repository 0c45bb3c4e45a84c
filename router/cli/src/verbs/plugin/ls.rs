//! `slipswitch plugin ls`.

use clap::Args;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::client::{Address, Client};
use crate::failure::Failure;
use crate::output::{self, Output};

/// How much of a digest tells versions apart.
const DIGEST_CHARS: usize = 12;

const EXAMPLES: &str = "\
Examples:
  slipswitch plugin ls
  slipswitch plugin ls -o json | jq -r '.[] | select(.rules == []) | .name'      nobody uses these";

/// List the plugins of a running router.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    address: Address,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Row {
    name: String,
    version: Option<String>,
    role: Option<String>,
    digest: Option<String>,
    error: Option<String>,
    rules: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let client = Client::new(&arguments.address)?;
    let items: Vec<Box<RawValue>> = client.get("/api/v1/plugins", &[])?;
    let heads = ["PLUGIN", "VERSION", "ROLE", "DIGEST", "RULES", "ERROR"];
    let row = |row: Row| {
        [
            row.name,
            row.version.unwrap_or_default(),
            row.role.unwrap_or_default(),
            short(&row.digest.unwrap_or_default()),
            row.rules.join(", "),
            row.error.unwrap_or_default(),
        ]
    };
    output::listing(arguments.output.format, &items, heads, row, "no plugins")
}

pub(super) fn short(digest: &str) -> String {
    digest.chars().take(DIGEST_CHARS).collect()
}
