//! `slipswitch tail`: events as they come, and where they go.
//!
//! # Invariants
//!
//! - One event is one line, or two on a screen; what stands in an event cannot steer the terminal.
//! - Each event is shown once, over restarts of the router, too.

use std::io::{self, Write as _};

use clap::{Args, ValueEnum};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::signal::unix::{SignalKind, signal};

use crate::client::{Address, Client, Live, Matched, Told};
use crate::failure::Failure;
use crate::matching::Matching;
use crate::output::{self, at_least_one, complain, flat};
use crate::paint::{Ink, Paint};
use crate::span::Since;

/// What an event takes in one line, as most are. A narrower screen gets two.
const ONE_LINE_CHARS: usize = 120;
/// Of a detail, on a line of its own.
const DETAIL_CHARS_MAX: usize = 2_000;

const EXAMPLES: &str = "\
Each event comes with the rules that match it and their targets, as the rules are now; `slipswitch event ID` tells what \
became of it. A router that is restarted is waited for, and nothing is missed. Ctrl-C ends it.

Examples:
  slipswitch tail
  slipswitch tail --bus shop --pattern '{\"detail-type\": [\"OrderCreated\"]}' \\
      --detail
  slipswitch tail --bus shop --since 10m --rule big-orders
  slipswitch tail -o ndjson | jq -r 'select(.matched == []) | .event.id'";

/// Show events as they come, and which rules match them.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Only of this bus [default: all of them]
    #[arg(long)]
    bus: Option<String>,
    #[command(flatten)]
    matching: Matching,
    #[command(flatten)]
    begin: Since,
    /// Only events that this rule matches; may be given several times
    #[arg(long, value_name = "NAME")]
    rule: Vec<String>,
    /// End after so many events
    #[arg(long, value_name = "COUNT", value_parser = at_least_one)]
    limit: Option<usize>,
    /// Show the detail of each event, too
    #[arg(long)]
    detail: bool,
    /// Print lines for people, JSON over several lines, or one line of JSON an event
    #[arg(short = 'o', long = "output", value_name = "FORMAT", default_value = "table")]
    format: Format,
    #[command(flatten)]
    address: Address,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    Json,
    Ndjson,
}

/// What is shown of an envelope.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct Envelope {
    id: String,
    source: String,
    detail_type: String,
    detail: Option<Box<RawValue>>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let client = Client::new(&arguments.address)?;
    let (since, pattern) = (arguments.begin.time(), arguments.matching.text()?);
    let mut query = Vec::new();
    query.extend(pattern.map(|pattern| ("pattern", pattern)));
    query.extend(since.map(|since| ("since", since.to_string())));
    let mut live = client.live(arguments.bus.as_deref(), query);
    client.wait(async {
        live.open().await?;
        if output::answer_is_screen() {
            let whose =
                arguments.bus.as_ref().map_or("all buses".to_owned(), |bus| format!("bus {bus}"));
            complain(&format!("following {whose} at {}; Ctrl-C ends it", client.base()));
        }
        follow(&mut live, arguments).await
    })
}

async fn follow(live: &mut Live<'_>, arguments: &Arguments) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::failed(format!("listen for signals: {error}"));
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut shown = 0;
    while arguments.limit.is_none_or(|limit| shown < limit) {
        let told = tokio::select! {
            biased;
            _ = interrupt.recv() => return Ok(()),
            _ = terminate.recv() => return Ok(()),
            told = live.next() => told?,
        };
        if is_wanted(&told.matched, &arguments.rule) {
            print(&told, arguments)?;
            shown += 1;
        }
    }
    Ok(())
}

fn is_wanted(matched: &[Matched], rules: &[String]) -> bool {
    rules.is_empty() || matched.iter().any(|one| rules.contains(&one.rule))
}

fn print(told: &Told, arguments: &Arguments) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match arguments.format {
        Format::Ndjson => writeln!(out, "{}", output::one_line(&told.text)),
        Format::Json => {
            let value: serde_json::Value = serde_json::from_str(&told.text)?;
            writeln!(out, "{value:#}")
        }
        Format::Table => {
            let screen = Screen {
                width: output::screen_width(),
                paint: Paint::new(output::answer_has_color()),
                names_bus: arguments.bus.is_none(),
                has_detail: arguments.detail,
            };
            out.write_all(screen.lines(told).as_bytes())
        }
    }?;
    out.flush()
}

/// How lines for people look.
struct Screen {
    /// None where it is no screen: then a line is as long as it is.
    width: Option<usize>,
    paint: Paint,
    names_bus: bool,
    has_detail: bool,
}

