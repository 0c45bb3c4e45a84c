//! What a plugin's call costs: through the host, with all its limits; natively; in Extism.

mod event;
mod outside;
mod rule;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use plugin::{Configured, Host, Isolation, Options, Output, Plugin, Setup};

use self::event::Sent;
pub(crate) use self::outside::Extism;
use self::rule::Rule;
use crate::clock::now;
use crate::load::as_f64;
use crate::sample::Sample;
use crate::table::{Table, count, line, percent};

const WINDOW: Duration = Duration::from_millis(800);
const WARM_UP: Duration = Duration::from_millis(200);
/// Calls between two looks at the clock, and events in a batch.
const CALLS: usize = 64;

struct Subject {
    name: &'static str,
    path: PathBuf,
    plugin: Plugin,
    config: &'static str,
}

/// One way to have the work done, and what it came to so far: events a second.
struct Contestant<'a> {
    run: Box<dyn Fn() -> anyhow::Result<f64> + 'a>,
    rates: Sample,
}

impl<'a> Contestant<'a> {
    fn new(run: impl Fn() -> anyhow::Result<f64> + 'a) -> Self {
        Self { run: Box::new(run), rates: Sample::default() }
    }

    fn micros(&self) -> f64 {
        1e6 / self.rates.median()
    }
}

/// Everyone in turn, round by round.
fn compete(contestants: &mut [&mut Contestant<'_>]) -> anyhow::Result<()> {
    for _ in 0..crate::ROUNDS {
        for contestant in &mut *contestants {
            let rate = (contestant.run)()?;
            contestant.rates.push(rate);
        }
    }
    Ok(())
}

pub(crate) fn bench(folder: &Path, empty: &Path, extism: &Extism) -> anyhow::Result<()> {
    let host = Host::new(Options::default())?;
    let subjects = subjects(&host, folder, empty)?;
    let sent = Sent::new();
    calls(&subjects, &sent, extism)?;
    rules(&host, &subjects, &sent)?;
    lives(&subjects, &sent)?;
    threads(&subjects, &sent, extism)
}

fn subjects(host: &Host, folder: &Path, empty: &Path) -> anyhow::Result<Vec<Subject>> {
    const REDACT: &str =
        r#"{"fields":["$.detail.customer.email","$.detail.customer.phone"],"mask":"***"}"#;
    let subject = |name: &'static str, path: &Path, config: &'static str| {
        let bytes = fs::read(path).with_context(|| format!("read {}", path.display()))?;
        anyhow::Ok(Subject {
            name,
            path: path.to_owned(),
            plugin: host.load(name, &bytes)?,
            config,
        })
    };
    Ok(vec![
        subject("empty", empty, "{}")?,
        subject("redact", &folder.join("redact.wasm"), REDACT)?,
        subject("order-summary", &folder.join("order-summary.wasm"), "{}")?,
        subject("split-items", &folder.join("split-items.wasm"), "{}")?,
    ])
}

/// One call after the other, on an instance that is used again: here, natively, in Extism.
fn calls(subjects: &[Subject], sent: &Sent, extism: &Extism) -> anyhow::Result<()> {
    line(
        "A plugin's call, one after the other, an event of ~1 KB each; `empty` hands it on as it is: a call without work \
         of its own",
    );
    let columns = ["plugin", "µs", "spread", "native µs", "of native", "Extism µs", "Extism of it"];
    let mut table = Table::new(&columns);
    for subject in subjects {
        let configured = subject.configured(Isolation::Reuse)?;
        let expected = first(&configured.call(&sent.event())?)?;
        let mut ours = Contestant::new(|| one_by_one(1, &configured, sent));
        let mut bare = Contestant::new(|| outside::native(subject, sent));
        let peer = Extism::function(subject).map(|function| {
            let expected = &expected;
            Contestant::new(move || extism.calls(function, 1, sent, expected))
        });
        let mut peer = peer;
        let mut all = vec![&mut ours, &mut bare];
        all.extend(peer.as_mut());
        compete(&mut all)?;
        let peer = peer.map_or(f64::NAN, |peer| peer.micros());
        table.row(vec![
            subject.name.to_owned(),
            micros(ours.micros()),
            percent(ours.rates.spread()),
            micros(bare.micros()),
            times(ours.micros() / bare.micros()),
            micros(peer),
            times(peer / ours.micros()),
        ]);
    }
    table.print();
    Ok(())
}

/// The whole way of an event through a rule's transform, beside the function alone and native.
fn rules(host: &Host, subjects: &[Subject], sent: &Sent) -> anyhow::Result<()> {
    line(&format!(
        "The same as the step of a rule, from the event to what is sent, {CALLS} events at a time, µs an event"
    ));
    let mut table = Table::new(&["plugin", "rule µs", "spread", "native function µs", "of native"]);
    for subject in subjects {
        let rule = Rule::new(host, subject, &subject.path, sent)?;
        let mut through = Contestant::new(|| rule.in_batches());
        let mut bare = Contestant::new(|| outside::native(subject, sent));
        compete(&mut [&mut through, &mut bare])?;
        table.row(vec![
            subject.name.to_owned(),
            micros(through.micros()),
            percent(through.rates.spread()),
            micros(bare.micros()),
            times(through.micros() / bare.micros()),
        ]);
    }
    table.print();
    Ok(())
}

/// How long an instance lives, and events that come one by one or together.
fn lives(subjects: &[Subject], sent: &Sent) -> anyhow::Result<()> {
    line(&format!(
        "The same by how long an instance lives; a batch is {CALLS} events, µs an event"
    ));
    let columns = [
        "plugin",
        "reused, one by one",
        "reused, batches",
        "fresh for a batch",
        "of reused",
        "fresh for an event",
        "of reused",
    ];
    let mut table = Table::new(&columns);
    for subject in subjects {
        let reused = subject.configured(Isolation::Reuse)?;
        let of_batch = subject.configured(Isolation::Batch)?;
        let of_event = subject.configured(Isolation::Event)?;
        let mut one = Contestant::new(|| one_by_one(1, &reused, sent));
        let mut together = Contestant::new(|| in_batches(1, &reused, sent));
        let mut fresh_batch = Contestant::new(|| in_batches(1, &of_batch, sent));
        let mut fresh_event = Contestant::new(|| in_batches(1, &of_event, sent));
        compete(&mut [&mut one, &mut together, &mut fresh_batch, &mut fresh_event])?;
        let base = together.micros();
        table.row(vec![
            subject.name.to_owned(),
            micros(one.micros()),
            micros(base),
            micros(fresh_batch.micros()),
            percent(fresh_batch.micros() / base),
            micros(fresh_event.micros()),
            times(fresh_event.micros() / base),
        ]);
    }
    table.print();
    Ok(())
}

/// Two threads beside one, in events a second of all threads together.
fn threads(subjects: &[Subject], sent: &Sent, extism: &Extism) -> anyhow::Result<()> {
    line("Two threads beside one, calls a second of both together");
    let columns =
        ["plugin", "one", "two", "two of one", "two, batches", "Extism, two", "of Extism's one"];
    let mut table = Table::new(&columns);
    for subject in subjects {
        let configured = subject.configured(Isolation::Reuse)?;
        let expected = first(&configured.call(&sent.event())?)?;
        let mut one = Contestant::new(|| one_by_one(1, &configured, sent));
        let mut two = Contestant::new(|| one_by_one(2, &configured, sent));
        let mut together = Contestant::new(|| in_batches(2, &configured, sent));
        let peer = |threads: usize| {
            let expected = &expected;
            Extism::function(subject).map(move |function| {
                Contestant::new(move || extism.calls(function, threads, sent, expected))
            })
        };
        let (mut peer_one, mut peer_two) = (peer(1), peer(2));
        let mut all = vec![&mut one, &mut two, &mut together];
        all.extend(peer_one.as_mut());
        all.extend(peer_two.as_mut());
        compete(&mut all)?;
        let rate = |peer: &Option<Contestant<'_>>| {
            peer.as_ref().map_or(f64::NAN, |peer| peer.rates.median())
        };
        let (peer_one, peer_two) = (rate(&peer_one), rate(&peer_two));
        table.row(vec![
            subject.name.to_owned(),
            count(one.rates.median()),
            count(two.rates.median()),
            percent(two.rates.median() / one.rates.median()),
            count(together.rates.median()),
            shown(peer_two, count),
            shown(peer_two / peer_one, percent),
        ]);
    }
    table.print();
    Ok(())
}

