//! The repository's own commands: `cargo xtask <command>`.
//!
//! # Not here
//!
//! - Dependencies that take long to build: this program is compiled before anything else in a fresh clone.

mod bench;
mod ci;
mod demo;
mod fuzz;
mod plugins;
mod print;
mod run;
mod scripted;
mod shop;
mod test;
mod wasm;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context as _;

const USAGE: &str = "\
usage: cargo xtask <command>

  demo [--once]   build everything, run the example shop, show what went where
                  (on a terminal it stays up until Ctrl-C; with --once, or without
                  a terminal, it ends with 0 if every delivery arrived, else with 1)
  test            everything that must pass: the router, the plugins, end to end
  ci              format, clippy, the demonstration, and a plugin replaced a thousand times
  bench [SECTION] measure: ingest, peers, plugin, neighbours, reload, deliver, replay, behind;
                  backlog[=EVENTS] and start[=DELIVERIES] only when they are named;
                  docs/benchmarks.md
  bench match [FAMILY]
                  measure matching alone; `bench match --help` says what else
  fuzz [TARGET] [--seconds N]
                  hostile bytes: parse, match, pair (patterns, events), load, output (plugins);
                  each for a minute, or N seconds (with cargo-fuzz and a nightly toolchain)
  plugins [test]  build the example plugins into plugins/*.wasm; with `test`, run their own
                  tests and the SDKs' instead
  shop-events     write the example shop's recorded events anew

Plugins are WebAssembly. When the compiler has no target wasm32-unknown-unknown, it is
added with rustup, after saying so; SLIPSWITCH_WASM=debian takes Debian's packages
instead, unpacked under target/ (nothing is installed). Those in JavaScript and Python
need node, npm and python3; their tools come from npm and PyPI into target/.";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match command(&words) {
        Some(Ok(())) => ExitCode::SUCCESS,
        Some(Err(error)) => {
            print::complaint(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
        None => {
            if !words.is_empty() {
                print::complaint(&format!("error: no such command: {}\n", words.join(" ")));
            }
            print::complaint(USAGE);
            ExitCode::from(2)
        }
    }
}

/// `None` when there is no such command.
fn command(words: &[&str]) -> Option<anyhow::Result<()>> {
    let run = |command: &dyn Fn(&Path) -> anyhow::Result<()>| {
        Some(root().and_then(|root| command(&root)))
    };
    match words {
        ["demo"] => run(&|root| demo::demo(root, false)),
        ["demo", "--once"] => run(&|root| demo::demo(root, true)),
        ["test"] => run(&test::test),
        ["ci"] => run(&ci::ci),
        ["bench", sections @ ..] => run(&|root| bench::bench(root, sections)),
        ["fuzz", words @ ..] => run(&|root| fuzz::fuzz(root, words)),
        ["plugins"] => run(&build_plugins),
        ["plugins", "test"] => run(&|root| {
            plugins::test_all(root)?;
            scripted::test_all(root)
        }),
        ["shop-events"] => run(&shop::write),
        ["help" | "--help" | "-h"] => {
            print::line(USAGE);
            Some(Ok(()))
        }
        _ => None,
    }
}

fn build_plugins(root: &Path) -> anyhow::Result<()> {
    let toolchain = wasm::ensure(root)?;
    let mut files = plugins::build_all(root, &toolchain)?;
    files.extend(scripted::build_all(root)?);
    for file in files {
        print::line(&file.display().to_string());
    }
    Ok(())
}

/// The repository's root: the folder above this crate's.
pub(crate) fn root() -> anyhow::Result<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    Ok(here.parent().context("xtask has no parent folder")?.to_owned())
}
