//! `cargo xtask bench`: what the router does in a second on this machine; docs/benchmarks.md says how it is measured.

mod peers;

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{plugins, run, wasm};

/// `sections` chooses some of the measurements; none means all of the router's.
pub(crate) fn bench(root: &Path, sections: &[&str]) -> anyhow::Result<()> {
    if let ["match", words @ ..] = sections {
        return matching(root, words);
    }
    let wanted = |section: &str| sections.is_empty() || sections.contains(&section);
    let mut empty = PathBuf::from("no-plugin");
    if wanted("plugins") {
        let toolchain = wasm::ensure(root)?;
        plugins::build_all(root, &toolchain)?;
        empty = plugins::build(root, &root.join("tests/bench/empty-plugin"), &toolchain)?;
    }
    if wanted("peers") {
        peers::ensure(root);
    }
    // Router and benchmark together: alone, the benchmark asks less of the libraries that they share,
    // and cargo would compile those twice. The native plugins apart: shared libraries want theirs
    // compiled in another way.
    for packages in [&["slipswitch-cli", "slipswitch-bench"][..], &["slipswitch-bench-native"]] {
        let mut build = run::cargo(root);
        build.args(["build", "--release", "--locked"]);
        for package in packages {
            build.args(["-p", package]);
        }
        run::run(&mut build)?;
    }
    let mut bench = Command::new(built(root, "slipswitch-bench"));
    run::run(bench.current_dir(root).arg(empty).args(sections))
}

/// Matching alone, which needs neither plugins nor a router. `words` are the families and options.
fn matching(root: &Path, words: &[&str]) -> anyhow::Result<()> {
    let package = "slipswitch-bench-match";
    run::run(run::cargo(root).args(["build", "--release", "--locked", "-p", package]))?;
    run::run(Command::new(built(root, package)).current_dir(root).args(words))
}

/// Where cargo puts the program of a release build.
fn built(root: &Path, program: &str) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    root.join(target).join("release").join(program)
}