impl Subject {
    fn configured(&self, isolation: Isolation) -> anyhow::Result<Configured> {
        let setup = Setup { isolation: Some(isolation), ..Setup::default() };
        Ok(self.plugin.configure(self.config, setup)?)
    }
}

fn first(outputs: &[Output]) -> anyhow::Result<String> {
    Ok(outputs.first().context("a plugin without outputs")?.body.clone())
}

fn micros(value: f64) -> String {
    shown(value, |value| format!("{value:.2}"))
}

fn times(value: f64) -> String {
    shown(value, |value| format!("{value:.1} x"))
}

/// `-` where nothing was measured.
fn shown(value: f64, show: impl Fn(f64) -> String) -> String {
    if value.is_nan() { "-".to_owned() } else { show(value) }
}

fn one_by_one(threads: usize, configured: &Configured, sent: &Sent) -> anyhow::Result<f64> {
    measure(threads, &|| {
        let mut bytes = 0;
        for _ in 0..CALLS {
            bytes += size(&configured.call(&sent.event())?);
        }
        Ok(bytes)
    })
}

fn in_batches(threads: usize, configured: &Configured, sent: &Sent) -> anyhow::Result<f64> {
    let events: Vec<_> = (0..CALLS).map(|_| sent.event()).collect();
    measure(threads, &|| {
        let answers = configured.call_batch(&events, &[]);
        answers.into_iter().map(|answer| Ok(size(&answer?))).sum()
    })
}

fn size(outputs: &[Output]) -> usize {
    outputs.iter().map(|output| output.body.len()).sum()
}

/// Events a second, of all threads together; `work` is [`CALLS`] of them.
fn measure(
    threads: usize,
    work: &(dyn Fn() -> anyhow::Result<usize> + Sync),
) -> anyhow::Result<f64> {
    repeat(threads, work, WARM_UP)?;
    let started = now();
    let events = repeat(threads, work, WINDOW)?;
    Ok(as_f64(events) / started.elapsed().as_secs_f64())
}

fn repeat(
    threads: usize,
    work: &(dyn Fn() -> anyhow::Result<usize> + Sync),
    window: Duration,
) -> anyhow::Result<u64> {
    let one = || {
        let (started, mut events) = (now(), 0);
        while started.elapsed() < window {
            std::hint::black_box(work()?);
            events += CALLS as u64;
        }
        anyhow::Ok(events)
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(one)).collect();
        threads.into_iter().map(|thread| thread.join().expect("a benchmark does not panic")).sum()
    })
}
