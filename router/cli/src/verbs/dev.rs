//! `slipswitch dev`: the router while rules and plugins are being written.

use clap::Args;
use server::Mode;

use crate::{failure::Failure, verbs::serve::Place};

const EXAMPLES: &str = "\
Examples:
  slipswitch dev  rules from ./rules, plugins from ./plugins, data in ./data
  slipswitch dev --rules my-rules --listen 127.0.0.1:0

In another terminal:
  curl -d '{\"source\": \"me\", \"detail-type\": \"Hello\", \"detail\": {}}' \\
      http://127.0.0.1:4587/events
  slipswitch status";

/// Run the router while writing rules; a broken rule file is shown, and the router waits for the mend.
///
/// The same as `serve`, except that it starts even when the rules are broken: with the rest of the world in place, it
/// shows what is wrong and takes the rules as soon as they are right.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    place: Place,
}

pub(crate) fn run(arguments: Arguments) -> Result<(), Failure> {
    arguments.place.run(Mode::Dev)
}
