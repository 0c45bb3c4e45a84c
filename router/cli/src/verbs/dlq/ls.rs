//! `slipswitch dlq ls`.

use clap::Args;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    client::{Address, Client},
    failure::Failure,
    output::{self, Output, at_least_one},
    rows::DeadLetter,
    verbs::dlq::filter::Filter,
};

/// Dead letters asked for in one request.
const PAGE: usize = 200;

const EXAMPLES: &str = "\
The newest come first. With -o json each holds the whole event, the payload that was sent, and the last error.

Examples:
  slipswitch dlq ls
  slipswitch dlq ls --rule big-orders --limit 1000
  slipswitch dlq ls --kind refused \\
      --pattern '{\"detail\": {\"total\": [{\"numeric\": [\">\", 100]}]}}'
  slipswitch dlq ls --history  what became of those that were sent again
  slipswitch dlq ls -o json | jq -r '.[] | [.id, .error] | @tsv'";

/// List dead letters: what could not be delivered, and why.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    filter: Filter,
    /// At most this many
    #[arg(long, value_name = "COUNT", default_value_t = 100, value_parser = at_least_one)]
    limit: usize,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    address: Address,
}

#[derive(Deserialize)]
struct Page {
    /// Kept as bytes: an event holds numbers that no double does.
    items: Vec<Box<RawValue>>,
    next: Option<Box<RawValue>>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let client = Client::new(&arguments.address)?;
    let (items, is_all) = collect(&client, arguments)?;
    let heads = ["ID", "STATE", "DIED", "BUS", "RULE", "TARGET", "ATTEMPTS", "EVENT", "ERROR"];
    let row = |dead: DeadLetter| {
        let rule =
            if dead.replay.is_some() { format!("{} (replay)", dead.rule) } else { dead.rule };
        [
            dead.id.to_string(),
            dead.state,
            dead.died_at.unwrap_or_default(),
            dead.bus,
            rule,
            dead.target,
            dead.attempts.to_string(),
            dead.event_id,
            dead.error,
        ]
    };
    let nothing = nothing(&arguments.filter)?;
    output::listing(arguments.output.format, &items, heads, row, &nothing)?;
    if !is_all {
        output::complain(&format!(
            "there are more than {}; see them with --limit",
            arguments.limit
        ));
    }
    Ok(())
}

/// An empty listing may be a slip of the pen in a filter.
fn nothing(filter: &Filter) -> Result<String, Failure> {
    let set = filter.set()?;
    if let Some(ahead) = filter.ahead()? {
        return Ok(format!("no dead letters: {ahead}"));
    }
    let filters: Vec<String> =
        set.into_iter().map(|(name, value)| format!("{name} {value:?}")).collect();
    if filters.is_empty() {
        return Ok("no dead letters".to_owned());
    }
    Ok(format!(
        "no dead letters of {}; without filters, `slipswitch dlq ls` shows all that wait",
        filters.join(", ")
    ))
}

/// Up to the limit, page after page, and whether that is all.
fn collect(client: &Client, arguments: &Arguments) -> Result<(Vec<Box<RawValue>>, bool), Failure> {
    let filter = arguments.filter.set()?;
    let mut items = Vec::new();
    let mut before: Option<String> = None;
    loop {
        let wanted = PAGE.min(arguments.limit - items.len());
        if wanted == 0 {
            return Ok((items, before.is_none()));
        }
        let mut query = filter.clone();
        query.push(("limit", wanted.to_string()));
        query.extend(before.take().map(|before| ("before", before)));
        let page: Page = client.get("/api/v1/dead-letters", &query)?;
        // A page without an item would be asked for again and again.
        let is_last = page.items.is_empty();
        items.extend(page.items);
        before = page
            .next
            .map(|next| next.get().trim_matches('"').to_owned())
            .filter(|next| next != "null");
        if is_last || before.is_none() {
            return Ok((items, true));
        }
    }
}
