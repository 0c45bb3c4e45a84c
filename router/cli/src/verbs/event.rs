//! `slipswitch event`: what became of an event.
//!
//! What an operator wants to know first stands first: one line for each target, with a sign before it.

use clap::{Args, builder::NonEmptyStringValueParser};
use event::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    client::{Address, Client, escaped},
    clock,
    failure::Failure,
    output::{self, Output, flat},
};

const EXAMPLES: &str = "\
The id is what `slipswitch send` prints, and what targets get as slipswitch-event-id.

Examples:
  slipswitch event 0198c5f2-6f0e-7c43-a9d5-0b7f6f9b1c11
  slipswitch event order-1 --payloads
  slipswitch event order-1 --bus shop -o json | jq '.places[].attempts'";

/// Show what became of an event: taken in when, sent where, with which answers.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The event's id
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    id: String,
    /// Only on this bus
    #[arg(long)]
    bus: Option<String>,
    /// Show what each delivery carried, too
    #[arg(long)]
    payloads: bool,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    address: Address,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Fate {
    places: Vec<Place>,
    complete: bool,
    rules: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Place {
    bus: String,
    offset: u64,
    taken_at: String,
    hops: u64,
    idempotency_key: Option<String>,
    bytes: u64,
    event: Option<Box<RawValue>>,
    from: Vec<Origin>,
    deliveries: Vec<Delivery>,
    attempts: Vec<Attempt>,
    attempts_cut: bool,
    attempts_since: Option<String>,
    dispatched: bool,
    matches: Vec<String>,
    nearly: Vec<Nearly>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Origin {
    bus: String,
    offset: u64,
    event: String,
    rule: String,
    target: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Delivery {
    rule: String,
    target: String,
    replay: Option<String>,
    output: u64,
    state: String,
    attempts: u64,
    last_attempt_at: Option<String>,
    next_attempt_at: Option<String>,
    error: Option<String>,
    dead_letter: Option<i64>,
    dead_letter_state: Option<String>,
    became: Option<String>,
    behind: Option<u64>,
    stopped: Option<String>,
    held: Option<String>,
    under_way: bool,
    removed_at: Option<String>,
    kept_until: Option<String>,
    payload: Option<Payload>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Payload {
    made: String,
    rules_changed: Option<bool>,
    content_type: Option<String>,
    body: Option<String>,
    error: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Attempt {
    time: String,
    rule: String,
    target: String,
    replay: Option<String>,
    output: u64,
    attempt: u64,
    result: String,
    status: Option<u16>,
    took_us: u64,
    error: Option<String>,
    rules: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Nearly {
    rule: String,
    fits: u64,
    of: u64,
    why: String,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let client = Client::new(&arguments.address)?;
    let path = format!("/api/v1/events/{}", escaped(&arguments.id));
    let mut query: Vec<_> = arguments.bus.iter().map(|bus| ("bus", bus.clone())).collect();
    if arguments.payloads {
        query.push(("payloads", "true".to_owned()));
    }
    let found: Box<RawValue> = client.get(&path, &query)?;
    let Some(fate) = output::shown::<Fate>(arguments.output.format, &found)? else {
        return Ok(());
    };
    let now = clock::now();
    for (number, place) in fate.places.iter().enumerate() {
        if 0 < number {
            output::line("")?;
        }
        head(&arguments.id, place, now)?;
        deliveries(place, now)?;
        attempts(place, &fate.rules)?;
        if let Some(event) = &place.event {
            output::line(&format!("\n{}", flat(event.get())))?;
        }
        payloads(place)?;
    }
    if !fate.complete {
        output::complain("not all of the journal was looked at: there may be more of this id");
    }
    Ok(())
}

fn head(id: &str, place: &Place, now: Timestamp) -> Result<(), Failure> {
    let Place { bus, offset, taken_at, hops, bytes, .. } = place;
    let how = match (hops, &place.idempotency_key) {
        (0, Some(key)) => format!("sent with the idempotency key {key}"),
        (0, None) => "sent without an idempotency key".to_owned(),
        (hops, _) => {
            format!("passed on by {}", output::count(hops, "bus").replace("buss", "buses"))
        }
    };
    let id = flat(id);
    output::said(&format!("event     {id}  on bus {bus}, offset {offset}"))?;
    let when = moment(taken_at, now);
    output::said(&format!("taken in  {when}, {bytes} bytes, {}", flat(&how)))?;
    for Origin { bus, offset, event, rule, target } in &place.from {
        let from = format!("{bus}/{rule}/{target}: event {event} on bus {bus}, offset {offset}");
        output::said(&format!("from      {}", flat(&from)))?;
    }
    Ok(())
}

fn deliveries(place: &Place, now: Timestamp) -> Result<(), Failure> {
    output::line("")?;
    if place.deliveries.is_empty() {
        return nobody(place);
    }
    let width = place.deliveries.iter().map(|one| name(one).chars().count()).max().unwrap_or(0);
    for one in &place.deliveries {
        let (sign, mut words) = said(one, now);
        if let Some(stopped) = &one.stopped {
            words.push_str(&format!("; its target is {stopped}"));
        }
        output::said(&format!("  {sign} {:<width$}  {}", name(one), flat(&words)))?;
    }
    Ok(())
}

fn name(one: &Delivery) -> String {
    let replay = one.replay.as_ref();
    let replay = replay.map(|name| format!(" (replay {name})")).unwrap_or_default();
    let output = if one.output == 0 { String::new() } else { format!(" #{}", one.output) };
    flat(&format!("{} → {}{output}{replay}", one.rule, one.target))
}

/// What the deliveries carried.
fn payloads(place: &Place) -> Result<(), Failure> {
    for one in &place.deliveries {
        let Some(payload) = &one.payload else { continue };
        let made = match (payload.made.as_str(), payload.rules_changed) {
            ("kept", _) => "as it was made",
            (_, Some(true)) => "made now; THE RULES HAVE CHANGED since its last attempt",
            (_, Some(false)) => "made now, by the rules of its last attempt",
            (_, None) => "made now; no attempt is on record",
        };
        let kind = payload.content_type.as_ref().map(|kind| format!(", {kind}"));
        let head = format!("payload of {} ({made}{})", name(one), kind.unwrap_or_default());
        let none = payload.error.as_deref().map(|why| format!("(none: {why})"));
        let body = payload.body.clone().or(none).unwrap_or_default();
        output::line(&format!("\n{}:\n{}", flat(&head), flat(&body)))?;
    }
    Ok(())
}

/// A sign and what became of one delivery, in words.
fn said(one: &Delivery, now: Timestamp) -> (char, String) {
    let at = |time: &Option<String>| moment(time.as_deref().unwrap_or("an unknown time"), now);
    let after = output::count(one.attempts, "attempt");
    let error = one.error.as_deref().unwrap_or("no error was told");
    match one.state.as_str() {
        "delivered" => {
            let became = one.became.as_ref();
            let became = became.map(|id| format!(", there it is event {id}")).unwrap_or_default();
            let letter = one.dead_letter.map(|id| format!(", it was dead letter {id}"));
            let letter = letter.unwrap_or_default();
            ('✓', format!("delivered {}, {after}{became}{letter}", at(&one.last_attempt_at)))
        }
        "dropped" => ('·', format!("dropped by its transform, {}", at(&one.last_attempt_at))),
        "postponed" | "waiting" if one.under_way => {
            let number = one.attempts.saturating_add(1);
            let before = one.error.as_ref().map(|error| format!("; the last one: {error}"));
            ('…', format!("under way now: attempt {number}{}", before.unwrap_or_default()))
        }
        "postponed" | "waiting" if one.held.is_some() => {
            ('…', format!("waits: {}", one.held.as_deref().unwrap_or_default()))
        }
        "postponed" if one.stopped.is_some() => ('↻', format!("waits, after {after}: {error}")),
        "postponed" => {
            let next = at(&one.next_attempt_at);
            ('↻', format!("waits: next attempt {next}, after {after}: {error}"))
        }
        "dead" => {
            let letter = match one.dead_letter {
                Some(id) => {
                    let state = one.dead_letter_state.as_deref().unwrap_or("dead");
                    format!("dead letter {id} ({state}; slipswitch dlq show {id})")
                }
                None => "dead, and its letter is gone".to_owned(),
            };
            ('✗', format!("{letter} after {after}: {error}"))
        }
        "waiting" => match one.behind {
            Some(behind) => ('…', format!("waits for its turn: {behind} events come before it")),
            None => ('…', "waits for its turn".to_owned()),
        },
        "removed" if one.removed_at.is_none() => {
            ('…', "waits for its rule, which has not been there since the start".to_owned())
        }
        "removed" => {
            let (gone, until) = (at(&one.removed_at), at(&one.kept_until));
            let then = format!("it is matched if that comes back before {until}");
            (
                '?',
                format!(
                    "its rule or target was removed or disabled {gone}, before this was looked at; {then}"
                ),
            )
        }
        "unrecorded" => {
            ('?', "matches now, but nothing is on record: it may not have matched then".to_owned())
        }
        other => ('?', other.to_owned()),
    }
}

/// Nothing was sent: why not.
fn nobody(place: &Place) -> Result<(), Failure> {
    if !place.dispatched {
        return Ok(output::said("  … not yet matched: the router has not come to it")?);
    }
    if let Some(since) = &place.attempts_since {
        output::said(&format!("  ? what was sent is on record only since {}", flat(since)))?;
    }
    if !place.matches.is_empty() {
        let rules = flat(&place.matches.join(", "));
        return Ok(output::said(&format!("  ? matched by {rules}, which has no target"))?);
    }
    output::line("  – no rule matches it, nothing was sent")?;
    if place.nearly.is_empty() {
        return Ok(output::line("    there is no rule on its bus")?);
    }
    output::line("    nearest:")?;
    let width = place.nearly.iter().map(|near| near.rule.chars().count()).max().unwrap_or(0);
    for Nearly { rule, fits, of, why } in &place.nearly {
        let line = flat(&format!("{rule:<width$}  {fits} of {of} fields fit; {why}"));
        output::said(&format!("      {line}"))?;
    }
    Ok(())
}

fn attempts(place: &Place, running: &str) -> Result<(), Failure> {
    if place.attempts.is_empty() {
        return Ok(());
    }
    output::line("")?;
    let heads = ["AT", "RULE", "TARGET", "ATTEMPT", "RESULT", "STATUS", "MS", "RULES", "ERROR"];
    let rows = place.attempts.iter().map(|one| {
        let replay = if one.replay.is_some() { " (replay)" } else { "" };
        let output = if one.output == 0 { String::new() } else { format!(" #{}", one.output) };
        // Which generation it was: the one that runs, or an earlier one.
        let rules = if one.rules == running { "running".to_owned() } else { one.rules.clone() };
        [
            one.time.clone(),
            format!("{}{replay}", one.rule),
            format!("{}{output}", one.target),
            one.attempt.to_string(),
            one.result.clone(),
            one.status.map(|status| status.to_string()).unwrap_or_default(),
            format!("{}.{:01}", one.took_us / 1000, one.took_us % 1000 / 100),
            rules,
            one.error.clone().unwrap_or_default(),
        ]
    });
    output::table(heads, rows.collect(), "")?;
    if place.attempts_cut {
        output::line("  (there are more attempts)")?;
    }
    Ok(())
}

/// A time, and how far away it is.
fn moment(text: &str, now: Timestamp) -> String {
    let Ok(time) = Timestamp::parse(text) else { return flat(text) };
    let (ago, ahead) = (now.since(time).as_secs(), time.since(now).as_secs());
    let away = match (ago, ahead) {
        (0, 0) => "now".to_owned(),
        (0, ahead) => format!("in {}", span(ahead)),
        (ago, _) => format!("{} ago", span(ago)),
    };
    format!("{text} ({away})")
}

fn span(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_says_how_far_it_is() {
        let now = Timestamp::parse("2026-11-23T08:00:00Z").unwrap();
        let said = |text: &str| moment(text, now);
        assert_eq!(said("2026-11-23T07:58:30Z"), "2026-11-23T07:58:30Z (90 s ago)");
        assert_eq!(said("2026-11-23T08:10:00Z"), "2026-11-23T08:10:00Z (in 10 min)");
        assert_eq!(said("2026-11-20T08:00:00Z"), "2026-11-20T08:00:00Z (3 days ago)");
        assert_eq!(said("never"), "never");
    }

    #[test]
    fn a_dead_letter_says_its_number_and_why() {
        let one = Delivery {
            state: "dead".to_owned(),
            attempts: 5,
            dead_letter: Some(17),
            dead_letter_state: Some("dead".to_owned()),
            error: Some("POST http://x: 400".to_owned()),
            ..Delivery::default()
        };
        let (sign, words) = said(&one, Timestamp::from_millis(0));
        assert_eq!(sign, '✗');
        let expected =
            "dead letter 17 (dead; slipswitch dlq show 17) after 5 attempts: POST http://x: 400";
        assert_eq!(words, expected);
    }
}
