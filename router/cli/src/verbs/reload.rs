//! `slipswitch reload`: what lies in the folders, now.

use clap::Args;
use serde::Deserialize;
use serde_json::{json, value::RawValue};

use crate::client::{Address, Client};
use crate::failure::Failure;
use crate::output::{self, Output, count};

const EXAMPLES: &str = "\
A router watches its folders and reloads by itself; this is for who wants to know at once whether the new rules run, \
for a script that deploys them. It answers when they do, or shows what is wrong with them and leaves the old ones \
running: the exit code is then 78.

Examples:
  slipswitch reload
  slipswitch check && slipswitch reload -o json | jq .generation";

/// Have a router read its rule files and plugins now, and say what came of it.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    address: Address,
}

#[derive(Deserialize)]
struct Done {
    generation: u64,
    changed: bool,
    rules: usize,
    files: usize,
    tests: usize,
    #[serde(default)]
    removed: Vec<Owed>,
}

/// What lost its rule, and is owed something.
#[derive(Debug, Deserialize)]
pub(crate) struct Owed {
    bus: String,
    rule: String,
    target: String,
    behind: u64,
    under_way: usize,
    kept_until: Option<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let client = Client::new(&arguments.address)?;
    let answer: Box<RawValue> = client.work("/api/v1/reload", &json!({}))?;
    let Some(done) = output::shown::<Done>(arguments.output.format, &answer)? else {
        return Ok(());
    };
    done.removed.iter().for_each(|owed| output::complain(&owed.told()));
    let (rules, files) = (count(done.rules, "rule"), count(done.files, "file"));
    let tests = count(done.tests, "test");
    let how = if done.changed { "" } else { ", as before" };
    Ok(output::line(&format!("generation {}: {rules} in {files}, {tests}{how}", done.generation))?)
}

impl Owed {
    /// For people, on one line.
    pub(crate) fn told(&self) -> String {
        let Self { bus, rule, target, behind, under_way, kept_until } = self;
        let until = kept_until.as_deref().unwrap_or("its end");
        let behind = count(behind, "event");
        output::flat(&format!(
            "{bus}/{rule}/{target} is gone, {behind} behind and with {under_way} under way: it is still sent them, and \
             keeps its place until {until}, should its rule come back"
        ))
    }
}
