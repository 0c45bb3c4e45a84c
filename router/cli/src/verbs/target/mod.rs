//! `slipswitch target …`: stopping the deliveries to a target, and letting them go on.

mod ls;
mod pause;

use clap::Subcommand;

use crate::failure::Failure;

/// See how targets are, stop the deliveries to one, and let them go on.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    Ls(ls::Arguments),
    Pause(pause::Pause),
    Resume(pause::Resume),
    Enable(pause::Enable),
}

pub(crate) fn run(verb: &Verb) -> Result<(), Failure> {
    match verb {
        Verb::Ls(arguments) => ls::run(arguments),
        Verb::Pause(arguments) => pause::pause(arguments),
        Verb::Resume(arguments) => pause::resume(arguments),
        Verb::Enable(arguments) => pause::enable(arguments),
    }
}
