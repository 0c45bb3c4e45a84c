//! The SDKs and templates that this binary carries, and how a project gets them.
//!
//! ```text
//! sdk/<lang>/template/**            a project; `{{name}}` and `{{ident}}` in its texts become its name
//! sdk/<lang>/template/_<role>/**    what is otherwise for that role: its files take the place of those above
//! sdk/<part>/**                     goes to <project>/.slipswitch/sdk/<part>/**
//! ```
//!
//! # Invariants
//!
//! - A project that was written is complete: it is written beside its place and then renamed.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use clap::ValueEnum;

static FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/sdk.rs"));

/// Where a project has its copy, and what else the tools keep.
pub(crate) const FOLDER: &str = ".slipswitch";

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Language {
    Rust,
    Js,
    Python,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// An event becomes none, one or several
    Transformer,
    /// An event goes on or does not
    Filter,
    /// A transformer that sees several events at once
    Batch,
}

impl Language {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::Js => "js",
            Self::Python => "python",
        }
    }

    /// The parts of the SDK that a project needs.
    fn parts(self) -> &'static [&'static str] {
        match self {
            Self::Rust => &["rust", "macros", "wit"],
            Self::Js => &["js", "wit"],
            Self::Python => &["python", "wit"],
        }
    }

    /// The language of a project, by its files.
    pub(crate) fn of(project: &Path) -> Option<Self> {
        let has = |name: &str| project.join(name).is_file();
        if has("Cargo.toml") {
            Some(Self::Rust)
        } else if has("package.json") {
            Some(Self::Js)
        } else if has("pyproject.toml") {
            Some(Self::Python)
        } else {
            None
        }
    }
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Self::Transformer => "transformer",
            Self::Filter => "filter",
            Self::Batch => "batch",
        }
    }
}

/// The files of a template by their path in the project; none when there is no such template.
pub(crate) fn template(language: Language, role: Role) -> Option<BTreeMap<String, &'static [u8]>> {
    let folder = format!("{}/template/", language.name());
    let own = format!("_{}/", role.name());
    let mut files = BTreeMap::new();
    let mut has_own = role == Role::Transformer;
    let of_template =
        FILES.iter().filter_map(|(path, bytes)| Some((path.strip_prefix(&folder)?, *bytes)));
    for (path, bytes) in of_template.clone().filter(|(path, _)| !path.starts_with('_')) {
        files.insert(path.to_owned(), bytes);
    }
    for (path, bytes) in of_template {
        if let Some(path) = path.strip_prefix(&own) {
            has_own = true;
            files.insert(path.to_owned(), bytes);
        }
    }
    (has_own && !files.is_empty()).then_some(files)
}

/// Writes a new project.
pub(crate) fn write_project(
    project: &Path,
    name: &str,
    language: Language,
    files: &BTreeMap<String, &'static [u8]>,
) -> io::Result<()> {
    let aside = project.with_file_name(format!(".{name}.new.{}", std::process::id()));
    let written = write_files(&aside, name, files).and_then(|()| write_sdk(&aside, language));
    let placed = written.and_then(|()| fs::rename(&aside, project));
    if placed.is_err() {
        // What is left is ours, and the first error says more than a second.
        fs::remove_dir_all(&aside).unwrap_or(());
    }
    placed
}

fn write_files(
    project: &Path,
    name: &str,
    files: &BTreeMap<String, &'static [u8]>,
) -> io::Result<()> {
    for (path, bytes) in files {
        let ident = name.replace('-', "_");
        let filled = |text: &str| text.replace("{{name}}", name).replace("{{ident}}", &ident);
        let bytes = std::str::from_utf8(bytes).map_or(bytes.to_vec(), |text| filled(text).into());
        write(&project.join(path), &bytes)?;
    }
    Ok(())
}

/// Puts this binary's SDK into a project, in the place of the one it has.
pub(crate) fn write_sdk(project: &Path, language: Language) -> io::Result<()> {
    let sdk = project.join(FOLDER).join("sdk");
    let aside = project.join(FOLDER).join(format!("sdk.new.{}", std::process::id()));
    for part in language.parts() {
        let folder = format!("{part}/");
        for (path, bytes) in FILES.iter().filter(|(path, _)| path.starts_with(&folder)) {
            if !path.starts_with(&format!("{part}/template/")) {
                write(&aside.join(path), bytes)?;
            }
        }
    }
    write(&aside.join("VERSION"), concat!(env!("CARGO_PKG_VERSION"), "\n").as_bytes())?;
    if sdk.exists() {
        fs::remove_dir_all(&sdk)?;
    }
    fs::rename(aside, sdk)
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rust_has_a_template_of_each_role_and_none_has_what_is_otherwise_in_it() {
        for role in [Role::Transformer, Role::Filter, Role::Batch] {
            let files = template(Language::Rust, role).unwrap_or_else(|| panic!("{role:?}"));
            let config = ".cargo/config.toml";
            for name in ["Cargo.toml", "src/lib.rs", "README.md", ".gitignore", config] {
                assert!(files.contains_key(name), "{role:?}: {name}");
            }
            assert!(files.keys().all(|path| !path.starts_with('_')), "{:?}", files.keys());
            assert!(files.keys().any(|path| path.starts_with("tests/")), "{role:?}");
        }
    }

    #[test]
    fn no_template_in_rust_has_a_function_that_a_plugin_could_be_called_like() {
        for role in [Role::Transformer, Role::Filter, Role::Batch] {
            let files = template(Language::Rust, role).unwrap();
            let text = std::str::from_utf8(files["src/lib.rs"]).unwrap();
            let free = text.lines().map(|line| line.strip_prefix("pub ").unwrap_or(line));
            let free: Vec<&str> = free.filter(|line| line.starts_with("fn ")).collect();
            assert_eq!(free.len(), 1, "{free:?}");
            assert!(free[0].starts_with("fn {{ident}}("), "{free:?}");
        }
    }

    #[test]
    fn nothing_of_tools_is_carried_along() {
        for (path, _) in FILES {
            for left in ["node_modules/", "target/", "__pycache__", "rust/tests/"] {
                assert!(!path.contains(left), "{path}");
            }
        }
        assert!(FILES.iter().any(|(path, _)| *path == "wit/plugin.wit"));
    }
}
