//! `slipswitch plugin build`: the project's own tools, and then the router's eyes on what they made.
//!
//! # Invariants
//!
//! - A tool that is missing is named, with how to get it; nothing is installed on the machine.
//! - What is put into place was loaded as a router loads it, and comes by rename: a router that watches the folder
//!   never sees a half.

mod js;
mod python;
mod rust;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use clap::Args;
use server::offline::plugins::plugin_look;

use crate::clock;
use crate::failure::Failure;
use crate::kit::{self, Language};
use crate::output;

use super::failure;

const EXAMPLES: &str = "\
The language is told by the files: Cargo.toml, package.json, pyproject.toml. Rust takes cargo and a compiler with the target \
wasm32-unknown-unknown (the environment's RUSTC, if it is set), JavaScript node and npm, Python python3 with venv. What \
is missing is said, with how to get it.

Examples:
  slipswitch plugin build
  # a running router takes it into service
  slipswitch plugin build my-plugin --out plugins";

/// Build a plugin's project, and check the result as a router would.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The project
    #[arg(value_name = "DIR", default_value = ".")]
    project: PathBuf,
    /// Put NAME.wasm into this folder too, beside the project's own
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

/// What the project's tools made.
struct Built {
    name: String,
    file: PathBuf,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let project = &arguments.project;
    let shown = project.display();
    let folder = arguments.out.as_ref().unwrap_or(project);
    if !folder.is_dir() {
        let folder = folder.display();
        return Err(Failure::usage(format!(
            "there is no folder {folder}: make it, or name another"
        )));
    }
    let Some(language) = Language::of(project) else {
        return Err(Failure::usage(format!(
            "{shown} is no plugin's project: there is neither Cargo.toml nor package.json nor pyproject.toml; \
             `slipswitch plugin new NAME --lang rust` makes one"
        )));
    };
    if project.join(kit::FOLDER).is_dir() && !project.join(kit::FOLDER).join("sdk").is_dir() {
        output::complain(&format!("{shown}: writing the SDK of this slipswitch into it"));
        kit::write_sdk(project, language)
            .map_err(|error| Failure::failed(format!("write the SDK into {shown}: {error}")))?;
    }
    let started = clock::now();
    let built = match language {
        Language::Rust => rust::build(project)?,
        Language::Js => js::build(project)?,
        Language::Python => python::build(project)?,
    };
    let took = clock::now().since(started);
    let plugin = plugin_look(&built.file).map_err(|error| failure(&error))?;
    let place = folder.join(&built.name).with_added_extension("wasm");
    let place = place.strip_prefix(".").unwrap_or(&place);
    let size = put(&built.file, place)
        .map_err(|error| Failure::failed(format!("write {}: {error}", place.display())))?;
    let own = project.join(&built.name).with_added_extension("wasm");
    let own = own.strip_prefix(".").unwrap_or(&own);
    put(&built.file, own)
        .map_err(|error| Failure::failed(format!("write {}: {error}", own.display())))?;
    Ok(output::line(&format!(
        "{}: {} {}, a {}, {}, built in {}",
        place.display(),
        output::flat(&plugin.name),
        output::flat(&plugin.version),
        plugin.role,
        output::size(size),
        seconds(took)
    ))?)
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

/// Copies a file by way of its neighbour.
fn put(from: &Path, to: &Path) -> io::Result<u64> {
    let is_same = from.canonicalize().ok().zip(to.canonicalize().ok()).is_some_and(|(a, b)| a == b);
    if is_same {
        return Ok(fs::metadata(to)?.len());
    }
    let name = to.file_name().unwrap_or_default().to_string_lossy();
    let aside = to.with_file_name(format!(".{name}.{}", std::process::id()));
    let size = fs::copy(from, &aside)?;
    fs::rename(aside, to)?;
    Ok(size)
}

/// Runs a tool in the project; what it says goes to standard error. Missing, it is what `mend` is about.
fn tool(project: &Path, words: &[&str], mend: &str) -> Result<(), Failure> {
    let (name, rest) = words.split_first().unwrap_or((&"", &[]));
    let ended = Command::new(name)
        .args(rest)
        .current_dir(project)
        .stdin(Stdio::null())
        .stdout(io::stderr())
        .status()
        .map_err(|error| missing(name, &error, mend))?;
    if ended.success() {
        return Ok(());
    }
    let words = words.join(" ");
    Err(Failure::failed(format!("`{words}` failed; what it said is above")))
}

/// What a tool prints on standard output; its standard error is ours.
fn answer(project: &Path, words: &[&str], mend: &str) -> Result<Option<String>, Failure> {
    let (name, rest) = words.split_first().unwrap_or((&"", &[]));
    let ended = Command::new(name)
        .args(rest)
        .current_dir(project)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .map_err(|error| missing(name, &error, mend))?;
    Ok(ended.status.success().then(|| String::from_utf8_lossy(&ended.stdout).trim().to_owned()))
}

fn missing(name: &str, error: &io::Error, mend: &str) -> Failure {
    if error.kind() == io::ErrorKind::NotFound {
        return Failure::failed(format!("there is no `{name}` to build with: {mend}"));
    }
    Failure::failed(format!("start `{name}`: {error}"))
}

/// Whether a file is missing, or older than what it is made of.
fn is_stale(made: &Path, of: &Path) -> bool {
    let at = |path: &Path| fs::metadata(path).and_then(|data| data.modified()).ok();
    at(made).is_none_or(|made| at(of).is_some_and(|of| made < of))
}
