//! `cargo xtask test`: everything that must pass, from a fresh clone.

use std::path::Path;

use crate::{plugins, print, run, scripted, wasm};

pub(crate) fn test(root: &Path) -> anyhow::Result<()> {
    // The tests from end to end take real plugins and the real command: both are built first. All of the
    // workspace at once, because alone the command asks less of the libraries that are shared, and cargo
    // would compile those twice.
    let toolchain = wasm::ensure(root)?;
    plugins::build_all(root, &toolchain)?;
    scripted::build_all(root)?;
    run::run(run::cargo(root).args(["test", "--locked", "--workspace", "--no-run"]))?;

    print::line("the plugins' own tests, on this machine's processor");
    plugins::test_all(root)?;
    scripted::test_all(root)?;
    if run::succeeds(run::cargo(root).args(["nextest", "--version"])) {
        run::run(run::cargo(root).args(["test", "--locked", "--workspace", "--doc"]))?;
        run::run(run::cargo(root).args([
            "nextest",
            "run",
            "--locked",
            "--workspace",
            "--no-fail-fast",
        ]))
    } else {
        print::line("cargo-nextest is not installed; cargo test does as well, only slower");
        run::run(run::cargo(root).args(["test", "--locked", "--workspace", "--no-fail-fast"]))
    }
}
