//! What a plugin gives back: a body to send on, and attributes for the router.

use serde::Serialize;

use crate::Error;

/// One thing to send on: a body, and what the router should know about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    pub(crate) body: String,
    pub(crate) attributes: Vec<(String, String)>,
}

impl Output {
    /// A value as JSON.
    pub fn json<T: Serialize + ?Sized>(value: &T) -> Result<Self, Error> {
        Ok(Self::raw(serde_json::to_string(value)?))
    }

    /// JSON text that is already written. The router checks that it is JSON.
    pub fn raw(json: impl Into<String>) -> Self {
        Self { body: json.into(), attributes: Vec::new() }
    }

    /// Plain text: its content type is `text/plain; charset=utf-8`.
    pub fn text(text: impl Into<String>) -> Self {
        Self::raw(text).with_attribute("content-type", "text/plain; charset=utf-8")
    }

    /// The same output with one more attribute, such as `content-type`.
    #[must_use]
    pub fn with_attribute(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.attributes.push((name.into(), value.into()));
        self
    }

    pub fn body(&self) -> &str {
        &self.body
    }

    pub fn attributes(&self) -> &[(String, String)] {
        &self.attributes
    }
}

/// What a transformer may return.
#[diagnostic::on_unimplemented(
    message = "a transformer cannot return `{Self}`",
    note = "return `Output`, `Option<Output>` or `Vec<Output>`, alone or in a `Result<_, slipswitch_sdk::Error>`"
)]
pub trait Outputs {
    fn outputs(self) -> Result<Vec<Output>, Error>;
}

impl Outputs for Output {
    fn outputs(self) -> Result<Vec<Output>, Error> {
        Ok(vec![self])
    }
}

impl Outputs for Option<Output> {
    fn outputs(self) -> Result<Vec<Output>, Error> {
        Ok(self.into_iter().collect())
    }
}

impl Outputs for Vec<Output> {
    fn outputs(self) -> Result<Vec<Output>, Error> {
        Ok(self)
    }
}

impl<T: Outputs, E: Into<Error>> Outputs for Result<T, E> {
    fn outputs(self) -> Result<Vec<Output>, Error> {
        self.map_err(Into::into)?.outputs()
    }
}

/// What a filter may return.
#[diagnostic::on_unimplemented(
    message = "a filter cannot return `{Self}`",
    note = "return `bool`, alone or in a `Result<_, slipswitch_sdk::Error>`"
)]
pub trait Verdict {
    fn verdict(self) -> Result<bool, Error>;
}

impl Verdict for bool {
    fn verdict(self) -> Result<bool, Error> {
        Ok(self)
    }
}

impl<E: Into<Error>> Verdict for Result<bool, E> {
    fn verdict(self) -> Result<bool, Error> {
        self.map_err(Into::into)
    }
}
