//! `slipswitch dlq redrive`.

use clap::{Args, ValueEnum};
use serde::Deserialize;

use crate::{
    client::{Address, Client},
    failure::{Exit, Failure},
    output,
    progress::Progress,
    verbs::dlq::filter::{Counted, Which},
};

const EXAMPLES: &str = "\
A redriven letter is delivered again, with its retries and its delivery id as before. It stays on record: \
`slipswitch dlq ls --history` says what became of it, and what dies once more is the same letter again.

With `--to rules` its event meets the rules as they are now, and what they make of it is sent: to every target they \
choose, or only to those of the rules named by --only-rule. The event and the deliveries keep their ids, so a target \
that has had one can tell.

Examples:
  slipswitch dlq redrive 17 18
  slipswitch dlq redrive --all --rule big-orders  says how many, and asks
  slipswitch dlq redrive --all --rule big-orders --yes
  slipswitch dlq redrive --all --kind transform --to rules \\
      --only-rule big-orders --yes";

const USAGE: &str = "\
slipswitch dlq redrive [OPTIONS] <ID>...
       slipswitch dlq redrive [OPTIONS] --all [FILTERS] --yes";

/// Deliver dead letters again.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, override_usage = USAGE)]
pub(crate) struct Arguments {
    #[command(flatten)]
    which: Which,
    /// Where to
    #[arg(long, value_name = "WHERE", default_value = "target")]
    to: To,
    /// With `--to rules`: only this one; may be given several times
    #[arg(long = "only-rule", value_name = "NAME")]
    rules: Vec<String>,
    #[command(flatten)]
    address: Address,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum To {
    /// Its own target, with the payload it had
    Target,
    /// Every target of the rules that match the event now, made anew
    Rules,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Redriven {
    redriven: u64,
    queued: u64,
    refused_total: u64,
    refused: Vec<Refused>,
}

#[derive(Deserialize)]
struct Refused {
    id: i64,
    reason: String,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut body = arguments.which.body()?;
    if arguments.to == To::Rules {
        body["to"] = "rules".into();
        if !arguments.rules.is_empty() {
            body["rules"] = arguments.rules.clone().into();
        }
    } else if !arguments.rules.is_empty() {
        return Err(Failure::usage("--only-rule narrows `--to rules`: say that, too"));
    }
    let client = Client::new(&arguments.address)?;
    let path = "/api/v1/dead-letters/redrive";
    if arguments.which.is_rehearsal() {
        body["dry_run"] = true.into();
        let counted: Counted = client.post(path, &body)?;
        if !arguments.which.rehearsed(&counted, "redrive")? {
            return Ok(());
        }
        body["dry_run"] = false.into();
    }
    let outcome: Redriven = {
        let _working = Progress::begin("redriving");
        client.post(path, &body)?
    };
    output::line(&format!("redriven: {}", outcome.redriven))?;
    if 0 < outcome.queued {
        output::line(&format!(
            "queued: {} (they follow by themselves as their targets have room)",
            outcome.queued
        ))?;
    }
    for refused in &outcome.refused {
        output::complain(&format!("dead letter {}: {}", refused.id, refused.reason));
    }
    let named = u64::try_from(outcome.refused.len()).unwrap_or(u64::MAX);
    if let Some(more @ 1..) = outcome.refused_total.checked_sub(named) {
        output::complain(&format!("and {more} more were refused"));
    }
    if outcome.refused.is_empty() { Ok(()) } else { Err(Failure::silent(Exit::Failed)) }
}
