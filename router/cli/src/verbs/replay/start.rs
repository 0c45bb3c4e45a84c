//! `slipswitch replay start`.

use clap::Args;
use serde_json::{Value, json};

use crate::{
    client::{Address, Client},
    clock,
    failure::Failure,
    output,
    span::Moment,
};

const EXAMPLES: &str = "\
The events of the span are matched against today's rules and delivered again. They keep their id and time, and gain \
`replay-name`, so that a rule can tell them apart (`replay-name: [{exists: false}]` keeps them out). Live events go on \
meanwhile. The replay's name is printed; follow it with `slipswitch replay ls`.

Examples:
  slipswitch replay start --since 1h
  slipswitch replay start --bus shop --since 7d --rule order-confirmation --rule welcome
  slipswitch replay start --since 2026-11-23T08:00:00Z --until 2026-11-23T09:30:00Z --name after-the-outage";

/// Send the events of a span of time through the rules again.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Where the span begins: back from now (30m, 1h, 7d), or an RFC 3339 time
    #[arg(long, value_name = "WHEN", value_parser = Moment::parse)]
    since: Moment,
    /// Where it ends, not included [default: now]
    #[arg(long, value_name = "WHEN", value_parser = Moment::parse)]
    until: Option<Moment>,
    /// Only for this rule; may be given several times [default: all rules of the bus]
    #[arg(long = "rule", value_name = "NAME")]
    rules: Vec<String>,
    /// The bus whose past it is
    #[arg(long, default_value = "default")]
    bus: String,
    /// What to call it [default: the router chooses]
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    address: Address,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let client = Client::new(&arguments.address)?;
    let replay: Value = client.post("/api/v1/replays", &asked(arguments))?;
    let name = replay.get("name").and_then(Value::as_str).unwrap_or_default();
    Ok(output::line(name)?)
}

fn asked(arguments: &Arguments) -> Value {
    let now = clock::now();
    let mut body =
        json!({ "bus": arguments.bus, "since": arguments.since.before(now).to_string() });
    if let Some(until) = arguments.until {
        body["until"] = until.before(now).to_string().into();
    }
    if !arguments.rules.is_empty() {
        body["rules"] = arguments.rules.clone().into();
    }
    if let Some(name) = &arguments.name {
        body["name"] = name.clone().into();
    }
    body
}
