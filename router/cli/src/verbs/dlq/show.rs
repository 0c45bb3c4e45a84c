//! `slipswitch dlq show`.

use clap::Args;
use serde_json::value::RawValue;

use crate::{
    client::{Address, Client},
    failure::Failure,
    output,
    output::Output,
    rows::{AttemptRow, LetterView},
    verbs::dlq::filter::letter_id,
};

const EXAMPLES: &str = "\
Examples:
  slipswitch dlq show 17
  slipswitch dlq show 17 -o json | jq .event";

/// Show one dead letter: the event, what was sent, and every attempt.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Its id, as `slipswitch dlq ls` shows it
    #[arg(value_parser = letter_id)]
    id: i64,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    address: Address,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let client = Client::new(&arguments.address)?;
    let path = format!("/api/v1/dead-letters/{}", arguments.id);
    let found: Box<RawValue> = client.get(&path, &[])?;
    let Some(letter) = output::shown::<LetterView>(arguments.output.format, &found)? else {
        return Ok(());
    };
    let attempts = match letter.attempts_total.checked_sub(letter.attempts) {
        Some(before @ 1..) => format!("{}, and {before} before it was sent again", letter.attempts),
        _ => letter.attempts.to_string(),
    };
    // What has arrived has no error; it had one when it died.
    let (error, last, then) = match letter.state.as_str() {
        "dead" => ("error", "last attempt", ""),
        _ => ("died of", "last failed", " until it died"),
    };
    let lines = [
        ("letter", letter.id.to_string()),
        ("delivery", letter.delivery_id),
        ("state", letter.state.clone()),
        (error, format!("{}: {}", letter.kind, letter.error)),
        ("attempts", format!("{attempts}{then}")),
        ("owed since", letter.owed_at.unwrap_or_default()),
        (last, letter.last_attempt_at.unwrap_or_default()),
        ("first died", letter.first_died_at.unwrap_or_default()),
        ("died", letter.died_at.unwrap_or_default()),
    ];
    for (name, value) in lines {
        output::said(&format!("{name:<14}{}", output::flat(&value)))?;
    }
    if 0 < letter.redriven {
        let at = letter.redriven_at.unwrap_or_default();
        let ended =
            letter.ended_at.map(|at| format!(", {} {at}", letter.state)).unwrap_or_default();
        let times = output::count(letter.redriven, "time");
        output::said(&format!("{:<14}{times}, last {at}{ended}", "redriven"))?;
    }
    if !letter.log.is_empty() {
        output::line("")?;
        let heads = ["ATTEMPT", "AT", "RESULT", "STATUS", "MS", "ERROR"];
        let rows = letter.log.into_iter().map(AttemptRow::cells).collect();
        output::table(heads, rows, "")?;
    }
    for (name, text) in
        [("event", letter.event.map(|event| event.get().to_owned())), ("payload", letter.payload)]
    {
        let none = || "(none)".to_owned();
        output::line(&format!("\n{name}:\n{}", output::flat(&text.unwrap_or_else(none))))?;
    }
    Ok(())
}
