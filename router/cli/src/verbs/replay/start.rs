//! `slipswitch replay start`.

use clap::Args;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    client::{Address, Client},
    consent,
    failure::Failure,
    matching::Matching,
    name::{Name, agreed},
    output,
    progress::Progress,
    span::Between,
};

const EXAMPLES: &str = "\
The events of the span are matched against today's rules and delivered again. They keep their id and time, and gain \
`replay-name`, so that a rule can tell them apart (`replay-name: [{exists: false}]` keeps them out). Live events go on \
meanwhile. The replay's name is printed; follow it with `slipswitch replay ls`.

Examples:
  slipswitch replay start --since 1h
  slipswitch replay start --bus shop --since 7d --rule order-confirmation \\
      --rule welcome
  slipswitch replay start --archive orders --since 30d --rate 200 --dry-run
  slipswitch replay start --since 7d --target shop/big-orders/crm
  slipswitch replay start --name after-the-outage \\
      --since 2026-11-23T08:00:00Z --until 2026-11-23T09:30:00Z";

/// Send the events of a span of time through the rules again.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, mut_arg("since", |since| since.required(true)))]
pub(crate) struct Arguments {
    #[command(flatten)]
    between: Between,
    /// Only for this rule; may be given several times [default: all rules of the bus]
    #[arg(long = "rule", value_name = "NAME")]
    rules: Vec<String>,
    /// Only for this target; may be given several times. With --rule, it is one more beside the rule's
    #[arg(long = "target", value_name = "[BUS/]RULE/TARGET")]
    targets: Vec<String>,
    /// The bus whose past it is [default: the target's, if it says one, the archive's, else default]
    #[arg(long)]
    bus: Option<String>,
    /// Send what this archive holds, instead of what the journal of the bus holds
    #[arg(long, value_name = "NAME")]
    archive: Option<String>,
    #[command(flatten)]
    matching: Matching,
    /// At most this many attempts a second, of all targets together
    #[arg(long, value_name = "ATTEMPTS")]
    rate: Option<f64>,
    /// So many deliveries of one target at a time; more than one gives the order up
    #[arg(long, value_name = "COUNT", default_value_t = 1)]
    concurrency: u32,
    /// Say how many events each target would get, before its transform splits or drops any; start nothing
    #[arg(long)]
    dry_run: bool,
    /// Start without asking; a script is not asked
    #[arg(long)]
    yes: bool,
    /// What to call it [default: the router chooses]
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    address: Address,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let client = Client::new(&arguments.address)?;
    let body = asked(arguments)?;
    if arguments.dry_run {
        return rehearse(&client, &body, arguments.rate);
    }
    if !arguments.yes && consent::can_ask() {
        consent::ask(&question(&estimate(&client, &body)?), "")?;
    }
    let replay: Value = client.post("/api/v1/replays", &body)?;
    let name = replay.get("name").and_then(Value::as_str).unwrap_or_default();
    Ok(output::line(name)?)
}

/// What it would send.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Estimate {
    events: u64,
    matched: u64,
    targets: Vec<Target>,
    exact: bool,
    looked_at: u64,
    damaged: u64,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Target {
    rule: String,
    target: String,
    events: u64,
}

fn estimate(client: &Client, body: &Value) -> Result<Estimate, Failure> {
    let _working = Progress::begin("counting events");
    client.post("/api/v1/replays?dry_run=true", body)
}

fn question(found: &Estimate) -> String {
    let about = if found.exact { "" } else { "about " };
    let events = output::counted(found.matched, "event");
    let targets = output::count(found.targets.len(), "target");
    format!("Send {about}{events} to {targets} again?")
}

fn rehearse(client: &Client, body: &Value, rate: Option<f64>) -> Result<(), Failure> {
    let Estimate { events, matched, targets, exact, looked_at, damaged } = estimate(client, body)?;
    let about = if exact { "" } else { "about " };
    output::line(&format!("events in the span: {about}{events}"))?;
    output::line(&format!("events to send: {about}{matched}"))?;
    let all: u64 = targets.iter().map(|one| one.events).sum();
    let rows = targets.into_iter().map(|Target { rule, target, events }| {
        [format!("{about}{events}"), format!("{rule}/{target}")]
    });
    output::table(["EVENTS", "TARGET"], rows.collect(), "for no target")?;
    if let Some(rate) = rate.filter(|rate| 0.0 < *rate) {
        #[expect(clippy::cast_precision_loss, reason = "an estimate for people")]
        let seconds = (all as f64 / rate).ceil();
        output::line(&format!("at {rate} a second, of all targets together: {seconds} s or more"))?;
    }
    if 0 < damaged {
        let events = output::count(damaged, "event");
        output::complain(&format!(
            "{events} of the span cannot be read and would be passed over: `slipswitch status` says where the damage is"
        ));
    }
    if !exact {
        output::complain(&format!("estimated from {looked_at} events that lie evenly in the span"));
    }
    Ok(())
}

/// The targets as RULE/TARGET, and the bus that they and `--bus` agree on.
fn targets(arguments: &Arguments) -> Result<(Vec<String>, Option<String>), Failure> {
    let mut bus = arguments.bus.as_deref();
    let mut targets = Vec::new();
    for text in &arguments.targets {
        let name = Name::of_target(text)?;
        bus = agreed("bus", bus, name.bus)?;
        let (Some(rule), Some(target)) = (name.rule, name.target) else {
            let message =
                format!("--target `{text}` does not say of which rule: write RULE/{text}");
            return Err(Failure::usage(message));
        };
        targets.push(format!("{rule}/{target}"));
    }
    Ok((targets, bus.map(str::to_owned)))
}

fn asked(arguments: &Arguments) -> Result<Value, Failure> {
    let span = arguments.between.span()?;
    let mut body = json!({ "since": span.since.map(|since| since.to_string()) });
    let (targets, bus) = targets(arguments)?;
    match (&bus, &arguments.archive) {
        (None, None) => body["bus"] = "default".into(),
        (bus, archive) => {
            for (name, value) in [("bus", bus), ("archive", archive)] {
                if let Some(value) = value {
                    body[name] = value.clone().into();
                }
            }
        }
    }
    if let Some(pattern) = arguments.matching.text()? {
        body["pattern"] = pattern.into();
    }
    if let Some(rate) = arguments.rate {
        body["rate"] = rate.into();
    }
    if arguments.concurrency != 1 {
        body["concurrency"] = arguments.concurrency.into();
    }
    if !targets.is_empty() {
        body["targets"] = targets.into();
    }
    if let Some(until) = span.until {
        body["until"] = until.to_string().into();
    }
    if !arguments.rules.is_empty() {
        body["rules"] = arguments.rules.clone().into();
    }
    if let Some(name) = &arguments.name {
        body["name"] = name.clone().into();
    }
    Ok(body)
}
