//! How deliveries flow to a target: how many at once, how fast, in which order, in what company.

use std::borrow::Cow;
use std::time::Duration;

use event::{Event, Timestamp};

use crate::json;
use crate::path::JsonPath;
use crate::room::Room;

/// What a rule says of the flow to one of its targets.
#[derive(Debug)]
pub struct Flow {
    /// Requests under way at once; the configuration's number when none.
    pub concurrency: Option<usize>,
    /// Requests a second.
    pub rate: Option<f64>,
    /// For one attempt.
    pub timeout: Duration,
    pub order_by: Option<OrderBy>,
    pub batch: Option<Batch>,
    pub start: Start,
    pub circuit: Circuit,
}

impl Default for Flow {
    fn default() -> Self {
        Self {
            concurrency: None,
            rate: None,
            timeout: Duration::from_secs(10),
            order_by: None,
            batch: None,
            start: Start::Latest,
            circuit: Circuit::default(),
        }
    }
}

/// Several events in one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batch {
    pub events: usize,
    /// How long an event waits for company, from its arrival on.
    pub within: Duration,
}

/// Where in the journal a new target begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// With what comes from now on.
    Latest,
    /// With the first event that is still there.
    Earliest,
    /// With the first event that came in at this time or later.
    At(Timestamp),
}

/// When a target counts as down, and how soon it is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Circuit {
    /// In a row.
    pub failures: u32,
    pub probe_after: Duration,
}

impl Default for Circuit {
    fn default() -> Self {
        Self { failures: 10, probe_after: Duration::from_secs(1) }
    }
}

/// Where in an event the key stands whose deliveries run one at a time.
#[derive(Debug, Clone)]
pub struct OrderBy(pub(crate) JsonPath);

impl OrderBy {
    /// The path, as in the rule.
    pub fn path(&self) -> &str {
        self.0.text()
    }

    /// The key, as JSON; texts without escapes that need none. None when the path finds nothing or
    /// `null`: such an event has no order.
    pub fn key<'e>(&self, event: &'e Event) -> Option<Cow<'e, str>> {
        // A path that finds too much finds nothing that could be a key.
        let found = self.0.find(event.json(), &mut Room::of_step()).ok().flatten()?;
        match found.as_ref() {
            "null" | "[]" => None,
            text if text.starts_with('"') && text.contains('\\') => {
                let inside = text.trim_matches('"');
                Some(Cow::Owned(format!("\"{}\"", json::unescape(inside))))
            }
            _ => Some(found),
        }
    }
}

#[cfg(test)]
mod tests {
    use event::{Limits, Stamp};

    use super::*;

    #[test]
    fn the_key_is_what_the_path_finds_and_one_text_is_one_key() {
        let stamp = Stamp { id: "1", time: Timestamp::from_millis(0), account: "0", region: "r" };
        let entry = r#"{"source":"shop","detail-type":"b","detail":{"a":"o-1","b":"o\u002d1","n":1.0,"none":null,"q":"\""}}"#;
        let event = Event::from_entry(entry.as_bytes(), &Limits::default(), &stamp).unwrap();
        let key = |path: &str| {
            let order = OrderBy(JsonPath::parse(path).unwrap());
            order.key(&event).map(Cow::into_owned)
        };
        assert_eq!(key("$.source").as_deref(), Some("\"shop\""));
        assert_eq!(key("$.detail.a").as_deref(), Some("\"o-1\""));
        assert_eq!(key("$.detail.a"), key("$.detail.b"));
        assert_eq!(key("$.detail.n").as_deref(), Some("1.0"));
        assert_eq!(key("$.detail['a','n']").as_deref(), Some("[\"o-1\",1.0]"));
        for nothing in ["$.detail.none", "$.detail.missing", "$.detail.a.b", "$.detail[?@.x]"] {
            assert_eq!(key(nothing), None, "{nothing}");
        }
    }
}
