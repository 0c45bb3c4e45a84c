//! `slipswitch target pause`, `resume` and `enable`.

use clap::Args;
use serde_json::{Value, json};

use crate::{
    client::{Address, Client, escaped},
    failure::Failure,
    output,
    rows::Subscription,
};

const PAUSE_EXAMPLES: &str = "\
Deliveries under way are finished, then nothing more is sent, also after a restart. What comes meanwhile waits in the \
journal and takes no memory.

Examples:
  slipswitch target pause big-orders/crm --reason 'the CRM moves on Tuesday'
  slipswitch target pause big-orders --bus shop        all targets of the rule";

const RESUME_EXAMPLES: &str = "\
Examples:
  slipswitch target resume big-orders/crm";

const ENABLE_EXAMPLES: &str = "\
A target that answered 410 (Gone) is disabled until somebody has looked. What it is owed is kept, and sent then.

Examples:
  slipswitch target enable big-orders/crm";

/// Which targets.
#[derive(Debug, Args)]
struct Which {
    /// A rule and one of its targets, or a rule for all of its targets
    #[arg(value_name = "RULE[/TARGET]")]
    name: String,
    /// The bus of the rule
    #[arg(long, default_value = "default")]
    bus: String,
    #[command(flatten)]
    address: Address,
}

/// Send nothing more to a target until it is resumed
#[derive(Debug, Args)]
#[command(after_help = PAUSE_EXAMPLES)]
pub(crate) struct Pause {
    #[command(flatten)]
    which: Which,
    /// Why, for those who wonder later
    #[arg(long, default_value = "")]
    reason: String,
}

/// Let the deliveries to a paused target go on
#[derive(Debug, Args)]
#[command(after_help = RESUME_EXAMPLES)]
pub(crate) struct Resume {
    #[command(flatten)]
    which: Which,
}

/// Send again to a target that had said it was gone
#[derive(Debug, Args)]
#[command(after_help = ENABLE_EXAMPLES)]
pub(crate) struct Enable {
    #[command(flatten)]
    which: Which,
}

pub(crate) fn pause(arguments: &Pause) -> Result<(), Failure> {
    tell(&arguments.which, "pause", &json!({ "reason": arguments.reason }))
}

pub(crate) fn resume(arguments: &Resume) -> Result<(), Failure> {
    tell(&arguments.which, "resume", &json!({}))
}

pub(crate) fn enable(arguments: &Enable) -> Result<(), Failure> {
    tell(&arguments.which, "enable", &json!({}))
}

fn tell(which: &Which, what: &str, body: &Value) -> Result<(), Failure> {
    let client = Client::new(&which.address)?;
    let (rule, only) = match which.name.split_once('/') {
        Some((rule, target)) => (rule, Some(target)),
        None => (which.name.as_str(), None),
    };
    let targets: Vec<String> = match only {
        Some(target) => vec![target.to_owned()],
        None => {
            let all: Vec<Subscription> = client.get("/api/v1/subscriptions", &[])?;
            let of_rule = all
                .into_iter()
                .filter(|one| one.bus == which.bus && one.rule == rule && one.replay.is_none());
            of_rule.map(|one| one.target).collect()
        }
    };
    if targets.is_empty() {
        let bus = &which.bus;
        let message = format!(
            "there is no rule `{rule}` with a target on bus `{bus}`; `slipswitch target ls` shows all"
        );
        return Err(Failure::failed(message));
    }
    for target in targets {
        let names = [&which.bus, rule, &target].map(escaped).join("/");
        let path = format!("/api/v1/subscriptions/{names}/{what}");
        let _answer: Value = client.post(&path, body)?;
        output::line(&format!("{}/{rule}/{target}", which.bus))?;
    }
    Ok(())
}
