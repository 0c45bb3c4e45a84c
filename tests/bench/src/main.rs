//! What slipswitch does in a second on this machine: `cargo xtask bench`, described in docs/benchmarks.md.
//!
//! # Invariants
//!
//! - What is compared runs in turns, round by round, so that a noisy neighbour meets both.
//! - A figure is the median of several rounds after a warm-up, with the spread of the rounds beside it.
//!
//! # Not here
//!
//! - Building anything: `xtask` does, and hands over what it built: Extism's program and plugin, and the plugin
//!   without work.

mod backlog;
mod bare;
mod behind;
mod clock;
mod deliver;
mod diff;
mod http;
mod ingest;
mod load;
mod machine;
mod marks;
mod neighbours;
mod orders;
mod peers;
mod plugins;
mod process;
mod reload;
mod replay;
mod sample;
mod start;
mod table;
mod target;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs};

use anyhow::Context as _;

use crate::plugins::Extism;
use crate::table::line;

/// The hidden command that makes this program the bare endpoint.
const BARE: &str = "bare-endpoint";

/// The hidden command that makes this program the target of deliveries.
const TARGET: &str = "target";

const SECTIONS: [&str; 8] =
    ["ingest", "peers", "plugin", "neighbours", "reload", "deliver", "replay", "behind"];

/// These fill a disk, so they run only when they are named: `backlog`, or `backlog=EVENTS`.
const BACKLOG: &str = "backlog";
const START: &str = "start";
const DIFF: &str = "diff";

/// Rounds of each measurement.
const ROUNDS: usize = 5;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let done = match arguments.as_slice() {
        [word] if word == BARE => bare::serve(),
        [word] if word == TARGET => target::serve(),
        [program, guest, empty, sections @ ..]
            if sections.iter().all(|section| is_known(section)) =>
        {
            let extism = Extism { program: program.into(), guest: guest.into() };
            bench(Path::new(empty), &extism, sections)
        }
        _ => Err(anyhow::anyhow!(
            "usage: slipswitch-bench EXTISM EXTISM_GUEST.wasm EMPTY_PLUGIN.wasm [{}|{BACKLOG}[=EVENTS]|{START}[=DELIVERIES]|{DIFF}[=EVENTS]]…",
            SECTIONS.join("|")
        )),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            line(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn is_known(section: &str) -> bool {
    SECTIONS.contains(&section)
        || size(section, BACKLOG, backlog::EVENTS).is_some()
        || size(section, START, start::DELIVERIES).is_some()
        || size(section, DIFF, diff::EVENTS).is_some()
}

/// How many are to wait, if `section` is the one of this name.
fn size(section: &str, name: &str, otherwise: u64) -> Option<u64> {
    match section.strip_prefix(name)? {
        "" => Some(otherwise),
        number => number.strip_prefix('=')?.parse().ok(),
    }
}

fn bench(empty: &Path, extism: &Extism, sections: &[String]) -> anyhow::Result<()> {
    let wanted = |name: &str| sections.is_empty() || sections.iter().any(|word| word == name);
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize()?;
    let folder = Folder::make(root.join(format!("target/bench-{}", std::process::id())))?;
    let started = clock::now();
    machine::describe(&folder.0)?;
    if wanted("ingest") {
        ingest::bench(&folder.0)?;
    }
    if wanted("peers") {
        peers::bench(&folder.0, &root.join("target/bench-peers"))?;
    }
    if wanted("plugin") {
        plugins::bench(&root.join("plugins"), empty, extism)?;
    }
    if wanted("neighbours") {
        neighbours::bench(&folder.0, &root.join("plugins"))?;
    }
    if wanted("reload") {
        reload::bench(&folder.0)?;
    }
    if wanted("deliver") {
        deliver::bench(&folder.0)?;
    }
    if wanted("replay") {
        replay::bench(&folder.0)?;
    }
    if wanted("behind") {
        behind::bench(&folder.0)?;
    }
    let named = |name, otherwise| sections.iter().find_map(|one| size(one, name, otherwise));
    if let Some(events) = named(BACKLOG, backlog::EVENTS) {
        backlog::bench(&folder.0, events)?;
    }
    if let Some(deliveries) = named(START, start::DELIVERIES) {
        start::bench(&folder.0, deliveries)?;
    }
    if let Some(events) = named(DIFF, diff::EVENTS) {
        diff::bench(&folder.0, events)?;
    }
    line(&format!(
        "done in {:.0} s; load now {}",
        started.elapsed().as_secs_f64(),
        machine::load_average()
    ));
    Ok(())
}

/// A folder that goes when the run is over, with the gigabytes in it.
struct Folder(PathBuf);

impl Folder {
    fn make(path: PathBuf) -> anyhow::Result<Self> {
        fs::create_dir_all(&path).with_context(|| format!("make {}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}