impl Screen {
    fn lines(&self, told: &Told) -> String {
        let Envelope { id, source, detail_type, detail } =
            serde_json::from_str(told.event.get()).unwrap_or_default();
        // Who looks on knows the day; who keeps the lines does not.
        let time = match (self.width, told.taken_at.split_once('T')) {
            (Some(_), Some((_day, time))) => time,
            _ => &told.taken_at,
        };
        let bus = if self.names_bus { format!("[{}]", told.bus) } else { String::new() };
        let head = [
            (Ink::Dim, time),
            (Ink::Plain, source.as_str()),
            (Ink::Bold, detail_type.as_str()),
            (Ink::Dim, bus.as_str()),
        ];
        let (ink, goes) = whither(&told.matched);
        let tail = [(Ink::Dim, id.as_str()), (ink, goes.as_str())];
        let mut lines = if self.width.is_none_or(|width| ONE_LINE_CHARS <= width) {
            self.paint.row("", &[&head[..], &tail[..]].concat(), self.width)
        } else {
            let head = self.paint.row("", &head, self.width);
            head + &self.paint.row("  ", &tail, self.width)
        };
        if let Some(detail) = detail.filter(|_| self.has_detail) {
            let shown: String = detail.get().chars().take(DETAIL_CHARS_MAX).collect();
            let end = if shown.len() < detail.get().len() { "…" } else { "" };
            let words: Vec<&str> = shown.split_whitespace().collect();
            lines.push_str(&format!("  {}{end}\n", flat(&words.join(" "))));
        }
        lines
    }
}

/// Where an event goes, and how that looks.
fn whither(matched: &[Matched]) -> (Ink, String) {
    let targets = matched.iter().flat_map(|one| {
        let rule = &one.rule;
        one.targets.iter().map(move |target| format!("{rule}/{target}"))
    });
    let targets: Vec<String> = targets.collect();
    if targets.is_empty() {
        return (Ink::Warning, "→ no rule".to_owned());
    }
    (Ink::Good, format!("→ {}", targets.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: &str = r#"{"id":"0198c5f2-6f0e-7c43-a9d5-0b7f6f9b1c11","source":"com.shopvn.order","detail-type":"OrderCreated\u001b[2J","detail":{"orderId": "o-1",
 "n":1}}"#;

    fn told(matched: &[(&str, &[&str])]) -> Told {
        let matched = matched.iter().map(|(rule, targets)| Matched {
            rule: (*rule).to_owned(),
            targets: targets.iter().map(|&target| target.to_owned()).collect(),
        });
        Told {
            bus: "shop".to_owned(),
            offset: 7,
            taken_at: "2026-11-23T08:00:00.140Z".to_owned(),
            event: RawValue::from_string(EVENT.to_owned()).unwrap(),
            matched: matched.collect(),
            text: String::new(),
        }
    }

    fn screen(width: Option<usize>) -> Screen {
        Screen { width, paint: Paint::new(false), names_bus: true, has_detail: false }
    }

    #[test]
    fn a_narrow_screen_has_two_lines_that_fit() {
        let long = ["a-target-with-a-name", "another-target-with-a-name"];
        let lines = screen(Some(80)).lines(&told(&[("big-orders", &["crm"]), ("audit", &long)]));
        assert_eq!(
            lines,
            "08:00:00.140Z  com.shopvn.order  OrderCreated [2J  [shop]\n  \
             0198c5f2-6f0e-7c43-a9d5-0b7f6f9b1c11  → big-orders/crm, audit/a-target-with-a…\n"
        );
        assert!(lines.lines().all(|line| line.chars().count() <= 80));
    }

    #[test]
    fn what_is_no_screen_gets_one_whole_line_with_the_day() {
        let lines = screen(None).lines(&told(&[]));
        assert_eq!(
            lines,
            "2026-11-23T08:00:00.140Z  com.shopvn.order  OrderCreated [2J  [shop]  \
             0198c5f2-6f0e-7c43-a9d5-0b7f6f9b1c11  → no rule\n"
        );
    }

    #[test]
    fn a_detail_is_on_a_line_of_its_own() {
        let lines = Screen { has_detail: true, ..screen(None) }.lines(&told(&[]));
        assert_eq!(lines.lines().nth(1), Some(r#"  {"orderId": "o-1", "n":1}"#));
    }

    #[test]
    fn colours_do_not_count_as_characters() {
        let colored = Screen { paint: Paint::new(true), ..screen(Some(80)) };
        let lines = colored.lines(&told(&[("r", &["t"])]));
        assert!(lines.contains("\u{1b}[32m→ r/t\u{1b}[0m"), "{lines:?}");
        let plain = screen(Some(80)).lines(&told(&[("r", &["t"])]));
        assert_eq!(
            lines
                .replace("\u{1b}[0m", "")
                .replace("\u{1b}[32m", "")
                .replace("\u{1b}[2m", "")
                .replace("\u{1b}[1m", ""),
            plain
        );
    }

    #[test]
    fn only_the_rules_that_were_asked_for_are_wanted() {
        let one = |rule: &str| Matched { rule: rule.to_owned(), targets: Vec::new() };
        let matched = [one("a"), one("b")];
        assert!(is_wanted(&matched, &[]) && is_wanted(&[], &[]));
        assert!(is_wanted(&matched, &["b".to_owned()]));
        assert!(!is_wanted(&matched, &["c".to_owned()]) && !is_wanted(&[], &["c".to_owned()]));
    }
}
