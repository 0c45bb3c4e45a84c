//! How fast events are matched on this machine: `cargo xtask bench match`, described in docs/benchmarks.md.
//!
//! # Not here
//!
//! - The families and the measuring: the library, which the criterion benches share.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;
use std::{env, fs};

use anyhow::{Context as _, bail};
use slipswitch_bench_match::{self as bench, Counting, Kind, Plan, Spec};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The hidden command that makes this program a worker.
const WORKER: &str = "--worker";

const USAGE: &str = "\
usage: cargo xtask bench match [OPTION]… [FAMILY]…

A FAMILY is a name, or how several begin; without one, all are measured.

  --list                 name the families
  --engines NAME,NAME    only these: slipswitch, quamina, naive, validate, find
  --rounds N             rounds of each engine, in turns [default: 5]
  --seconds N            how long a round takes, in processor time [default: 0.3]
  --patience N           seconds after which an engine is too slow [default: 60]
  --json                 print everything that was measured as JSON
  --write DIR            measure nothing; write NAME.patterns.jsonl and NAME.events.jsonl,
                         for `slipswitch bench match` and `slipswitch pattern match`";

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    match run(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            line(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[String]) -> anyhow::Result<()> {
    if let [first, family, engine, round] = words
        && first == WORKER
    {
        let spec =
            bench::all().iter().find(|spec| spec.name == family).context("no such family")?;
        let kind = Kind::named(engine).context("no such engine")?;
        return bench::serve(spec, kind, Duration::from_secs_f64(round.parse()?));
    }
    let Some(options) = Options::read(words)? else {
        line(USAGE);
        return Ok(());
    };
    match options.wanted {
        Wanted::List => {
            for spec in &options.families {
                line(&format!("{:18} {:>7}  {}", spec.name, spec.patterns, spec.about));
            }
            Ok(())
        }
        Wanted::Files(folder) => options.families.iter().try_for_each(|spec| write(&folder, spec)),
        Wanted::Table => {
            line(&format!("machine: {}\n", machine()));
            let outcomes = measure(&options.families, &options.plan)?;
            line(
                "thousand events per second of processor time, one thread; matches are per event\n",
            );
            line(&bench::table(&outcomes));
            Ok(())
        }
        Wanted::Json => {
            let outcomes = measure(&options.families, &options.plan)?;
            line(&serde_json::to_string_pretty(&bench::json(&outcomes))?);
            Ok(())
        }
    }
}

struct Options {
    families: Vec<&'static Spec>,
    plan: Plan,
    wanted: Wanted,
}

enum Wanted {
    List,
    Table,
    Json,
    Files(PathBuf),
}

impl Options {
    /// `None` when help was asked for.
    fn read(words: &[String]) -> anyhow::Result<Option<Self>> {
        let mut plan = Plan {
            kinds: Kind::ALL.to_vec(),
            rounds: 5,
            round: Duration::from_millis(300),
            patience: Duration::from_secs(60),
        };
        let (mut wanted, mut names) = (Wanted::Table, Vec::new());
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().with_context(|| format!("{word} wants a value"));
            match word.as_str() {
                "--list" => wanted = Wanted::List,
                "--json" => wanted = Wanted::Json,
                "--write" => wanted = Wanted::Files(value()?.into()),
                "--engines" => plan.kinds = kinds(value()?)?,
                "--rounds" => plan.rounds = value()?.parse().context("--rounds")?,
                "--seconds" => plan.round = seconds(value()?).context("--seconds")?,
                "--patience" => plan.patience = seconds(value()?).context("--patience")?,
                "--help" | "-h" => return Ok(None),
                option if option.starts_with('-') => bail!("no such option: {option}\n\n{USAGE}"),
                _ => names.push(word.clone()),
            }
        }
        match bench::find(&names) {
            Ok(families) => Ok(Some(Self { families, plan, wanted })),
            Err(nothing) => bail!("no family begins with {nothing}; --list names them"),
        }
    }
}

fn kinds(names: &str) -> anyhow::Result<Vec<Kind>> {
    let named = |name| Kind::named(name).with_context(|| format!("no such engine: {name}"));
    names.split(',').map(named).collect()
}

fn seconds(text: &str) -> anyhow::Result<Duration> {
    Ok(Duration::try_from_secs_f64(text.parse()?)?)
}

fn measure(families: &[&'static Spec], plan: &Plan) -> anyhow::Result<Vec<bench::Outcome>> {
    let program = env::current_exe().context("find this program")?;
    let mut outcomes = Vec::new();
    for (place, spec) in (1..).zip(families) {
        let so_far = format!("{place} of {}: {}", families.len(), spec.name);
        writeln!(std::io::stderr().lock(), "{so_far}").ok();
        let worker = |kind: Kind| {
            let mut command = Command::new(&program);
            let round = plan.round.as_secs_f64().to_string();
            command.args([WORKER, spec.name, kind.name(), &round]);
            command
        };
        outcomes.push(bench::measure(spec, plan, worker)?);
    }
    Ok(outcomes)
}

fn write(folder: &Path, spec: &Spec) -> anyhow::Result<()> {
    let family = spec.make();
    fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
    let mut patterns = String::new();
    for (id, pattern) in family.patterns.iter().enumerate() {
        patterns.push_str(&format!("{{\"id\": {id}, \"pattern\": {pattern}}}\n"));
    }
    let mut events = Vec::new();
    for event in &family.events {
        events.extend_from_slice(event);
        events.push(b'\n');
    }
    for (name, bytes) in [("patterns", patterns.into_bytes()), ("events", events)] {
        let path = folder.join(format!("{}.{name}.jsonl", spec.name));
        fs::write(&path, bytes).with_context(|| format!("write {}", path.display()))?;
        line(&path.display().to_string());
    }
    Ok(())
}

/// What the figures depend on.
fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find(|line| line.starts_with("model name"));
    let model =
        model.and_then(|line| line.split_once(": ")).map_or("unknown processor", |pair| pair.1);
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split_whitespace().take(3).collect::<Vec<_>>().join(" ");
    format!("{cores} cores ({model}), load {load}")
}

/// A line on standard output. A reader that has gone away (`| head`) is no reason to stop.
fn line(text: &str) {
    writeln!(std::io::stdout().lock(), "{text}").ok();
}
