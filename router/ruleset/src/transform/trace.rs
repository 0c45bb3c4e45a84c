//! What each step of a target makes of an event, to be shown.

use event::Event;

use super::{About, Bodies, Body, Given, Payload, Step, TransformError, through};
use crate::rule::Target;

/// What there is after a step.
type Traced = Result<Vec<Payload>, TransformError>;

impl Target {
    /// As [`Target::transform`], with what there is after each step; it ends with the step that fails, or drops
    /// the event. `after` is called behind each of them, with its number from 0.
    pub fn trace(
        &self,
        event: &Event,
        about: &About<'_>,
        mut after: impl FnMut(usize),
    ) -> Vec<Traced> {
        let given = [Given { event, about: *about, state: None }];
        let runs = self.runs(&given, None);
        let mut bodies: Vec<Bodies<'_>> = vec![Ok(vec![Body::of(event)])];
        let mut traced = Vec::new();
        for (at, step) in self.steps.iter().enumerate() {
            bodies = through((at, step), &runs, bodies);
            after(at);
            let here = bodies.first().expect("there is one event");
            let here = here.as_ref().map_err(Clone::clone);
            let here = here.map(|bodies| bodies.iter().map(Body::shown).collect::<Vec<_>>());
            let is_over = here.as_ref().map_or(true, Vec::is_empty);
            traced.push(here);
            if is_over {
                break;
            }
        }
        traced
    }
}

impl Body<'_> {
    fn shown(&self) -> Payload {
        Payload {
            body: self.text.clone().into_owned(),
            content_type: self.content_type.clone().into_owned(),
            attributes: self.attributes.clone(),
        }
    }
}

impl Step {
    /// For a sentence: "plugin `redact`", or "input".
    pub fn title(&self) -> String {
        match self {
            Self::Plugin { name, .. } => format!("plugin `{name}`"),
            Self::Input(_) => "input".to_owned(),
        }
    }
}
