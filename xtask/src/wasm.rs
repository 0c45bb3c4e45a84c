//! A compiler that can build plugins: one that knows the target `wasm32-unknown-unknown`.
//!
//! ```text
//! installed already ──▶ use it
//! SLIPSWITCH_WASM=debian ──▶ Debian's compiler, unpacked under target/wasm-toolchain (see `debian`)
//! otherwise ──▶ say so, then `rustup target add wasm32-unknown-unknown`
//! ```
//!
//! # Invariants
//!
//! - Nothing is downloaded before a line on standard error says what and why.
//! - Nothing outside `target/` is changed, except by rustup, in its own folder.

mod debian;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::print::complaint;

/// The target that plugins are built for.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// Chooses where the target comes from when none is installed.
const SWITCH: &str = "SLIPSWITCH_WASM";

/// A compiler that knows [`TARGET`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Toolchain {
    /// The compiler to name in `RUSTC`; `None` is the one that is active anyway.
    pub(crate) rustc: Option<PathBuf>,
}

impl Toolchain {
    /// The `cargo` that runs us, told to use this compiler.
    pub(crate) fn cargo(&self) -> Command {
        let mut command = cargo();
        if let Some(rustc) = &self.rustc {
            command.env("RUSTC", rustc);
        }
        command
    }
}

/// Makes sure that plugins can be built, with what the machine has or with what may be fetched.
pub(crate) fn ensure(root: &Path) -> anyhow::Result<Toolchain> {
    let switch = std::env::var(SWITCH).unwrap_or_default();
    let source = match switch.as_str() {
        "" | "rustup" => Source::Rustup,
        "debian" => Source::Debian,
        _ => bail!(
            "{SWITCH}={switch}: no such way to get a wasm target; leave it unset (rustup), \
             or set it to \"debian\" (Debian's packages, unpacked under target/wasm-toolchain)"
        ),
    };
    if is_installed() {
        return Ok(Toolchain { rustc: None });
    }
    match source {
        Source::Rustup => add_with_rustup().map(|()| Toolchain { rustc: None }),
        Source::Debian => {
            let rustc = debian::ensure(&root.join("target/wasm-toolchain"))?;
            Ok(Toolchain { rustc: Some(rustc) })
        }
    }
}

/// Where a missing target is taken from.
enum Source {
    Rustup,
    Debian,
}

/// The standard library of the target is there, as rustup or a distribution installs it.
fn is_installed() -> bool {
    let output =
        Command::new("rustc").args(["--print", "target-libdir", "--target", TARGET]).output();
    let Ok(output) = output else { return false };
    let folder = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    output.status.success() && has_core(&folder)
}

fn has_core(folder: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(folder) else { return false };
    entries.flatten().any(|entry| {
        let name = entry.file_name();
        name.to_string_lossy().starts_with("libcore")
            && Path::new(&name).extension() == Some(OsStr::new("rlib"))
    })
}

fn add_with_rustup() -> anyhow::Result<()> {
    const MEND: &str = "install the target yourself (`rustup target add wasm32-unknown-unknown`, or your \
        distribution's package), or, on Debian, set SLIPSWITCH_WASM=debian to use its packages";
    complaint("plugins are WebAssembly, and the active toolchain cannot build it yet:");
    complaint("running `rustup target add wasm32-unknown-unknown` (downloads about 20 MB)");
    let mut command = Command::new("rustup");
    command.args(["target", "add", TARGET]);
    run(&mut command).context(MEND)?;
    if !is_installed() {
        bail!("rustup added {TARGET}, but `rustc` in PATH still does not know it; {MEND}");
    }
    Ok(())
}

/// The `cargo` that runs us.
pub(crate) fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Runs a command whose output is for the person who watches.
fn run(command: &mut Command) -> anyhow::Result<()> {
    let shown = show(command);
    // Standard output is the caller's: what tools print goes beside our own lines.
    command.stdout(std::io::stderr());
    let status = command.status().with_context(|| format!("run `{shown}`"))?;
    if !status.success() {
        bail!("`{shown}` failed: {status}");
    }
    Ok(())
}

/// Runs a command for its output; on failure the error ends with what the command said.
fn read(command: &mut Command) -> anyhow::Result<String> {
    let shown = show(command);
    let output = command.output().with_context(|| format!("run `{shown}`"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("`{shown}` failed: {}\n{}", output.status, said.trim_end());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn show(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
