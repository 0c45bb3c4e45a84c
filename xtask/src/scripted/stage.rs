//! A project's copy under `target/`, and what was done with it.
//!
//! # Invariants
//!
//! - The copy has the project's files as they are now and no others, except what tools put into folders of their own.
//! - What was done counts until any file of the project or of the SDK changes.

use std::collections::BTreeMap;
use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::{Language, ROLES};

/// Folders that tools make in a project. They are neither copied nor looked at.
const TOOLS: [&str; 6] = ["node_modules", ".slipswitch", ".venv", "__pycache__", "build", "dist"];
/// What installing depends on.
const LOCKS: [&str; 3] = ["package-lock.json", "requirements.txt", "pyproject.toml"];
/// What a template's files say instead of the plugin's name.
const PLACEHOLDER: &str = "{{name}}";

pub(super) struct Stage {
    folder: PathBuf,
    /// Of all files, the SDK's, too.
    files: u64,
    /// Of the files that tools are installed by.
    locks: u64,
}

impl Stage {
    /// Makes the copy of `project` anew, beside the SDK as a user's project has it. The files of a template's folder
    /// `role` take the place of its own.
    pub(super) fn new(
        root: &Path,
        language: &dyn Language,
        project: &Path,
        role: Option<&str>,
    ) -> anyhow::Result<Self> {
        let name = project.file_name().context("a project has a name")?;
        let folder = root.join(format!("target/plugins-{}", language.folder())).join(name);
        let mut wanted = BTreeMap::new();
        read(project, Path::new(""), &mut wanted)?;
        wanted.retain(|path, _| !ROLES.iter().flatten().any(|role| path.starts_with(role)));
        if let Some(role) = role {
            read(&project.join(role), Path::new(""), &mut wanted)?;
        }
        for part in ["wit", language.folder()] {
            read(
                &root.join("sdk").join(part),
                &Path::new(".slipswitch/sdk").join(part),
                &mut wanted,
            )?;
        }
        wanted.retain(|path, _| !is_of_the_sdk_alone(path));
        for bytes in wanted.values_mut() {
            if let Ok(text) = std::str::from_utf8(bytes)
                && text.contains(PLACEHOLDER)
            {
                *bytes = text.replace(PLACEHOLDER, "hello").into_bytes();
            }
        }
        let locks =
            hash(wanted.iter().filter(|(path, _)| LOCKS.iter().any(|lock| path.ends_with(lock))));
        let stage = Self { folder, files: hash(wanted.iter()), locks };
        stage.fill(&wanted).with_context(|| format!("write {}", stage.folder.display()))?;
        Ok(stage)
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn is_done(&self, what: &str) -> bool {
        self.recorded(what) == Some(self.files)
    }

    pub(super) fn done(&self, what: &str) -> anyhow::Result<()> {
        self.record(what, self.files)
    }

    pub(super) fn has_tools(&self) -> bool {
        self.recorded("installed") == Some(self.locks)
    }

    pub(super) fn has_tools_now(&self) -> anyhow::Result<()> {
        self.record("installed", self.locks)
    }

    /// Beside the copy: `hello.built` for `hello`.
    fn note(&self, what: &str) -> PathBuf {
        self.folder.with_extension(what)
    }

    fn recorded(&self, what: &str) -> Option<u64> {
        fs::read_to_string(self.note(what)).ok()?.trim().parse().ok()
    }

    fn record(&self, what: &str, hash: u64) -> anyhow::Result<()> {
        let file = self.note(what);
        fs::write(&file, format!("{hash}\n")).with_context(|| format!("write {}", file.display()))
    }

    fn fill(&self, wanted: &BTreeMap<PathBuf, Vec<u8>>) -> anyhow::Result<()> {
        let mut present = BTreeMap::new();
        for part in ["", ".slipswitch"] {
            let from = self.folder.join(part);
            if from.is_dir() {
                read(&from, Path::new(part), &mut present)?;
            }
        }
        for (path, _) in present.iter().filter(|(path, _)| !wanted.contains_key(*path)) {
            fs::remove_file(self.folder.join(path))?;
        }
        for (path, bytes) in wanted.iter().filter(|(path, bytes)| present.get(*path) != Some(bytes))
        {
            let file = self.folder.join(path);
            fs::create_dir_all(file.parent().context("a file is in a folder")?)?;
            fs::write(file, bytes)?;
        }
        Ok(())
    }
}

/// The files under `folder`, by their paths below it, put under `at`.
fn read(folder: &Path, at: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))? {
        let entry = entry?;
        let name = entry.file_name();
        let (from, to) = (entry.path(), at.join(&name));
        if entry.file_type()?.is_dir() {
            let is_tools = TOOLS.iter().any(|tools| name == *tools)
                || name.to_string_lossy().ends_with(".egg-info");
            if !is_tools {
                read(&from, &to, files)?;
            }
        } else if from.extension().is_none_or(|extension| extension != "wasm") {
            let bytes = fs::read(&from).with_context(|| format!("read {}", from.display()))?;
            files.insert(to, bytes);
        }
    }
    Ok(())
}

/// A template and the tests are no part of what a project carries.
fn is_of_the_sdk_alone(path: &Path) -> bool {
    let Ok(inside) = path.strip_prefix(".slipswitch/sdk") else { return false };
    ["template", "tests"].iter().any(|part| inside.iter().nth(1).is_some_and(|it| it == *part))
}

fn hash<'a>(files: impl Iterator<Item = (&'a PathBuf, &'a Vec<u8>)>) -> u64 {
    let mut hasher = DefaultHasher::new();
    for file in files {
        file.hash(&mut hasher);
    }
    hasher.finish()
}
