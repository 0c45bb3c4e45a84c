//! What paths found in an event, kept for the next target that asks the same of it.
//!
//! # Invariants
//!
//! - What is kept is of one event; another one empties it. Its bytes are held, so that no other event can come to lie
//!   where it lay.
//! - **bounded**: so many paths are kept; any more are looked for each time.

use std::cell::RefCell;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use event::Event;

use crate::path::{FindError, JsonPath};
use crate::room::Room;

/// How many paths are kept: to find one of them must be cheaper than to walk the event.
const PATHS_MAX: usize = 32;

/// For one thread that asks many targets of one event after the other.
#[derive(Debug, Default)]
pub struct Finds {
    kept: RefCell<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    event: Bytes,
    /// By the path: where its value stands.
    found: Vec<(Arc<str>, Option<Range<usize>>)>,
}

impl Finds {
    /// What a singular path finds in the text of an event.
    pub(super) fn find<'t>(
        &self,
        path: &JsonPath,
        (event, text): (&Event, &'t str),
    ) -> Result<Option<&'t str>, FindError> {
        let mut kept = self.kept.borrow_mut();
        let Kept { event: of, found } = &mut *kept;
        let is_same = (of.as_ptr(), of.len()) == (event.bytes().as_ptr(), event.bytes().len());
        if !is_same {
            *of = event.bytes().clone();
            found.clear();
        }
        if let Some((_, known)) = found.iter().find(|(asked, _)| asked == path.text()) {
            return Ok(known.clone().and_then(|span| text.get(span)));
        }
        // A singular path writes nothing.
        let value = path.find_in(text, Some(event.detail_span()), &mut Room::of_step())?;
        let span = value.map(|value| {
            let start = value.as_ptr().addr() - text.as_ptr().addr();
            start..start + value.len()
        });
        if found.len() < PATHS_MAX {
            found.push((Arc::clone(path.text()), span.clone()));
        }
        Ok(span.and_then(|span| text.get(span)))
    }
}
