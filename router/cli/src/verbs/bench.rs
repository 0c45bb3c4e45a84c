//! `slipswitch bench match`: what do these patterns cost?

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::json;
use server::offline::{BenchReport, Named};

use crate::failure::Failure;
use crate::output;
use crate::verbs::pattern::open;

const SECONDS_MAX: f64 = 3_600.0;

const EXAMPLES: &str = "\
Patterns are one a line, {\"id\": …, \"pattern\": {…}}; events are one a line, as for `slipswitch pattern match`. Both are \
read whole and checked before the clock starts. The checksum is the sum, modulo 2^64, of FNV-1a 64 over the bytes \
\"EVENT\\tID\\n\" of each match: EVENT counts from 0, ID is the JSON text of the id.

Examples:
  slipswitch bench match --patterns patterns.jsonl --events events.jsonl
  tail -n 1000 audit.jsonl | slipswitch bench match --patterns patterns.jsonl \\
      --events - --json";

/// Measure what your own patterns cost on this machine.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    Match(Arguments),
}

/// Match events against patterns again and again on one thread, and say how fast.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// File of patterns; `-` is standard input
    #[arg(long, value_name = "FILE")]
    patterns: PathBuf,
    /// File of events; `-` is standard input
    #[arg(long, value_name = "FILE")]
    events: PathBuf,
    /// How long to measure; a fifth as long goes before, to warm up
    #[arg(long, value_name = "N", default_value = "3", value_parser = seconds)]
    seconds: Duration,
    /// Print an object for programs
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(verb: &Verb) -> Result<(), Failure> {
    let Verb::Match(arguments) = verb;
    if arguments.patterns == Path::new("-") && arguments.events == Path::new("-") {
        return Err(Failure::usage("--patterns and --events cannot both be standard input"));
    }
    let named = |path: &Path| open(path).map(|(name, reader)| Named { name, reader });
    let patterns = named(&arguments.patterns)?;
    let events = named(&arguments.events)?;
    let report = server::offline::bench_match(patterns, events, arguments.seconds)
        .map_err(|error| Failure::failed(error.to_string()))?;
    if cfg!(debug_assertions) {
        output::complain("a debug build measures nothing");
    }
    if report.objects == 0 {
        output::complain("no event is an object: is the file one array?");
    }
    if arguments.json {
        return Ok(output::json(&value(&report))?);
    }
    Ok(output::line(&text(&report))?)
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(seconds) if 0.0 < seconds && seconds <= SECONDS_MAX => {
            Ok(Duration::from_secs_f64(seconds))
        }
        _ => Err(format!("write a number of seconds above 0 and up to {SECONDS_MAX}")),
    }
}

fn value(report: &BenchReport) -> serde_json::Value {
    json!({
        "patterns": report.patterns,
        "events": report.events,
        "event_bytes": report.event_bytes,
        "matches": report.matches,
        "matches_per_event": float(report.matches) / float(report.events),
        "checksum": format!("{:016x}", report.checksum),
        "compile_seconds": report.compile.as_secs_f64(),
        "memory_bytes": report.memory_bytes,
        "events_per_second": report.events_per_second,
        "bytes_per_second": report.bytes_per_second,
        "spread": report.spread,
        "clock": if report.is_processor_time { "processor" } else { "wall" },
    })
}

fn text(report: &BenchReport) -> String {
    let per_event = float(report.matches) / float(report.events);
    let size = float(report.event_bytes) / float(report.events);
    let size = output::count(format!("{size:.0}"), "byte");
    let memory = float(report.memory_bytes);
    let memory = if memory < 1e6 {
        format!("{:.1} KB", memory / 1e3)
    } else {
        format!("{:.2} MB", memory / 1e6)
    };
    let second = if report.is_processor_time {
        "second of processor time, on one thread"
    } else {
        "second that passed, on one thread"
    };
    [
        format!("patterns  {}", commas(report.patterns)),
        format!("events    {}, {size} on average", commas(report.events)),
        format!("matches   {} in one pass, {per_event:.2} an event", commas(report.matches)),
        format!("checksum  {:016x}", report.checksum),
        format!("compiled  in {:.1} ms", report.compile.as_secs_f64() * 1e3),
        format!("memory    {memory}"),
        format!(
            "speed     {} events, {:.1} MB a {second} (spread {:.0} %)",
            commas(format!("{:.0}", report.events_per_second)),
            report.bytes_per_second / 1e6,
            report.spread * 100.0
        ),
    ]
    .join("\n")
}

/// A count, for dividing.
fn float(count: impl TryInto<u64>) -> f64 {
    let count = count.try_into().unwrap_or(u64::MAX);
    #[expect(clippy::cast_precision_loss, reason = "for people, who read three digits")]
    {
        count as f64
    }
}

/// `12345` as `12,345`.
fn commas(count: impl ToString) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if 0 < index && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_of_seconds_is_positive_and_bounded() {
        assert_eq!(seconds("0.25"), Ok(Duration::from_millis(250)));
        for wrong in ["0", "-1", "NaN", "inf", "3601", "1s", ""] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn people_read_what_programs_read() {
        let report = BenchReport {
            patterns: 1_000,
            events: 400,
            objects: 400,
            event_bytes: 380_000,
            matches: 1_284,
            checksum: 0x12ab,
            compile: Duration::from_micros(1_540),
            memory_bytes: 1_890_000,
            events_per_second: 1_460_321.4,
            bytes_per_second: 1.387e9,
            spread: 0.041,
            is_processor_time: true,
        };
        assert_eq!(
            text(&report),
            "patterns  1,000\n\
             events    400, 950 bytes on average\n\
             matches   1,284 in one pass, 3.21 an event\n\
             checksum  00000000000012ab\n\
             compiled  in 1.5 ms\n\
             memory    1.89 MB\n\
             speed     1,460,321 events, 1387.0 MB a second of processor time, on one thread (spread 4 %)"
        );
        let small = text(&BenchReport { memory_bytes: 1_540, ..report.clone() });
        assert!(small.contains("\nmemory    1.5 KB\n"), "{small}");
        let value = value(&report);
        assert_eq!(
            (&value["checksum"], &value["clock"]),
            (&json!("00000000000012ab"), &json!("processor"))
        );
        assert_eq!(value["matches_per_event"], json!(3.21));
    }
}
