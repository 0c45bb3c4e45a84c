//! `slipswitch archive show`.

use clap::Args;
use serde_json::value::RawValue;

use crate::{
    client::{Address, Client, escaped},
    failure::Failure,
    output::{self, Output},
    rows::Archive,
};

/// Show one archive.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Its name, as `slipswitch archive ls` shows it
    name: String,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    address: Address,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let client = Client::new(&arguments.address)?;
    let path = format!("/api/v1/archives/{}", escaped(&arguments.name));
    let found: Box<RawValue> = client.get(&path, &[])?;
    let Some(archive) = output::shown::<Archive>(arguments.output.format, &found)? else {
        return Ok(());
    };
    let events = archive.events();
    let kept = archive.kept();
    let lines = [
        ("archive", Some(archive.name)),
        ("for", Some(archive.description).filter(|text| !text.is_empty())),
        ("bus", Some(archive.bus)),
        ("pattern", Some(archive.pattern.unwrap_or_else(|| "every event".to_owned()))),
        ("kept", Some(kept)),
        ("since", archive.created_at),
        ("events", Some(events)),
        ("size", Some(output::size(archive.size_bytes))),
        ("oldest", archive.oldest),
        ("newest", archive.newest),
    ];
    for (name, value) in lines {
        if let Some(value) = value {
            output::said(&format!("{name:<9}{}", output::flat(&value)))?;
        }
    }
    Ok(())
}
