//! `slipswitch export`: rules made over the interface, as files.

use std::io::Write as _;
use std::path::PathBuf;

use clap::Args;
use server::offline::{SentRule, write_rules};

use crate::client::{Address, Client, escaped};
use crate::failure::Failure;
use crate::output::{self, complain, count};
use crate::verbs::rule::made::Rule;

const EXAMPLES: &str = "\
Each rule is written as it was sent, byte for byte, into BUS/NAME.yaml below the folder. Where that is the folder a \
router reads, the files take the place of what was sent without a gap; `slipswitch rule rm` then tidies up.

Examples:
  slipswitch export rules
  slipswitch export --bus shop > shop.yaml";

/// Write the rules that were made over the interface into files
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The folder to write into; without it all rules go to standard output, as documents of one file
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Only the rules of this bus
    #[arg(long)]
    bus: Option<String>,
    /// Write over files that are there with something else in them
    #[arg(long, requires = "folder")]
    force: bool,
    #[command(flatten)]
    address: Address,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let client = Client::new(&arguments.address)?;
    let all: Vec<Rule> = client.get("/api/v1/rules", &[])?;
    let is_wanted =
        |rule: &Rule| rule.is_made() && arguments.bus.as_ref().is_none_or(|bus| rule.bus == *bus);
    let mut rules = Vec::new();
    for Rule { bus, name, .. } in all.into_iter().filter(is_wanted) {
        let path = format!("/api/v1/buses/{}/rules/{}", escaped(&bus), escaped(&name));
        let rule: Rule = client.get(&path, &[])?;
        // None: it has become a file's meanwhile.
        rules.extend(rule.text.map(|text| SentRule { bus, name, text }));
    }
    if rules.is_empty() {
        complain("no rule was made over the interface");
        return Ok(());
    }
    match &arguments.folder {
        Some(folder) => write(&rules, folder.clone(), arguments.force),
        None => Ok(print(&rules)?),
    }
}

fn print(rules: &[SentRule]) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    for (at, rule) in rules.iter().enumerate() {
        if 0 < at {
            out.write_all(b"---\n")?;
        }
        out.write_all(rule.text.as_bytes())?;
        if !rule.text.ends_with('\n') {
            out.write_all(b"\n")?;
        }
    }
    Ok(())
}

fn write(rules: &[SentRule], folder: PathBuf, is_forced: bool) -> Result<(), Failure> {
    let written = write_rules(rules, &folder, is_forced)
        .map_err(|error| Failure::failed(error.to_string()))?;
    for path in &written.files {
        output::line(&output::flat(&path.display().to_string()))?;
    }
    let (new, folder) = (count(written.files.len(), "rule"), folder.display());
    let same = match written.same {
        0 => String::new(),
        same => format!(", {same} there already"),
    };
    let names: Vec<String> = rules.iter().map(|it| format!("{}/{}", it.bus, it.name)).collect();
    complain(&output::flat(&format!("{new} written to {folder}{same}")));
    complain(&output::flat(&format!(
        "once the router reads them there, take back what was sent: slipswitch rule rm {}",
        names.join(" ")
    )));
    Ok(())
}
