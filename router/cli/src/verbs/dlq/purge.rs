//! `slipswitch dlq purge`.

use clap::Args;
use serde::Deserialize;

use crate::{
    client::{Address, Client},
    failure::{Exit, Failure},
    output,
    progress::Progress,
    verbs::dlq::filter::{Counted, Which},
};

const EXAMPLES: &str = "\
What is purged is gone. `slipswitch dlq export` with the same filters keeps a copy. What is being sent again is left \
alone.

Examples:
  slipswitch dlq purge 17 18 --yes
  slipswitch dlq purge --all --rule old-rule  says how many, and asks
  slipswitch dlq purge --all --state delivered --until 7d --yes";

/// Remove dead letters for good.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    address: Address,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Purged {
    purged: u64,
    left: u64,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut body = arguments.which.body()?;
    let client = Client::new(&arguments.address)?;
    let path = "/api/v1/dead-letters/purge";
    if arguments.which.is_rehearsal() || !arguments.which.is_sure() {
        body["dry_run"] = true.into();
        let counted: Counted = client.post(path, &body)?;
        if !arguments.which.rehearsed(&counted, "purge")? {
            return Ok(());
        }
        body["dry_run"] = false.into();
    }
    let outcome: Purged = {
        let _working = Progress::begin("purging");
        client.post(path, &body)?
    };
    output::line(&format!("purged: {}", outcome.purged))?;
    if 0 < outcome.left {
        let which = match arguments.which.only() {
            Some(id) => {
                format!("dead letter {id} was left alone: it is being sent again, or not there")
            }
            None => {
                format!("{} were left alone: they are being sent again, or not there", outcome.left)
            }
        };
        output::complain(&which);
        if !arguments.which.is_all() {
            return Err(Failure::silent(Exit::Failed));
        }
    }
    Ok(())
}
