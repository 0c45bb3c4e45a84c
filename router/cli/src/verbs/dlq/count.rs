//! `slipswitch dlq count`.

use clap::{Args, ValueEnum};
use serde_json::value::RawValue;

use crate::{
    client::{Address, Client},
    failure::Failure,
    output::{self, Output},
    verbs::dlq::filter::{Filter, Group},
};

const EXAMPLES: &str = "\
Examples:
  slipswitch dlq count --by target
  slipswitch dlq count --by error --rule big-orders --since 1h
  slipswitch dlq count --history --by kind";

/// Count dead letters, by what they have in common.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// What tells them apart [default: nothing, only the number is printed]
    #[arg(long, value_name = "WHAT")]
    by: Option<By>,
    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    address: Address,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum By {
    Rule,
    Target,
    Kind,
    Error,
}

impl By {
    fn as_str(self) -> &'static str {
        match self {
            Self::Rule => "rule",
            Self::Target => "target",
            Self::Kind => "kind",
            Self::Error => "error",
        }
    }
}

#[derive(serde::Deserialize)]
struct Counted {
    letters: u64,
    groups: Vec<Box<RawValue>>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let client = Client::new(&arguments.address)?;
    let mut query = arguments.filter.set()?;
    query.extend(arguments.by.map(|by| ("group_by", by.as_str().to_owned())));
    let counted: Counted = client.get("/api/v1/dead-letters/count", &query)?;
    let Some(by) = arguments.by else { return Ok(output::line(&counted.letters.to_string())?) };
    let head = by.as_str().to_uppercase();
    let row = |group: Group| {
        [group.letters.to_string(), group.name(), group.oldest.clone(), group.newest]
    };
    let heads = ["LETTERS", head.as_str(), "OLDEST", "NEWEST"];
    output::listing(arguments.output.format, &counted.groups, heads, row, "no dead letters")
}
