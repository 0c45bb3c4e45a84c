//! `slipswitch journal export`.

use std::io::{self, BufWriter, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use clap::Args;
use event::Timestamp;
use server::offline::journal::Sieve;

use super::{Place, failure};
use crate::{
    clock,
    failure::{Exit, Failure},
    matching::Matching,
    output::{self, count},
    progress::Progress,
    span::Between,
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
  slipswitch journal export --pattern '{\"source\": [\"com.shopvn.order\"]}' \\
      > orders.ndjson
  slipswitch journal export --archive orders --until 2026-11-23T08:00:00Z \\
      | jq -c .detail";

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
    #[command(flatten)]
    between: Between,
    #[command(flatten)]
    matching: Matching,
    /// Compress the output
    #[arg(long)]
    zstd: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let lines = Arc::new(AtomicU64::new(0));
    let _working = Progress::counting("events written", &lines);
    let out = BufWriter::with_capacity(1 << 18, io::stdout().lock());
    if arguments.zstd {
        let mut packed = zstd::stream::write::Encoder::new(out, ZSTD_LEVEL)?;
        let whole = export(arguments, &mut Lines { out: &mut packed, lines });
        packed.finish()?.flush()?;
        return whole;
    }
    let mut out = out;
    let whole = export(arguments, &mut Lines { out: &mut out, lines });
    out.flush()?;
    whole
}

fn export(arguments: &Arguments, out: &mut dyn Write) -> Result<(), Failure> {
    let span = arguments.between.span()?;
    span.ahead(clock::now()).iter().for_each(|ahead| output::complain(ahead));
    let first = span.since.map_or(i64::MIN, Timestamp::as_millis);
    let last = span.until.map_or(i64::MAX, |until| until.as_millis().saturating_sub(1));
    let pattern = arguments.matching.text()?;
    let mut sieve = Sieve::new(first..=last, pattern.as_deref()).map_err(failure)?;
    let data = arguments.place.open()?;
    let mut damages = Vec::new();
    if let Some(archive) = &arguments.archive {
        damages = data.export_archive(archive, &mut sieve, out).map_err(failure)?.damages;
    } else {
        let buses = match &arguments.bus {
            Some(bus) => vec![bus.clone()],
            None => data.buses().map_err(failure)?,
        };
        for bus in buses {
            damages.extend(data.export_bus(&bus, &mut sieve, out).map_err(failure)?.damages);
        }
    }
    if damages.is_empty() {
        return Ok(());
    }
    for damage in &damages {
        output::complain(&output::flat(damage));
    }
    let message = format!("the export is not whole: {}", count(damages.len(), "complaint"));
    Err(Failure::new(Exit::Failed, message))
}

/// Counts what passes, for who waits.
struct Lines<'a> {
    out: &'a mut dyn Write,
    lines: Arc<AtomicU64>,
}

impl Write for Lines<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        let ends = bytes.iter().take(written).filter(|byte| **byte == b'\n').count();
        self.lines.fetch_add(ends as u64, Ordering::Relaxed);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
