//! `slipswitch connection …`: how requests to targets prove who sends them.

mod ls;

use clap::Subcommand;

use crate::failure::Failure;

/// See the connections of the configuration: who uses them, and whether targets take them.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    Ls(ls::Arguments),
}

pub(crate) fn run(verb: &Verb) -> Result<(), Failure> {
    match verb {
        Verb::Ls(arguments) => ls::run(arguments),
    }
}
