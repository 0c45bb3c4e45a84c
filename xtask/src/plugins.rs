//! Builds and tests the example plugins in Rust: every folder of `plugins/` that holds a cargo project.
//!
//! # Invariants
//!
//! - `plugins/<folder>.wasm` is replaced whole, by a rename, and only when its content changed: a router that
//!   watches the folder never sees half a file, and never reloads for nothing.
//! - All plugins share one target folder, so the SDK is compiled once.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, bail};

use crate::wasm::{self, TARGET, Toolchain};

/// Builds every plugin in Rust in release and puts `plugins/<folder>.wasm` beside its folder.
pub(crate) fn build_all(root: &Path, toolchain: &Toolchain) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for folder in folders(root)? {
        let built = build(root, &folder, toolchain)?;
        let file = folder.with_extension("wasm");
        put(&built, &file).with_context(|| format!("write {}", file.display()))?;
        files.push(file);
    }
    Ok(files)
}

/// Runs the native tests of every plugin.
pub(crate) fn test_all(root: &Path) -> anyhow::Result<()> {
    for folder in folders(root)? {
        let mut command = wasm::cargo();
        command
            .current_dir(&folder)
            .arg("test")
            .args(locked(&folder))
            .arg("--target-dir")
            .arg(target_folder(root));
        let status = command.status().context("run cargo test")?;
        if !status.success() {
            bail!("the tests of {} failed", folder.display());
        }
    }
    Ok(())
}

/// The plugins' projects in Rust, in the order of their names.
pub(crate) fn folders(root: &Path) -> anyhow::Result<Vec<PathBuf>> {
    folders_with(root, "Cargo.toml")
}

/// The folders of `plugins/` that hold a file `manifest`.
pub(crate) fn folders_with(root: &Path, manifest: &str) -> anyhow::Result<Vec<PathBuf>> {
    let plugins = root.join("plugins");
    let mut folders = Vec::new();
    for entry in fs::read_dir(&plugins).with_context(|| format!("read {}", plugins.display()))? {
        let folder = entry?.path();
        if folder.join(manifest).is_file() {
            folders.push(folder);
        }
    }
    folders.sort();
    Ok(folders)
}

/// What holds cargo to a plugin's `Cargo.lock`. A plugin that is being begun has none yet: cargo writes it.
pub(crate) fn locked(folder: &Path) -> &'static [&'static str] {
    if folder.join("Cargo.lock").is_file() { &["--locked"] } else { &[] }
}

fn target_folder(root: &Path) -> PathBuf {
    root.join("target/plugins")
}

/// The file that cargo made of the project in `folder`.
pub(crate) fn build(root: &Path, folder: &Path, toolchain: &Toolchain) -> anyhow::Result<PathBuf> {
    let mut command = toolchain.cargo();
    command.current_dir(folder).args(["build", "--release"]).args(locked(folder));
    command.args(["--target", TARGET, "--target-dir"]).arg(target_folder(root));
    command.args(["--message-format", "json-render-diagnostics"]);
    // Flags that are meant for the router's own build have no business in a plugin.
    command.env_remove("CARGO_ENCODED_RUSTFLAGS").env_remove("RUSTFLAGS");
    let output = command.stderr(Stdio::inherit()).output().context("run cargo build")?;
    if !output.status.success() {
        bail!("building {} failed: see above", folder.display());
    }
    let messages = String::from_utf8(output.stdout).context("cargo's messages")?;
    let manifest = folder.join("Cargo.toml").canonicalize()?;
    let file = messages.lines().find_map(|line| wasm_file(line, &manifest));
    file.with_context(|| {
        format!("{}: crate-type has no \"cdylib\", so no .wasm file came out", manifest.display())
    })
}

/// The `.wasm` file that one of cargo's messages names for the package of `manifest`.
fn wasm_file(message: &str, manifest: &Path) -> Option<PathBuf> {
    let message: serde_json::Value = serde_json::from_str(message).ok()?;
    if message["reason"] != "compiler-artifact"
        || Path::new(message["manifest_path"].as_str()?) != manifest
    {
        return None;
    }
    let files =
        message["filenames"].as_array()?.iter().filter_map(|file| file.as_str().map(PathBuf::from));
    files.into_iter().find(|file| file.extension().is_some_and(|it| it == "wasm"))
}

/// Puts a built plugin into its place, when it is another than the one there.
pub(crate) fn put(built: &Path, file: &Path) -> anyhow::Result<()> {
    let bytes = fs::read(built)?;
    if fs::read(file).is_ok_and(|present| present == bytes) {
        return Ok(());
    }
    // Hidden and without the extension: nobody takes it for a plugin before it is whole.
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let aside = file.with_file_name(format!(".{name}.{}", std::process::id()));
    fs::write(&aside, bytes)?;
    fs::rename(&aside, file)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plugin_with_a_lock_file_is_held_to_it() {
        let plugins = crate::root().unwrap().join("plugins");
        assert_eq!(locked(&plugins.join("redact")), ["--locked"]);
        assert!(locked(&plugins.join("begun-today")).is_empty());
    }

    #[test]
    fn the_wasm_file_is_that_of_the_projects_own_message() {
        let manifest = Path::new("/p/redact/Cargo.toml");
        let artifact = |manifest: &str, file: &str| {
            format!(
                r#"{{"reason":"compiler-artifact","manifest_path":"{manifest}","filenames":["/t/a.rlib","{file}"]}}"#
            )
        };
        let own = artifact("/p/redact/Cargo.toml", "/t/redact.wasm");
        assert_eq!(wasm_file(&own, manifest), Some("/t/redact.wasm".into()));
        assert_eq!(wasm_file(&artifact("/p/sdk/Cargo.toml", "/t/redact.wasm"), manifest), None);
        assert_eq!(wasm_file(&artifact("/p/redact/Cargo.toml", "/t/libredact.so"), manifest), None);
        assert_eq!(wasm_file("Compiling redact", manifest), None);
    }
}
