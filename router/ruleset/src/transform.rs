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
use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use event::{Event, Timestamp};

use crate::json;
use crate::path::{FindError, JsonPath};
use crate::plugins::{Beside, EventState, PluginStep, Purpose, StepError, StepInput, StepOutput};
use crate::room::{Full, Room};
use crate::rule::Target;
use crate::template::{Facts, Format, RenderError, Template};

/// How many outputs one event may become.
const OUTPUTS_MAX: usize = 10_000;

const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";

/// How many bodies are given to a plugin at once.
const CALLS_MAX: usize = 64;

/// Whom a transform is for.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    pub rule: &'a str,
    pub target: &'a str,
    pub bus: &'a str,
    /// The name of the replay that it is part of.
    pub replay: Option<&'a str>,
    /// When the event came in.
    pub ingested: Timestamp,
    pub purpose: Purpose,
}

/// One event of a batch.
#[derive(Clone, Copy)]
pub struct Given<'a> {
    pub event: &'a Event,
    pub about: About<'a>,
    /// For the plugins on its way.
    pub state: Option<&'a EventState>,
}

/// What is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload {
    pub body: String,
    pub content_type: String,
    /// What plugins attached, `content-type` excepted.
    pub attributes: Vec<(String, String)>,
}

impl Payload {
    /// The event itself, as a target without steps gets it.
    pub(crate) fn whole(event: &Event) -> Self {
        Body::of(event).into_payload()
    }
}

/// Why an event could not be made into payloads. The message names the step.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransformError {
    /// The same event would fail again.
    #[error("{0}")]
    Final(String),

    #[error("{0}")]
    Retry(String),

    /// As `Retry`; a plugin crashed, or was over a limit.
    #[error("{0}")]
    Fault(String),

    /// A step was not run: an event before it took so long that others are let in first.
    #[error("not made yet: an event before it took long")]
    Cut,
}

/// One step of a target.
pub enum Step {
    Plugin {
        name: String,
        step: Arc<dyn PluginStep>,
        /// Of all that the rule says of it, to tell two uses apart.
        digest: String,
    },
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
        self.transform_with(event, about, None)
    }

    /// As [`Target::transform`], where many targets, one after the other, are asked of the same event.
    ///
    /// # Errors
    ///
    /// When a step fails.
    pub fn transform_with(
        &self,
        event: &Event,
        about: &About<'_>,
        finds: Option<&Finds>,
    ) -> Result<Vec<Payload>, TransformError> {
        let given = Given { event, about: *about, state: None };
        let mut outcomes = self.made_of(std::slice::from_ref(&given), finds);
        outcomes.pop().expect("there is an outcome for each event")
    }

    /// As [`Target::transform`], of several events: each step takes all of them before the next one does.
    pub fn transform_batch(
        &self,
        events: &[Given<'_>],
    ) -> Vec<Result<Vec<Payload>, TransformError>> {
        self.made_of(events, None)
    }

    fn made_of(
        &self,
        events: &[Given<'_>],
        finds: Option<&Finds>,
    ) -> Vec<Result<Vec<Payload>, TransformError>> {
        let runs = self.runs(events, finds);
        let mut bodies: Vec<Bodies<'_>> =
            events.iter().map(|given| Ok(vec![Body::of(given.event)])).collect();
        for step in self.steps.iter().enumerate() {
            bodies = through(step, &runs, bodies);
        }
        let payloads = |bodies: Vec<Body<'_>>| bodies.into_iter().map(Body::into_payload).collect();
        bodies.into_iter().map(|bodies| bodies.map(payloads)).collect()
    }

    fn runs<'e>(&'e self, events: &'e [Given<'e>], finds: Option<&'e Finds>) -> Vec<Run<'e>> {
        // Only plugins are told; a template alone takes less time than the facts do.
        if !self.calls_plugins() {
            let run = |given| Run { given, limits: &self.limits, facts: Arc::default(), finds };
            return events.iter().map(run).collect();
        }
        let mut runs: Vec<Run<'e>> = Vec::with_capacity(events.len());
        for given in events {
            // Mostly the same for all of them.
            let last = runs.last().filter(|last| last.given.about.names() == given.about.names());
            let facts = last.map_or_else(|| given.about.facts(), |last| Arc::clone(&last.facts));
            runs.push(Run { given, limits: &self.limits, facts, finds });
        }
        runs
    }

    /// Whether a plugin runs on the way to this target: then a transform takes its time.
    pub fn calls_plugins(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::Plugin { .. }))
    }

    /// How the plugins do that run beside those on the way.
    pub fn beside(&self) -> Vec<Beside> {
        let plugins = self.steps.iter().filter_map(|step| match step {
            Step::Plugin { step, .. } => step.beside(),
            Step::Input(_) => None,
        });
        plugins.collect()
    }

    /// The plugins on the way whose state an event reads and writes, sorted, each once.
    pub fn stateful(&self) -> Vec<&str> {
        let plugins = self.steps.iter().filter_map(|step| match step {
            Step::Plugin { step, .. } => step.keeps_state(),
            Step::Input(_) => None,
        });
        let mut names: Vec<&str> = plugins.collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// What a step makes of what those before it made.
fn through<'e>(
    (at, step): (usize, &Step),
    runs: &[Run<'e>],
    bodies: Vec<Bodies<'e>>,
) -> Vec<Bodies<'e>> {
    let mut next: Vec<Next<'_>> = runs.iter().map(|_| Next::new()).collect();
    match step {
        Step::Plugin { step: plugin, .. } => call(plugin.as_ref(), runs, bodies, &mut next),
        Step::Input(Input(made)) => {
            for ((run, bodies), next) in runs.iter().zip(bodies).zip(&mut next) {
                next.input(run, made, bodies);
            }
        }
    }
    let named = |error| match error {
        Stopped::Here(error) => named(at, step, error),
        Stopped::Before(error) => error,
    };
    next.into_iter().map(|next| next.made.map_err(named)).collect()
}

