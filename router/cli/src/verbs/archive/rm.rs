//! `slipswitch archive rm`.

use clap::Args;

use crate::{
    client::{Address, Client, escaped},
    consent,
    failure::Failure,
    output,
    progress::Progress,
    rows::Archive,
};

/// Remove an archive with all that is in it; asks, and a script says --yes.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Its name, as `slipswitch archive ls` shows it
    name: String,
    /// Do it without asking
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
        let (name, events) = (output::flat(&archive.name), archive.events());
        let otherwise = format!("this removes `{name}` with {events} events for good: say --yes");
        consent::ask(&format!("Remove `{name}` with {events} events for good?"), &otherwise)?;
    }
    {
        let _working = Progress::begin("removing the archive");
        client.delete(&path)?;
    }
    Ok(output::line(&output::flat(&format!("{}: removed", arguments.name)))?)
}
