//! `slipswitch pattern check`: is this pattern right?

use std::io::Read as _;
use std::path::PathBuf;

use clap::Args;

use crate::failure::{Exit, Failure};
use crate::output;
use crate::verbs::pattern::open;

/// Far beyond any pattern.
const PATTERN_BYTES_MAX: u64 = 16 << 20;

const EXAMPLES: &str = "\
Examples:
  slipswitch pattern check pattern.json
  slipswitch pattern check --pattern '{\"source\": [{\"prefix\": \"com.shopvn.\"}]}'
  echo '{\"source\": [\"a\"]}' | slipswitch pattern check -";

/// Say whether a pattern is right; if not, where it is wrong and what to write instead.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// File of one pattern, as JSON, or the pattern itself; `-` is standard input
    #[arg(value_name = "FILE", required_unless_present = "pattern", conflicts_with = "pattern")]
    file: Option<PathBuf>,
    /// The pattern itself
    #[arg(long, value_name = "JSON")]
    pattern: Option<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let (name, text) = read(arguments)?;
    match server::offline::pattern_check(&text) {
        Ok(()) => Ok(output::line("the pattern is right")?),
        Err(mut problem) => {
            problem.path = name;
            output::complain(&problem.render(&text, output::has_color()));
            Err(Failure::silent(Exit::Failed))
        }
    }
}

fn read(arguments: &Arguments) -> Result<(String, String), Failure> {
    let Some(path) = &arguments.file else {
        return Ok(("pattern".to_owned(), arguments.pattern.clone().unwrap_or_default()));
    };
    // Whoever forgets `--pattern` means the pattern itself.
    if let Some(pattern) = path.to_str().filter(|text| text.trim_start().starts_with('{')) {
        return Ok(("pattern".to_owned(), pattern.to_owned()));
    }
    let (name, reader) = open(path)?;
    let mut text = String::new();
    reader
        .take(PATTERN_BYTES_MAX)
        .read_to_string(&mut text)
        .map_err(|error| Failure::failed(format!("read {name}: {error}")))?;
    Ok((name, text))
}
