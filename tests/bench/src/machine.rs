//! What the machine is, and what it was doing meanwhile: no figure means anything without it.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use anyhow::Context as _;

use crate::clock::now;
use crate::sample::quantile;
use crate::table::line;

const PROBES: u64 = 300;
const BLOCK: usize = 4096;

/// Prints the facts; the probe writes into `folder`, where the journals will be.
pub(crate) fn describe(folder: &Path) -> anyhow::Result<()> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    line(&format!(
        "machine: {cores} cores ({}), Linux {}, load {}",
        model(),
        kernel.trim(),
        load_average()
    ));
    let (half, most) = sync_latency(folder)?;
    line(&format!(
        "disk: write 4 KiB into a preallocated file and fdatasync: median {half:.2} ms, p99 {most:.2} ms\n"
    ));
    Ok(())
}

/// Over 1, 5 and 15 minutes.
pub(crate) fn load_average() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().take(3).collect::<Vec<_>>().join(" ")
}

fn model() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text.lines().find(|line| line.starts_with("model name"));
    let name = name.and_then(|line| line.split_once(": ")).map(|(_, name)| name);
    name.unwrap_or("unknown processor").to_owned()
}

/// Median and 99th percentile, in milliseconds.
fn sync_latency(folder: &Path) -> anyhow::Result<(f64, f64)> {
    let path = folder.join("sync-probe");
    let file = File::create(&path).with_context(|| format!("create {}", path.display()))?;
    let block = [0x55; BLOCK];
    let place = |index: u64| index * 4096;
    // Zeros on the disk, as in a journal's segment: the probe then changes no size and allocates nothing.
    for index in 0..PROBES {
        file.write_all_at(&[0; BLOCK], place(index))?;
    }
    file.sync_all()?;
    let mut micros = Vec::new();
    for index in 0..PROBES {
        let started = now();
        file.write_all_at(&block, place(index))?;
        file.sync_data()?;
        micros.push(u32::try_from(started.elapsed().as_micros())?);
    }
    drop(file);
    fs::remove_file(&path)?;
    Ok((quantile(&mut micros, 0.5) / 1e3, quantile(&mut micros, 0.99) / 1e3))
}
