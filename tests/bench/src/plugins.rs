//! Plugin calls a second: through the host, with all its limits, and as native code beside it.

use std::io::Write as _;
use std::ops::Range;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use std::{env, fs};

use anyhow::Context as _;
use plugin::{Configured, Host, Options, Setup};

use crate::clock::now;
use crate::load::as_f64;
use crate::orders;
use crate::sample::Sample;
use crate::table::{Table, count, line, percent};

const WINDOW: Duration = Duration::from_millis(800);
const WARM_UP: Duration = Duration::from_millis(200);
/// Calls between two looks at the clock.
const CALLS: u64 = 64;

struct Subject {
    name: &'static str,
    sandboxed: Configured,
    config: &'static str,
}

pub(crate) fn bench(folder: &Path, empty: &Path) -> anyhow::Result<()> {
    line(
        "Plugin calls a second, an event of ~1 KB each; `empty` hands it on as it is: a call without work of its own",
    );
    let host = Host::new(Options::default())?;
    let subjects = subjects(&host, folder, empty)?;
    let event = Sent::new();
    let mut table = Table::new(&[
        "plugin",
        "1 thread",
        "spread",
        "µs",
        "2 threads",
        "spread",
        "native, 1 thread",
        "µs",
        "wasm of native",
    ]);
    for subject in &subjects {
        let one = || measure(1, &|| sandboxed(subject, &event));
        let two = || measure(2, &|| sandboxed(subject, &event));
        let bare = || native(subject, &event);
        let contestants: [&dyn Fn() -> anyhow::Result<f64>; 3] = [&one, &two, &bare];
        let mut rates: [Sample; 3] = Default::default();
        for _ in 0..crate::ROUNDS {
            for (run, sample) in contestants.iter().zip(&mut rates) {
                sample.push(run()?);
            }
        }
        let [one, two, bare] = &rates;
        table.row(vec![
            subject.name.to_owned(),
            count(one.median()),
            percent(one.spread()),
            format!("{:.1}", 1e6 / one.median()),
            count(two.median()),
            percent(two.spread()),
            count(bare.median()),
            format!("{:.2}", 1e6 / bare.median()),
            percent(one.median() / bare.median()),
        ]);
    }
    table.print();
    Ok(())
}

fn subjects(host: &Host, folder: &Path, empty: &Path) -> anyhow::Result<Vec<Subject>> {
    const REDACT: &str =
        r#"{"fields":["$.detail.customer.email","$.detail.customer.phone"],"mask":"***"}"#;
    let subject = |name: &'static str, path: &Path, config: &'static str| {
        let bytes = fs::read(path).with_context(|| format!("read {}", path.display()))?;
        let sandboxed = host.load(name, &bytes)?.configure(config, Setup::default())?;
        anyhow::Ok(Subject { name, sandboxed, config })
    };
    Ok(vec![
        subject("empty", empty, "{}")?,
        subject("redact", &folder.join("redact.wasm"), REDACT)?,
        subject("order-summary", &folder.join("order-summary.wasm"), "{}")?,
        subject("split-items", &folder.join("split-items.wasm"), "{}")?,
    ])
}

/// An order as the router hands it to a plugin.
struct Sent {
    json: String,
    detail: Range<usize>,
    attributes: Vec<(String, String)>,
}

const ID: &str = "0199f0c2-6a3e-7c11-9d55-0b6f5e3c9a77";
const TIME: &str = "2026-01-02T03:04:05.678Z";

impl Sent {
    fn new() -> Self {
        let order = orders::order(1);
        let fields = order.strip_prefix('{').unwrap_or_default();
        let json = format!(
            r#"{{"version":"0","id":"{ID}","account":"000000000000","time":"{TIME}","region":"local",{fields}"#
        );
        let attribute = |name: &str| (name.to_owned(), "orders".to_owned());
        // The last of the envelope's fields: all but the closing brace.
        let name = r#""detail":"#;
        let start = json.find(name).map_or(0, |at| at + name.len());
        let detail = start..json.len() - 1;
        Self {
            json,
            detail,
            attributes: vec![attribute("bus"), attribute("rule"), attribute("target")],
        }
    }
}

fn sandboxed(subject: &Subject, event: &Sent) -> anyhow::Result<usize> {
    let event = plugin::Event {
        id: ID,
        source: "com.shopvn.order",
        detail_type: "OrderCreated",
        time: TIME,
        time_ms: 1_767_323_045_678,
        json: &event.json,
        detail: event.detail.clone(),
        attributes: &event.attributes,
        position: 0,
    };
    Ok(subject.sandboxed.call(&event)?.iter().map(|output| output.body.len()).sum())
}

/// Calls a second of the same function, compiled for this machine, in a program of its own.
fn native(subject: &Subject, event: &Sent) -> anyhow::Result<f64> {
    let program = env::current_exe()?.with_file_name("slipswitch-bench-native");
    let mut child = Command::new(&program)
        .args([subject.name, subject.config, &WINDOW.as_millis().to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("start {}", program.display()))?;
    let mut stdin = child.stdin.take().context("its input is piped")?;
    stdin.write_all(event.json.as_bytes())?;
    drop(stdin);
    let printed = String::from_utf8(child.wait_with_output()?.stdout)?;
    printed.trim().parse().with_context(|| format!("{} natively: {printed}", subject.name))
}

/// Calls a second, of all threads together.
fn measure(
    threads: usize,
    call: &(dyn Fn() -> anyhow::Result<usize> + Sync),
) -> anyhow::Result<f64> {
    calls(threads, call, WARM_UP)?;
    let started = now();
    let calls = calls(threads, call, WINDOW)?;
    Ok(as_f64(calls) / started.elapsed().as_secs_f64())
}

fn calls(
    threads: usize,
    call: &(dyn Fn() -> anyhow::Result<usize> + Sync),
    window: Duration,
) -> anyhow::Result<u64> {
    let repeat = || {
        let (started, mut calls) = (now(), 0);
        while started.elapsed() < window {
            for _ in 0..CALLS {
                std::hint::black_box(call()?);
            }
            calls += CALLS;
        }
        anyhow::Ok(calls)
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(repeat)).collect();
        threads.into_iter().map(|thread| thread.join().expect("a benchmark does not panic")).sum()
    })
}
