//! Durable events a second: from the sender's write to a 202 that leaves after the sync.

use std::path::Path;
use std::time::Duration;

use crate::load::{self, Load, Round};
use crate::process::Process;
use crate::sample::Sample;
use crate::table::{Table, count, line, percent};

const WINDOW: Duration = Duration::from_millis(1000);
const WARM_UP: Duration = Duration::from_millis(500);

/// Rules that the orders do not match, one of them only by its last comparison.
const NOTHING: [(&str, &str); 8] = [
    ("payments", "{ source: [com.shopvn.payment], detail-type: [PaymentCompleted] }"),
    ("failed", "{ source: [com.shopvn.payment], detail: { reason: [card_expired] } }"),
    ("stock", "{ source: [com.shopvn.inventory], detail: { left: [{ numeric: ['<', 5] }] } }"),
    ("shipments", "{ detail-type: [{ prefix: Shipment }] }"),
    ("accounts", "{ detail-type: [UserSignedUp, UserDeleted] }"),
    ("abroad", "{ detail: { currency: [{ anything-but: [VND] }] } }"),
    ("refunds", "{ detail: { refundId: [{ exists: true }] } }"),
    (
        "huge",
        "{ detail-type: [OrderCreated], detail: { totalAmount: [{ numeric: ['>', 1000000000] }] } }",
    ),
];

/// One order of a hundred.
const LITTLE: (&str, &str) =
    ("express", "{ detail-type: [OrderCreated], detail: { shipping: { service: [express] } } }");

/// What one server did with one load.
#[derive(Default)]
struct Figures {
    rate: Sample,
    p50: Sample,
    p99: Sample,
    processor: Sample,
}

impl Figures {
    fn push(&mut self, round: &Round) {
        self.rate.push(round.events_per_second);
        self.p50.push(round.p50_ms);
        self.p99.push(round.p99_ms);
        self.processor.push(round.processor_micros);
    }
}

pub(crate) fn bench(folder: &Path) -> anyhow::Result<()> {
    line("Durable events a second: ~1 KB OrderCreated over HTTP, answered after the sync");
    let log = folder.join("little").join("express.log");
    let little = [&NOTHING[..], &[LITTLE]].concat();
    let bare = Process::bare()?;
    let nothing = Process::router(&folder.join("nothing"), &[rules(&NOTHING, &log)])?;
    let little = Process::router(&folder.join("little"), &[rules(&little, &log)])?;
    // The first is what the others are held against.
    let servers = [
        ("bare axum that parses", &bare, "/parsed"),
        ("bare axum", &bare, "/events"),
        ("router, 0 % match", &nothing, "/events"),
        ("router, 1 % match", &little, "/events"),
    ];
    let loads = [
        ("1 connection", false, 1),
        ("64 connections", false, 64),
        ("512 connections", false, 512),
        ("64 × batches of 100", true, 64),
    ];
    let client = load::client()?;
    let mut table = Table::new(&[
        "load",
        "server",
        "events/s",
        "spread",
        "of parsing",
        "p50 ms",
        "p99 ms",
        "CPU µs/event",
    ]);
    for (name, is_batch, connections) in loads {
        let load = |path| match is_batch {
            true => Load::batches(path, connections, WINDOW),
            false => Load::singles(path, connections, WINDOW),
        };
        let loads = servers.map(|(_, _, path)| load(path));
        let mut figures: [Figures; 4] = Default::default();
        for ((_, server, _), load) in servers.iter().zip(&loads) {
            Load { window: WARM_UP, ..load.clone() }.run(&client, server)?;
        }
        for _ in 0..crate::ROUNDS {
            for (((_, server, _), load), figures) in servers.iter().zip(&loads).zip(&mut figures) {
                figures.push(&load.run(&client, server)?);
            }
        }
        let parsing = figures[0].rate.median();
        for ((server, ..), figures) in servers.iter().zip(&figures) {
            table.row(vec![
                name.to_owned(),
                (*server).to_owned(),
                count(figures.rate.median()),
                percent(figures.rate.spread()),
                percent(figures.rate.median() / parsing),
                format!("{:.2}", figures.p50.median()),
                format!("{:.2}", figures.p99.median()),
                format!("{:.1}", figures.processor.median()),
            ]);
        }
    }
    table.print();
    Ok(())
}

/// A rule file; what matches becomes a line in `log`.
fn rules(rules: &[(&str, &str)], log: &Path) -> String {
    let rule = |(name, pattern): &(&str, &str)| {
        format!(
            "name: {name}\npattern: {pattern}\ntargets:\n  - id: file\n    log: {{ file: {:?} }}\n",
            log.display().to_string()
        )
    };
    rules.iter().map(rule).collect::<Vec<_>>().join("---\n")
}
