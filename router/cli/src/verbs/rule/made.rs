//! What the router says of a rule, and of a change.

use serde::Deserialize;

use crate::output::{self, complain};
use crate::verbs::reload::Owed;

/// A rule of a listing.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Rule {
    pub(crate) bus: String,
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) enabled: bool,
    pub(crate) from: String,
    pub(crate) path: String,
    pub(crate) line: usize,
    pub(crate) targets: Vec<Target>,
    /// As it was sent; none of a rule from a file.
    pub(crate) text: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Target {
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) url: Option<String>,
    pub(crate) file: Option<String>,
    pub(crate) bus: Option<String>,
}

impl Rule {
    /// Whether it was sent, and belongs to no file.
    pub(crate) fn is_made(&self) -> bool {
        self.from == "interface"
    }

    pub(crate) fn state(&self) -> &'static str {
        if self.enabled { "enabled" } else { "disabled" }
    }
}

/// The answer to a change.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Done {
    pub(crate) bus: String,
    pub(crate) name: String,
    pub(crate) generation: u64,
    pub(crate) changed: bool,
    pub(crate) created: bool,
    /// Where the rule stands that runs now.
    pub(crate) path: Option<String>,
    removed: Vec<Owed>,
}

impl Done {
    /// One line for the change, and one for each target that lost its rule by it.
    pub(crate) fn tell(&self, done: &str, needless: &str) -> std::io::Result<()> {
        self.removed.iter().for_each(|owed| complain(&owed.told()));
        let how = if self.changed { done } else { needless };
        let Self { bus, name, generation, .. } = self;
        output::line(&output::flat(&format!("{bus}/{name}: {how}, generation {generation}")))
    }
}
