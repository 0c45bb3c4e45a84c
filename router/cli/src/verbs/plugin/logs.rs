//! `slipswitch plugin logs`: what plugins say, as they say it.

use std::io::{self, Write};

use clap::{Args, ValueEnum};
use serde::Deserialize;

use crate::client::{Address, Client};
use crate::failure::Failure;
use crate::output::{self, Format, Output};

const EXAMPLES: &str = "\
The router keeps the last lines of each plugin (plugin.log_kept, 1000). Lines below `info` are kept only while somebody \
follows them. With -o json each line is a JSON object.

Examples:
  slipswitch plugin logs
  slipswitch plugin logs my-plugin -f --level debug
  slipswitch plugin logs my-plugin -f -o json | jq -r 'select(.level == \"error\") | .event'";

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
    let printer = Printer { is_json: arguments.output.format == Format::Json, rest: Vec::new() };
    client.stream("/api/v1/plugin-logs", &query, printer)
}

/// Prints each line as soon as it is whole.
struct Printer {
    is_json: bool,
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
            if !text.is_empty() {
                self.print(text)?;
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Printer {
    fn print(&self, text: &str) -> io::Result<()> {
        if self.is_json {
            return output::line(text);
        }
        let line: Line = serde_json::from_str(text).unwrap_or_default();
        let mut about = String::new();
        for (name, value) in [("rule", &line.rule), ("event", &line.event)] {
            if let Some(value) = value {
                about.push_str(&format!(" {name}={value}"));
            }
        }
        let Line { time, plugin, level, line, .. } = line;
        output::line(&output::flat(&format!("{time} {level:<5} {plugin}: {line}{about}")))
    }
}
