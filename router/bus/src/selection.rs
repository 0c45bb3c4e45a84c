//! One pattern of a user's, to choose events with.

use std::sync::Arc;

use ruleset::pattern::keys::Needs;
use ruleset::pattern::{Event, Matcher, ParseError, Pattern, PatternIndex, Scratch};

/// A pattern, compiled. Cheap to clone.
#[derive(Clone)]
pub struct Selection(Arc<Compiled>);

struct Compiled {
    pattern: Pattern,
    matcher: Matcher,
}

/// The buffers of asking, to be used again.
#[derive(Default)]
pub(crate) struct Asking {
    scratch: Scratch,
    matched: Vec<PatternIndex>,
}

impl Selection {
    /// # Errors
    ///
    /// When the text is no pattern; says where and why.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let pattern = Pattern::parse(text)?;
        let matcher = Matcher::new(std::slice::from_ref(&pattern));
        Ok(Self(Arc::new(Compiled { pattern, matcher })))
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        self.0.pattern.text()
    }

    /// What an event must hold to match.
    pub(crate) fn needs(&self) -> Needs {
        self.0.pattern.needs()
    }

    pub(crate) fn pattern(&self) -> &Pattern {
        &self.0.pattern
    }

    /// `event`: an envelope, which was checked when it came in.
    pub(crate) fn matches(&self, event: &[u8], asking: &mut Asking) -> bool {
        let Asking { scratch, matched } = asking;
        let asked = self.0.matcher.matches(Event::checked_before(event), scratch, matched);
        asked.is_ok() && !matched.is_empty()
    }
}

impl std::fmt::Debug for Selection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.text())
    }
}
