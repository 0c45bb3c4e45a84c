//! A project in JavaScript or TypeScript: npm installs what it names, and its own `build` makes the file.

use std::fs;
use std::path::Path;

use serde::Deserialize;

use super::{Built, answer, is_stale, tool};
use crate::failure::Failure;

const NODE_MEND: &str =
    "install Node.js 18 or later, as https://nodejs.org says, or `apt install nodejs npm`";
const NODE_MAJOR_MIN: u32 = 18;

#[derive(Deserialize)]
struct Package {
    name: Option<String>,
}

pub(super) fn build(project: &Path) -> Result<Built, Failure> {
    let version = answer(project, &["node", "--version"], NODE_MEND)?.unwrap_or_default();
    let major =
        version.trim_start_matches('v').split('.').next().and_then(|text| text.parse().ok());
    if major.is_none_or(|major: u32| major < NODE_MAJOR_MIN) {
        return Err(Failure::failed(format!("node {version} is too old: {NODE_MEND}")));
    }
    let manifest = project.join("package.json");
    let shown = manifest.display();
    let text = fs::read_to_string(&manifest)
        .map_err(|error| Failure::usage(format!("read {shown}: {error}")))?;
    let package: Package = serde_json::from_str(&text)
        .map_err(|error| Failure::failed(format!("{shown}: {error}")))?;
    let name = package.name.ok_or_else(|| Failure::failed(format!("{shown} has no `name`")))?;
    // npm writes this file at the end of an installation.
    if is_stale(&project.join("node_modules/.package-lock.json"), &manifest) {
        tool(project, &["npm", "install", "--no-fund", "--no-audit"], NODE_MEND)?;
    }
    tool(project, &["npm", "run", "--silent", "build"], NODE_MEND)?;
    let file = project.join(format!("{name}.wasm"));
    if !file.is_file() {
        return Err(Failure::failed(format!("`npm run build` made no {}", file.display())));
    }
    Ok(Built { name, file })
}
