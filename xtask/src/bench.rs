//! `cargo xtask bench`: what the router does in a second on this machine; docs/benchmarks.md says how it is measured.

use std::path::Path;

use crate::{plugins, run, wasm};

/// `sections` chooses some of the measurements; none means all.
pub(crate) fn bench(root: &Path, sections: &[&str]) -> anyhow::Result<()> {
    let toolchain = wasm::ensure(root)?;
    plugins::build_all(root, &toolchain)?;
    let empty = plugins::build(root, &root.join("tests/bench/empty-plugin"), &toolchain)?;
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
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    let mut bench = std::process::Command::new(root.join(target).join("release/slipswitch-bench"));
    run::run(bench.current_dir(root).arg(empty).args(sections))
}
