//! `slipswitch pattern match`: which patterns match which events?

use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use server::offline::{MatchError, Named};

use crate::failure::Failure;
use crate::verbs::pattern::open;

const EXAMPLES: &str = "\
Patterns are one a line, {\"id\": …, \"pattern\": {…}}; events are one a line, JSON of any shape. For each event one line \
is printed, {\"event\":0,\"matched\":[\"id\",…]}, events counted from 0.

Examples:
  slipswitch pattern match --patterns patterns.jsonl --events events.jsonl
  tail -n 100 audit.jsonl | slipswitch pattern match --patterns patterns.jsonl \\
      --events -";

/// Match events against patterns, without a router.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// File of patterns; `-` is standard input
    #[arg(long, value_name = "FILE")]
    patterns: PathBuf,
    /// File of events; `-` is standard input
    #[arg(long, value_name = "FILE")]
    events: PathBuf,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    if arguments.patterns == Path::new("-") && arguments.events == Path::new("-") {
        return Err(Failure::usage("--patterns and --events cannot both be standard input"));
    }
    let named = |path: &Path| open(path).map(|(name, reader)| Named { name, reader });
    let patterns = named(&arguments.patterns)?;
    let events = named(&arguments.events)?;
    server::offline::pattern_match(patterns, events, io::stdout().lock()).map_err(|error| {
        match error {
            MatchError::Write(source) => Failure::from(source),
            MatchError::PatternLine { .. }
            | MatchError::Pattern { .. }
            | MatchError::SameId { .. }
            | MatchError::Event { .. }
            | MatchError::Read { .. } => Failure::failed(error.to_string()),
        }
    })
}
