//! What becomes of one event at one subscription, on both sides.

use event::{Event, Timestamp};

use super::look::Make;
use super::tally::Kind;
use super::{AFTER, BEFORE, Differing, Side};
use crate::json;
use crate::transform::{Payload, TransformError};

/// On one side.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// The pattern does not match, or there is no rule.
    Unmatched,
    /// A transform lets it go.
    Dropped,
    /// Just so.
    Whole,
    Sent(Vec<Payload>),
    /// A dead letter, or, where a retry makes sense, not yet.
    Dead(String),
}

/// Of both sides together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    /// An event may have another output, and go elsewhere.
    pub kinds: [Option<Kind>; 2],
    pub dead_before: bool,
    pub dead_after: bool,
    /// It goes where it went, as it was.
    pub is_same: bool,
}

/// The first place where what is sent differs.
pub(super) struct Unlike {
    pub path: String,
    pub before: Option<String>,
    pub after: Option<String>,
}

impl Fate {
    fn goes(&self) -> bool {
        match self {
            Self::Unmatched | Self::Dropped => false,
            // A dead letter is a delivery that was owed.
            Self::Whole | Self::Sent(_) | Self::Dead(_) => true,
        }
    }
}

impl Differing {
    /// Whether a transform has to run for an event that these sides match.
    pub(super) fn runs(&self, sides: u8) -> bool {
        let has_steps = |side: &Option<Side>, bit: u8| {
            sides & bit != 0 && side.as_ref().is_some_and(|side| !side.target.steps.is_empty())
        };
        self.may_differ(sides) && (has_steps(&self.before, BEFORE) || has_steps(&self.after, AFTER))
    }

    /// Where both sides match and make the same of an event, it is the same whatever that is; but what a
    /// plugin drops goes nowhere else.
    fn may_differ(&self, sides: u8) -> bool {
        let drops = || self.after.as_ref().is_some_and(|side| side.target.calls_plugins());
        sides != BEFORE | AFTER || self.differs.outputs || self.differs.destination && drops()
    }

    /// What becomes of an event that these sides match. Without an event there is no transform to run.
    pub(super) fn fates(
        &self,
        sides: u8,
        event: Option<&Event>,
        (make, taken_at): (&Make<'_>, Timestamp),
    ) -> (Fate, Fate) {
        let of = |side: &Option<Side>, bit: u8| {
            let Some(side) = side.as_ref().filter(|_| sides & bit != 0) else {
                return Fate::Unmatched;
            };
            let Some(event) = event.filter(|_| !side.target.steps.is_empty()) else {
                return Fate::Whole;
            };
            match make(side, event, taken_at) {
                Ok(payloads) if payloads.is_empty() => Fate::Dropped,
                Ok(payloads) => Fate::Sent(payloads),
                Err(error) => Fate::Dead(reason(&error)),
            }
        };
        (of(&self.before, BEFORE), of(&self.after, AFTER))
    }
}

fn reason(error: &TransformError) -> String {
    match error {
        TransformError::Final(_) | TransformError::Fault(_) => format!("a dead letter: {error}"),
        TransformError::Retry(_) | TransformError::Cut => format!("tried again: {error}"),
    }
}

impl Verdict {
    /// `event` where [`Differing::runs`] asks for it.
    pub(super) fn new(
        one: &Differing,
        sides: u8,
        event: Option<&Event>,
        make: (&Make<'_>, Timestamp),
    ) -> Self {
        if !one.may_differ(sides) {
            let moved = one.differs.destination.then_some(Kind::Moved);
            return Self { kinds: [None, moved], is_same: moved.is_none(), ..Self::default() };
        }
        let (before, after) = one.fates(sides, event, make);
        let mut verdict = Self {
            dead_before: matches!(before, Fate::Dead(_)),
            dead_after: matches!(after, Fate::Dead(_)),
            ..Self::default()
        };
        match (before.goes(), after.goes()) {
            (false, false) => verdict.is_same = sides == BEFORE | AFTER,
            (false, true) => verdict.kinds[0] = Some(Kind::Gained),
            (true, false) => verdict.kinds[0] = Some(Kind::Lost),
            (true, true) => {
                let changed = event.and_then(|event| unlike(&before, &after, event));
                let moved = one.differs.destination.then_some(Kind::Moved);
                verdict.kinds = [changed.map(|_| Kind::Changed), moved];
                verdict.is_same = verdict.kinds == [None, None];
            }
        }
        verdict
    }
}

/// Where what is sent differs, if it does.
pub(super) fn unlike(before: &Fate, after: &Fate, event: &Event) -> Option<Unlike> {
    let at = |path: &str, before: String, after: String| {
        Some(Unlike { path: path.to_owned(), before: Some(before), after: Some(after) })
    };
    let (was, is) = match (before, after) {
        (Fate::Whole, Fate::Whole) => return None,
        (Fate::Dead(was), Fate::Dead(is)) if was == is => return None,
        (Fate::Dead(was), Fate::Dead(is)) => return at("", was.clone(), is.clone()),
        (Fate::Dead(was), _) => return at("", was.clone(), "delivered".to_owned()),
        (_, Fate::Dead(is)) => return at("", "delivered".to_owned(), is.clone()),
        (was, is) => (was.payloads(event), is.payloads(event)),
    };
    if was.len() != is.len() {
        return at("", format!("{} outputs", was.len()), format!("{} outputs", is.len()));
    }
    let several = 1 < was.len();
    let pairs = was.iter().zip(is.iter()).enumerate();
    let mut found = pairs.filter_map(|(number, (was, is))| {
        let unlike = unlike_payloads(was, is)?;
        let nth = if several { format!("output {}: ", number + 1) } else { String::new() };
        Some(Unlike { path: format!("{nth}{}", unlike.path), ..unlike })
    });
    found.next()
}

impl Fate {
    fn payloads(&self, event: &Event) -> std::borrow::Cow<'_, [Payload]> {
        match self {
            Self::Sent(payloads) => payloads.into(),
            Self::Whole => vec![Payload::whole(event)].into(),
            Self::Unmatched | Self::Dropped | Self::Dead(_) => Vec::new().into(),
        }
    }
}

fn unlike_payloads(was: &Payload, is: &Payload) -> Option<Unlike> {
    if was == is {
        return None;
    }
    if was.content_type != is.content_type {
        return Some(Unlike {
            path: "content-type".to_owned(),
            before: Some(was.content_type.clone()),
            after: Some(is.content_type.clone()),
        });
    }
    if was.body != is.body {
        let is_json = was.content_type.contains("json");
        if !is_json {
            return Some(Unlike {
                path: "the text".to_owned(),
                before: Some(was.body.clone()),
                after: Some(is.body.clone()),
            });
        }
        if let Some(found) = json::difference(&was.body, &is.body) {
            let json::Difference { path, expected, actual } = found;
            return Some(Unlike { path, before: expected, after: actual });
        }
    }
    let names = was.attributes.iter().chain(&is.attributes).map(|(name, _)| name);
    let value = |payload: &Payload, name: &str| {
        let values = payload.attributes.iter().filter(|(key, _)| key == name);
        values.map(|(_, value)| value.as_str()).collect::<Vec<_>>().join(", ")
    };
    let mut differing = names.filter(|name| value(was, name) != value(is, name));
    differing.next().map(|name| Unlike {
        path: format!("attribute {name}"),
        before: Some(value(was, name)),
        after: Some(value(is, name)),
    })
}
