//! `slipswitch journal verify`.

use clap::Args;
use serde_json::json;

use super::{Place, failure};
use crate::{
    failure::{Exit, Failure},
    output::{self, Format, Output, count, size},
    progress::Progress,
};

const EXAMPLES: &str = "\
Reads every byte of the journal, the sealed segments, the archives and the delivery log, and names each fault with its \
file, its position and the offsets of the records that it costs. Nothing is changed. The exit code is 1 when there is a \
fault, and 2 when it could not be looked at: there is no journal, or a router has it open.

Examples:
  slipswitch journal verify --data /var/lib/slipswitch
  slipswitch journal verify -o json | jq -r '.faults[].path'";

/// Read the whole journal and name every fault.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    output: Output,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    // 1 says that it was looked at and is damaged, and nothing else does.
    let unseen = |failure: Failure| match failure.exit {
        Exit::Failed => Failure { exit: Exit::Usage, ..failure },
        _ => failure,
    };
    let data = arguments.place.open().map_err(unseen)?;
    let found = {
        let _working = Progress::begin("reading the journal");
        data.verify().map_err(failure).map_err(unseen)?
    };
    let faults = found.faults.iter().map(|fault| {
        json!({
            "path": fault.path,
            "position": fault.position,
            "what": fault.what,
            "from": fault.offsets.as_ref().map(|offsets| offsets.start.get()),
            "to": fault.offsets.as_ref().map(|offsets| offsets.end.get()),
            "records": fault.records,
        })
    });
    match arguments.output.format {
        format @ (Format::Json | Format::Ndjson | Format::Yaml) => output::data(
            format,
            &json!({
                "segments": found.segments,
                "blocks": found.blocks,
                "records": found.records,
                "bytes": found.bytes,
                "faults_count": found.faults_count,
                "faults": faults.collect::<Vec<_>>(),
                "notes": found.notes,
            }),
        )?,
        Format::Table => {
            for fault in &found.faults {
                output::line(&output::flat(&fault.to_string()))?;
            }
            for note in &found.notes {
                output::complain(&format!("note: {}", output::flat(note)));
            }
            let all = format!(
                "{}, {}, {}, {}",
                count(found.segments, "segment"),
                count(found.blocks, "block"),
                count(found.records, "record"),
                size(found.bytes)
            );
            if found.faults_count == 0 {
                output::line(&format!("{all}: no fault"))?;
            } else {
                output::complain(&format!("{all}: {}", count(found.faults_count, "fault")));
                output::complain(
                    "a repair mends what can be mended, and takes what stands elsewhere, too, from there",
                );
            }
        }
    }
    if found.faults_count == 0 { Ok(()) } else { Err(Failure::silent(Exit::Failed)) }
}
