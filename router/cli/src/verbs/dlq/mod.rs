//! `slipswitch dlq …`: what could not be delivered.

mod count;
mod export;
pub(crate) mod filter;
mod ls;
mod purge;
mod redrive;
mod show;

use clap::Subcommand;

use crate::failure::Failure;

/// Look at dead letters, the deliveries that were given up, and send them again.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    Ls(ls::Arguments),
    Show(show::Arguments),
    Count(count::Arguments),
    Redrive(redrive::Arguments),
    Export(export::Arguments),
    Purge(purge::Arguments),
}

pub(crate) fn run(verb: &Verb) -> Result<(), Failure> {
    match verb {
        Verb::Ls(arguments) => ls::run(arguments),
        Verb::Show(arguments) => show::run(arguments),
        Verb::Count(arguments) => count::run(arguments),
        Verb::Redrive(arguments) => redrive::run(arguments),
        Verb::Export(arguments) => export::run(arguments),
        Verb::Purge(arguments) => purge::run(arguments),
    }
}
