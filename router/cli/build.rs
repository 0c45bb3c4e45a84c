//! Puts the SDKs and their templates into the binary: `plugin new` works on a machine that has nothing but `slipswitch`.
//!
//! # Not here
//!
//! - What tools leave lying in those folders (`node_modules`, `target`, caches), and the SDKs' own tests.

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

const LEFT_OUT: [&str; 7] =
    ["node_modules", "target", "__pycache__", "dist", "build", "venv", "fuzz"];

fn main() -> Result<(), Box<dyn Error>> {
    let here = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let sdk = here.join("../../sdk").canonicalize()?;
    println!("cargo::rerun-if-changed={}", sdk.display());
    let mut files = Vec::new();
    gather(&sdk, &mut files)?;
    files.sort();
    let mut text = String::from("&[\n");
    for file in files {
        let name =
            file.strip_prefix(&sdk)?.to_str().ok_or("a file of the SDK has no name in UTF-8")?;
        writeln!(text, "    ({name:?}, include_bytes!({:?})),", file.display().to_string())?;
    }
    text.push(']');
    fs::write(Path::new(&env::var("OUT_DIR")?).join("sdk.rs"), text)?;
    Ok(())
}

fn gather(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            // The tests of an SDK are beside its sources; those of a template belong to it.
            let is_own_tests =
                name == "tests" && folder.parent().is_some_and(|up| up.ends_with("sdk"));
            let is_hidden = name.starts_with('.') && name != ".cargo";
            if !is_own_tests && !is_hidden && !LEFT_OUT.contains(&name.as_str()) {
                gather(&path, files)?;
            }
        } else if path.is_file() {
            files.push(path);
        }
    }
    Ok(())
}
