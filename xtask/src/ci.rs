//! `cargo xtask ci`: what a machine checks besides the tests.

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
    // In a router's own host, in release: that compiles a plugin of 19 MB in seconds.
    scripted::judge_all(root, &demo::program(root))
}
