//! `slipswitch rule rm`.

use clap::Args;

use super::Place;
use super::made::Done;
use super::switch::ask;
use crate::client::{Address, Client};
use crate::failure::Failure;

const EXAMPLES: &str = "\
Only a rule that was made over the interface can be removed here; one of a file goes with its file. What a rule is owed \
is still sent, each event once, and its place is kept for a while (`delivery.removed_kept`): put the rule back, and it \
goes on from there.

Examples:
  slipswitch rule rm shop/big-orders
  slipswitch rule rm big-orders small-orders --bus shop --yes";

/// Remove rules that were made over the interface; asks when one is owed something
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Their names, as `slipswitch rule ls` shows them; the bus may stand before each
    #[arg(value_name = "[BUS/]RULE", required = true)]
    names: Vec<String>,
    /// The bus of the rules [default: the one in the name, else default]
    #[arg(long)]
    bus: Option<String>,
    /// Do it without asking; a script is not asked
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    address: Address,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let bus = arguments.bus.as_deref();
    let places: Result<Vec<Place>, Failure> =
        arguments.names.iter().map(|name| Place::read(name, bus)).collect();
    let places = places?;
    let client = Client::new(&arguments.address)?;
    if !arguments.yes {
        ask(&client, &places, "Remove")?;
    }
    for place in &places {
        let done: Done = client.remove(&place.path())?;
        let how = match &done.path {
            Some(file) => format!("taken back; it runs from {file}"),
            None => "removed".to_owned(),
        };
        done.tell(&how, &how)?;
    }
    Ok(())
}
