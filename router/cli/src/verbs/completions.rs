//! `slipswitch completions`: what a shell needs to complete our verbs and options.

use std::io::Write as _;

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use crate::failure::Failure;

const EXAMPLES: &str = "\
Made of the same description as the command line itself, so it is never behind.

Examples:
  slipswitch completions bash \\
      > ~/.local/share/bash-completion/completions/slipswitch
  slipswitch completions zsh > ~/.zfunc/_slipswitch
  slipswitch completions fish > ~/.config/fish/completions/slipswitch.fish";

/// Print what a shell needs to complete verbs and options.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    shell: Shell,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut script = Vec::new();
    let mut command = crate::Arguments::command();
    clap_complete::generate(arguments.shell, &mut command, "slipswitch", &mut script);
    Ok(std::io::stdout().lock().write_all(&script)?)
}
