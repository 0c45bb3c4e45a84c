//! From an event to what is sent: the steps of a target, run in order.
//!
//! ```text
//! event ─▶ step 1 ─▶ 0..n bodies ─▶ step 2, once for each ─▶ … ─▶ payloads
//! ```
//!
//! A step sees the body that the step before made; who the event is (id, time, source, detail-type)
//! stays, unless a plugin attached another `source` or `detail-type`.
//!
//! # Invariants
//!
//! - The order of the outputs is that of the inputs: the n-th payload of a repeated run is the same.
//! - What one step makes is bounded, in outputs and in bytes, whatever the event holds.
//! - Without steps the event itself is sent, byte for byte.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use event::{Event, Timestamp};

use crate::json;
use crate::path::{FindError, JsonPath};
use crate::plugins::{PluginStep, StepError, StepInput, StepOutput};
use crate::room::{Full, Room};
use crate::rule::Target;
use crate::template::{Facts, Format, Template};

/// How many outputs one event may become.
const OUTPUTS_MAX: usize = 10_000;

const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";

/// Whom a transform is for.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    pub rule: &'a str,
    pub target: &'a str,
    pub bus: &'a str,
    /// When the event came in.
    pub ingested: Timestamp,
}

/// What is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload {
    pub body: String,
    pub content_type: String,
    /// What plugins attached, `content-type` excepted.
    pub attributes: Vec<(String, String)>,
}

/// Why an event could not be made into payloads. The message names the step.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransformError {
    /// The same event would fail again.
    #[error("{0}")]
    Final(String),

    #[error("{0}")]
    Retry(String),
}

/// One step of a target.
pub enum Step {
    Plugin { name: String, step: Arc<dyn PluginStep> },
    Input(Input),
}

/// A step that needs no plugin.
#[derive(Debug)]
pub struct Input(pub(crate) Made);

/// What an input step makes.
#[derive(Debug)]
pub(crate) enum Made {
    Template {
        template: Template,
        paths: Vec<JsonPath>,
    },
    Path(JsonPath),
    /// A JSON text.
    Constant(String),
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plugin { name, .. } => write!(f, "Plugin({name})"),
            Self::Input(input) => input.fmt(f),
        }
    }
}

/// What one step hands to the next.
struct Body<'e> {
    text: Cow<'e, str>,
    content_type: Cow<'static, str>,
    attributes: Vec<(String, String)>,
    /// Whether the text is still the event itself.
    is_event: bool,
    /// Whether the text is known to be JSON no deeper than the limits.
    is_checked: bool,
}

impl Target {
    /// What is sent for an event; nothing when a step drops it.
    ///
    /// # Errors
    ///
    /// When a step fails.
    pub fn transform(
        &self,
        event: &Event,
        about: &About<'_>,
    ) -> Result<Vec<Payload>, TransformError> {
        let run = Run { event, about, limits: &self.limits };
        let mut bodies = vec![Body {
            text: Cow::Borrowed(event.json()),
            content_type: Cow::Borrowed(JSON),
            attributes: Vec::new(),
            is_event: true,
            is_checked: true,
        }];
        for (at, step) in self.steps.iter().enumerate() {
            let mut next = Vec::new();
            let mut room = Room::of_step();
            for body in bodies {
                next.extend(
                    run.step(step, body, &mut room).map_err(|error| named(at, step, error))?,
                );
                if OUTPUTS_MAX < next.len() {
                    let error = StepError::Final(format!(
                        "one event became more than {OUTPUTS_MAX} outputs"
                    ));
                    return Err(named(at, step, error));
                }
            }
            bodies = next;
        }
        Ok(bodies.into_iter().map(Body::into_payload).collect())
    }

    /// Whether a plugin runs on the way to this target: then a transform takes its time.
    pub fn calls_plugins(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::Plugin { .. }))
    }
}

fn named(at: usize, step: &Step, error: StepError) -> TransformError {
    let number = at + 1;
    let name = match step {
        Step::Plugin { name, .. } => format!("plugin `{name}`"),
        Step::Input(_) => "input".to_owned(),
    };
    match error {
        StepError::Final(words) => {
            TransformError::Final(format!("step {number} ({name}): {words}"))
        }
        StepError::Retry(words) => {
            TransformError::Retry(format!("step {number} ({name}): {words}"))
        }
    }
}

struct Run<'e> {
    event: &'e Event,
    about: &'e About<'e>,
    limits: &'e event::Limits,
}