/// What the steps so far made of an event.
type Bodies<'e> = Result<Vec<Body<'e>>, TransformError>;

/// What one step makes of an event.
struct Next<'e> {
    made: Result<Vec<Body<'e>>, Stopped>,
    room: Room,
}

enum Stopped {
    /// In this step.
    Here(StepError),
    Before(TransformError),
}

impl<'e> Next<'e> {
    fn new() -> Self {
        Self { made: Ok(Vec::new()), room: Room::of_step() }
    }

    fn take(&mut self, made: Result<Vec<Body<'e>>, StepError>) {
        let Ok(all) = &mut self.made else { return };
        let taken = made.and_then(|made| {
            match all.is_empty() {
                true => *all = made,
                false => all.extend(made),
            }
            if all.len() <= OUTPUTS_MAX {
                return Ok(());
            }
            let words = format!("one event became more than {OUTPUTS_MAX} outputs");
            Err(StepError::Final(words))
        });
        if let Err(error) = taken {
            self.made = Err(Stopped::Here(error));
        }
    }

    fn input(&mut self, run: &Run<'e>, made: &Made, bodies: Bodies<'e>) {
        match bodies {
            Ok(bodies) => {
                for body in bodies {
                    if self.made.is_err() {
                        return;
                    }
                    let body = run.input(made, body, &mut self.room);
                    self.take(body.map(|body| vec![body]));
                }
            }
            Err(error) => self.made = Err(Stopped::Before(error)),
        }
    }
}

/// Gives the bodies of all events to a plugin, so many at a time.
fn call<'e>(
    plugin: &dyn PluginStep,
    runs: &[Run<'e>],
    bodies: Vec<Bodies<'e>>,
    next: &mut [Next<'e>],
) {
    let mut waiting: VecDeque<(usize, u32, Body<'e>)> = VecDeque::new();
    for (at, bodies) in bodies.into_iter().enumerate() {
        match bodies {
            Ok(bodies) => waiting.extend((0..).zip(bodies).map(|(nth, body)| (at, nth, body))),
            Err(error) => next[at].made = Err(Stopped::Before(error)),
        }
    }
    while !waiting.is_empty() {
        // What is behind a failed one of its event is not called any more.
        waiting.retain(|(at, ..)| next[*at].made.is_ok());
        let together: Vec<_> = waiting.drain(..waiting.len().min(CALLS_MAX)).collect();
        let facts: Vec<Cow<'_, [(String, String)]>> =
            together.iter().map(|(at, _, body)| runs[*at].attributes(body)).collect();
        let inputs = together.iter().zip(&facts);
        let inputs: Vec<StepInput<'_>> =
            inputs.map(|((at, nth, body), facts)| runs[*at].given(body, *nth, facts)).collect();
        let outcomes = plugin.call_batch(&inputs);
        debug_assert_eq!(outcomes.len(), inputs.len(), "an outcome for each");
        for ((at, ..), outcome) in together.iter().zip(outcomes) {
            let Next { room, .. } = &mut next[*at];
            let made = outcome.and_then(|outputs| {
                let bodies: Vec<Body<'e>> =
                    outputs.into_iter().map(|output| runs[*at].output(output)).collect();
                room.take(bodies.iter().map(|body| body.text.len()).sum())?;
                Ok(bodies)
            });
            next[*at].take(made);
        }
    }
}

fn named(at: usize, step: &Step, error: StepError) -> TransformError {
    let number = at + 1;
    let name = step.title();
    match error {
        StepError::Final(words) => {
            TransformError::Final(format!("step {number} ({name}): {words}"))
        }
        StepError::Retry(words) => {
            TransformError::Retry(format!("step {number} ({name}): {words}"))
        }
        StepError::Fault(words) => {
            TransformError::Fault(format!("step {number} ({name}): {words}"))
        }
        StepError::Cut => TransformError::Cut,
    }
}

/// The attributes that plugins are told of whom they work for.
const FACTS: [&str; 4] = ["bus", "rule", "target", "replay-name"];

struct Run<'e> {
    given: &'e Given<'e>,
    limits: &'e event::Limits,
    /// What plugins are told of whom they work for.
    facts: Arc<[(String, String)]>,
    finds: Option<&'e Finds>,
}

impl About<'_> {
    fn facts(&self) -> Arc<[(String, String)]> {
        let Self { rule, target, bus, replay, .. } = *self;
        let values = [Some(bus), Some(rule), Some(target), replay];
        let all = FACTS.into_iter().zip(values);
        all.filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned()))).collect()
    }

    fn names(&self) -> (&str, &str, &str, Option<&str>) {
        (self.rule, self.target, self.bus, self.replay)
    }
}

