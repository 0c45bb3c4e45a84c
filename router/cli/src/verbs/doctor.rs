//! `slipswitch doctor`: whether this machine is fit for a router, and the router that runs is well.
//!
//! # Not here
//!
//! - What is looked at and what it means: `server::offline::doctor`. Only a running router is asked from here.

use std::path::PathBuf;
use std::time::UNIX_EPOCH;

use clap::Args;
use serde::Deserialize;
use server::offline::doctor::{Check, Examination, Heard, Places, State};

use crate::{
    client::{Address, Client},
    clock,
    failure::{Exit, Failure},
    output::{self, Format, Output, count, flat},
    progress::Progress,
    source::Source,
};

/// So wide is a page, also in a file.
const WIDTH: usize = 80;
/// Of the longest name of a check, with the mark before it.
const MARGIN: usize = 18;

const EXAMPLES: &str = "\
It looks at the configuration, the address, the router that runs there, the data folder and its disk, the rules and \
plugins, open files, memory, the clock, and files with secrets. Nothing is changed. What is not well comes with what to \
do next. It needs no running router; run it as the user and with the options that the router has.

The exit code is 1 when there is a problem: a router would not start, or refuses events. Warnings alone are 0.

Examples:
  slipswitch doctor
  sudo -u slipswitch slipswitch doctor --config /etc/slipswitch.yaml
  slipswitch doctor -o json | jq -r '.[] | select(.state != \"ok\") | .mend'";

/// See whether this machine is fit for a router, and what to mend.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    source: Source,
    /// The folder of the journal and the state [default: the configuration file's, else data]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    address: Address,
}

pub(crate) fn run(arguments: Arguments) -> Result<(), Failure> {
    let Arguments { source, data, output: Output { format }, address } = arguments;
    let Source { rules, plugins, config } = source;
    let examination = Examination::begin(Places { config, rules, plugins, data });
    let named = address.named();
    let is_named = named.is_some();
    let working = Progress::begin("looking at this machine");
    let heard = match named.or_else(|| examination.url()) {
        Some(url) => ask(&url, is_named)?,
        None => Heard::NotAsked,
    };
    let checks = examination.end(&heard);
    drop(working);
    match format {
        format @ (Format::Json | Format::Ndjson | Format::Yaml) => output::data(format, &checks)?,
        Format::Table => output::line(&page(&checks, output::answer_has_color()))?,
    }
    if checks.iter().any(|check| check.state == State::Problem) {
        return Err(Failure::silent(Exit::Failed));
    }
    Ok(())
}

