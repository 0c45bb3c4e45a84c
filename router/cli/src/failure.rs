//! How a verb fails: what a person reads, and what a script sees.

use std::process::ExitCode;

/// The exit code of a verb that did not succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Nobody reads our output any more (`| head`): no failure.
    NobodyListens,
    Failed,
    Usage,
    TestsFailed,
    Unreachable,
    BadConfiguration,
}

/// Why a verb did not succeed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    /// The whole message; empty when everything has been said already.
    pub(crate) message: String,
}

impl Failure {
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self { exit: Exit::Failed, message: message.into() }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, message: message.into() }
    }

    /// After everything there is to say has been printed.
    pub(crate) fn silent(exit: Exit) -> Self {
        Self { exit, message: String::new() }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::NobodyListens => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::TestsFailed => 3,
            Exit::Unreachable => 69,
            Exit::BadConfiguration => 78,
        })
    }
}

/// Writing our answer failed.
impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            return Self::silent(Exit::NobodyListens);
        }
        Self::failed(format!("write to standard output: {error}"))
    }
}
