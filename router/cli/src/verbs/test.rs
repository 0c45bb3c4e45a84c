//! `slipswitch test`: the tests that stand in the rule files, and recorded events.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Args;
use server::offline::{TestRequest, Tested, test};

use crate::failure::{Exit, Failure, Next};
use crate::junit;
use crate::output::{self, Output, count};
use crate::source::Source;

/// The longest standard input that is read, in bytes.
const INPUT_BYTES_MAX: u64 = 256 << 20;

const EXAMPLES: &str = "\
A test in a rule file gives its rule an event and says what its targets shall be sent, or that nothing shall be. A \
file of recorded events, *.events.ndjson (or .json, .yaml) anywhere below the rules, holds events of a bus and what every \
target of that bus shall be sent: docs/testing.md has the format. Patterns, templates and plugins run for real; \
nothing is delivered, and no router needs to run. The exit code is 3 when a test fails, 78 when the rules do not even \
load.

Examples:
  slipswitch test
  slipswitch test rules/orders.yaml rules/tests
  slipswitch test --filter big-orders
  # what comes is what is expected from now on
  slipswitch test --update
  slipswitch test --junit test-results.xml    for GitLab, Jenkins, GitHub
  slipswitch journal export --bus shop --since 1h \\
      > rules/tests/shop.events.ndjson
  slipswitch test --bus shop --update rules/tests/shop.events.ndjson
  slipswitch test -o json | jq -r '.[] | select(.failure) | .test'";

/// Run the tests in the rule files, and recorded events.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Only the tests in these files and folders; `-` is recorded events on standard input
    #[arg(value_name = "FILE|DIR")]
    within: Vec<PathBuf>,
    /// Only tests whose name, rule, target or file has this in it
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// The bus of recorded events that name none [default: default]
    #[arg(long, value_name = "NAME")]
    bus: Option<String>,
    /// Make what comes what failing tests expect: nothing else of their files is changed
    #[arg(long)]
    update: bool,
    /// Say which rules and targets no test says anything about
    #[arg(long)]
    coverage: bool,
    /// Write the outcome to this file as JUnit's XML, too
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    output: Output,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let source = &arguments.source;
    let is_input = |path: &&PathBuf| path.as_path() == Path::new("-");
    let input = arguments.within.iter().find(is_input).map(|_| standard_input()).transpose()?;
    let within: Vec<PathBuf> =
        arguments.within.iter().filter(|path| !is_input(path)).cloned().collect();
    let tested = test(&TestRequest {
        rules: source.rules.as_deref(),
        plugins: source.plugins.as_deref(),
        config: source.config.as_deref(),
        within: &within,
        input: input.as_deref(),
        bus: arguments.bus.as_deref(),
        filter: arguments.filter.as_deref(),
        update: arguments.update,
        color: output::has_color(),
    });
    if !tested.problems.is_empty() {
        output::complain(&tested.rendered);
        output::complain(&format!("{}; no test was run", count(tested.problems.len(), "problem")));
        return Err(Failure::silent(Exit::BadConfiguration));
    }
    if let Some(path) = &arguments.junit {
        let written = std::fs::write(path, junit::report(&tested.outcomes));
        written.map_err(|error| {
            Failure::failed(format!("write {}: {error}; no test is lost by it", path.display()))
        })?;
    }
    told(arguments, &tested)?;
    if tested.failures.is_empty() {
        return Ok(());
    }
    Err(Failure::silent(Exit::TestsFailed).then(next(arguments, &tested)))
}

/// The first test that failed, alone; where that is one of many.
fn next(arguments: &Arguments, tested: &Tested) -> Next {
    let failed = tested.outcomes.iter().find(|outcome| outcome.failure.is_some());
    let Some(failed) = failed.filter(|_| arguments.filter.is_none() && 1 < tested.outcomes.len())
    else {
        return Next::Again;
    };
    let mut words = vec!["test".to_owned(), "--filter".to_owned(), failed.test.clone()];
    words.extend(arguments.within.iter().map(|path| path.display().to_string()));
    Next::Try(words)
}

fn standard_input() -> Result<String, Failure> {
    let mut text = String::new();
    let read = std::io::stdin().lock().take(INPUT_BYTES_MAX).read_to_string(&mut text);
    read.map_err(|error| Failure::failed(format!("read standard input: {error}")))?;
    Ok(text)
}

fn told(arguments: &Arguments, tested: &Tested) -> Result<(), Failure> {
    let failed = tested.failures.len();
    if arguments.output.format.is_data() {
        output::data(arguments.output.format, &tested.outcomes)?;
    } else {
        if failed > 0 {
            output::complain(&tested.rendered);
        }
        let updated = tested.outcomes.iter().filter(|outcome| outcome.updated).count();
        let tests = count(tested.passed + failed + updated, "test");
        let updated = if updated == 0 { String::new() } else { format!(", {updated} updated") };
        output::line(&format!(
            "{} with {tests}: {} passed, {failed} failed{updated}",
            count(tested.rules, "rule"),
            tested.passed
        ))?;
        if tested.outcomes.is_empty() && arguments.filter.is_some() {
            output::complain("no test has this in its name, rule, target or file");
        }
    }
    for path in &tested.updated {
        output::complain(&format!("updated {path}: look at it with `git diff`"));
    }
    for (path, why) in &tested.not_updated {
        output::complain(&format!("not updated {path}: {why}"));
    }
    if arguments.coverage {
        coverage(tested);
    }
    if failed > 0 && !arguments.update {
        output::complain("if what came is right, --update writes it into the tests");
    }
    Ok(())
}

fn coverage(tested: &Tested) {
    let (wholly, partly): (Vec<_>, Vec<_>) = tested.untested.iter().partition(|one| one.wholly);
    let rules: Vec<String> = wholly.iter().map(|one| format!("{}/{}", one.bus, one.rule)).collect();
    let targets: Vec<String> = partly
        .iter()
        .flat_map(|one| one.targets.iter().map(|id| format!("{}/{}/{id}", one.bus, one.rule)))
        .collect();
    for (all, what) in [(&rules, "rule"), (&targets, "target")] {
        let has = if all.len() == 1 { "has" } else { "have" };
        if !all.is_empty() {
            let counted = count(all.len(), what);
            output::complain(&format!("{counted} {has} no test: {}", all.join(", ")));
        }
    }
    if tested.untested.is_empty() {
        output::complain("every target of every rule has a test");
    }
}
