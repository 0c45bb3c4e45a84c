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
    pub(crate) next: Next,
}

/// What to try next, as far as the place of the failure knows more of it than the verb.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// What [`crate::next`] has for the verb and the exit code.
    OfVerb,
    /// The words after `slipswitch`.
    Try(Vec<String>),
    /// The same command, once what was said is mended.
    Again,
    /// The same command with these words more.
    AgainWith(&'static str),
    /// The help of the verb.
    Help,
    /// Nothing went wrong: the exit code is an answer.
    Nothing,
}

impl Failure {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), next: Next::OfVerb }
    }

    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::new(Exit::Failed, message)
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// After everything there is to say has been printed.
    pub(crate) fn silent(exit: Exit) -> Self {
        Self::new(exit, String::new())
    }

    /// No failure: the answer to what was asked is no, and the exit code says so.
    pub(crate) fn answer(exit: Exit) -> Self {
        Self { next: Next::Nothing, ..Self::silent(exit) }
    }

    pub(crate) fn then(self, next: Next) -> Self {
        Self { next, ..self }
    }

    /// With what to try next: the words after `slipswitch`.
    pub(crate) fn then_try(self, words: &[&str]) -> Self {
        let words = words.iter().map(|&word| word.to_owned()).collect();
        self.then(Next::Try(words))
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
            return Self::answer(Exit::NobodyListens);
        }
        Self::failed(format!("write to standard output: {error}"))
    }
}
