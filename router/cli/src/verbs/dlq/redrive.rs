//! `slipswitch dlq redrive`.

use clap::Args;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    client::{Address, Client},
    failure::{Exit, Failure},
    output,
    verbs::dlq::Filter,
};

const EXAMPLES: &str = "\
A redriven letter leaves the list and is delivered again, with its retries and its delivery id as before; what fails \
once more comes back as a new dead letter.

Examples:
  slipswitch dlq redrive 17 18
  slipswitch dlq redrive --all --yes
  slipswitch dlq redrive --all --rule big-orders --yes";

const USAGE: &str = "\
slipswitch dlq redrive [OPTIONS] <ID>...
       slipswitch dlq redrive [OPTIONS] --all [--bus BUS] [--rule NAME] [--target ID] --yes";

/// Deliver dead letters again.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, override_usage = USAGE)]
pub(crate) struct Arguments {
    /// The ids, as `slipswitch dlq ls` shows them
    #[arg(value_name = "ID", conflicts_with_all = ["all", "bus", "rule", "target"])]
    ids: Vec<i64>,
    /// All of them, or all that the filters leave; needs --yes
    #[arg(long)]
    all: bool,
    /// Yes, all of them
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    address: Address,
}

#[derive(Deserialize)]
struct Redriven {
    redriven: usize,
    #[serde(default)]
    refused: Vec<Refused>,
}

#[derive(Deserialize)]
struct Refused {
    id: i64,
    reason: String,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    if arguments.ids.is_empty() && !arguments.all {
        return Err(Failure::usage(
            "which dead letters? name their ids, or say --all --yes (with --bus, --rule and --target: all that these \
             leave); `slipswitch dlq ls` shows them",
        ));
    }
    if arguments.all && !arguments.yes {
        return Err(Failure::usage(
            "this sends every dead letter again (that the filters leave): say --yes, or name ids; \
             `slipswitch dlq ls` with the same filters shows them",
        ));
    }
    let client = Client::new(&arguments.address)?;
    let outcome: Redriven = client.post("/api/v1/dead-letters/redrive", &asked(arguments))?;
    output::line(&format!("redriven: {}", outcome.redriven))?;
    for refused in &outcome.refused {
        output::complain(&format!("dead letter {}: {}", refused.id, refused.reason));
    }
    if outcome.refused.is_empty() { Ok(()) } else { Err(Failure::silent(Exit::Failed)) }
}

fn asked(arguments: &Arguments) -> Value {
    if !arguments.all {
        return json!({ "ids": arguments.ids });
    }
    let mut body = json!({ "all": true });
    for (name, value) in arguments.filter.set() {
        body[name] = value.into();
    }
    body
}
