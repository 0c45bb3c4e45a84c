//! A project in Rust: cargo, with whatever compiler it is told to take.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use super::{Built, answer, missing};
use crate::failure::Failure;

const TARGET: &str = "wasm32-unknown-unknown";
const CARGO_MEND: &str = "install Rust, as https://rustup.rs says";

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    manifest_path: PathBuf,
}

/// A line that cargo prints for programs.
#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    filenames: Vec<PathBuf>,
    manifest_path: Option<PathBuf>,
}

pub(super) fn build(project: &Path) -> Result<Built, Failure> {
    let project = &project
        .canonicalize()
        .map_err(|error| Failure::usage(format!("{}: {error}", project.display())))?;
    let name = name(project)?;
    check_compiler(project)?;
    let arguments = [
        "build",
        "--release",
        "--lib",
        "--target",
        TARGET,
        "--message-format",
        "json-render-diagnostics",
    ];
    let mut cargo = Command::new("cargo")
        .args(arguments)
        .current_dir(project)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| missing("cargo", &error, CARGO_MEND))?;
    let mut file = None;
    if let Some(out) = cargo.stdout.take() {
        for line in BufReader::new(out).lines().map_while(Result::ok) {
            let Ok(message) = serde_json::from_str::<Message>(&line) else { continue };
            let is_ours =
                message.manifest_path.is_some_and(|path| path == project.join("Cargo.toml"));
            let mut made = message.filenames.into_iter().filter(|_| is_ours);
            file = made.find(|path| path.extension().is_some_and(|is| is == "wasm")).or(file);
        }
    }
    let ended =
        cargo.wait().map_err(|error| Failure::failed(format!("wait for cargo: {error}")))?;
    if !ended.success() {
        return Err(Failure::failed("cargo failed; what it said is above"));
    }
    let file = file.ok_or_else(|| {
        Failure::failed(
            "cargo built no .wasm of this package: a plugin is a library with `crate-type = [\"cdylib\", \"rlib\"]` \
             in [lib] of its Cargo.toml",
        )
    })?;
    Ok(Built { name, file })
}

fn name(project: &Path) -> Result<String, Failure> {
    let words = ["cargo", "metadata", "--no-deps", "--format-version", "1", "--offline"];
    let broken = || {
        let shown = project.join("Cargo.toml").display().to_string();
        Failure::failed(format!("cargo cannot read {shown}: `cargo metadata --no-deps` says why"))
    };
    let text = answer(project, &words, CARGO_MEND)?.ok_or_else(broken)?;
    let metadata: Metadata = serde_json::from_str(&text).map_err(|_no_metadata| broken())?;
    let manifest = project.join("Cargo.toml");
    let package = metadata.packages.into_iter().find(|package| package.manifest_path == manifest);
    package.map(|package| package.name).ok_or_else(|| {
        Failure::usage(format!(
            "{} has no [package]: name the folder of the plugin itself",
            manifest.display()
        ))
    })
}

/// The compiler that cargo will take must have the target's standard library.
fn check_compiler(project: &Path) -> Result<(), Failure> {
    let named = std::env::var("RUSTC").ok().filter(|named| !named.is_empty());
    let compiler = named.as_deref().unwrap_or("rustc");
    let mend = match &named {
        Some(_) => "the environment's RUSTC names it; name one that is there, or none",
        None => CARGO_MEND,
    };
    let words = [compiler, "--print", "target-libdir", "--target", TARGET];
    let folder = answer(project, &words, mend)?;
    if folder.is_some_and(|folder| Path::new(&folder).is_dir()) {
        return Ok(());
    }
    Err(Failure::failed(match named {
        Some(named) => format!(
            "the compiler {named}, which the environment's RUSTC names, has no target {TARGET}: name one that has it"
        ),
        None => format!(
            "your Rust has no target {TARGET}: add it with `rustup target add {TARGET}`, or name a compiler that has \
             it in RUSTC"
        ),
    }))
}
