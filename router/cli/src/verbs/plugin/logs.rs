//! `slipswitch plugin logs`: what plugins say, as they say it.
//!
//! The router keeps few lines, so which of them are wanted by time and number is chosen here.

use std::collections::VecDeque;
use std::io::{self, Write};

use clap::{Args, ValueEnum};
use event::Timestamp;
use serde::Deserialize;

use crate::client::{Address, Client};
use crate::failure::Failure;
use crate::output::{self, Output, at_least_one};
use crate::span::{Between, Span};

const EXAMPLES: &str = "\
The router keeps the last lines of each plugin (plugin.log_kept, 1000). Lines below `info` are kept only while somebody \
follows them. With -o json each line is a JSON object.

Examples:
  slipswitch plugin logs
  slipswitch plugin logs my-plugin -f --level debug
  slipswitch plugin logs --since 10m --limit 20
  slipswitch plugin logs my-plugin -f -o json \\
      | jq -r 'select(.level == \"error\") | .event'";

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Level {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
}

/// Show the lines that plugins of a running router log.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Only this plugin's
    name: Option<String>,
    /// Go on with the lines that come
    #[arg(long, short)]
    follow: bool,
    /// Only lines that matter as much
    #[arg(long, default_value = "info")]
    level: Level,
    #[command(flatten)]
    between: Between,
    /// The last so many of those that there are
    #[arg(long, value_name = "COUNT", value_parser = at_least_one, conflicts_with = "follow")]
    limit: Option<usize>,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    address: Address,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Line {
    time: String,
    plugin: String,
    level: String,
    rule: Option<String>,
    event: Option<String>,
    line: String,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let span = arguments.between.span()?;
    let client = Client::new(&arguments.address)?;
    let level = match arguments.level {
        Level::Trace => "trace",
        Level::Debug => "debug",
        Level::Info => "info",
        Level::Warn => "warn",
        Level::Error => "error",
    };
    let mut query = vec![("level", level.to_owned()), ("follow", arguments.follow.to_string())];
    if let Some(name) = &arguments.name {
        query.push(("plugin", name.clone()));
    }
    let is_json = arguments.output.format.is_data();
    let held = arguments.limit.map(|most| (most, VecDeque::new()));
    let printer = Printer { is_json, span, held, rest: Vec::new() };
    client.stream("/api/v1/plugin-logs", &query, printer)
}

/// Prints each line as soon as it is whole.
struct Printer {
    is_json: bool,
    span: Span,
    /// The last ones and how many they may be, when no more are wanted.
    held: Option<(usize, VecDeque<String>)>,
    rest: Vec<u8>,
}

impl Write for Printer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.rest.extend_from_slice(bytes);
        while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            // A blank one says that the connection lives.
            let text = String::from_utf8_lossy(&line);
            let text = text.trim();
            if text.is_empty() {
                continue;
            }
            let said: Line = serde_json::from_str(text).unwrap_or_default();
            if !within(&self.span, &said.time) {
                continue;
            }
            let shown = if self.is_json { text.to_owned() } else { said.shown() };
            match &mut self.held {
                None => output::line(&shown)?,
                Some((most, held)) => {
                    held.push_back(shown);
                    if *most < held.len() {
                        held.pop_front();
                    }
                }
            }
        }
        Ok(bytes.len())
    }

    /// At the end of the answer.
    fn flush(&mut self) -> io::Result<()> {
        let held = self.held.take().map(|(_, held)| held).unwrap_or_default();
        held.iter().try_for_each(|line| output::line(line))
    }
}

/// A line without a time that can be read is shown.
fn within(span: &Span, time: &str) -> bool {
    let Ok(time) = Timestamp::parse(time) else { return true };
    span.since.is_none_or(|since| since <= time) && span.until.is_none_or(|until| time < until)
}

impl Line {
    fn shown(self) -> String {
        let mut about = String::new();
        for (name, value) in [("rule", &self.rule), ("event", &self.event)] {
            if let Some(value) = value {
                about.push_str(&format!(" {name}={value}"));
            }
        }
        let Self { time, plugin, level, line, .. } = self;
        output::flat(&format!("{time} {level:<5} {plugin}: {line}{about}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_lies_within_a_span_from_its_first_moment_to_before_its_last() {
        let at = |text| Timestamp::parse(text).ok();
        let span = Span { since: at("2026-11-23T08:00:00Z"), until: at("2026-11-23T09:00:00Z") };
        for (time, is_within) in [
            ("2026-11-23T07:59:59.999Z", false),
            ("2026-11-23T08:00:00.000Z", true),
            ("2026-11-23T08:59:59.999Z", true),
            ("2026-11-23T09:00:00.000Z", false),
            ("", true),
        ] {
            assert_eq!(within(&span, time), is_within, "{time}");
        }
        assert!(within(&Span { since: None, until: None }, "2026-11-23T08:00:00Z"));
    }
}
