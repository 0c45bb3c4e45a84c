//! `slipswitch dlq …`: what could not be delivered.

mod ls;
mod redrive;

use clap::{Args, Subcommand};

use crate::failure::Failure;

/// Look at dead letters, the deliveries that were given up, and send them again.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    Ls(ls::Arguments),
    Redrive(redrive::Arguments),
}

/// Which dead letters.
#[derive(Debug, Args)]
pub(crate) struct Filter {
    /// Only of events on this bus
    #[arg(long)]
    bus: Option<String>,
    /// Only of this rule
    #[arg(long, value_name = "NAME")]
    rule: Option<String>,
    /// Only of this target of a rule
    #[arg(long, value_name = "ID")]
    target: Option<String>,
}

impl Filter {
    fn set(&self) -> impl Iterator<Item = (&'static str, String)> {
        let all = [("bus", &self.bus), ("rule", &self.rule), ("target", &self.target)];
        all.map(|(name, value)| value.clone().map(|value| (name, value))).into_iter().flatten()
    }
}

pub(crate) fn run(verb: &Verb) -> Result<(), Failure> {
    match verb {
        Verb::Ls(arguments) => ls::run(arguments),
        Verb::Redrive(arguments) => redrive::run(arguments),
    }
}
