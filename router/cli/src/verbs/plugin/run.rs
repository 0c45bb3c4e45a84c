//! `slipswitch plugin run`: events through a plugin, and what that costs.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use server::offline::plugins::{PluginRun, RanEvent};

use crate::failure::{Exit, Failure};
use crate::input::pieces;
use crate::output::{self, count, grouped};
use crate::verbs::pattern::open;

use super::stale::stale;
use super::{failure, json_or_file};

/// So many events have a line each; the sum is of all of them.
const ROWS_MAX: usize = 50;

const EXAMPLES: &str = "\
Events are JSON: one, several in a row (NDJSON), or an array; what an event leaves out is filled in. What comes out is \
printed one a line, an output with attributes as {\"body\": …, \"attributes\": {…}}. Time, memory and instructions follow \
on standard error: time is computing time of a call as a router makes it, on an instance that has been used before but for \
the first; instructions are counted beside it. The exit code is 1 when the plugin fails on an event.

Examples:
  slipswitch plugin run my-plugin.wasm < events.ndjson
  slipswitch plugin run my-plugin.wasm --config '{\"greeting\": \"Hi\"}' events.json
  slipswitch events --bus shop -o json | jq -c '.[].event' \\
      | slipswitch plugin run my-plugin.wasm --quiet";

/// Send events through a plugin; print what comes out, and what it costs.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The plugin, a .wasm file
    #[arg(value_name = "WASM")]
    plugin: PathBuf,
    /// File of events; `-` is standard input
    #[arg(value_name = "FILE", default_value = "-")]
    events: PathBuf,
    /// Its configuration: JSON, or @FILE
    #[arg(long, value_name = "JSON|@FILE", default_value = "{}")]
    config: String,
    /// What it may have beside the event: metrics, clock, random, state
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    grant: Vec<String>,
    /// Only what comes out, and what fails
    #[arg(long, short)]
    quiet: bool,
}

#[derive(Default)]
struct Sum {
    events: usize,
    outputs: usize,
    dropped: usize,
    failed: usize,
    cpu: Duration,
    instructions: u64,
    /// Events whose instructions are known.
    counted: u64,
    memory_bytes: usize,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let config = json_or_file("--config", &arguments.config)?;
    let (name, reader) = open(&arguments.events)?;
    let plugin = PluginRun::start(&arguments.plugin, &config, &arguments.grant)
        .map_err(|error| failure(&error))?;
    if let Some(words) = stale(&arguments.plugin) {
        output::complain(&words);
    }
    let (mut sum, mut rows) = (Sum::default(), Vec::new());
    for piece in pieces(reader) {
        let number = sum.events + 1;
        let bad = |words: String| Failure::usage(format!("{name}, event {number}: {words}"));
        let event = piece.map_err(|error| bad(error.to_string()))?;
        let ran = plugin.call(event.get()).map_err(bad)?;
        for output in &ran.outputs {
            output::line(output)?;
        }
        for line in ran.lines.iter().filter(|_| !arguments.quiet) {
            output::complain(&output::flat(&format!("event {number} {line}")));
        }
        if let Some((kind, words)) = &ran.error {
            output::complain(&output::flat(&format!("event {number}: {kind}: {words}")));
        }
        sum.add(&ran);
        if rows.len() < ROWS_MAX {
            rows.push(row(number, &ran));
        }
    }
    if !arguments.quiet {
        tell(&sum, rows);
    }
    if sum.failed == 0 { Ok(()) } else { Err(Failure::silent(Exit::Failed)) }
}

fn row(number: usize, ran: &RanEvent) -> [String; 6] {
    let came = match (&ran.error, ran.outputs.len()) {
        (Some((kind, _)), _) => (*kind).to_owned(),
        (None, 0) => "dropped".to_owned(),
        (None, outputs) => count(outputs, "output"),
    };
    let memory = output::size(u64::try_from(ran.memory_bytes).unwrap_or(u64::MAX));
    let instructions = ran.instructions.map_or_else(|| "-".to_owned(), grouped);
    [number.to_string(), ran.detail_type.clone(), came, micros(ran.cpu), instructions, memory]
}

fn tell(sum: &Sum, rows: Vec<[String; 6]>) {
    let shown = rows.len();
    let heads = ["EVENT", "DETAIL-TYPE", "CAME", "TIME", "INSTRUCTIONS", "MEMORY"];
    output::complain(&output::aligned(heads, rows));
    if shown < sum.events {
        output::complain(&format!("… and {}", count(sum.events - shown, "event")));
    }
    let events = u32::try_from(sum.events.max(1)).unwrap_or(u32::MAX);
    output::complain(&format!(
        "{}: {}, {} dropped, {} failed; {} in all, {} and {} instructions each; {} of memory at most",
        count(sum.events, "event"),
        count(sum.outputs, "output"),
        sum.dropped,
        sum.failed,
        micros(sum.cpu),
        micros(sum.cpu / events),
        sum.instructions.checked_div(sum.counted).map_or_else(|| "-".to_owned(), grouped),
        output::size(u64::try_from(sum.memory_bytes).unwrap_or(u64::MAX)),
    ));
}

impl Sum {
    fn add(&mut self, ran: &RanEvent) {
        self.events += 1;
        self.outputs += ran.outputs.len();
        self.failed += usize::from(ran.error.is_some());
        self.dropped += usize::from(ran.error.is_none() && ran.outputs.is_empty());
        self.cpu += ran.cpu;
        self.instructions = self.instructions.saturating_add(ran.instructions.unwrap_or(0));
        self.counted += u64::from(ran.instructions.is_some());
        self.memory_bytes = self.memory_bytes.max(ran.memory_bytes);
    }
}

fn micros(time: Duration) -> String {
    let micros = time.as_secs_f64() * 1e6;
    if micros < 10_000.0 { format!("{micros:.1} µs") } else { format!("{:.1} ms", micros / 1e3) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_the_unit_that_fits() {
        assert_eq!(micros(Duration::from_nanos(1_500)), "1.5 µs");
        assert_eq!(micros(Duration::from_millis(12)), "12.0 ms");
    }
}
