//! `slipswitch man`: the manual, made of the same description as the command line itself.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, Command, CommandFactory as _};
use clap_mangen::Man;

use crate::failure::Failure;
use crate::output::{self, count};

const EXAMPLES: &str = "\
Without a folder the page of a verb, or the first page, goes to standard output.

Examples:
  slipswitch man | man -l -
  slipswitch man dlq redrive | man -l -
  slipswitch man --out ~/.local/share/man/man1 && man slipswitch-dlq-redrive";

/// Print a page of the manual, or write all of them into a folder.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Of this verb [default: of slipswitch itself]
    verb: Vec<String>,
    /// Write every page into this folder, which is made if it is not there
    #[arg(long, value_name = "DIR", conflicts_with = "verb")]
    out: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut root = crate::Arguments::command().disable_help_subcommand(true);
    root.build();
    let Some(folder) = &arguments.out else {
        let page = page(find(&root, &arguments.verb)?)?;
        return Ok(std::io::stdout().lock().write_all(&page)?);
    };
    let shown = folder.display();
    fs::create_dir_all(folder)
        .map_err(|error| Failure::failed(format!("make the folder {shown}: {error}")))?;
    let written = write(&root, folder)?;
    Ok(output::line(&format!("{} in {shown}", count(written, "page")))?)
}

/// The command of these words.
fn find<'a>(root: &'a Command, words: &[String]) -> Result<&'a Command, Failure> {
    words.iter().try_fold(root, |command, word| {
        command.find_subcommand(word).ok_or_else(|| {
            let known: Vec<&str> = command.get_subcommands().map(Command::get_name).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            Failure::usage(format!(
                "`{}` has no verb `{word}`; it has: {known}",
                command.get_bin_name().unwrap_or("slipswitch")
            ))
        })
    })
}

fn page(command: &Command) -> Result<Vec<u8>, Failure> {
    let mut page = Vec::new();
    Man::new(command.clone()).render(&mut page)?;
    Ok(page)
}

/// The page of this command and of all below it; how many they are.
fn write(command: &Command, folder: &Path) -> Result<usize, Failure> {
    // As one calls it, with hyphens.
    let name = command.get_display_name().unwrap_or_else(|| command.get_name());
    let path = folder.join(name).with_added_extension("1");
    fs::write(&path, page(command)?)
        .map_err(|error| Failure::failed(format!("write {}: {error}", path.display())))?;
    command.get_subcommands().try_fold(1, |written, below| Ok(written + write(below, folder)?))
}
