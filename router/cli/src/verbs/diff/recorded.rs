//! Two folders over recorded events, without a router.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use serde_json::value::{RawValue, to_raw_value};
use server::offline::{DiffError, Folders, diff_folders};

use super::Arguments;
use crate::{
    failure::{Exit, Failure},
    input::pieces,
    progress::Progress,
};

pub(super) fn compare(
    arguments: &Arguments,
    against: &Path,
    events: &Path,
) -> Result<Box<RawValue>, Failure> {
    let (name, reader): (String, Box<dyn Read>) = if events.as_os_str() == "-" {
        ("standard input".to_owned(), Box::new(io::stdin().lock()))
    } else {
        let name = events.display().to_string();
        let file = File::open(events)
            .map_err(|error| Failure::usage(format!("--events: open {name}: {error}")))?;
        (name, Box::new(file))
    };
    let source = &arguments.source;
    let of = Folders {
        before: against,
        after: (source.rules.as_deref(), source.plugins.as_deref(), source.config.as_deref()),
        bus: arguments.bus.as_deref(),
        examples: arguments.examples,
    };
    // Who types the events has the screen.
    let _working = (events.as_os_str() != "-").then(|| Progress::begin("comparing"));
    let events = pieces(BufReader::new(reader)).map(|one| one.map_err(|error| error.to_string()));
    let report = diff_folders(&of, events).map_err(|error| match error {
        DiffError::Rules(message) => Failure::new(Exit::BadConfiguration, message),
        error @ DiffError::Event { .. } => Failure::usage(format!("{name}: {error}")),
    })?;
    to_raw_value(&report)
        .map_err(|error| Failure::failed(format!("the report cannot be written: {error}")))
}
