//! `slipswitch replay pause | resume | cancel | rm`.

use clap::Args;
use serde_json::json;

use crate::{
    client::{Address, Client, escaped},
    failure::Failure,
    output,
    rows::Replay,
};

/// A replay by its name.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Its name, as `slipswitch replay ls` shows it
    name: String,
    #[command(flatten)]
    address: Address,
}

pub(crate) fn run(arguments: &Arguments, verb: &str) -> Result<(), Failure> {
    let client = Client::new(&arguments.address)?;
    let path = format!("/api/v1/replays/{}/{verb}", escaped(&arguments.name));
    let replay: Replay = client.post(&path, &json!({}))?;
    let line = format!("{}: {} at {}", replay.name, replay.state, replay.done());
    Ok(output::line(&output::flat(&line))?)
}

pub(crate) fn remove(arguments: &Arguments) -> Result<(), Failure> {
    let client = Client::new(&arguments.address)?;
    client.delete(&format!("/api/v1/replays/{}", escaped(&arguments.name)))?;
    Ok(output::line(&output::flat(&format!("{}: removed", arguments.name)))?)
}
