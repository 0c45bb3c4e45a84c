//! `slipswitch replay show`.

use clap::Args;
use serde_json::value::RawValue;

use crate::{
    client::{Address, Client, escaped},
    failure::Failure,
    output::{self, Output, count},
    rows::Replay,
};

const EXAMPLES: &str = "\
Examples:
  slipswitch replay show after-the-outage
  watch slipswitch replay show after-the-outage";

/// Show one replay: what it sends, and how far it is.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Its name, as `slipswitch replay ls` shows it
    name: String,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    address: Address,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let client = Client::new(&arguments.address)?;
    let path = format!("/api/v1/replays/{}", escaped(&arguments.name));
    let found: Box<RawValue> = client.get(&path, &[])?;
    let Some(replay) = output::shown::<Replay>(arguments.output.format, &found)? else {
        return Ok(());
    };
    let left = replay.eta_seconds.map(|left| format!(", about {left} s left")).unwrap_or_default();
    let from = replay.from();
    let to = replay.chosen();
    let counts =
        format!("{} delivered, {} dropped, {} dead", replay.delivered, replay.dropped, replay.dead);
    let done = replay.done();
    let damaged = (0 < replay.damaged).then(|| {
        format!(
            "{} could not be read and were passed over: `slipswitch status` says where",
            count(replay.damaged, "event")
        )
    });
    let waits = Some(replay.waits_for().join("; ")).filter(|waits| !waits.is_empty());
    let rate =
        replay.rate.map_or("as fast as it goes".to_owned(), |rate| format!("{rate} a second"));
    let lines = [
        ("replay", Some(replay.name)),
        ("state", Some(format!("{}, {}{left}", replay.state, done))),
        ("error", replay.error),
        ("from", Some(from)),
        ("since", replay.since),
        ("until", replay.until),
        ("pattern", replay.pattern),
        ("to", Some(to)),
        ("rate", Some(rate)),
        ("so far", Some(counts)),
        ("damaged", damaged),
        ("waits on", waits),
        ("started", replay.started_at),
        ("ended", replay.ended_at),
    ];
    for (name, value) in lines {
        if let Some(value) = value {
            output::said(&format!("{name:<9}{}", output::flat(&value)))?;
        }
    }
    Ok(())
}
