//! Python: the interpreter and its `venv`, which the machine has; everything else comes from PyPI.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

use super::Language;
use crate::{print, run};

/// The oldest version that the SDK runs on, as Python compares them.
const PYTHON_MIN: &str = "(3, 11)";
const MEND: &str =
    "install Python 3.11 or later with venv (on Debian: `apt-get install python3 python3-venv`)";

/// What looks at the types of plugins, and of what the SDK offers them.
const MYPY: &str = "mypy==2.4.1";

pub(super) struct Python;

impl Language for Python {
    fn name(&self) -> &'static str {
        "Python"
    }

    fn folder(&self) -> &'static str {
        "python"
    }

    fn manifest(&self) -> &'static str {
        "pyproject.toml"
    }

    fn test_sdk(&self, root: &Path) -> anyhow::Result<()> {
        check_python()?;
        let mut command = Command::new("python3");
        command.current_dir(root.join("sdk/python")).env("PYTHONPATH", "src");
        // No caches beside the sources.
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        run::run(command.args(["-m", "unittest", "discover", "tests"]))
    }

    fn more_projects(&self) -> &'static [&'static str] {
        &[]
    }

    fn install(&self, project: &Path) -> anyhow::Result<()> {
        check_python()?;
        let mut venv = Command::new("python3");
        run::run(venv.current_dir(project).args(["-m", "venv", "--clear", ".venv"]))
            .context(MEND)?;
        let mut pip = python(project);
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
        run::run(pip.args(["-r", "requirements.txt"]))
    }

    fn test(&self, project: &Path) -> anyhow::Result<()> {
        run::run(python(project).args(["-m", "unittest", "discover", "tests"]))?;
        check_types(project)
    }

    fn build(&self, project: &Path) -> anyhow::Result<PathBuf> {
        let file = project.join("plugin.wasm");
        let mut command = python(project);
        run::run(command.args(["-m", "slipswitch.build", "--out", "plugin.wasm"]))?;
        Ok(file)
    }
}

/// What authors get of the SDK's types: their editor, or their own mypy, finds no fault with what they begin with.
fn check_types(project: &Path) -> anyhow::Result<()> {
    let has_mypy = python(project).args(["-c", "import mypy"]).output()?.status.success();
    if !has_mypy {
        print::complaint(&format!(
            "{MYPY} is downloaded, about 15 MB, into {}:",
            project.display()
        ));
        let mut pip = python(project);
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", MYPY]);
        run::run(&mut pip)?;
    }
    run::run(python(project).args([
        "-m",
        "mypy",
        "--strict",
        "--cache-dir",
        ".venv/mypy",
        "plugin.py",
    ]))
}

/// The interpreter of the project's own environment.
fn python(project: &Path) -> Command {
    let mut command = Command::new(project.join(".venv/bin/python"));
    command.current_dir(project);
    command
}

fn check_python() -> anyhow::Result<()> {
    let missing = || format!("python3 is missing, and some plugins are written in Python: {MEND}");
    let check = format!("import sys, venv, ensurepip; sys.exit(sys.version_info < {PYTHON_MIN})");
    let output = Command::new("python3").args(["-c", &check]).output().with_context(missing)?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let what = if said.contains("ModuleNotFoundError") { "has no venv" } else { "is too old" };
        bail!("python3 {what} for plugins in Python: {MEND}");
    }
    Ok(())
}
