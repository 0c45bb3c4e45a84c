//! The example plugins on this machine's own processor: `slipswitch-bench-native PLUGIN CONFIGURATION MILLISECONDS`
//! reads an event from standard input and prints how many calls a second it took.
//!
//! A program of its own: the plugins are shared libraries too, and that would make cargo compile all that the benchmark
//! depends on in another way than for the router.

use std::hint::black_box;
use std::io::{Read as _, Write as _};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use slipswitch_sdk::{Error, Event, Output};

/// Calls between two looks at the clock.
const CALLS: u32 = 64;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [plugin, config, millis] = arguments.as_slice() else {
        bail!("usage: slipswitch-bench-native PLUGIN CONFIGURATION MILLISECONDS < event.json");
    };
    let window = Duration::from_millis(millis.parse().context("milliseconds")?);
    let mut json = String::new();
    std::io::stdin().read_to_string(&mut json)?;
    let event = Event::parse(json).map_err(words)?;
    let call = call(plugin, config)?;
    repeat(&*call, &event, window / 4)?;
    writeln!(std::io::stdout(), "{}", repeat(&*call, &event, window)?)?;
    Ok(())
}

/// The bytes of all outputs.
type Call = Box<dyn Fn(&Event) -> Result<usize, Error>>;

fn call(plugin: &str, config: &str) -> anyhow::Result<Call> {
    let size = |outputs: &[Output]| outputs.iter().map(|output| output.body().len()).sum();
    Ok(match plugin {
        // Kept from the optimiser, which sees that only the length of the copy is wanted.
        "empty" => {
            Box::new(move |event| Ok(size(&[Output::raw(black_box(event.json().to_owned()))])))
        }
        "redact" => {
            let config = slipswitch_sdk::config(config)?;
            Box::new(move |event| Ok(size(&[redact::redact(event, &config)?])))
        }
        "order-summary" => {
            let config = slipswitch_sdk::config(config)?;
            Box::new(move |event| Ok(size(&[order_summary::order_summary(event, &config)?])))
        }
        "split-items" => {
            let config = slipswitch_sdk::config(config)?;
            Box::new(move |event| Ok(size(&split_items::split_items(event, &config)?)))
        }
        _ => bail!("no such plugin: {plugin}"),
    })
}

/// Calls a second.
fn repeat(
    call: &dyn Fn(&Event) -> Result<usize, Error>,
    event: &Event,
    window: Duration,
) -> anyhow::Result<f64> {
    let (started, mut calls) = (now(), 0);
    while started.elapsed() < window {
        for _ in 0..CALLS {
            black_box(call(black_box(event)).map_err(words)?);
        }
        calls += CALLS;
    }
    Ok(f64::from(calls) / started.elapsed().as_secs_f64())
}

fn words(error: Error) -> anyhow::Error {
    anyhow::anyhow!("{error:?}")
}

#[expect(clippy::disallowed_methods, reason = "a benchmark is about the time that passes")]
fn now() -> Instant {
    Instant::now()
}
