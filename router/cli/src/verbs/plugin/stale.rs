//! Whether a built plugin is what its project would build now.
//!
//! # Invariants
//!
//! - Only a file that lies in its project, beside the manifest, is judged: of another nobody knows what it was built of.
//! - No tool runs for it, and it ends: a look at so many files at most.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::kit::Language;

/// Never what a plugin is made of: its cases, and what tools make or fetch. Nor is a folder whose name begins with a dot.
const NO_SOURCES: [&str; 6] = ["tests", "target", "node_modules", "dist", "venv", "__pycache__"];
const MANIFESTS: [&str; 3] = ["Cargo.toml", "package.json", "pyproject.toml"];
const ENDINGS: [&str; 6] = ["rs", "js", "mjs", "cjs", "ts", "py"];
/// Looked at in one project, folders included.
const LOOKS_MAX: usize = 10_000;

/// That a source changed after the file was built, and what to do; none when none did.
pub(super) fn stale(file: &Path) -> Option<String> {
    let folder = file.parent()?;
    let project = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    Language::of(project)?;
    let built = modified(file)?;
    let source = newest(project).filter(|(at, _)| built < *at)?.1;
    let source = source.strip_prefix(project).unwrap_or(&source).display();
    let build = match folder.as_os_str().is_empty() || folder == Path::new(".") {
        true => "slipswitch plugin build".to_owned(),
        false => format!("slipswitch plugin build {}", folder.display()),
    };
    let file = file.display();
    Some(format!(
        "the sources are newer than {file} ({source} changed after it was built): run `{build}`"
    ))
}

/// The source that changed last.
fn newest(project: &Path) -> Option<(SystemTime, PathBuf)> {
    let mut newest = None;
    let (mut folders, mut looks) = (vec![(project.to_owned(), false)], 0);
    while let Some((folder, in_src)) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok) {
            looks += 1;
            if LOOKS_MAX < looks {
                return newest;
            }
            let (path, name) = (entry.path(), entry.file_name());
            let name = name.to_string_lossy();
            if name.starts_with('.') {
                continue;
            }
            // A link is not followed: it may lead round.
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if is_folder && (in_src || !NO_SOURCES.contains(&&*name)) {
                folders.push((path, in_src || name == "src"));
            } else if !is_folder && (in_src || is_source(&path, &name)) {
                newest = newest.max(modified(&path).map(|at| (at, path)));
            }
        }
    }
    newest
}

fn is_source(path: &Path, name: &str) -> bool {
    let ending = path.extension().unwrap_or_default();
    MANIFESTS.contains(&name) || ENDINGS.iter().any(|one| ending == *one)
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).ok().filter(fs::Metadata::is_file)?.modified().ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_source_that_changed_after_the_build_makes_it_stale_and_nothing_else_does() {
        let dir = tempfile::tempdir().unwrap();
        let project = dir.path();
        let wasm = project.join("p.wasm");
        let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let touch = |name: &str, seconds: u64| {
            let path = project.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let file = fs::File::create(path).unwrap();
            file.set_modified(start + Duration::from_secs(seconds)).unwrap();
        };
        touch("p.wasm", 10);
        touch("src/deep/tests/a.txt", 20);
        assert_eq!(stale(&wasm), None, "there is no project");

        for manifest in MANIFESTS {
            touch(manifest, 10);
            assert!(stale(&wasm).unwrap().contains("(src/deep/tests/a.txt changed"));
            fs::remove_file(project.join(manifest)).unwrap();
        }
        touch("src/deep/tests/a.txt", 10);
        touch("Cargo.toml", 10);
        for name in ["tests/cases.json", "tests/a.rs", "target/a.rs", "node_modules/a/b.js"] {
            touch(name, 20);
        }
        for name in ["README.md", "rule.yaml", "Cargo.lock", ".slipswitch/sdk/a.rs", ".a.rs"] {
            touch(name, 20);
        }
        assert_eq!(stale(&wasm), None);
        for name in ["Cargo.toml", "plugin.py", "part/a.py", "index.ts", "src/words.txt"] {
            touch(name, 20);
            let words = stale(&wasm).unwrap_or_else(|| panic!("{name}"));
            let shown = format!("{} ({name} changed after it was built)", wasm.display());
            assert!(words.contains(&shown), "{words}");
            assert!(
                words.ends_with(&format!("`slipswitch plugin build {}`", project.display())),
                "{words}"
            );
            touch(name, 0);
        }
    }
}
