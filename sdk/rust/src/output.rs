//! What a plugin gives back: a body to send on, and attributes for the router.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::slice;

use serde::Serialize;

use crate::Error;

/// One thing to send on: a body, and what the router should know about it.
#[derive(Debug, Clone)]
pub struct Output {
    body: Cow<'static, str>,
    attributes: Attributes,
}

/// A name and a value.
type Attribute = (Cow<'static, str>, Cow<'static, str>);

/// Most outputs have none or one, which then costs no allocation.
#[derive(Debug, Clone)]
enum Attributes {
    None,
    One(Attribute),
    More(Vec<Attribute>),
}

impl Output {
    /// A value as JSON.
    pub fn json<T: Serialize + ?Sized>(value: &T) -> Result<Self, Error> {
        Ok(Self::raw(serde_json::to_string(value)?))
    }

    /// JSON text that is already written. The router checks that it is JSON.
    pub fn raw(json: impl Into<String>) -> Self {
        Self { body: Cow::Owned(json.into()), attributes: Attributes::None }
    }

    /// JSON text that is always the same: handed over as it stands in the program, without a copy.
    pub fn fixed(json: &'static str) -> Self {
        Self { body: Cow::Borrowed(json), attributes: Attributes::None }
    }

    /// Plain text: its content type is `text/plain; charset=utf-8`.
    pub fn text(text: impl Into<String>) -> Self {
        let content_type = ("content-type".into(), "text/plain; charset=utf-8".into());
        Self { body: Cow::Owned(text.into()), attributes: Attributes::One(content_type) }
    }

    /// The same output with one more attribute. `content-type`, `source`, `detail-type` and `ordering-key` mean
    /// something to the router; others are passed on to the next step. Of several with one name the last one counts.
    #[must_use]
    pub fn with_attribute(
        mut self,
        name: impl Into<Cow<'static, str>>,
        value: impl Into<String>,
    ) -> Self {
        let attribute = (name.into(), Cow::Owned(value.into()));
        self.attributes = match self.attributes {
            Attributes::None => Attributes::One(attribute),
            Attributes::One(first) => Attributes::More(alloc::vec![first, attribute]),
            Attributes::More(mut attributes) => {
                attributes.push(attribute);
                Attributes::More(attributes)
            }
        };
        self
    }

    pub fn body(&self) -> &str {
        &self.body
    }

    pub fn attributes(&self) -> &[(Cow<'static, str>, Cow<'static, str>)] {
        match &self.attributes {
            Attributes::None => &[],
            Attributes::One(attribute) => slice::from_ref(attribute),
            Attributes::More(attributes) => attributes,
        }
    }

    /// The attribute of this name. Of several the last one counts.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        let mut named = self.attributes().iter().rev().filter(|(key, _)| key == name);
        named.next().map(|(_, value)| &**value)
    }
}

impl PartialEq for Output {
    fn eq(&self, other: &Self) -> bool {
        self.body == other.body && self.attributes() == other.attributes()
    }
}

impl Eq for Output {}

/// What a transformer may return.
#[diagnostic::on_unimplemented(
    message = "a transformer cannot return `{Self}`",
    note = "return `Output`, `Option<Output>` or `Vec<Output>`, alone or in a `Result<_, slipswitch_sdk::Error>`"
)]
pub trait Outputs: Sized {
    /// Puts the outputs behind those that are there. After an error it does not matter what it has put.
    fn hand_over(self, to: &mut Vec<Output>) -> Result<(), Error>;

    fn outputs(self) -> Result<Vec<Output>, Error> {
        let mut outputs = Vec::new();
        self.hand_over(&mut outputs)?;
        Ok(outputs)
    }
}

impl Outputs for Output {
    fn hand_over(self, to: &mut Vec<Output>) -> Result<(), Error> {
        to.push(self);
        Ok(())
    }
}

impl Outputs for Option<Output> {
    fn hand_over(self, to: &mut Vec<Output>) -> Result<(), Error> {
        to.extend(self);
        Ok(())
    }
}

impl Outputs for Vec<Output> {
    fn hand_over(mut self, to: &mut Vec<Output>) -> Result<(), Error> {
        to.append(&mut self);
        Ok(())
    }
}

impl<T: Outputs, E: Into<Error>> Outputs for Result<T, E> {
    fn hand_over(self, to: &mut Vec<Output>) -> Result<(), Error> {
        self.map_err(Into::into)?.hand_over(to)
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

/// What a batch transformer may return: for each event, in their order, what a transformer may return.
#[diagnostic::on_unimplemented(
    message = "a batch transformer cannot return `{Self}`",
    note = "return `Vec<Result<Output, slipswitch_sdk::Error>>`, with one element per event; in place of `Output` an `Option<Output>` or a `Vec<Output>` will do"
)]
pub trait BatchOutputs {
    type Each: Outputs;

    fn each(self) -> Vec<Self::Each>;
}

impl<T: Outputs> BatchOutputs for Vec<T> {
    type Each = T;

    fn each(self) -> Vec<T> {
        self
    }
}
