//! `slipswitch archive update`.

use clap::Args;
use serde_json::{Value, json};

use crate::{
    client::{Address, Client, escaped},
    failure::Failure,
    output,
    rows::Archive,
    verbs::dlq::filter::read,
};

const EXAMPLES: &str = "\
Another pattern is for events that come from now on; what is in the archive stays, and what was acknowledged before is sealed \
under the old pattern first.

Examples:
  slipswitch archive update orders --days 730
  slipswitch archive update orders --every-event";

/// Change an archive.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Its name, as `slipswitch archive ls` shows it
    name: String,
    /// Only events that match this pattern: JSON, or @FILE
    #[arg(long, value_name = "JSON|@FILE", conflicts_with = "every_event")]
    pattern: Option<String>,
    /// Every event of its bus
    #[arg(long)]
    every_event: bool,
    /// How many days it keeps an event; 0 for ever
    #[arg(long)]
    days: Option<u32>,
    /// What it is for
    #[arg(long)]
    description: Option<String>,
    #[command(flatten)]
    address: Address,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut body = json!({});
    if let Some(pattern) = &arguments.pattern {
        body["pattern"] = read(pattern)?.into();
    } else if arguments.every_event {
        body["pattern"] = Value::Null;
    }
    if let Some(days) = arguments.days {
        body["retention_days"] = days.into();
    }
    if let Some(description) = &arguments.description {
        body["description"] = description.clone().into();
    }
    if body == json!({}) {
        return Err(Failure::usage(
            "what is to be otherwise? say --pattern, --every-event, --days or --description",
        ));
    }
    let client = Client::new(&arguments.address)?;
    let path = format!("/api/v1/archives/{}", escaped(&arguments.name));
    let changed: Archive = client.patch(&path, &body)?;
    let (name, kept) = (&changed.name, changed.kept());
    let pattern = changed.pattern.as_deref().unwrap_or("every event");
    Ok(output::line(&output::flat(&format!("{name}: {pattern}, kept {kept}")))?)
}
