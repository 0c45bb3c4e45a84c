//! `slipswitch archive …`: chosen events, kept for long.

mod create;
mod ls;
mod rm;
mod show;
mod update;

use clap::Subcommand;

use crate::failure::Failure;

/// Keep chosen events for longer than the journal does, to replay them.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    Create(create::Arguments),
    Ls(ls::Arguments),
    Show(show::Arguments),
    Update(update::Arguments),
    Rm(rm::Arguments),
}

pub(crate) fn run(verb: &Verb) -> Result<(), Failure> {
    match verb {
        Verb::Create(arguments) => create::run(arguments),
        Verb::Ls(arguments) => ls::run(arguments),
        Verb::Show(arguments) => show::run(arguments),
        Verb::Update(arguments) => update::run(arguments),
        Verb::Rm(arguments) => rm::run(arguments),
    }
}
