//! `slipswitch journal export`.

use std::io::{self, BufWriter, Write};

use clap::Args;
use event::Timestamp;

use super::{Place, failure};
use crate::{
    clock,
    failure::{Exit, Failure},
    output::{self, count},
    span::{Moment, Span},
};

/// What everybody's tools take for granted.
const ZSTD_LEVEL: i32 = 3;

const EXAMPLES: &str = "\
One event a line, in the order in which they were received, as they are stored. Without --bus and --archive, those of \
all buses, one bus after the other. An archive comes with what of it is not sealed yet. What is damaged, or left out \
because state.sqlite is gone that says what belongs to an archive, is said on standard error, and makes the exit code 1.

Examples:
  slipswitch journal export --bus shop --since 7d > shop.ndjson
  slipswitch journal export --bus shop --zstd > shop.ndjson.zst
  slipswitch journal export --archive orders --until 2026-11-23T08:00:00Z | jq -c .detail";

/// Write events to standard output, one a line.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    place: Place,
    /// Only this bus
    #[arg(long, value_name = "NAME", conflicts_with = "archive")]
    bus: Option<String>,
    /// An archive instead of a bus
    #[arg(long, value_name = "NAME")]
    archive: Option<String>,
    /// Received at this time or later: back from now (30m, 1h, 7d), or an RFC 3339 time
    #[arg(long, value_name = "WHEN", value_parser = Moment::parse)]
    since: Option<Moment>,
    /// Received before this time
    #[arg(long, value_name = "WHEN", value_parser = Moment::parse)]
    until: Option<Moment>,
    /// Compress the output
    #[arg(long)]
    zstd: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let out = BufWriter::with_capacity(1 << 18, io::stdout().lock());
    if arguments.zstd {
        let mut packed = zstd::stream::write::Encoder::new(out, ZSTD_LEVEL)?;
        let whole = export(arguments, &mut packed);
        packed.finish()?.flush()?;
        return whole;
    }
    let mut out = out;
    let whole = export(arguments, &mut out);
    out.flush()?;
    whole
}

fn export(arguments: &Arguments, out: &mut dyn Write) -> Result<(), Failure> {
    let span = Span::read(arguments.since, arguments.until)?;
    span.ahead(clock::now()).iter().for_each(|ahead| output::complain(ahead));
    let first = span.since.map_or(i64::MIN, Timestamp::as_millis);
    let last = span.until.map_or(i64::MAX, |until| until.as_millis().saturating_sub(1));
    let data = arguments.place.open()?;
    let mut damages = Vec::new();
    if let Some(archive) = &arguments.archive {
        damages = data.export_archive(archive, first..=last, out).map_err(failure)?.damages;
    } else {
        let buses = match &arguments.bus {
            Some(bus) => vec![bus.clone()],
            None => data.buses().map_err(failure)?,
        };
        for bus in buses {
            damages.extend(data.export_bus(&bus, first..=last, out).map_err(failure)?.damages);
        }
    }
    if damages.is_empty() {
        return Ok(());
    }
    for damage in &damages {
        output::complain(&output::flat(damage));
    }
    let message = format!("the export is not whole: {}", count(damages.len(), "complaint"));
    Err(Failure { exit: Exit::Failed, message })
}
