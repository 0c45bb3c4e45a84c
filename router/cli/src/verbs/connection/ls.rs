//! `slipswitch connection ls`.

use clap::Args;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    client::{Address, Client},
    failure::Failure,
    output::{self, Output},
};

const EXAMPLES: &str = "\
A connection is `unused` until a target has answered over it, `unauthorized` when the last answer was a 401, 403 or 407 \
or there was no token, and `missing` when a rule names it and the configuration does not. Secrets are never shown.

Examples:
  slipswitch connection ls
  slipswitch connection ls -o json \\
      | jq -r '.[] | select(.state == \"unauthorized\") | .last_error'";

/// List connections: kind, state, and the targets that use them
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    address: Address,
}

#[derive(Deserialize)]
struct Connection {
    name: String,
    kind: Option<String>,
    #[serde(default)]
    certificate: bool,
    state: String,
    #[serde(default)]
    since: Option<String>,
    #[serde(default)]
    last_error: String,
    used_by: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let client = Client::new(&arguments.address)?;
    let heads = ["NAME", "KIND", "STATE", "SINCE", "USED BY", "WHY"];
    let row = |one: Connection| {
        let kind = match (one.kind.as_deref(), one.certificate) {
            (None, _) => "–".to_owned(),
            (Some("none"), true) => "mtls".to_owned(),
            (Some(kind), true) => format!("{kind}, mtls"),
            (Some(kind), false) => kind.to_owned(),
        };
        let since = one.since.unwrap_or_default();
        [one.name, kind, one.state, since, one.used_by.join(", "), one.last_error]
    };
    let items: Vec<Box<RawValue>> = client.get("/api/v1/connections", &[])?;
    let none = "no connections: name one under `connections` in slipswitch.yaml";
    output::listing(arguments.output.format, &items, heads, row, none)
}
