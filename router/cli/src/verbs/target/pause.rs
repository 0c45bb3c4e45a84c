//! `slipswitch target pause`, `resume` and `enable`.

use clap::Args;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    client::{Address, Client, escaped},
    consent,
    failure::Failure,
    name::{Name, agreed},
    output,
    rows::Subscription,
};

/// The bus of a name that says none.
const DEFAULT_BUS: &str = "default";
/// The most edits between what was written and what is proposed for it.
const EDITS_MAX: usize = 3;

const PAUSE_EXAMPLES: &str = "\
Deliveries under way are finished, then nothing more is sent, of replays neither, also after a restart. What comes \
meanwhile waits in the journal and takes no memory. A target that is paused already keeps its reason unless there is \
a new one.

Examples:
  slipswitch target pause shop/big-orders/crm \\
      --reason 'the CRM moves on Tuesday'
  slipswitch target pause big-orders --bus shop        all targets of the rule";

const RESUME_EXAMPLES: &str = "\
A target that is down is probed at once, whether it was paused or not.

Examples:
  slipswitch target resume shop/big-orders/crm";

const ENABLE_EXAMPLES: &str = "\
A target that answered 410 (Gone) is disabled until somebody has looked. What it is owed is kept, and sent then. \
One that is down is probed at once.

Examples:
  slipswitch target enable shop/big-orders/crm";

/// Which targets.
#[derive(Debug, Args)]
struct Which {
    /// A rule and one of its targets (a bus may stand before it), or a rule for all of its targets
    #[arg(value_name = "[BUS/]RULE[/TARGET]")]
    name: String,
    /// The bus of the rule [default: the one in the name, else default]
    #[arg(long)]
    bus: Option<String>,
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
    /// Pause several targets without asking; a script is not asked
    #[arg(long)]
    yes: bool,
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

/// What is done to a target, and how it is told.
struct Act {
    verb: &'static str,
    body: Value,
    done: &'static str,
    needless: &'static str,
    /// Whether somebody is asked before it is done to several targets.
    asks: bool,
}

/// What the router says it did.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Answer {
    was_paused: Option<bool>,
    was_disabled: Option<bool>,
    probes: bool,
}

pub(crate) fn pause(arguments: &Pause) -> Result<(), Failure> {
    let body = json!({ "reason": arguments.reason });
    tell(
        &arguments.which,
        &Act {
            verb: "pause",
            body,
            done: "paused",
            needless: "was paused already",
            asks: !arguments.yes,
        },
    )
}

pub(crate) fn resume(arguments: &Resume) -> Result<(), Failure> {
    let (body, needless) = (json!({}), "was not paused");
    tell(&arguments.which, &Act { verb: "resume", body, done: "resumed", needless, asks: false })
}

pub(crate) fn enable(arguments: &Enable) -> Result<(), Failure> {
    let (body, needless) = (json!({}), "was not disabled");
    tell(&arguments.which, &Act { verb: "enable", body, done: "enabled", needless, asks: false })
}

fn tell(which: &Which, act: &Act) -> Result<(), Failure> {
    let name = Name::of_rule(&which.name)?;
    let bus = agreed("bus", which.bus.as_deref(), name.bus)?;
    let client = Client::new(&which.address)?;
    let all: Vec<Subscription> = client.get("/api/v1/subscriptions", &[])?;
    let chosen = chosen(all, name, bus)?;
    if act.asks && 1 < chosen.len() {
        let targets = output::count(chosen.len(), "target");
        let rule = output::flat(&which.name);
        consent::ask_somebody(&format!("Send nothing more to {targets} of {rule}?"))?;
    }
    let has_reason = act.body.get("reason").is_some_and(|reason| reason != "");
    for one in chosen {
        let waits_for_rule = one.removed.is_some() && !one.draining;
        let Subscription { bus, rule, target, paused, disabled, .. } = one;
        let names = [&bus, &rule, &target].map(|name| escaped(name)).join("/");
        let path = format!("/api/v1/subscriptions/{names}/{}", act.verb);
        let answer: Answer = client.post(&path, &act.body)?;
        let is_needless = match act.verb {
            "pause" => paused.is_some() && !has_reason,
            _ => answer.was_paused == Some(false) || answer.was_disabled == Some(false),
        };
        let done = match (is_needless, answer.probes) {
            (false, false) => act.done.to_owned(),
            (false, true) => format!("{}; it is down, and is probed now", act.done),
            (true, false) => format!("{}: nothing to do", act.needless),
            (true, true) => format!("{}, but is down: it is probed now", act.needless),
        };
        let still = match act.verb {
            "resume" => disabled.map(|_| ("disabled", "enable")),
            "enable" => paused.map(|_| ("paused", "resume")),
            _ => None,
        };
        let name = format!("{bus}/{rule}/{target}");
        let still = still.map(|(is, verb)| {
            format!("; it is {is}: `slipswitch target {verb} {name}` lets it go on")
        });
        let removed = if waits_for_rule {
            "; its rule or target was removed or disabled, and it gets nothing until that is back"
        } else {
            ""
        };
        output::line(&format!("{name}  {done}{}{removed}", still.unwrap_or_default()))?;
    }
    Ok(())
}

