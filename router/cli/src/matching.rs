//! `--pattern`: which events, by what is in them; the same wherever events are chosen.

use clap::Args;

use crate::{failure::Failure, verbs::dlq::filter::read};

/// Which events, by what is in them.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Matching {
    /// Only events that this pattern matches: JSON, or @FILE
    #[arg(long, value_name = "JSON|@FILE")]
    pattern: Option<String>,
}

impl Matching {
    /// The pattern's text. Its mistakes are for who reads it.
    pub(crate) fn text(&self) -> Result<Option<String>, Failure> {
        self.pattern.as_deref().map(read).transpose()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.pattern.is_none()
    }
}
