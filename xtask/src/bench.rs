//! `cargo xtask bench`: what the router does in a second on this machine; docs/benchmarks.md says how it is measured.

mod peers;

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::wasm::{self, Toolchain};
use crate::{plugins, print, run};

/// `sections` chooses some of the measurements; none means all of the router's.
pub(crate) fn bench(root: &Path, sections: &[&str]) -> anyhow::Result<()> {
    if let ["match", words @ ..] = sections {
        return matching(root, words);
    }
    let wanted = |section: &str| sections.is_empty() || sections.contains(&section);
    let mut others = ["no-extism", "no-guest", "no-plugin"].map(PathBuf::from);
    if wanted("plugin") || wanted("neighbours") {
        plugins::build_all(root, &wasm::ensure(root)?)?;
    }
    if wanted("plugin") {
        let toolchain = wasm::ensure(root)?;
        let empty = plugins::build(root, &root.join("tests/bench/empty-plugin"), &toolchain)?;
        let [program, guest] = extism(root, &toolchain)?;
        others = [program, guest, empty];
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
    run::run(bench.current_dir(root).args(others).args(sections))
}

/// Builds Extism's host and a plugin for it, which measure the same jobs as ours.
fn extism(root: &Path, toolchain: &Toolchain) -> anyhow::Result<[PathBuf; 2]> {
    print::line(
        "building Extism for comparison: it brings a wasmtime of its own, which takes some minutes",
    );
    let project = root.join("tests/bench/extism");
    let target = root.join("target/bench-extism");
    let build = |command: &mut Command, package: &str, more: &[&str]| {
        command.current_dir(&project).args(["build", "--release", "--locked", "-p", package]);
        run::run(command.args(more).arg("--target-dir").arg(&target))
    };
    let (host, guest) = ("slipswitch-bench-extism", "slipswitch-bench-extism-guest");
    build(&mut run::cargo(&project), host, &[])?;
    build(&mut toolchain.cargo(), guest, &["--target", wasm::TARGET])?;
    let guest = target.join(wasm::TARGET).join("release").join(guest.replace('-', "_"));
    Ok([target.join("release").join(host), guest.with_extension("wasm")])
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
