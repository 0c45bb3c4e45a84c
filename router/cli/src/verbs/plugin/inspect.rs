//! `slipswitch plugin inspect`: what a file is, before a router takes it.

use std::path::PathBuf;

use clap::Args;
use server::offline::plugins::{Inspection, plugin_inspect};

use crate::failure::Failure;
use crate::output::{self, Output};

use super::failure;

const EXAMPLES: &str = "\
It is loaded as a router loads it: twice, without its compiled code and with it. What is wrong with the file is said in \
the router's own words, and the exit code is 78.

Examples:
  slipswitch plugin inspect plugins/redact.wasm
  slipswitch plugin inspect redact.wasm -o json | jq .config_schema";

/// Say what a plugin is: its role, what it asks for, its configuration, its size, what it costs to load.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The plugin, a .wasm file
    file: PathBuf,
    #[command(flatten)]
    output: Output,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let found = plugin_inspect(&arguments.file).map_err(|error| failure(&error))?;
    if arguments.output.format.is_data() {
        return Ok(output::data(arguments.output.format, &found)?);
    }
    let Inspection { compile_ms, load_ms, .. } = found;
    let kept = |is_pure| {
        if is_pure { "yes: instances are used again" } else { "no: instances are not used again" }
    };
    let imports = if found.imports.is_empty() {
        "nothing but the log".to_owned()
    } else {
        format!("{} (a rule grants it with `grant: [{0}]`)", found.imports.join(", "))
    };
    let size = u64::try_from(found.size_bytes).unwrap_or(u64::MAX);
    let lines = [
        ("plugin", format!("{} {}", found.name, found.version)),
        ("says", found.description),
        ("role", found.role.to_owned()),
        ("contract", found.contract.to_owned()),
        ("called", found.called.to_owned()),
        ("pure", kept(found.pure).to_owned()),
        ("asks for", imports),
        ("size", format!("{} ({size} bytes)", output::size(size))),
        ("digest", found.digest),
        ("compile", format!("{compile_ms} ms, once; {load_ms} ms at later starts")),
    ];
    for (name, value) in lines.iter().filter(|(_, value)| !value.is_empty()) {
        output::line(&format!("{name:<9} {}", output::flat(value)))?;
    }
    match found.config_schema {
        None => output::line("config    it publishes no schema")?,
        Some(schema) => {
            output::line("config")?;
            output::json(&schema)?;
        }
    }
    Ok(())
}
