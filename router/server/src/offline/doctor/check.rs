//! What one look came to.

use serde::Serialize;

/// How it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    Ok,
    /// A router runs, and something should be known about it.
    Warning,
    /// A router does not start, refuses events, or is not what was meant.
    Problem,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    pub about: &'static str,
    pub state: State,
    pub found: String,
    /// What to do, unless all is well.
    pub mend: Option<String>,
}

impl Check {
    pub(super) fn ok(about: &'static str, found: impl Into<String>) -> Self {
        Self { about, state: State::Ok, found: found.into(), mend: None }
    }

    pub(super) fn warning(
        about: &'static str,
        found: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        Self { about, state: State::Warning, found: found.into(), mend: Some(mend.into()) }
    }

    pub(super) fn problem(
        about: &'static str,
        found: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        Self { about, state: State::Problem, found: found.into(), mend: Some(mend.into()) }
    }
}
