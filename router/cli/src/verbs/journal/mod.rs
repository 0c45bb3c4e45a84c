//! `slipswitch journal …`: the journal of a router that does not run.

mod export;
mod info;
mod repair;
mod verify;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use server::offline::journal::{Data, JournalError};

use crate::failure::{Exit, Failure};

/// Verify, repair, list and export the journal of a stopped router.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    Verify(verify::Arguments),
    Repair(repair::Arguments),
    Info(info::Arguments),
    Export(export::Arguments),
}

pub(crate) fn run(verb: &Verb) -> Result<(), Failure> {
    match verb {
        Verb::Verify(arguments) => verify::run(arguments),
        Verb::Repair(arguments) => repair::run(arguments),
        Verb::Info(arguments) => info::run(arguments),
        Verb::Export(arguments) => export::run(arguments),
    }
}

/// Whose journal.
#[derive(Debug, Args)]
struct Place {
    /// The router's data folder; the router must not run [default: the configuration file's, else data]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The configuration file [default: slipswitch.yaml, if there is one]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Place {
    fn open(&self) -> Result<Data, Failure> {
        Data::open(self.data.as_deref(), self.config.as_deref()).map_err(failure)
    }
}

fn failure(error: JournalError) -> Failure {
    match error {
        JournalError::Config(message) => Failure::new(Exit::BadConfiguration, message),
        JournalError::Tool(error) => Failure::failed(error.to_string()).then_try(&["doctor"]),
        JournalError::Write(error) => error.into(),
        JournalError::Pattern(message) => Failure::usage(message),
    }
}
