//! How long a thousand rules take: read and compiled in this process, checked from the command line beside the start of
//! the program alone, and swapped into a running router.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use ruleset::{Context, PluginStep, PluginUse, Plugins, PrepareError, SourceFile, Values};

use crate::clock::now;
use crate::process::{Process, rule_file};
use crate::sample::Sample;
use crate::table::{Table, line, percent};

const FILES: usize = 10;
const RULES_PER_FILE: usize = 100;
/// One reload is short: more rounds than elsewhere.
const ROUNDS: usize = 9;
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks at the running generation.
const PAUSE: Duration = Duration::from_millis(5);

pub(crate) fn bench(folder: &Path) -> anyhow::Result<()> {
    line(
        "Reload with 1,000 rules in 10 files: a pattern, an input template and an HTTP target each",
    );
    let mut table = Table::new(&["what", "ms", "spread"]);
    let mut row = |name: &str, sample: &Sample| {
        table.row(vec![
            name.to_owned(),
            format!("{:.1}", sample.median()),
            percent(sample.spread()),
        ]);
    };
    row("read and compile, in process", &compile()?);
    let folder = folder.join("reload");
    let [alone, plain, tested] = checked(&folder.join("check"))?;
    row("slipswitch --version: starting alone", &alone);
    row("slipswitch check", &plain);
    row("slipswitch check, of 1,000 files with a test each", &tested);
    row("running router, from the file's change to the new generation", &live(&folder)?);
    table.print();
    line(
        "  (of the running router's time, 100 ms are the debounce: how long the folder must be quiet)\n",
    );
    Ok(())
}

fn compile() -> anyhow::Result<Sample> {
    let file = |index| SourceFile { path: format!("rules-{index}.yaml"), text: text(index, 0) };
    let files: Vec<SourceFile> = (0..FILES).map(file).collect();
    let context = Context {
        values: &Nothing,
        plugins: &Nothing,
        buses: &[],
        connections: &ruleset::NoConnections,
        limits: event::Limits::default(),
    };
    let mut sample = Sample::default();
    for round in 0..=ROUNDS {
        let started = now();
        let set = match ruleset::load(&files, &context) {
            Ok(loaded) => loaded.rules,
            Err(problems) => bail!("the rules do not load: {:?}", problems.first()),
        };
        let millis = started.elapsed().as_secs_f64() * 1e3;
        if set.rules().len() != FILES * RULES_PER_FILE {
            bail!("{} rules came out", set.rules().len());
        }
        if 0 < round {
            sample.push(millis);
        }
    }
    Ok(sample)
}

/// The program alone, and `check` over ten files and over a thousand whose tests it runs, in turns.
fn checked(folder: &Path) -> anyhow::Result<[Sample; 3]> {
    let (plain, tested) = (folder.join("plain"), folder.join("tested"));
    for place in [&plain, &tested] {
        fs::create_dir_all(place)?;
    }
    for index in 0..FILES {
        fs::write(plain.join(format!("{index}.yaml")), text(index, 0))?;
        for (at, rule) in text(index, 0).split("---\n").enumerate() {
            let number = index * RULES_PER_FILE + at;
            let event = format!(
                "{{ source: com.shopvn.order, detail-type: OrderCreated, detail: {{ shop: shop-{number}, totalAmount: {}, orderId: o-1 }} }}",
                number + 1
            );
            let test = format!(
                "tests:\n  - name: an order\n    event: {event}\n    expect: {{ http: {{ order: o-1, shop: {number} }} }}\n"
            );
            fs::write(tested.join(format!("{number}.yaml")), format!("{rule}{test}"))?;
        }
    }
    let mut samples = <[Sample; 3]>::default();
    for round in 0..=ROUNDS {
        let runs = [None, Some(&plain), Some(&tested)];
        for (rules, sample) in runs.into_iter().zip(&mut samples) {
            let mut program = Command::new(std::env::current_exe()?.with_file_name("slipswitch"));
            match rules {
                Some(rules) => program.args(["check", "--rules"]).arg(rules),
                None => program.arg("--version"),
            };
            program.current_dir(folder).stdin(Stdio::null());
            let started = now();
            let ended = program.output()?;
            let millis = started.elapsed().as_secs_f64() * 1e3;
            ensure!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
            if 0 < round {
                sample.push(millis);
            }
        }
    }
    Ok(samples)
}

fn live(folder: &Path) -> anyhow::Result<Sample> {
    let texts: Vec<String> = (0..FILES).map(|index| text(index, 0)).collect();
    let router = Process::router(folder, &texts)?;
    let mut sample = Sample::default();
    for round in 0..=ROUNDS {
        let before = generation(&router)?;
        let aside = folder.join("next");
        fs::write(&aside, text(0, round + 1))?;
        let started = now();
        fs::rename(&aside, rule_file(folder, 0))?;
        while generation(&router)? == before {
            if PATIENCE < started.elapsed() {
                bail!(
                    "the router does not reload: {}",
                    String::from_utf8_lossy(&router.get("/api/v1/status")?)
                );
            }
            std::thread::sleep(PAUSE);
        }
        if 0 < round {
            sample.push(started.elapsed().as_secs_f64() * 1e3);
        }
    }
    Ok(sample)
}

/// The number of the running generation.
fn generation(router: &Process) -> anyhow::Result<u64> {
    let status: serde_json::Value = serde_json::from_slice(&router.get("/api/v1/status")?)?;
    status["generation"]["number"].as_u64().context("a status has a generation")
}

/// The rules of one file; another `edition` is another text.
fn text(file: usize, edition: usize) -> String {
    let rule = |index: usize| {
        let number = file * RULES_PER_FILE + index;
        format!(
            "name: rule-{number}
description: Orders of shop {number}, edition {edition}.
pattern:
  source: [com.shopvn.order]
  detail-type: [OrderCreated, {{ prefix: OrderUpdated }}]
  detail:
    shop: [shop-{number}]
    totalAmount: [{{ numeric: ['>', {number}, '<=', 1000000] }}]
targets:
  - id: http
    http: {{ url: \"http://127.0.0.1:9/{number}\" }}
    transform:
      - input:
          paths: {{ order: $.detail.orderId }}
          template: '{{\"order\": <order>, \"shop\": {number}}}'
"
        )
    };
    (0..RULES_PER_FILE).map(rule).collect::<Vec<_>>().join("---\n")
}

/// The surroundings of rules that lean on nothing.
pub(crate) struct Nothing;

impl Values for Nothing {
    fn env(&self, _name: &str) -> Option<String> {
        None
    }

    fn file(&self, path: &str) -> Result<String, String> {
        Err(format!("{path} is not there"))
    }
}

impl Plugins for Nothing {
    fn prepare(&self, _wanted: &PluginUse<'_>) -> Result<Arc<dyn PluginStep>, PrepareError> {
        Err(PrepareError::Missing { looked_in: "this benchmark".to_owned() })
    }

    fn names(&self) -> Vec<String> {
        Vec::new()
    }
}