/// The live subscriptions that a name means, or why it means none.
fn chosen(
    all: Vec<Subscription>,
    name: Name<'_>,
    bus: Option<&str>,
) -> Result<Vec<Subscription>, Failure> {
    let live: Vec<Subscription> = all.into_iter().filter(|one| one.replay.is_none()).collect();
    let is_named = |one: &Subscription| {
        name.rule.is_none_or(|rule| one.rule == rule)
            && name.target.is_none_or(|target| one.target == target)
    };
    let on = bus.unwrap_or(DEFAULT_BUS);
    if live.iter().any(|one| one.bus == on && is_named(one)) {
        return Ok(live.into_iter().filter(|one| one.bus == on && is_named(one)).collect());
    }
    // Two parts may be meant as the bus and a rule, too.
    if let (None, Some(of), Some(rule)) = (bus, name.rule, name.target)
        && live.iter().any(|one| one.bus == of && one.rule == rule)
    {
        return Ok(live.into_iter().filter(|one| one.bus == of && one.rule == rule).collect());
    }
    let asked: Vec<&str> = [name.rule, name.target].into_iter().flatten().collect();
    let asked = asked.join("/");
    let mut elsewhere: Vec<&str> =
        live.iter().filter(|one| is_named(one)).map(|one| one.bus.as_str()).collect();
    elsewhere.dedup();
    let mend = match *elsewhere {
        [only] => format!("bus `{only}` has it: say --bus {only}"),
        [] => nearest(&live, name, on, &asked),
        _ => format!("the buses {} have it: say which with --bus", elsewhere.join(", ")),
    };
    let what = if name.target.is_some() { "target" } else { "rule with a target" };
    Err(Failure::failed(format!("there is no {what} `{asked}` on bus `{on}`; {mend}")))
}

/// The name that was probably meant; one on the bus that was asked for before one elsewhere.
fn nearest(live: &[Subscription], name: Name<'_>, on: &str, asked: &str) -> String {
    let candidates = live.iter().map(|Subscription { bus, rule, target, .. }| {
        let named = if name.target.is_some() { format!("{rule}/{target}") } else { rule.clone() };
        (strsim::damerau_levenshtein(asked, &named), bus != on, bus, named)
    });
    // Two parts may be meant as a bus and a rule of it.
    let with_bus = live.iter().filter(|_| name.target.is_some()).map(|one| {
        let named = format!("{}/{}", one.bus, one.rule);
        (strsim::damerau_levenshtein(asked, &named), false, &one.bus, named)
    });
    let candidates = candidates.chain(with_bus);
    match candidates.min() {
        Some((distance, is_elsewhere, bus, named)) if distance <= EDITS_MAX => {
            let beside = if is_elsewhere { format!(" (with --bus {bus})") } else { String::new() };
            format!("did you mean `{named}`{beside}?")
        }
        _ => "`slipswitch target ls` shows all".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str, bus: Option<&str>) -> Result<Vec<String>, String> {
        let one = |bus: &str, rule: &str, target: &str| Subscription {
            bus: bus.to_owned(),
            rule: rule.to_owned(),
            target: target.to_owned(),
            ..Subscription::default()
        };
        let all = vec![
            one("default", "audit", "log"),
            one("default", "audit", "file"),
            one("shop", "big-orders", "crm"),
            one("a", "both", "t"),
            one("b", "both", "t"),
        ];
        let name = Name::of_rule(text).unwrap();
        let found = chosen(all, name, bus.or(name.bus)).map_err(|failure| failure.message)?;
        Ok(found
            .into_iter()
            .map(|one| format!("{}/{}/{}", one.bus, one.rule, one.target))
            .collect())
    }

    #[test]
    fn a_name_is_of_the_default_bus_unless_it_says_otherwise() {
        assert_eq!(said("audit/log", None).unwrap(), ["default/audit/log"]);
        assert_eq!(said("audit", None).unwrap(), ["default/audit/log", "default/audit/file"]);
        assert_eq!(said("shop/big-orders/crm", None).unwrap(), ["shop/big-orders/crm"]);
        assert_eq!(said("shop/big-orders", None).unwrap(), ["shop/big-orders/crm"]);
        assert_eq!(said("big-orders/crm", Some("shop")).unwrap(), ["shop/big-orders/crm"]);
    }

    #[test]
    fn what_is_not_there_is_told_with_where_it_is_or_what_is_near() {
        for (text, says) in [
            ("big-orders/crm", "bus `shop` has it: say --bus shop"),
            ("big-orders", "bus `shop` has it: say --bus shop"),
            ("both/t", "the buses a, b have it: say which with --bus"),
            ("audit/lgo", "did you mean `audit/log`?"),
            ("big-ordes/crm", "did you mean `big-orders/crm` (with --bus shop)?"),
            ("shop/big-ordrs", "did you mean `shop/big-orders`?"),
            ("something/else", "`slipswitch target ls` shows all"),
        ] {
            let message = said(text, None).unwrap_err();
            assert!(message.ends_with(says), "{text}: {message}");
        }
    }
}