impl<'e> Run<'e> {
    fn step(
        &self,
        step: &Step,
        body: Body<'e>,
        room: &mut Room,
    ) -> Result<Vec<Body<'e>>, StepError> {
        match step {
            Step::Plugin { step, .. } => {
                let bodies = self.plugin(step.as_ref(), &body)?;
                room.take(bodies.iter().map(|body| body.text.len()).sum())?;
                Ok(bodies)
            }
            Step::Input(Input(made)) => Ok(vec![self.input(made, body, room)?]),
        }
    }

    fn plugin(&self, step: &dyn PluginStep, body: &Body<'e>) -> Result<Vec<Body<'e>>, StepError> {
        let attribute = |wanted: &str| {
            let found = body.attributes.iter().rev().find(|(key, _)| key == wanted);
            found.map(|(_, value)| value.as_str())
        };
        let outputs = step.call(&StepInput {
            id: self.event.id(),
            source: attribute("source").unwrap_or(self.event.source()),
            detail_type: attribute("detail-type").unwrap_or(self.event.detail_type()),
            time: self.event.time_text(),
            json: &body.text,
            detail: if body.is_event { self.event.detail_span() } else { 0..0 },
            attributes: &body.attributes,
        })?;
        Ok(outputs.into_iter().map(|output| self.output(output)).collect())
    }

    fn output(&self, output: StepOutput) -> Body<'e> {
        let StepOutput { body, mut attributes } = output;
        let named =
            attributes.iter().rposition(|(key, _)| key.eq_ignore_ascii_case("content-type"));
        let named = named.map(|at| attributes.remove(at).1);
        let is_checked = json::check(&body, self.limits).is_ok();
        let content_type = match named {
            Some(named) => Cow::Owned(named),
            None if is_checked => Cow::Borrowed(JSON),
            None => Cow::Borrowed(TEXT),
        };
        Body { text: Cow::Owned(body), content_type, attributes, is_event: false, is_checked }
    }

    fn input(&self, made: &Made, body: Body<'e>, room: &mut Room) -> Result<Body<'e>, StepError> {
        if let Made::Constant(json) = made {
            room.take(json.len())?;
            return Ok(body.with(json.clone(), Format::Json));
        }
        if !body.is_checked
            && let Err(error) = json::check(&body.text, self.limits)
        {
            let words = format!("needs JSON, and what the step before made is none: {error}");
            return Err(StepError::Final(words));
        }
        let (text, format) = match made {
            Made::Constant(json) => (json.clone(), Format::Json),
            Made::Path(path) => (path_value(path, &body.text, room)?, Format::Json),
            Made::Template { template, paths } => {
                // What the paths write is gone after the template: it has a room of its own.
                let mut found = Room::of_step();
                let values: Result<Vec<_>, _> =
                    paths.iter().map(|path| path.find(&body.text, &mut found)).collect();
                (template.render(&values?, &self.facts(), room)?, template.format())
            }
        };
        Ok(body.with(text, format))
    }

    fn facts(&self) -> Facts<'e> {
        let About { rule, bus, ingested, .. } = *self.about;
        Facts { event: self.event, rule, bus, ingested }
    }
}

fn path_value(path: &JsonPath, text: &str, room: &mut Room) -> Result<String, StepError> {
    match path.find(text, room)? {
        Some(Cow::Owned(array)) => Ok(array),
        Some(Cow::Borrowed(slice)) => {
            room.take(slice.len())?;
            Ok(slice.to_owned())
        }
        None => Err(StepError::Final(format!("there is no `{}` in this event", path.text()))),
    }
}

impl From<Full> for StepError {
    fn from(error: Full) -> Self {
        Self::Final(error.to_string())
    }
}

impl From<FindError> for StepError {
    fn from(error: FindError) -> Self {
        Self::Final(error.to_string())
    }
}

impl<'e> Body<'e> {
    fn with(self, text: String, format: Format) -> Body<'e> {
        let content_type = match format {
            Format::Json => JSON,
            Format::Text => TEXT,
        };
        Body {
            text: Cow::Owned(text),
            content_type: Cow::Borrowed(content_type),
            // A value put into a template may stand deeper than it did: checked again if needed.
            is_event: false,
            is_checked: false,
            attributes: self.attributes,
        }
    }

    fn into_payload(self) -> Payload {
        let Self { text, content_type, attributes, .. } = self;
        Payload { body: text.into_owned(), content_type: content_type.into_owned(), attributes }
    }
}

#[cfg(test)]
mod tests;
