//! `slipswitch archive rm`.

use clap::Args;

use crate::{
    client::{Address, Client, escaped},
    failure::Failure,
    output,
    rows::Archive,
};

/// Remove an archive with all that is in it; needs --yes.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Its name, as `slipswitch archive ls` shows it
    name: String,
    /// Yes, with its events
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    address: Address,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let client = Client::new(&arguments.address)?;
    let path = format!("/api/v1/archives/{}", escaped(&arguments.name));
    if !arguments.yes {
        let archive: Archive = client.get(&path, &[])?;
        let events = archive.events();
        return Err(Failure::usage(format!(
            "this removes `{}` with {events} events for good: say --yes",
            output::flat(&archive.name)
        )));
    }
    client.delete(&path)?;
    Ok(output::line(&output::flat(&format!("{}: removed", arguments.name)))?)
}
