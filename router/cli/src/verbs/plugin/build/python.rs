//! A project in Python: a virtual environment of its own, with the SDK in it, whose `slipswitch-build` makes the file.

use std::fs;
use std::path::Path;

use super::{Built, answer, is_stale, tool};
use crate::failure::Failure;
use crate::kit;

const PYTHON_MEND: &str =
    "install Python 3.11 or later with venv, such as `apt install python3 python3-venv`";

const VERSION_MIN: (u32, u32) = (3, 11);

/// What the project wants installed, the SDK among it.
const REQUIREMENTS: &str = "requirements.txt";

pub(super) fn build(project: &Path) -> Result<Built, Failure> {
    let manifest = project.join("pyproject.toml");
    let shown = manifest.display();
    let text = fs::read_to_string(&manifest)
        .map_err(|error| Failure::usage(format!("read {shown}: {error}")))?;
    let name = name(&text)
        .ok_or_else(|| Failure::failed(format!("{shown} has no `name` in [project]")))?;
    let python = python(project)?;
    // Relative programs would be looked for from here, and not from the project.
    let whole = project.canonicalize().unwrap_or_else(|_| project.to_owned());
    let venv = whole.join(kit::FOLDER).join("venv").display().to_string();
    let mark = Path::new(&venv).join("slipswitch-installed");
    if made_with(Path::new(&venv)) != Some(python)
        || is_stale(&mark, &manifest)
        || is_stale(&mark, &project.join(REQUIREMENTS))
        || is_stale(&mark, &project.join(kit::FOLDER).join("sdk/VERSION"))
    {
        tool(project, &["python3", "-m", "venv", "--clear", &venv], PYTHON_MEND)?;
        let pip = format!("{venv}/bin/pip");
        let has_list = project.join(REQUIREMENTS).is_file();
        let sdk = format!("{}/sdk/python", kit::FOLDER);
        let what = if has_list { ["-r", REQUIREMENTS] } else { ["-e", &sdk] };
        let words =
            [&[&pip, "install", "--quiet", "--disable-pip-version-check"][..], &what].concat();
        tool(project, &words, PYTHON_MEND)?;
        fs::write(&mark, "")
            .map_err(|error| Failure::failed(format!("write {}: {error}", mark.display())))?;
    }
    let program = format!("{venv}/bin/slipswitch-build");
    tool(project, &[&program], PYTHON_MEND)?;
    let file = project.join(format!("{name}.wasm"));
    if !file.is_file() {
        return Err(Failure::failed(format!("slipswitch-build made no {}", file.display())));
    }
    Ok(Built { name, file })
}

/// The version of the machine's own.
fn python(project: &Path) -> Result<(u32, u32), Failure> {
    let ask = ["python3", "-c", "import sys; print('%d.%d' % sys.version_info[:2])"];
    let text = answer(project, &ask, PYTHON_MEND)?.unwrap_or_default();
    version(&text).filter(|version| VERSION_MIN <= *version).ok_or_else(|| {
        Failure::failed(format!(
            "python3 is {text}, and Python 3.11 is the oldest that will do: {PYTHON_MEND}"
        ))
    })
}

/// The version of the Python that a virtual environment was made with.
fn made_with(venv: &Path) -> Option<(u32, u32)> {
    let text = fs::read_to_string(venv.join("pyvenv.cfg")).ok()?;
    let mut pairs = text.lines().filter_map(|line| line.split_once('='));
    version(pairs.find(|(key, _)| key.trim() == "version")?.1.trim())
}

/// `3.11`, whatever follows.
fn version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// `name` of the section [project]. It is on a line of its own in every file that people or tools write.
fn name(text: &str) -> Option<String> {
    let mut lines = text.lines().map(str::trim).skip_while(|line| *line != "[project]").skip(1);
    let line = lines
        .by_ref()
        .take_while(|line| !line.starts_with('['))
        .find(|line| line.split_once('=').is_some_and(|(key, _)| key.trim() == "name"))?;
    let value = line.split_once('=')?.1.trim();
    let name = value.trim_matches(['"', '\'']);
    (!name.is_empty() && name.len() + 2 == value.len()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_that_of_the_project() {
        let text = "[tool.x]\nname = \"no\"\n[project]\nversion = \"1\"\nname = \"order-mail\"\n[tool.y]\nname = 'z'\n";
        assert_eq!(name(text).as_deref(), Some("order-mail"));
        assert_eq!(name("[project]\n[tool]\nname = \"x\"\n"), None);
    }
}
