//! `slipswitch pattern …`: trying patterns out, without a router.

mod check;
mod explain;
mod r#match;

pub(in crate::verbs) use explain::text as given_text;

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use clap::Subcommand;

use crate::failure::Failure;

/// Try patterns out: are they right, what do they match, and why?
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    Check(check::Arguments),
    Match(r#match::Arguments),
    Explain(explain::Arguments),
}

pub(crate) fn run(verb: &Verb) -> Result<(), Failure> {
    match verb {
        Verb::Check(arguments) => check::run(arguments),
        Verb::Match(arguments) => r#match::run(arguments),
        Verb::Explain(arguments) => explain::run(arguments),
    }
}

/// A file, or standard input, under the name to call it by.
pub(crate) fn open(path: &Path) -> Result<(String, Box<dyn BufRead>), Failure> {
    if path == Path::new("-") {
        return Ok(("standard input".to_owned(), Box::new(io::stdin().lock())));
    }
    let shown = path.display().to_string();
    match File::open(path) {
        Ok(file) => Ok((shown, Box::new(BufReader::new(file)))),
        Err(error) => Err(Failure::failed(format!("open {shown}: {error}"))),
    }
}
