//! Builds and tests what is written in JavaScript and Python: the example plugins, and the SDKs' templates, which
//! every new plugin begins with.
//!
//! ```text
//! plugins/<name> + sdk/ ─▶ target/plugins-<language>/<name>   (a copy, as a user's project would be)
//!                             └▶ the language's own tools, installed there ─▶ tests, <name>.wasm ─▶ plugins/
//! ```
//!
//! # Invariants
//!
//! - Nothing is downloaded before a line on standard error says what and why; tools come in the versions that the
//!   lock files name, and stay under `target/`.
//! - What did not change since it was last built is not built again, and needs no tools.

mod javascript;
mod python;
mod stage;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

use crate::{plugins, print, run};
use stage::Stage;

/// A language that plugins are written in, and the tools for it.
trait Language {
    /// As one says it.
    fn name(&self) -> &'static str;
    /// Of the folder under `target/`, and of the SDK's under `sdk/`.
    fn folder(&self) -> &'static str;
    /// What a project of this language has in its folder.
    fn manifest(&self) -> &'static str;
    /// What the SDK's own tests are, besides the projects.
    fn test_sdk(&self, root: &Path) -> anyhow::Result<()>;
    /// Projects of the SDK's own, besides its template.
    fn more_projects(&self) -> &'static [&'static str];
    /// Makes the tools ready; says what is missing on this machine and the mend.
    fn install(&self, project: &Path) -> anyhow::Result<()>;
    fn test(&self, project: &Path) -> anyhow::Result<()>;
    /// The file that was built.
    fn build(&self, project: &Path) -> anyhow::Result<PathBuf>;
}

const LANGUAGES: [&dyn Language; 2] = [&javascript::JavaScript, &python::Python];

/// What a template is for: a transformer, or what its folder of that name makes of it.
const ROLES: [Option<&str>; 3] = [None, Some("_filter"), Some("_batch")];

/// Builds every plugin that changed and puts `plugins/<folder>.wasm` beside its folder.
pub(crate) fn build_all(root: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for language in LANGUAGES {
        for folder in folders(root, language)? {
            let file = folder.with_extension("wasm");
            let stage = Stage::new(root, language, &folder, None)?;
            if !(file.is_file() && stage.is_done("built")) {
                install(&stage, language)?;
                let built = language.build(stage.folder());
                let built = built.with_context(|| format!("build {}", folder.display()))?;
                plugins::put(&built, &file).with_context(|| format!("write {}", file.display()))?;
                stage.done("built")?;
            }
            files.push(file);
        }
    }
    Ok(files)
}

/// Runs the tests of the SDKs and of every project, and builds what a new plugin begins with.
pub(crate) fn test_all(root: &Path) -> anyhow::Result<()> {
    for language in LANGUAGES {
        let sdk = root.join("sdk").join(language.folder());
        language.test_sdk(root).with_context(|| format!("test {}", sdk.display()))?;
        let mut projects: Vec<(PathBuf, Option<&str>)> =
            folders(root, language)?.into_iter().map(|folder| (folder, None)).collect();
        projects.extend(ROLES.map(|role| (sdk.join("template"), role)));
        projects.extend(language.more_projects().iter().map(|name| (sdk.join(name), None)));
        for (project, role) in projects {
            let stage = Stage::new(root, language, &project, role)?;
            let note = format!("tested{}", role.unwrap_or_default());
            if stage.is_done(&note) {
                continue;
            }
            install(&stage, language)?;
            let tested = language.test(stage.folder());
            tested.with_context(|| format!("the tests of {} failed", project.display()))?;
            if project.ends_with("template") && role.is_none() {
                language.build(stage.folder()).context("build the template")?;
            }
            stage.done(&note)?;
        }
    }
    Ok(())
}

/// Runs the cases of every built plugin as `program plugin test` does.
pub(crate) fn judge_all(root: &Path, program: &Path) -> anyhow::Result<()> {
    for file in build_all(root)? {
        let mut command = Command::new(program);
        command.current_dir(root).args(["plugin", "test"]);
        run::run(command.arg(file.with_extension("")).arg("--file").arg(&file))?;
    }
    Ok(())
}

fn install(stage: &Stage, language: &dyn Language) -> anyhow::Result<()> {
    if stage.has_tools() {
        return Ok(());
    }
    let (name, folder) = (language.name(), stage.folder().display());
    print::complaint(&format!(
        "{name}'s tools for plugins are downloaded, about 50 MB, into {folder}:"
    ));
    language.install(stage.folder())?;
    stage.has_tools_now()
}

/// The projects of a language in `plugins/`, in the order of their names.
fn folders(root: &Path, language: &dyn Language) -> anyhow::Result<Vec<PathBuf>> {
    plugins::folders_with(root, language.manifest())
}
