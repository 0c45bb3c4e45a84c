//! The functions that the kit can run, told apart by their shape.

use std::format;
use std::marker::PhantomData;
use std::string::{String, ToString as _};
use std::vec::Vec;

use serde::de::{DeserializeOwned, IgnoredAny};

use super::judge;
use crate::{BatchOutputs, Error, Event, Output, Outputs, Verdict};

/// What a plugin's function says of an event.
#[derive(Debug)]
pub enum Answer {
    Kept(bool),
    Outputs(Vec<Output>),
}

/// Why there is no answer.
#[derive(Debug)]
pub struct Failure {
    /// `invalid`, `retry`, `fatal`, `trap`, `output`; `config` for a configuration that is refused.
    pub(super) kind: &'static str,
    pub(super) words: String,
}

/// A function that an attribute could stand on. `Shape` is found by the compiler.
pub trait Subject<Shape> {
    fn run(&self, config: &str, event: Event) -> Result<Answer, Failure>;
}

pub struct Transforms<T>(PhantomData<T>);
pub struct Filters<T>(PhantomData<T>);
pub struct Batches<T>(PhantomData<T>);

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let kind = match error {
            Error::Invalid(_) => "invalid",
            Error::Retry(_) => "retry",
            Error::Fatal(_) => "fatal",
        };
        Self { kind, words: error.to_string() }
    }
}

fn read<C: DeserializeOwned>(config: &str) -> Result<C, Failure> {
    crate::config(config).map_err(|error| Failure { kind: "config", words: error.to_string() })
}

/// What is no JSON where JSON is due is refused in the router's words.
fn outputs(outputs: impl Outputs) -> Result<Answer, Failure> {
    let outputs = outputs.outputs()?;
    for (index, output) in outputs.iter().enumerate() {
        let body = serde_json::from_str::<IgnoredAny>(output.body());
        if let (true, Err(error)) = (judge::is_json(output), body) {
            let words = format!(
                "the plugin's output is refused: output {index} is not JSON ({error}); text needs the attribute \
                 `content-type`, such as text/plain"
            );
            return Err(Failure { kind: "output", words });
        }
    }
    Ok(Answer::Outputs(outputs))
}

fn only(outputs: impl BatchOutputs) -> Result<Answer, Failure> {
    let mut results = outputs.each().into_iter();
    match (results.next(), results.len()) {
        (Some(result), 0) => self::outputs(result),
        (first, more) => {
            let count = more + usize::from(first.is_some());
            let words = format!("the batch transformer returned {count} results for 1 events");
            Err(Failure { kind: "fatal", words })
        }
    }
}

impl<F: Fn(&Event) -> R, R: Outputs> Subject<Transforms<(R,)>> for F {
    fn run(&self, config: &str, event: Event) -> Result<Answer, Failure> {
        read::<crate::NoConfig>(config)?;
        outputs(self(&event))
    }
}

impl<F, C, R> Subject<Transforms<(C, R)>> for F
where
    F: Fn(&Event, &C) -> R,
    C: DeserializeOwned,
    R: Outputs,
{
    fn run(&self, config: &str, event: Event) -> Result<Answer, Failure> {
        outputs(self(&event, &read(config)?))
    }
}

impl<F: Fn(&Event) -> R, R: Verdict> Subject<Filters<(R,)>> for F {
    fn run(&self, config: &str, event: Event) -> Result<Answer, Failure> {
        read::<crate::NoConfig>(config)?;
        Ok(Answer::Kept(self(&event).verdict()?))
    }
}

impl<F, C, R> Subject<Filters<(C, R)>> for F
where
    F: Fn(&Event, &C) -> R,
    C: DeserializeOwned,
    R: Verdict,
{
    fn run(&self, config: &str, event: Event) -> Result<Answer, Failure> {
        Ok(Answer::Kept(self(&event, &read(config)?).verdict()?))
    }
}

impl<F: Fn(&[Event]) -> R, R: BatchOutputs> Subject<Batches<(R,)>> for F {
    fn run(&self, config: &str, event: Event) -> Result<Answer, Failure> {
        read::<crate::NoConfig>(config)?;
        only(self(&[event]))
    }
}

impl<F, C, R> Subject<Batches<(C, R)>> for F
where
    F: Fn(&[Event], &C) -> R,
    C: DeserializeOwned,
    R: BatchOutputs,
{
    fn run(&self, config: &str, event: Event) -> Result<Answer, Failure> {
        only(self(&[event], &read(config)?))
    }
}
