//! `slipswitch serve`: the router, for good.

use std::path::PathBuf;

use clap::Args;
use server::{Mode, RunError, ServeOptions};

use crate::{
    failure::{Exit, Failure, Next},
    source::Source,
};

const EXAMPLES: &str = "\
When it is ready it prints one line on standard output, `slipswitch VERSION listening on http://ADDRESS …`; \
everything else is its log, on standard error. SIGTERM or Ctrl-C ends it: it stops accepting, finishes the \
deliveries in flight, and what is left is taken up at the next start.

Examples:
  slipswitch serve --rules rules --plugins plugins --data /var/lib/slipswitch
  slipswitch serve --config /etc/slipswitch.yaml --listen 0.0.0.0:4587";

/// Run the router; a broken rule file stops it from starting.
///
/// Rule files and plugins are watched while it runs. A change that does not compile, or fails its own tests, is
/// reported and does not replace the rules that run.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) place: Place,
}

/// Where a router has its things.
#[derive(Debug, Args)]
pub(crate) struct Place {
    #[command(flatten)]
    source: Source,
    /// The folder of the journal and the state; one router at a time [default: the configuration file's, else data]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Address and port to listen on; port 0 takes a free one [default: the configuration file's, else 127.0.0.1:4587]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
}

pub(crate) fn run(arguments: Arguments) -> Result<(), Failure> {
    arguments.place.run(Mode::Serve)
}

impl Place {
    pub(crate) fn run(self, mode: Mode) -> Result<(), Failure> {
        let listen = self.listen.clone();
        let options = ServeOptions {
            mode,
            rules: self.source.rules,
            plugins: self.source.plugins,
            data: self.data,
            listen: self.listen,
            config: self.source.config,
        };
        server::run(options).map_err(|error| {
            let exit = if error.exit_code() == 78 { Exit::BadConfiguration } else { Exit::Failed };
            Failure::new(exit, error.to_string()).then(next(&error, listen.as_deref()))
        })
    }
}

/// What is broken is checked, what is in the way is looked at.
fn next(error: &RunError, listen: Option<&str>) -> Next {
    let words: &[&str] = match (error, listen) {
        (RunError::Config(_) | RunError::Rules { .. }, _) => return Next::OfVerb,
        (RunError::Interrupted, _) => return Next::Again,
        (RunError::Address(_), Some(_)) => return Next::Help,
        (RunError::Listen(_), Some(address)) => &["doctor", "--url", &format!("http://{address}")],
        _ => &["doctor"],
    };
    Next::Try(words.iter().map(|&word| word.to_owned()).collect())
}
