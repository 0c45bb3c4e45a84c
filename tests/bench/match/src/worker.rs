//! One engine with one family, in a process of its own: a crash or a stall is then that engine's alone, its
//! memory is not mixed with another's, and its rounds can take turns with theirs.
//!
//! ```text
//! starter                                worker
//!          ◀─── {"ready": …} or {"refused": "why"}
//! round ───▶
//!          ◀─── {"events": n, "seconds": s, "allocations": n}
//! …        (end of input ends the worker)
//! ```

use std::io::{BufRead as _, Write as _};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::engine::{Built, Engine, Kind, Refusal};
use crate::families::{Family, Spec};
use crate::{checksum, clock, heap};

/// Long enough for caches and branch predictors.
const WARM_UP: Duration = Duration::from_millis(150);

/// The clock is asked each time this has passed: it costs as much as a small event.
const CLOCK_EVERY: Duration = Duration::from_millis(2);

/// What a worker says before the first round.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Start {
    Ready(Facts),
    Refused(String),
}

/// What is known of an engine with its patterns.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Facts {
    pub(crate) parse_seconds: f64,
    pub(crate) compile_seconds: f64,
    /// What the engine keeps, in bytes asked of the allocator.
    pub(crate) heap_bytes: usize,
    /// What the engine itself says it keeps.
    pub(crate) own_bytes: Option<usize>,
    /// In one pass over the events.
    pub(crate) matches: usize,
    /// Over the same pass; see [`checksum`].
    pub(crate) checksum: String,
}

/// One round.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Lap {
    pub(crate) events: usize,
    /// Of this thread's processor time.
    pub(crate) seconds: f64,
    pub(crate) allocations: usize,
}

/// Runs as a worker: `round` is how long a round takes.
///
/// # Errors
///
/// When the starter cannot be written to or read from.
pub fn serve(spec: &Spec, kind: Kind, round: Duration) -> anyhow::Result<()> {
    let family = spec.make();
    let before = heap::live();
    let (mut engine, built) = match Engine::build(kind, &family) {
        Ok(found) => found,
        Err(Refusal(why)) => return say(&Start::Refused(why)),
    };
    let heap_bytes = heap::live().saturating_sub(before);
    say(&Start::Ready(facts(&mut engine, built, heap_bytes, &family)))?;
    let mut events = family.events.iter().cycle();
    let step = warm_up(&mut engine, &mut events);
    for line in std::io::stdin().lock().lines() {
        line?;
        say(&lap(&mut engine, &mut events, step, round))?;
    }
    Ok(())
}

fn say(message: &impl Serialize) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    serde_json::to_writer(&mut out, message)?;
    out.write_all(b"\n")?;
    Ok(out.flush()?)
}

fn facts(engine: &mut Engine, built: Built, heap_bytes: usize, family: &Family) -> Facts {
    let (mut matches, mut sum) = (0, 0_u64);
    for (number, event) in family.events.iter().enumerate() {
        let ids = engine.matched(event);
        matches += ids.len();
        sum = ids.iter().fold(sum, |sum, id| sum.wrapping_add(checksum::pair(number, *id)));
    }
    Facts {
        parse_seconds: built.parse.as_secs_f64(),
        compile_seconds: built.compile.as_secs_f64(),
        heap_bytes,
        own_bytes: engine.memory_bytes(),
        matches,
        checksum: format!("{sum:016x}"),
    }
}

/// Returns how many events fill the time between two looks at the clock.
fn warm_up<'e>(engine: &mut Engine, events: &mut impl Iterator<Item = &'e Vec<u8>>) -> usize {
    let started = clock::processor();
    let mut step = 1;
    loop {
        let before = clock::processor();
        run(engine, events, step);
        let now = clock::processor();
        if now - before < CLOCK_EVERY {
            step *= 2;
        } else if WARM_UP <= now - started {
            return step;
        }
    }
}

fn lap<'e>(
    engine: &mut Engine,
    events: &mut impl Iterator<Item = &'e Vec<u8>>,
    step: usize,
    round: Duration,
) -> Lap {
    let calls = heap::calls();
    let started = clock::processor();
    let mut done = 0;
    loop {
        run(engine, events, step);
        done += step;
        let spent = clock::processor() - started;
        if round <= spent {
            let allocations = heap::calls().wrapping_sub(calls);
            return Lap { events: done, seconds: spent.as_secs_f64(), allocations };
        }
    }
}

fn run<'e>(engine: &mut Engine, events: &mut impl Iterator<Item = &'e Vec<u8>>, count: usize) {
    for event in events.take(count) {
        engine.run(event);
    }
}
