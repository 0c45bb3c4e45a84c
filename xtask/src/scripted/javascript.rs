//! JavaScript: node and npm, which the machine has; everything else comes through npm.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

use super::Language;
use crate::run;

/// The oldest major version that the SDK runs on.
const NODE_MIN: u32 = 18;
const MEND: &str = "install Node.js 18 or later with npm (on Debian: `apt-get install nodejs npm`)";

pub(super) struct JavaScript;

impl Language for JavaScript {
    fn name(&self) -> &'static str {
        "JavaScript"
    }

    fn folder(&self) -> &'static str {
        "js"
    }

    fn manifest(&self) -> &'static str {
        "package.json"
    }

    fn test_sdk(&self, root: &Path) -> anyhow::Result<()> {
        check_node()?;
        run::run(
            Command::new("node").current_dir(root).args(["--test", "sdk/js/tests/sdk.test.mjs"]),
        )
    }

    fn more_projects(&self) -> &'static [&'static str] {
        // The type declarations, as the TypeScript compiler sees them.
        &["tests"]
    }

    fn install(&self, project: &Path) -> anyhow::Result<()> {
        check_node()?;
        run::run(npm(project).args(["ci", "--no-audit", "--no-fund", "--loglevel", "error"]))
            .context(MEND)
    }

    fn test(&self, project: &Path) -> anyhow::Result<()> {
        run::run(npm(project).args(["test", "--loglevel", "error"]))
    }

    fn build(&self, project: &Path) -> anyhow::Result<PathBuf> {
        let file = project.join("plugin.wasm");
        let mut command = Command::new("node");
        command.current_dir(project).args([".slipswitch/sdk/js/build.mjs", "--out", "plugin.wasm"]);
        run::run(&mut command)?;
        Ok(file)
    }
}

fn npm(project: &Path) -> Command {
    let mut command = Command::new("npm");
    command.current_dir(project);
    command
}

fn check_node() -> anyhow::Result<()> {
    let missing = |name: &str| {
        format!("{name} is missing, and some plugins are written in JavaScript: {MEND}")
    };
    let output = Command::new("node").arg("--version").output().with_context(|| missing("node"))?;
    let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let major = version.trim_start_matches('v').split('.').next().unwrap_or_default();
    if major.parse::<u32>().unwrap_or(0) < NODE_MIN {
        bail!("node is {version}, too old for plugins in JavaScript: {MEND}");
    }
    Command::new("npm").arg("--version").output().with_context(|| missing("npm"))?;
    Ok(())
}
