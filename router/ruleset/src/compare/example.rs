//! One event that meets a difference, and why it does.

use event::{Event, Timestamp};
use pattern::{Pattern, explain};
use serde::Serialize;

use super::look::{Make, Seen};
use super::tally::Kind;
use super::verdict::{Fate, Unlike, unlike};
use super::{AFTER, BEFORE, Change, Comparison, Differing, Side};
use crate::rule_set::Scratch;

/// So much of a value is shown.
const SHOWN_CHARS: usize = 300;

/// An event, what is different about it, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Example {
    pub kind: Kind,
    pub offset: u64,
    pub taken_at: Timestamp,
    pub id: String,
    pub source: String,
    #[serde(rename = "detail-type")]
    pub detail_type: String,
    /// `detail.total: 5 is not > 100`
    pub why: String,
    /// Where the output differs first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// What stood there, and what would; of an event that comes or goes, its first output.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

impl Comparison {
    /// What is to be said of an event that was counted as of this kind for the subscription at `at`.
    pub(super) fn example(
        &self,
        (at, kind): (usize, Kind),
        seen: Seen<'_>,
        make: &Make<'_>,
    ) -> Option<Example> {
        let one = self.differing.get(at)?;
        let event = Event::read(seen.envelope.clone()).ok()?;
        let sides = one.sides(&event);
        let fates = one.fates(sides, Some(&event), (make, seen.taken_at));
        let Said { why, path, before, after } = one.say(kind, &event, &fates);
        let owned = |text: &str| shown(text);
        Some(Example {
            kind,
            offset: seen.offset,
            taken_at: seen.taken_at,
            id: owned(event.id()),
            source: owned(event.source()),
            detail_type: owned(event.detail_type()),
            why,
            path,
            before: before.as_deref().map(shown),
            after: after.as_deref().map(shown),
        })
    }
}

#[derive(Default)]
struct Said {
    why: String,
    path: Option<String>,
    before: Option<String>,
    after: Option<String>,
}

impl Differing {
    /// Asked of each side's rule by itself: it is for a few events.
    fn sides(&self, event: &Event) -> u8 {
        let mut scratch = Scratch::default();
        let mut bit = |side: &Option<Side>, bit: u8| {
            let is_match =
                side.as_ref().is_some_and(|side| side.rule.matches(event.bytes(), &mut scratch));
            if is_match { bit } else { 0 }
        };
        bit(&self.before, BEFORE) | bit(&self.after, AFTER)
    }

    fn say(&self, kind: Kind, event: &Event, (before, after): &(Fate, Fate)) -> Said {
        match kind {
            Kind::Gained => Said {
                why: self.why_not(self.before.as_ref(), before, event),
                after: output(after),
                ..Said::default()
            },
            Kind::Lost => Said {
                why: self.why_not(self.after.as_ref(), after, event),
                before: output(before),
                ..Said::default()
            },
            Kind::Changed => match unlike(before, after, event) {
                Some(Unlike { path, before, after }) => Said {
                    why: self.words.join("; "),
                    path: Some(path).filter(|path| !path.is_empty()),
                    before,
                    after,
                },
                // A plugin that does not make the same of one event twice.
                None => Said { why: "it differs from run to run".to_owned(), ..Said::default() },
            },
            Kind::Moved => Said { why: self.words.join("; "), ..Said::default() },
        }
    }

    /// Why the event does not go there on one side.
    fn why_not(&self, side: Option<&Side>, fate: &Fate, event: &Event) -> String {
        match (side, fate) {
            (None, _) => match self.change {
                Change::Added | Change::Removed => self.words.first().cloned().unwrap_or_default(),
                Change::Changed | Change::Renamed => String::new(),
            },
            (Some(side), Fate::Unmatched) => missed(side.pattern(), event),
            (Some(_), Fate::Dropped) => "its transform lets the event go".to_owned(),
            (Some(_), _) => String::new(),
        }
    }
}

fn missed(pattern: &Pattern, event: &Event) -> String {
    match explain(pattern, pattern::Event::checked_before(event.bytes())) {
        Ok(explanation) => explanation.nearest().why(),
        Err(error) => error.to_string(),
    }
}

/// The first output, where it is not the event itself.
fn output(fate: &Fate) -> Option<String> {
    match fate {
        Fate::Sent(payloads) => payloads.first().map(|payload| payload.body.clone()),
        Fate::Dead(reason) => Some(reason.clone()),
        Fate::Unmatched | Fate::Dropped | Fate::Whole => None,
    }
}

fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARS) {
        None => text.to_owned(),
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
    }
}
