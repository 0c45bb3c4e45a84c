//! `slipswitch schema`: the JSON Schemas of what people write, for editors.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use crate::failure::Failure;
use crate::output;

const RULE: &str = include_str!("../../../../docs/schema/rule.json");
const CONFIG: &str = include_str!("../../../../docs/schema/config.json");

const EXAMPLES: &str = "\
Editors with the YAML language server complete and check a file that begins with

  # yaml-language-server: $schema=rule.json

Examples:
  slipswitch schema rule --output rules/rule.json
  slipswitch schema config > config.json";

/// Print the JSON Schema of rule files or of the configuration
#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub(crate) enum Verb {
    /// The schema of a rule file
    Rule(Arguments),
    /// The schema of slipswitch.yaml
    Config(Arguments),
}

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Write it to this file
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(crate) fn run(verb: &Verb) -> Result<(), Failure> {
    let (schema, Arguments { output }) = match verb {
        Verb::Rule(arguments) => (RULE, arguments),
        Verb::Config(arguments) => (CONFIG, arguments),
    };
    match output {
        Some(path) => write(path, schema),
        None => Ok(output::line(schema.trim_end())?),
    }
}

fn write(path: &Path, schema: &str) -> Result<(), Failure> {
    std::fs::write(path, schema).map_err(|error| {
        Failure::failed(format!(
            "write {}: {error}; name a file that can be written",
            path.display()
        ))
    })
}
