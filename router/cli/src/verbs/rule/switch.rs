//! `slipswitch rule enable` and `disable`.

use clap::Args;
use serde_json::json;

use super::Place;
use super::made::{Done, Rule};
use crate::client::{Address, Client};
use crate::consent;
use crate::failure::Failure;
use crate::output::{counted, flat, grouped};
use crate::rows::Subscription;

const EXAMPLES: &str = "\
Puts `enabled: true` or `enabled: false` into the rule's text and leaves the rest of it as it is. A rule of a file is \
switched there. A disabled rule matches nothing; what it is owed is still sent, each event once, and its place is kept \
for a while (`delivery.removed_kept`).

Examples:
  slipswitch rule disable shop/big-orders
  slipswitch rule enable big-orders --bus shop";

/// Which rule.
#[derive(Debug, Args)]
struct Which {
    /// Its name, as `slipswitch rule ls` shows it; its bus may stand before it
    #[arg(value_name = "[BUS/]RULE")]
    name: String,
    /// The bus of the rule [default: the one in the name, else default]
    #[arg(long)]
    bus: Option<String>,
    #[command(flatten)]
    address: Address,
}

/// Let a rule match events again
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Enable {
    #[command(flatten)]
    which: Which,
}

/// Let a rule match nothing; asks when it is owed something
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Disable {
    #[command(flatten)]
    which: Which,
    /// Do it without asking; a script is not asked
    #[arg(long)]
    yes: bool,
}

pub(crate) fn enable(arguments: &Enable) -> Result<(), Failure> {
    let (client, place) = arguments.which.read()?;
    let done: Done = client.work(&format!("{}/enable", place.path()), &json!({}))?;
    Ok(done.tell("enabled", "was enabled already")?)
}

pub(crate) fn disable(arguments: &Disable) -> Result<(), Failure> {
    let (client, place) = arguments.which.read()?;
    if !arguments.yes {
        ask(&client, std::slice::from_ref(&place), "Disable")?;
    }
    let done: Done = client.work(&format!("{}/disable", place.path()), &json!({}))?;
    Ok(done.tell("disabled", "was disabled already")?)
}

impl Which {
    fn read(&self) -> Result<(Client, Place), Failure> {
        let place = Place::read(&self.name, self.bus.as_deref())?;
        Ok((Client::new(&self.address)?, place))
    }
}

/// Asks before rules go that are owed something, with how much that is. A script is not asked: their places are kept.
pub(super) fn ask(client: &Client, places: &[Place], verb: &str) -> Result<(), Failure> {
    let rules: Vec<Rule> = client.get("/api/v1/rules", &[])?;
    let goes = |bus: &str, name: &str| {
        let is_named = places.iter().any(|place| place.bus == bus && place.rule == name);
        is_named && rules.iter().any(|it| it.is_made() && it.bus == bus && it.name == name)
    };
    let all: Vec<Subscription> = client.get("/api/v1/subscriptions", &[])?;
    let live = all.iter().filter(|one| one.replay.is_none() && one.removed.is_none());
    let (mut behind, mut waiting) = (0, 0);
    for one in live.filter(|one| goes(&one.bus, &one.rule)) {
        behind += one.lag;
        waiting += one.queued + one.in_flight + one.postponed;
    }
    if behind == 0 && waiting == 0 {
        return Ok(());
    }
    let (what, has) = match places {
        [one] => (format!("`{}`", flat(&one.shown())), "It has"),
        several => (format!("{} rules", several.len()), "They have"),
    };
    let waiting = match waiting {
        1 => "1 delivery".to_owned(),
        more => format!("{} deliveries", grouped(more)),
    };
    let behind = counted(behind, "event");
    consent::ask_somebody(&format!(
        "{verb} {what}? {has} {waiting} waiting, and up to {behind} of the journal to look at."
    ))
}
