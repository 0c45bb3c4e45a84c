//! `slipswitch journal info`.

use clap::Args;
use event::Timestamp;
use serde_json::json;
use server::offline::journal::{Info, InfoKind};

use super::{Place, failure};
use crate::{
    failure::{Exit, Failure},
    output::{self, Output, size},
};

const EXAMPLES: &str = "\
Examples:
  slipswitch journal info --data /var/lib/slipswitch
  slipswitch journal info -o json";

/// What the journal holds: segments, sizes, spans of offsets and times.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    output: Output,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let data = arguments.place.open()?;
    let (infos, faults) = data.info().map_err(failure)?;
    if arguments.output.format.is_data() {
        output::data(arguments.output.format, &infos.iter().map(object).collect::<Vec<_>>())?;
    } else {
        let heads =
            ["PART", "NAME", "SEGMENTS", "RECORDS", "ON DISK", "RAW", "OFFSETS", "FROM", "TO"];
        output::table(heads, infos.iter().map(row).collect(), "nothing")?;
    }
    for unlisted in data.unlisted_archives().map_err(failure)? {
        output::complain(&format!("note: {}", output::flat(&unlisted)));
    }
    for fault in &faults {
        output::complain(&format!("left out: {}", output::flat(&fault.to_string())));
    }
    if faults.is_empty() {
        return Ok(());
    }
    output::complain("a repair makes a new manifest of the segments");
    Err(Failure::silent(Exit::Failed))
}

fn row(info: &Info) -> [String; 9] {
    let segments = match info.missing_segments {
        0 => info.segments.to_string(),
        missing => format!("{} ({missing} missing)", info.segments),
    };
    [
        part(info.kind).to_owned(),
        info.name.clone(),
        segments,
        info.records.to_string(),
        size(info.bytes),
        size(info.raw_bytes),
        format!("{}..{}", info.first_offset, info.next_offset),
        time(info.first_time).unwrap_or_default(),
        time(info.last_time).unwrap_or_default(),
    ]
}

fn object(info: &Info) -> serde_json::Value {
    json!({
        "part": part(info.kind),
        "name": info.name,
        "segments": info.segments,
        "missing_segments": info.missing_segments,
        "records": info.records,
        "bytes": info.bytes,
        "raw_bytes": info.raw_bytes,
        "first_offset": info.first_offset.get(),
        "next_offset": info.next_offset.get(),
        "first_time": time(info.first_time),
        "last_time": time(info.last_time),
    })
}

fn part(kind: InfoKind) -> &'static str {
    match kind {
        InfoKind::Hot => "hot",
        InfoKind::Bus => "bus",
        InfoKind::Archive => "archive",
        InfoKind::Attempts => "attempts",
    }
}

fn time(millis: Option<i64>) -> Option<String> {
    millis.map(|millis| Timestamp::from_millis(millis).to_string())
}
