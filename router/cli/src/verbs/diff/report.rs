//! What was found, as the router says it.

use serde::Deserialize;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Report {
    pub(super) rules: usize,
    pub(super) rules_differ: usize,
    pub(super) events: u64,
    pub(super) unreadable: u64,
    pub(super) damaged: u64,
    pub(super) since: Option<String>,
    pub(super) until: Option<String>,
    pub(super) archive: Option<String>,
    #[serde(flatten)]
    pub(super) totals: Totals,
    pub(super) subscriptions: Vec<Compared>,
    pub(super) notes: Vec<String>,
    pub(super) tests: Tests,
}

#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(default)]
pub(super) struct Totals {
    pub(super) gained: u64,
    pub(super) lost: u64,
    pub(super) changed: u64,
    pub(super) moved: u64,
    pub(super) same: u64,
    pub(super) dead_before: u64,
    pub(super) dead_after: u64,
}

impl Totals {
    pub(super) fn differ(self) -> bool {
        0 < self.gained + self.lost + self.changed + self.moved
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Compared {
    pub(super) bus: String,
    pub(super) rule: String,
    pub(super) target: String,
    pub(super) change: String,
    pub(super) path: String,
    pub(super) line: usize,
    pub(super) what: Vec<String>,
    pub(super) pattern_before: Option<String>,
    pub(super) pattern_after: Option<String>,
    #[serde(flatten)]
    pub(super) counts: Totals,
    pub(super) examples: Vec<Example>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Example {
    pub(super) kind: String,
    pub(super) taken_at: String,
    pub(super) id: String,
    pub(super) source: String,
    #[serde(rename = "detail-type")]
    pub(super) detail_type: String,
    pub(super) why: String,
    pub(super) path: Option<String>,
    pub(super) before: Option<String>,
    pub(super) after: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Tests {
    pub(super) failed: usize,
    pub(super) rendered: String,
}
