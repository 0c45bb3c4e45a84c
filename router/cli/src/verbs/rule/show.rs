//! `slipswitch rule show`.

use std::io::Write as _;

use clap::Args;
use serde_json::value::RawValue;

use super::Place;
use super::made::{Rule, Target};
use crate::client::{Address, Client};
use crate::failure::Failure;
use crate::output::{self, Output};

const EXAMPLES: &str = "\
A rule that was made over the interface is printed as it was sent, byte for byte. Of a rule from a file the router says \
where it stands, and not its text.

Examples:
  slipswitch rule show shop/big-orders
  slipswitch rule show shop/big-orders > big-orders.yaml";

/// Show a rule of a running router
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Its name, as `slipswitch rule ls` shows it; its bus may stand before it
    #[arg(value_name = "[BUS/]RULE")]
    name: String,
    /// The bus of the rule [default: the one in the name, else default]
    #[arg(long)]
    bus: Option<String>,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    address: Address,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let place = Place::read(&arguments.name, arguments.bus.as_deref())?;
    let client = Client::new(&arguments.address)?;
    let found: Box<RawValue> = client.get(&place.path(), &[])?;
    let Some(rule) = output::shown::<Rule>(arguments.output.format, &found)? else {
        return Ok(());
    };
    if let Some(text) = rule.text {
        return Ok(std::io::stdout().lock().write_all(text.as_bytes())?);
    }
    let state = rule.state().to_owned();
    let mut lines = vec![
        ("rule", rule.name),
        ("bus", rule.bus),
        ("state", state),
        ("file", format!("{}, line {}", rule.path, rule.line)),
    ];
    lines.extend(rule.description.map(|text| ("for", text)));
    lines.extend(rule.targets.into_iter().map(|target| ("target", told(target))));
    for (name, value) in lines {
        output::said(&format!("{name:<8}{}", output::flat(&value)))?;
    }
    Ok(())
}

fn told(target: Target) -> String {
    let Target { id, kind, url, file, bus } = target;
    let to = url.or(file).or(bus).map(|to| format!(" {to}")).unwrap_or_default();
    format!("{id}: {kind}{to}")
}
