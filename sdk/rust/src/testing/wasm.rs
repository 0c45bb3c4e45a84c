//! The same cases as WebAssembly: `slipswitch plugin test`, when there is one.
//!
//! # Invariants
//!
//! - It never stays unsaid that the cases did not run as WebAssembly: the words go past the capture of a passing
//!   test's output.

use std::ffi::OsString;
use std::format;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::string::String;
use std::time::SystemTime;
use std::vec::Vec;
use std::{env, fs};

/// Set for the command, so that a command which runs this test again comes to an end.
const WITHIN: &str = "SLIPSWITCH_PLUGIN_TEST";

/// The command's words when a case fails.
pub(super) fn run(project: &Path) -> Result<(), String> {
    if env::var_os(WITHIN).is_some() {
        return Ok(());
    }
    let (command, file) = match command().and_then(|command| Ok((command, built(project)?))) {
        Ok(found) => found,
        Err(why) => {
            say(&format!("the cases ran natively, not as WebAssembly: {why}"));
            return Ok(());
        }
    };
    let output = Command::new(&command)
        .args(["plugin", "test"])
        .arg(project)
        .arg("--file")
        .arg(&file)
        .env(WITHIN, "1")
        .output();
    let output = match output {
        Ok(output) => output,
        Err(error) => return Err(format!("start {}: {error}", Path::new(&command).display())),
    };
    if output.status.success() {
        return Ok(());
    }
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Err(text(&output.stdout) + &text(&output.stderr))
}

/// The `slipswitch` command, or why there is none.
fn command() -> Result<OsString, String> {
    if let Some(named) = env::var_os("SLIPSWITCH") {
        return Ok(named);
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let name = format!("slipswitch{}", env::consts::EXE_SUFFIX);
    let found =
        env::split_paths(&path).map(|folder| folder.join(&name)).find(|file| file.is_file());
    found
        .map(PathBuf::into_os_string)
        .ok_or_else(|| "there is no `slipswitch` in PATH; SLIPSWITCH may name it".into())
}

/// The built plugin, when it is newer than its sources; or why there is none.
fn built(project: &Path) -> Result<PathBuf, String> {
    let mut found = files(project, "wasm");
    let (Some(file), None) = (found.pop(), found.pop()) else {
        return Err(format!(
            "there is no built plugin in {}: `slipswitch plugin build` makes it",
            project.display()
        ));
    };
    let mut sources = files(&project.join("src"), "rs");
    sources.push(project.join("Cargo.toml"));
    let newest = sources.iter().filter_map(|path| written(path)).max();
    if written(&file) < newest {
        return Err(format!(
            "{} is older than its sources: `slipswitch plugin build` makes it anew",
            file.display()
        ));
    }
    Ok(file)
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let listing = fs::read_dir(folder).into_iter().flatten().flatten();
    let files = listing.map(|entry| entry.path());
    files.filter(|path| path.extension().is_some_and(|it| it == extension)).collect()
}

fn written(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).ok()?.modified().ok()
}

/// Says something although the test passes: what is printed would be kept back.
pub(super) fn say(words: &str) {
    // Where standard error is closed nobody listens, and the test is no worse for it.
    let _closed = std::io::stderr().write_all(format!("slipswitch: {words}\n").as_bytes());
}
