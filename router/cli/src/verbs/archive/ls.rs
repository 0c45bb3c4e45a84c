//! `slipswitch archive ls`.

use clap::Args;
use serde_json::value::RawValue;

use crate::{
    client::{Address, Client},
    failure::Failure,
    output::{self, Output},
    rows::Archive,
};

const EXAMPLES: &str = "\
Examples:
  slipswitch archive ls
  slipswitch archive ls -o json | jq '.[] | [.name, .event_count]'";

/// List archives, with what they hold.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    address: Address,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let client = Client::new(&arguments.address)?;
    let heads = ["NAME", "BUS", "EVENTS", "SIZE", "OLDEST", "NEWEST", "DAYS", "PATTERN"];
    let row = |archive: Archive| {
        let events = archive.events();
        [
            archive.name,
            archive.bus,
            events,
            output::size(archive.size_bytes),
            archive.oldest.unwrap_or_default(),
            archive.newest.unwrap_or_default(),
            if archive.retention_days == 0 {
                "all".to_owned()
            } else {
                archive.retention_days.to_string()
            },
            archive.pattern.unwrap_or_default(),
        ]
    };
    let items: Vec<Box<RawValue>> = client.get("/api/v1/archives", &[])?;
    output::listing(arguments.output.format, &items, heads, row, "no archives")
}