#[derive(Deserialize)]
struct Status {
    version: String,
    last_error: Option<LastError>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct LastError {
    message: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Problem {
    detail: String,
}

fn ask(url: &str, is_named: bool) -> Result<Heard, Failure> {
    let client = Client::at(url)?;
    let url = client.base().to_owned();
    let Ok(ready) = client.glance("/readyz") else { return Ok(Heard::Nobody { url, is_named }) };
    let now = clock::now().as_millis();
    let Ok(found) = client.glance("/api/v1/status") else {
        return Ok(Heard::Nobody { url, is_named });
    };
    let not_ready = (ready.status != 200).then(|| {
        let problem: Problem = serde_json::from_slice(&ready.body).unwrap_or_default();
        flat(&problem.detail)
    });
    let Ok(status) = serde_json::from_slice::<Status>(&found.body) else {
        // A router that is still loading its rules has no status yet.
        return Ok(match not_ready.filter(|reason| found.status == 503 && !reason.is_empty()) {
            Some(reason) => Heard::Starting { url, reason },
            None => Heard::Stranger { url, answer: format!("HTTP {}", found.status) },
        });
    };
    Ok(Heard::Router {
        url,
        version: flat(&status.version),
        not_ready,
        behind_ms: ready.date.as_deref().and_then(|date| behind(now, date)),
        last_error: status.last_error.map(|error| flat(&error.message)),
    })
}

/// How far a clock is behind ours. It counts in whole seconds, which have begun already.
fn behind(now_ms: i64, date: &str) -> Option<i64> {
    let there = httpdate::parse_http_date(date).ok()?.duration_since(UNIX_EPOCH).ok()?;
    let there_ms = i64::try_from(there.as_millis()).ok()?;
    let behind = now_ms.saturating_sub(there_ms);
    Some(if (0..1000).contains(&behind) { 0 } else { behind })
}

fn page(checks: &[Check], has_color: bool) -> String {
    let mut page = String::new();
    for Check { about, state, found, mend } in checks {
        let (mark, style) = match state {
            State::Ok => ("✓", "32"),
            State::Warning => ("!", "33"),
            State::Problem => ("✗", "31"),
        };
        let painted =
            if has_color { format!("\u{1b}[{style}m{mark}\u{1b}[0m") } else { mark.to_owned() };
        let name =
            format!("{painted} {about}{}", " ".repeat((MARGIN - 2).saturating_sub(about.len())));
        page.push_str(&name);
        page.push_str(&hung(found, MARGIN));
        if let Some(mend) = mend {
            page.push_str(&format!("{}→ ", " ".repeat(MARGIN)));
            page.push_str(&hung(mend, MARGIN + 2));
        }
    }
    let of = |state| checks.iter().filter(|check| check.state == state).count();
    let (problems, warnings) = (of(State::Problem), of(State::Warning));
    page.push('\n');
    page.push_str(&match (problems, warnings) {
        (0, 0) => format!("{}: all is well", count(checks.len(), "check")),
        (0, warnings) => {
            format!("{}: no problem, {}", count(checks.len(), "check"), count(warnings, "warning"))
        }
        (problems, warnings) => format!(
            "{}: {}, {}",
            count(checks.len(), "check"),
            count(problems, "problem"),
            count(warnings, "warning")
        ),
    });
    page
}

/// Text from a column on, broken between words, line breaks of its own kept.
fn hung(text: &str, column: usize) -> String {
    let mut out = String::new();
    for (number, line) in text.trim_end().lines().enumerate() {
        if 0 < number {
            out.push_str(&" ".repeat(column));
        }
        let line = flat(line);
        let indent = line.len() - line.trim_start().len();
        out.push_str(&" ".repeat(indent));
        let mut width = column + indent;
        for (nth, word) in line.split_whitespace().enumerate() {
            let length = word.chars().count();
            if 0 < nth && WIDTH < width + 1 + length {
                out.push('\n');
                out.push_str(&" ".repeat(column + indent));
                width = column + indent;
            } else if 0 < nth {
                out.push(' ');
                width += 1;
            }
            out.push_str(word);
            width += length;
        }
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(state: State, mend: Option<&str>) -> Check {
        let found = "a sentence of several words ".repeat(5);
        Check { about: "configuration", state, found, mend: mend.map(str::to_owned) }
    }

    #[test]
    fn a_page_is_eighty_columns_wide_with_marks_and_mends() {
        let checks = [
            check(State::Ok, None),
            check(State::Warning, Some("`ulimit -n 8320`")),
            check(State::Problem, Some("mend it")),
        ];
        let plain = page(&checks, false);
        assert!(plain.lines().all(|line| line.chars().count() <= WIDTH), "{plain}");
        for part in ["✓ configuration", "! configuration", "✗ configuration", "→ `ulimit -n 8320`"]
        {
            assert!(plain.contains(part), "{plain}");
        }
        assert!(plain.ends_with("3 checks: 1 problem, 1 warning"), "{plain}");
        assert!(!plain.contains('\u{1b}'));
        assert!(page(&checks, true).contains("\u{1b}[31m✗\u{1b}[0m"));
    }

    #[test]
    fn a_clock_is_behind_by_whole_seconds_at_least() {
        let date = "Mon, 23 Nov 2026 08:00:00 GMT";
        let then = event::Timestamp::parse("2026-11-23T08:00:00Z").unwrap().as_millis();
        for (now, behind_ms) in
            [(then, 0), (then + 999, 0), (then + 9_000, 9_000), (then - 9_000, -9_000)]
        {
            assert_eq!(behind(now, date), Some(behind_ms));
        }
        assert_eq!(behind(then, "yesterday"), None);
    }
}
