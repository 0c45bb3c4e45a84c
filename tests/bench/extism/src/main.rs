//! An Extism plugin's calls: `slipswitch-bench-extism GUEST.wasm FUNCTION THREADS MILLISECONDS` reads an event from
//! standard input, prints how many calls a second it took, and then what the function made of the event.
//!
//! A time limit is set, as slipswitch always has one; without it Extism spares itself the checks.

use std::hint::black_box;
use std::io::{Read as _, Write as _};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use extism::{Manifest, Plugin, Wasm};

/// Calls between two looks at the clock.
const CALLS: u32 = 64;
const LIMIT: Duration = Duration::from_secs(10);

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [guest, function, threads, millis] = arguments.as_slice() else {
        bail!(
            "usage: slipswitch-bench-extism GUEST.wasm FUNCTION THREADS MILLISECONDS < event.json"
        );
    };
    let threads: usize = threads.parse().context("threads")?;
    let window = Duration::from_millis(millis.parse().context("milliseconds")?);
    let mut event = String::new();
    std::io::stdin().read_to_string(&mut event)?;
    let guest = std::fs::read(guest).with_context(|| format!("read {guest}"))?;
    let manifest = Manifest::new([Wasm::data(guest)]).with_timeout(LIMIT);
    let rates: Vec<f64> = std::thread::scope(|scope| {
        let run = || {
            let mut plugin = Plugin::new(&manifest, [], false)?;
            repeat(&mut plugin, function, &event, window / 4)?;
            repeat(&mut plugin, function, &event, window)
        };
        let runs: Vec<_> = (0..threads).map(|_| scope.spawn(run)).collect();
        runs.into_iter()
            .map(|run| run.join().expect("a benchmark does not panic"))
            .collect::<anyhow::Result<_>>()
    })?;
    let mut plugin = Plugin::new(&manifest, [], false)?;
    let output: &str = plugin.call(function, event.as_str())?;
    writeln!(std::io::stdout(), "{}\n{output}", rates.iter().sum::<f64>())?;
    Ok(())
}

/// Calls a second.
fn repeat(
    plugin: &mut Plugin,
    function: &str,
    event: &str,
    window: Duration,
) -> anyhow::Result<f64> {
    let (started, mut calls) = (Instant::now(), 0);
    while started.elapsed() < window {
        for _ in 0..CALLS {
            // As a text of its own, which is what slipswitch hands on as well.
            let output: &str = plugin.call(function, black_box(event))?;
            black_box(output.to_owned());
        }
        calls += CALLS;
    }
    Ok(f64::from(calls) / started.elapsed().as_secs_f64())
}