impl<'e> Run<'e> {
    /// Whom it works for, then what the step before attached.
    fn attributes<'b>(&'b self, body: &'b Body<'e>) -> Cow<'b, [(String, String)]> {
        if body.is_event && body.attributes.is_empty() {
            return Cow::Borrowed(&self.facts);
        }
        let mut all = self.facts.to_vec();
        if !body.is_event {
            all.push(("content-type".to_owned(), body.content_type.clone().into_owned()));
        }
        all.extend_from_slice(&body.attributes);
        Cow::Owned(all)
    }

    fn given<'b>(
        &self,
        body: &'b Body<'e>,
        position: u32,
        attributes: &'b [(String, String)],
    ) -> StepInput<'b>
    where
        'e: 'b,
    {
        let event = self.given.event;
        let attribute = |wanted: &str| {
            let found = attributes.iter().rev().find(|(key, _)| key == wanted);
            found.map(|(_, value)| value.as_str())
        };
        StepInput {
            event,
            id: event.id(),
            source: attribute("source").unwrap_or(event.source()),
            detail_type: attribute("detail-type").unwrap_or(event.detail_type()),
            time: event.time_text(),
            json: &body.text,
            detail: if body.is_event { event.detail_span() } else { 0..0 },
            attributes,
            facts: self.facts.len(),
            position,
            purpose: self.given.about.purpose,
            state: self.given.state,
        }
    }

    fn output(&self, output: StepOutput) -> Body<'e> {
        let StepOutput { body, mut attributes } = output;
        // The next step is told for whom it works by us alone.
        attributes.retain(|(name, _)| !FACTS.contains(&name.as_str()));
        let named =
            attributes.iter().rposition(|(key, _)| key.eq_ignore_ascii_case("content-type"));
        let named = named.map(|at| attributes.remove(at).1);
        let content_type = named.map_or(Cow::Borrowed(JSON), Cow::Owned);
        // How deep it is, only a step cares that reads it.
        Body {
            text: Cow::Owned(body),
            content_type,
            attributes,
            is_event: false,
            is_checked: false,
        }
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
            Made::Path(path) => (self.value(path, &body, room)?, Format::Json),
            Made::Template { template, paths } => {
                // What the paths write is gone after the template: it has a room of its own.
                let mut found = Room::of_step();
                let values: Result<Vec<_>, _> =
                    paths.iter().map(|path| self.find(path, &body, &mut found)).collect();
                (template.render(&values?, &self.facts(), room)?, template.format())
            }
        };
        Ok(body.with(text, format))
    }

    fn find<'b>(
        &self,
        path: &JsonPath,
        body: &'b Body<'e>,
        room: &mut Room,
    ) -> Result<Option<Cow<'b, str>>, FindError> {
        let Body { text, is_event, .. } = body;
        let event = self.given.event;
        match self.finds {
            Some(finds) if *is_event && path.is_singular() => {
                finds.find(path, (event, text)).map(|found| found.map(Cow::Borrowed))
            }
            _ => path.find_in(text, is_event.then(|| event.detail_span()), room),
        }
    }

    fn value(
        &self,
        path: &JsonPath,
        body: &Body<'e>,
        room: &mut Room,
    ) -> Result<String, StepError> {
        match self.find(path, body, room)? {
            Some(Cow::Owned(array)) => Ok(array),
            Some(Cow::Borrowed(slice)) => {
                room.take(slice.len())?;
                Ok(slice.to_owned())
            }
            None => Err(StepError::Final(format!("there is no `{}` in this event", path.text()))),
        }
    }

    fn facts(&self) -> Facts<'e> {
        let About { rule, bus, ingested, .. } = self.given.about;
        Facts { event: self.given.event, rule, bus, ingested }
    }
}

impl From<Full> for StepError {
    fn from(error: Full) -> Self {
        Self::Final(error.to_string())
    }
}

impl From<RenderError> for StepError {
    fn from(error: RenderError) -> Self {
        Self::Final(error.to_string())
    }
}

impl From<FindError> for StepError {
    fn from(error: FindError) -> Self {
        Self::Final(error.to_string())
    }
}

impl<'e> Body<'e> {
    fn of(event: &'e Event) -> Self {
        Self {
            text: Cow::Borrowed(event.json()),
            content_type: Cow::Borrowed(JSON),
            attributes: Vec::new(),
            is_event: true,
            is_checked: true,
        }
    }

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

mod finds;
mod trace;

pub use finds::Finds;

#[cfg(test)]
mod tests;
