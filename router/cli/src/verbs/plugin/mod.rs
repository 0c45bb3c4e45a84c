//! `slipswitch plugin …`: writing plugins, and looking after those of a running router.

mod build;
mod change;
mod inspect;
mod logs;
mod ls;
mod new;
mod run;
mod stale;
mod test;
mod versions;

use std::path::{Path, PathBuf};

use clap::Subcommand;
use server::offline::plugins::PluginError;

use crate::failure::{Exit, Failure};

/// Write plugins, and look after those of a running router.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    New(new::Arguments),
    Build(build::Arguments),
    Test(test::Arguments),
    Run(run::Arguments),
    Inspect(inspect::Arguments),
    UpdateSdk(new::UpdateArguments),
    Ls(ls::Arguments),
    Logs(logs::Arguments),
    Put(change::PutArguments),
    Rm(change::RmArguments),
    Versions(versions::Arguments),
    Rollback(change::RollbackArguments),
}

pub(crate) fn run(verb: &Verb) -> Result<(), Failure> {
    match verb {
        Verb::New(arguments) => new::run(arguments),
        Verb::Build(arguments) => build::run(arguments),
        Verb::UpdateSdk(arguments) => new::update(arguments),
        Verb::Ls(arguments) => ls::run(arguments),
        Verb::Logs(arguments) => logs::run(arguments),
        Verb::Put(arguments) => change::put(arguments),
        Verb::Rm(arguments) => change::rm(arguments),
        Verb::Versions(arguments) => versions::run(arguments),
        Verb::Rollback(arguments) => change::rollback(arguments),
        Verb::Run(arguments) => run::run(arguments),
        Verb::Inspect(arguments) => inspect::run(arguments),
        Verb::Test(arguments) => test::run(arguments),
    }
}

/// What stands in the way, with the exit code that says whose turn it is.
fn failure(error: &PluginError) -> Failure {
    let exit = if error.is_usage() {
        Exit::Usage
    } else if error.is_broken() {
        Exit::BadConfiguration
    } else {
        Exit::Failed
    };
    Failure::new(exit, error.to_string())
}

/// The built plugin of a project: the only `*.wasm` directly in its folder.
fn built(project: &Path) -> Result<PathBuf, Failure> {
    let shown = project.display();
    let listing = std::fs::read_dir(project)
        .map_err(|error| Failure::usage(format!("read the folder {shown}: {error}")))?;
    let mut found: Vec<PathBuf> = listing
        .filter_map(|entry| Some(entry.ok()?.path()))
        .map(|path| path.strip_prefix(".").map(Path::to_owned).unwrap_or(path))
        .filter(|path| path.extension().is_some_and(|extension| extension == "wasm"))
        .collect();
    found.sort();
    match found.as_slice() {
        [one] => Ok(one.clone()),
        [] => Err(Failure::usage(format!(
            "there is no *.wasm in {shown}: `slipswitch plugin build {shown}` makes it, or name one with --file"
        ))),
        several => {
            let names: Vec<String> =
                several.iter().map(|path| path.display().to_string()).collect();
            Err(Failure::usage(format!("which one? name it with --file: {}", names.join(", "))))
        }
    }
}

/// An option's value, or what the file holds that it names.
fn json_or_file(option: &str, value: &str) -> Result<String, Failure> {
    match value.strip_prefix('@') {
        None => Ok(value.to_owned()),
        Some(path) => std::fs::read_to_string(path)
            .map_err(|error| Failure::usage(format!("{option}: read {path}: {error}"))),
    }
}
