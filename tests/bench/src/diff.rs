//! `slipswitch diff` over a million events of about 1 KB and a thousand rules, sealed; beside it, in turns, the
//! reading of the same journal alone (`journal export`, of the router when it has ended).
//!
//! The router gets its rules when the events are there: what is measured is not in the way of deliveries.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::Value;

use crate::clock::now;
use crate::http::Http;
use crate::load::{self, Load, as_f64};
use crate::orders;
use crate::process::Process;
use crate::sample::Sample;
use crate::table::{Table, count, line, percent};

pub(crate) const EVENTS: u64 = 1_000_000;
const RULES: usize = 1_000;
const BATCH: u64 = 100;
/// A round takes seconds.
const ROUNDS: usize = 3;
const TIME_MAX: Duration = Duration::from_secs(600);
const PAUSE: Duration = Duration::from_millis(20);

/// What is changed in how many of the rules.
#[derive(Clone, Copy)]
struct Edit {
    name: &'static str,
    rules: usize,
    has_other_pattern: bool,
    has_other_template: bool,
}

const EDITS: [Edit; 4] = [
    Edit { name: "1 rule: pattern", rules: 1, has_other_pattern: true, has_other_template: false },
    Edit {
        name: "100 rules: template",
        rules: 100,
        has_other_pattern: false,
        has_other_template: true,
    },
    Edit {
        name: "all 1,000: pattern",
        rules: RULES,
        has_other_pattern: true,
        has_other_template: false,
    },
    Edit {
        name: "all 1,000: pattern and template",
        rules: RULES,
        has_other_pattern: true,
        has_other_template: true,
    },
];

pub(crate) fn bench(folder: &Path, events: u64) -> anyhow::Result<()> {
    let folder = folder.join("diff");
    let router = Process::router_with(&folder, &[], "journal: { seal_after: 1s }\n")?;
    fill(&router, events)?;
    let (rules, spoilt) = (folder.join("rules"), folder.join("next"));
    fs::create_dir_all(&spoilt)?;
    fs::write(rules.join("all.yaml"), text(None))?;
    let generation = |status: &Value| status["generation"]["rules"].as_u64();
    wait(&router, "the rules", |status| generation(status) == Some(RULES as u64))?;
    line(&format!(
        "What {RULES} rules would have done: {} events, sealed; each meets ten rules",
        count(as_f64(events))
    ));
    let mut table =
        Table::new(&["changed", "seconds", "spread", "events/s", "router CPU s", "differ"]);
    for edit in EDITS {
        fs::write(spoilt.join("all.yaml"), text(Some(edit)))?;
        let (mut seconds, mut processor) = (Sample::default(), Sample::default());
        let mut differ = 0;
        for _ in 0..ROUNDS {
            let spent = router.processor_time()?;
            let started = now();
            let found = diff(&router, &spoilt)?;
            seconds.push(started.elapsed().as_secs_f64());
            processor.push(router.processor_time()?.saturating_sub(spent).as_secs_f64());
            ensure!(
                found["events"].as_u64() == Some(events),
                "not all events: {}",
                found["events"]
            );
            let sum = |key: &str| found[key].as_u64().unwrap_or_default();
            differ = sum("gained") + sum("lost") + sum("changed");
            ensure!(0 < differ, "nothing differs");
        }
        table.row(vec![
            edit.name.to_owned(),
            format!("{:.2}", seconds.median()),
            percent(seconds.spread()),
            count(as_f64(events) / seconds.median()),
            format!("{:.2}", processor.median()),
            count(as_f64(differ)),
        ]);
    }
    router.stop()?;
    let mut seconds = Sample::default();
    for _ in 0..ROUNDS {
        let started = now();
        let mut export = program(&["journal", "export"])?;
        export.arg("--data").arg(folder.join("data")).stdout(Stdio::null());
        ensure!(export.status()?.success(), "the export fails");
        seconds.push(started.elapsed().as_secs_f64());
    }
    table.row(vec![
        "(reading alone: journal export)".to_owned(),
        format!("{:.2}", seconds.median()),
        percent(seconds.spread()),
        count(as_f64(events) / seconds.median()),
    ]);
    table.print();
    Ok(())
}

fn program(words: &[&str]) -> anyhow::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?.with_file_name("slipswitch"));
    command.args(words).stdin(Stdio::null());
    Ok(command)
}

fn diff(router: &Process, rules: &Path) -> anyhow::Result<Value> {
    let url = format!("http://{}", router.address);
    let mut command = program(&["diff", "--all", "-o", "json", "--url", &url])?;
    let out = command.arg("--rules").arg(rules).output()?;
    ensure!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    serde_json::from_slice(&out.stdout).context("a report is JSON")
}

/// Sends the events, and waits until all of them are sealed.
fn fill(router: &Process, events: u64) -> anyhow::Result<()> {
    let client = load::client()?;
    let requests_max = events / BATCH;
    let load = Load { requests_max, ..Load::new(Http::batches("/events"), BATCH, 8, TIME_MAX) };
    let sent = load.run(&client, router)?.events;
    ensure!(sent == events, "{sent} of {events} events were taken");
    let sealed_to = |status: &Value| status["router"]["journal"]["sealed_to"].as_u64();
    wait(router, "the journal is sealed", |status| sealed_to(status) >= Some(events))
}

fn wait(router: &Process, what: &str, is_it: impl Fn(&Value) -> bool) -> anyhow::Result<()> {
    let limit = now() + TIME_MAX;
    loop {
        let status: Value = serde_json::from_slice(&router.get("/api/v1/status")?)?;
        if is_it(&status) {
            return Ok(());
        }
        ensure!(now() < limit, "waited for {what}: {status}");
        std::thread::sleep(PAUSE);
    }
}

/// The rules, the first of them changed. Each is for one order in a hundred, and for some totals.
fn text(edit: Option<Edit>) -> String {
    let rule = |number: usize| {
        let edit = edit.filter(|edit| number < edit.rules);
        let order = 1000 + number % orders::COUNT;
        let is_other = |which: fn(&Edit) -> bool| edit.as_ref().is_some_and(which);
        let floor = 1_450_000 * (4 + number / orders::COUNT % 5);
        let floor = if is_other(|edit| edit.has_other_pattern) { floor + 1_450_000 } else { floor };
        let key = if is_other(|edit| edit.has_other_template) { "order" } else { "id" };
        format!(
            "name: rule-{number}
pattern:
  source: [com.shopvn.order]
  detail-type: [OrderCreated, {{ prefix: OrderUpdated }}]
  detail:
    orderId: [o-{order}]
    totalAmount: [{{ numeric: ['>', {floor}, '<=', 100000000] }}]
targets:
  - id: file
    log: {{ file: /dev/null }}
    transform:
      - input:
          paths: {{ order: $.detail.orderId, total: $.detail.totalAmount }}
          template: '{{\"{key}\": <order>, \"total\": <total>, \"rule\": {number}}}'
"
        )
    };
    (0..RULES).map(rule).collect::<Vec<_>>().join("---\n")
}
