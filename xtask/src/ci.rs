//! `cargo xtask ci`: what a machine checks besides the tests: their form, and what is too long for every run of them.

use std::path::Path;

use crate::{demo, plugins, run, scripted};

pub(crate) fn ci(root: &Path) -> anyhow::Result<()> {
    run::run(run::cargo(root).args(["fmt", "--all", "--check"]))?;
    run::run(run::cargo(root).args([
        "clippy",
        "--locked",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]))?;
    for folder in plugins::folders(root)? {
        run::run(run::cargo(&folder).args(["fmt", "--check"]))?;
        let mut clippy = run::cargo(&folder);
        // Beside the other plugins' builds: the SDK is compiled once for all of them.
        clippy
            .arg("clippy")
            .args(plugins::locked(&folder))
            .args(["--all-targets", "--target-dir"])
            .arg(root.join("target/plugins"));
        run::run(clippy.args(["--", "-D", "warnings"]))?;
    }
    demo::demo(root, true)?;
    replace_a_thousand_times(root)?;
    // In a router's own host, in release: that compiles a plugin of 19 MB in seconds.
    scripted::judge_all(root, &demo::program(root))
}

/// A plugin of a router under load: what stays behind of a version shows only in many of them.
fn replace_a_thousand_times(root: &Path) -> anyhow::Result<()> {
    // A filter that fits nothing would be content.
    let file = root.join("tests/tests/e2e/replacing.rs");
    anyhow::ensure!(file.is_file(), "{} is elsewhere", file.display());
    let mut cargo = run::cargo(root);
    cargo.env("SLIPSWITCH_BIN", demo::program(root)).env("REPLACEMENTS", "1000");
    cargo.args(["test", "--locked", "--workspace", "--test", "e2e", "replacing::"]);
    run::run(cargo.args(["--", "--nocapture"]))
}
