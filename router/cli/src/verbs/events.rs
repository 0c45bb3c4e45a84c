//! `slipswitch events`: what is in the journal.

use clap::{Args, ValueEnum};
use event::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    client::{Address, Client},
    clock,
    failure::Failure,
    matching::Matching,
    output::{self, Output, at_least_one},
    span::{Between, Moment},
};

/// Events asked for in one request.
const PAGE: usize = 200;

const EXAMPLES: &str = "\
The newest come first. With -o json each holds the whole event.

Examples:
  slipswitch events --bus shop --since 1h
  slipswitch events --bus shop --since 1h \\
      --pattern '{\"detail\": {\"orderId\": [\"o-1\"]}}'
  slipswitch events --since 2026-11-23T08:00:00Z --until 2026-11-23T09:00:00Z \\
      --order oldest
  slipswitch events --bus shop --limit 1 -o json | jq '.[0].event'";

/// Search the journal for events, by time and by pattern.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The bus to look on [default: all of them]
    #[arg(long)]
    bus: Option<String>,
    #[command(flatten)]
    between: Between,
    #[command(flatten)]
    matching: Matching,
    /// Which come first
    #[arg(long, default_value = "newest")]
    order: Order,
    /// At most this many
    #[arg(long, value_name = "COUNT", default_value_t = 50, value_parser = at_least_one)]
    limit: usize,
    /// For how long to look
    #[arg(long, value_name = "SPAN", default_value = "60s", value_parser = span_millis)]
    within: i64,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    address: Address,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Order {
    Newest,
    Oldest,
}

#[derive(Deserialize)]
struct Page {
    items: Vec<Box<RawValue>>,
    next: Option<u64>,
    #[serde(default)]
    damaged: u64,
}

#[derive(Deserialize)]
struct Row {
    offset: u64,
    bus: String,
    taken_at: String,
    event: Envelope,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct Envelope {
    id: String,
    source: String,
    detail_type: String,
    detail: Option<Box<RawValue>>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let client = Client::new(&arguments.address)?;
    let now = clock::now();
    let span = arguments.between.span()?;
    let mut query = Vec::new();
    query.extend(arguments.bus.clone().map(|bus| ("bus", bus)));
    query.push(match arguments.order {
        Order::Newest => ("order", "newest".to_owned()),
        Order::Oldest => ("order", "oldest".to_owned()),
    });
    query.extend(span.since.map(|since| ("since", since.to_string())));
    query.extend(span.until.map(|until| ("until", until.to_string())));
    query.extend(arguments.matching.text()?.map(|pattern| ("pattern", pattern)));
    let until = Timestamp::from_millis(now.as_millis().saturating_add(arguments.within));
    let (items, end, damaged) = collect(&client, &query, (arguments.limit, until))?;
    let heads = ["OFFSET", "BUS", "TAKEN IN", "ID", "SOURCE", "DETAIL-TYPE", "DETAIL"];
    let row = |row: Row| {
        let Envelope { id, source, detail_type, detail } = row.event;
        let detail = detail.map(|detail| brief(detail.get())).unwrap_or_default();
        [row.offset.to_string(), row.bus, row.taken_at, id, source, detail_type, detail]
    };
    let nothing = match &arguments.bus {
        Some(bus) => format!("no such events on the bus {bus}"),
        None => "no such events on any bus".to_owned(),
    };
    output::listing(arguments.output.format, &items, heads, row, &nothing)?;
    span.ahead(now).iter().for_each(|ahead| output::complain(ahead));
    if 0 < damaged {
        let events = output::count(damaged, "event");
        output::complain(&format!(
            "up to {events} there cannot be read, because sealed segments are damaged: `slipswitch status` says where"
        ));
    }
    match end {
        End::All => (),
        End::Limit => {
            let limit = arguments.limit;
            output::complain(&format!("there may be more than {limit}; see them with --limit"));
        }
        End::Time { offset } => output::complain(&format!(
            "looked for {} s, as far as offset {offset}: there may be more beyond it; give --since, --until or a pattern with exact values, or more time with --within",
            arguments.within / 1000
        )),
    }
    Ok(())
}

/// Why nothing more was looked for.
enum End {
    All,
    Limit,
    Time { offset: u64 },
}

fn span_millis(text: &str) -> Result<i64, String> {
    match Moment::parse(text) {
        Ok(Moment::Ago(millis)) if 0 < millis => Ok(millis),
        _ => Err("not a span, such as 30s, 5m or 1h".to_owned()),
    }
}

/// As much of a detail as fits into a row.
fn brief(detail: &str) -> String {
    const CHARS_MAX: usize = 60;
    match detail.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => format!("{}…", detail.get(..end).unwrap_or_default()),
        None => detail.to_owned(),
    }
}

/// Page after page, up to the limit or as long as there is time.
fn collect(
    client: &Client,
    filter: &[(&'static str, String)],
    (limit, until): (usize, Timestamp),
) -> Result<(Vec<Box<RawValue>>, End, u64), Failure> {
    let (mut items, mut damaged) = (Vec::new(), 0);
    let mut after: Option<u64> = None;
    loop {
        let wanted = PAGE.min(limit - items.len());
        if wanted == 0 {
            return Ok((items, if after.is_none() { End::All } else { End::Limit }, damaged));
        }
        let mut query = filter.to_vec();
        query.push(("limit", wanted.to_string()));
        query.extend(after.map(|after| ("after", after.to_string())));
        let page: Page = client.get("/api/v1/events", &query)?;
        items.extend(page.items);
        damaged += page.damaged;
        let stands_still = page.next == after;
        after = page.next;
        match after {
            Some(_) if stands_still => return Ok((items, End::All, damaged)),
            Some(offset) if items.len() < limit && until <= clock::now() => {
                return Ok((items, End::Time { offset }, damaged));
            }
            Some(_) => (),
            None => return Ok((items, End::All, damaged)),
        }
    }
}
