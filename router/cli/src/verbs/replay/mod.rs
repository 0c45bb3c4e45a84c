//! `slipswitch replay …`: the past once more.

mod ls;
mod start;

use clap::Subcommand;

use crate::failure::Failure;

/// Send a span of the past again, and see how far it is.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    Start(start::Arguments),
    Ls(ls::Arguments),
}

pub(crate) fn run(verb: &Verb) -> Result<(), Failure> {
    match verb {
        Verb::Start(arguments) => start::run(arguments),
        Verb::Ls(arguments) => ls::run(arguments),
    }
}
