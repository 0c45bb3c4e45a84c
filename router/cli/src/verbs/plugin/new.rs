//! `slipswitch plugin new` and `update-sdk`: a project that builds and passes its own test at once.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::failure::Failure;
use crate::kit::{self, Language, Role};
use crate::output;

const NAME_CHARS_MAX: usize = 64;

/// Names that cargo, npm or Python keep for themselves, or that would hide something of theirs.
const RESERVED: [&str; 87] = [
    "abstract",
    "alloc",
    "and",
    "as",
    "assert",
    "async",
    "await",
    "become",
    "box",
    "break",
    "buffer",
    "build",
    "class",
    "cluster",
    "config",
    "configure",
    "console",
    "const",
    "continue",
    "core",
    "crate",
    "crypto",
    "def",
    "default-greeting",
    "del",
    "deps",
    "describe",
    "do",
    "dyn",
    "else",
    "enum",
    "event",
    "events",
    "examples",
    "extern",
    "final",
    "fn",
    "for",
    "fs",
    "http",
    "if",
    "impl",
    "import",
    "in",
    "incremental",
    "is",
    "json",
    "keep",
    "lambda",
    "let",
    "loop",
    "macro",
    "main",
    "match",
    "mod",
    "move",
    "not",
    "or",
    "os",
    "output",
    "path",
    "plugin",
    "plugins",
    "process",
    "pub",
    "re",
    "ref",
    "self",
    "slipswitch",
    "static",
    "std",
    "stream",
    "struct",
    "super",
    "sys",
    "test",
    "tests",
    "trait",
    "transform",
    "transform-batch",
    "type",
    "unsafe",
    "use",
    "util",
    "where",
    "while",
    "yield",
];

const EXAMPLES: &str = "\
The SDK comes out of this binary and lies in the project, under .slipswitch/sdk: nothing of slipswitch is downloaded. \
After an upgrade, `slipswitch plugin update-sdk` brings the next one.

Examples:
  slipswitch plugin new order-mail --lang rust
  slipswitch plugin new only-large --lang rust --role filter
  slipswitch plugin new order-mail --lang js && cd order-mail \\
      && slipswitch plugin build && slipswitch plugin test";

/// Write a new plugin's project, which builds and passes its own test.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// What rules call it: lower-case letters, digits and `-`; also the folder that is made here
    name: String,
    /// The language it is written in
    #[arg(long)]
    lang: Language,
    /// What it does with an event
    #[arg(long, default_value = "transformer")]
    role: Role,
}

/// Put this binary's SDK into a project, in the place of the one it has.
#[derive(Debug, Args)]
pub(crate) struct UpdateArguments {
    /// The project
    #[arg(value_name = "DIR", default_value = ".")]
    project: PathBuf,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let Arguments { name, lang, role } = arguments;
    check_name(name)?;
    let project = Path::new(name);
    if project.symlink_metadata().is_ok() {
        return Err(Failure::usage(format!(
            "{name} is there already: nothing was written; choose another name, or another folder to do it in"
        )));
    }
    let Some(files) = kit::template(*lang, *role) else {
        let lang = lang.name();
        return Err(Failure::usage(format!(
            "there is no template of this role in {lang}: write it as a transformer, or in rust"
        )));
    };
    kit::write_project(project, name, *lang, &files)
        .map_err(|error| Failure::failed(format!("write {name}: {error}")))?;
    output::line(&format!("{name}: a project in {}", lang.name()))?;
    output::complain(&format!(
        "next:\n  cd {name}\n  slipswitch plugin build\n  slipswitch plugin test"
    ));
    Ok(())
}

pub(crate) fn update(arguments: &UpdateArguments) -> Result<(), Failure> {
    let project = &arguments.project;
    let shown = project.display();
    let Some(language) = Language::of(project) else {
        return Err(Failure::usage(format!(
            "{shown} is no plugin's project: there is neither Cargo.toml nor package.json nor pyproject.toml"
        )));
    };
    kit::write_sdk(project, language)
        .map_err(|error| Failure::failed(format!("write the SDK into {shown}: {error}")))?;
    let version = env!("CARGO_PKG_VERSION");
    Ok(output::line(&format!(
        "{shown}: has the SDK of slipswitch {version}; build and test it again"
    ))?)
}

fn check_name(name: &str) -> Result<(), Failure> {
    let refuse =
        |why: &str| Err(Failure::usage(format!("`{name}` is no name for a plugin: {why}")));
    if name.is_empty() || name.len() > NAME_CHARS_MAX {
        return refuse(&format!("use 1 to {NAME_CHARS_MAX} characters"));
    }
    if !name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    {
        return refuse(
            "use lower-case letters, digits and `-`, which cargo, npm and Python all take",
        );
    }
    if !name.starts_with(|first: char| first.is_ascii_lowercase()) || name.ends_with('-') {
        return refuse("begin with a letter, and do not end with `-`");
    }
    if RESERVED.contains(&name) {
        return refuse(&format!(
            "a language or its tools keep it for themselves; `my-{name}` would do"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_that_every_language_takes() {
        for good in ["a", "order-mail", "to-utf8"] {
            assert_eq!(check_name(good), Ok(()));
        }
        for bad in [
            "",
            "Order",
            "1st",
            "-a",
            "a-",
            "a_b",
            "a b",
            "../a",
            "a.b",
            "test",
            "fn",
            "é",
            &"a".repeat(65),
        ] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
        assert!(RESERVED.is_sorted(), "so that one is found and added easily");
    }
}
