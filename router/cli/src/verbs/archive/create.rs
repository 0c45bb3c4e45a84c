//! `slipswitch archive create`.

use clap::Args;
use serde_json::{Value, json};

use crate::{
    client::{Address, Client},
    failure::Failure,
    output,
    verbs::dlq::filter::read,
};

const EXAMPLES: &str = "\
It takes in what comes from now on. Replay it with `slipswitch replay start --archive NAME`.

Examples:
  slipswitch archive create orders --bus shop --pattern @orders.json --days 365
  slipswitch archive create everything";

/// Make an archive of what comes from now on.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// What to call it: 1 to 48 of a-z, A-Z, 0-9, `.`, `-` and `_`
    name: String,
    /// The bus whose events it keeps
    #[arg(long, default_value = "default")]
    bus: String,
    /// Only events that match this pattern: JSON, or @FILE [default: every event]
    #[arg(long, value_name = "JSON|@FILE")]
    pattern: Option<String>,
    /// How many days it keeps an event; 0 for ever
    #[arg(long, default_value_t = 0)]
    days: u32,
    /// What it is for
    #[arg(long, default_value = "")]
    description: String,
    #[command(flatten)]
    address: Address,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut body = json!({
        "name": arguments.name,
        "bus": arguments.bus,
        "retention_days": arguments.days,
        "description": arguments.description,
    });
    if let Some(pattern) = &arguments.pattern {
        body["pattern"] = read(pattern)?.into();
    }
    let client = Client::new(&arguments.address)?;
    let made: Value = client.post("/api/v1/archives", &body)?;
    Ok(output::line(made.get("name").and_then(Value::as_str).unwrap_or_default())?)
}
