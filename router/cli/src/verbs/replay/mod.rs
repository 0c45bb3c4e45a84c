//! `slipswitch replay …`: the past once more.

mod control;
mod ls;
mod show;
mod start;

use clap::Subcommand;

use crate::failure::Failure;

/// Send a span of the past again, see how far it is, and stop it.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    Start(start::Arguments),
    Ls(ls::Arguments),
    Show(show::Arguments),
    /// Let a replay start nothing more until it is resumed
    Pause(control::Arguments),
    /// Let a paused replay go on
    Resume(control::Arguments),
    /// End a replay where it is
    Cancel(control::Arguments),
    /// Forget a replay that has ended; its dead letters stay
    Rm(control::Arguments),
}

pub(crate) fn run(verb: &Verb) -> Result<(), Failure> {
    match verb {
        Verb::Start(arguments) => start::run(arguments),
        Verb::Ls(arguments) => ls::run(arguments),
        Verb::Show(arguments) => show::run(arguments),
        Verb::Pause(arguments) => control::run(arguments, "pause"),
        Verb::Resume(arguments) => control::run(arguments, "resume"),
        Verb::Cancel(arguments) => control::run(arguments, "cancel"),
        Verb::Rm(arguments) => control::remove(arguments),
    }
}
