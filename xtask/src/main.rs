//! The repository's own commands: `cargo xtask <command>`.
//!
//! # Not here
//!
//! - Dependencies that take long to build: this program is compiled before anything else in a fresh clone.

mod print;
mod run;
mod shop;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context as _;

const USAGE: &str = "\
usage: cargo xtask <command>

  demo [--once]   build everything, run the example shop, show what went where
                  (stays up on a terminal until Ctrl-C; with --once it checks every delivery and ends)
  test            everything that must pass: the router, the plugins, end to end
  ci              format, clippy and the demonstration, as the machine checks them
  plugins         build the example plugins into plugins/*.wasm
  bench           measure this machine: durable events a second, plugin calls a second, reload time
  shop-events     write the example shop's recorded events anew";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let Some((command, rest)) = words.split_first() else { return usage(None) };
    let outcome = match (*command, rest) {
        ("shop-events", []) => root().and_then(|root| shop::write(&root)),
        ("help" | "--help" | "-h", _) => {
            print::line(USAGE);
            Ok(())
        }
        _ => return usage(Some(&words.join(" "))),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print::complaint(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn usage(unknown: Option<&str>) -> ExitCode {
    if let Some(unknown) = unknown {
        print::complaint(&format!("error: no such command: {unknown}\n"));
    }
    print::complaint(USAGE);
    ExitCode::from(2)
}

/// The repository's root: the folder above this crate's.
pub(crate) fn root() -> anyhow::Result<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    Ok(here.parent().context("xtask has no parent folder")?.to_owned())
}
