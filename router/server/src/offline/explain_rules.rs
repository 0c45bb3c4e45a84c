//! What the rules in a folder make of an event, without a router.

use std::path::Path;

use bus::ruleset::{Diagnostic, Purpose};
use event::{Entry, Stamp, Timestamp};

use super::plugins::LoggedLines;
use super::{NamedText, Stopped, compile_heard, settings};
use crate::config;
use crate::explain::{self, Explained, Question};

/// The bus of a rule that names none.
const BUS_DEFAULT: &str = "default";
/// What an event gets that leaves it out; the same as in tests.
const STAMP: Stamp<'static> = Stamp {
    id: "00000000-0000-0000-0000-000000000000",
    time: Timestamp::from_millis(1_767_225_600_000),
    account: "000000000000",
    region: "local",
};

/// Where the rules are, and what is asked of them.
#[derive(Clone, Copy, Debug)]
pub struct ExplainRequest<'a> {
    pub rules: Option<&'a Path>,
    pub plugins: Option<&'a Path>,
    pub config: Option<&'a Path>,
    pub event: &'a NamedText,
    /// None: that of the rule, else `default`.
    pub bus: Option<&'a str>,
    pub rule: Option<&'a str>,
    pub color: bool,
}

/// Why nothing was explained.
#[derive(Debug)]
pub enum NotExplained {
    /// The rules do not load; as people read it.
    Rules(String),
    /// There is no such rule or bus, or the event is none.
    Asked(String),
}

/// Explains.
///
/// # Errors
///
/// When the rules do not load, or what was asked for is not there.
pub fn explain_event(request: &ExplainRequest<'_>) -> Result<Explained, NotExplained> {
    let folder = request.rules.unwrap_or(Path::new("rules"));
    let stopped = |stopped: Stopped| NotExplained::Rules(stopped.explain(folder, request.color).1);
    let config = settings(request.rules, request.plugins, request.config).map_err(stopped)?;
    let lines = LoggedLines::default();
    let compiled = compile_heard(&config, &lines).map_err(stopped)?;
    let NamedText { name, text } = request.event;
    let limits = config.limits.of_events();
    let entry = Entry::read(text.as_bytes(), &limits, &STAMP).map_err(|error| {
        let problem = not_an_event(name, text, &error.to_string(), json_place(text));
        NotExplained::Asked(problem.render(text, request.color))
    })?;
    let of_rule = || {
        let rule = compiled.rules.rules().iter().find(|rule| Some(&*rule.name) == request.rule);
        rule.map_or(BUS_DEFAULT, |rule| &rule.bus).to_owned()
    };
    let bus = request.bus.map_or_else(of_rule, str::to_owned);
    // As a delivery, so that plugins' lines are heard; their figures go nowhere.
    let purpose = Purpose::Delivery;
    let (event, ingested, rule) = (&entry.event, STAMP.time, request.rule);
    let question = Question { bus: &bus, event, ingested, rule, purpose };
    explain::explain(&compiled.rules, question, &|| lines.take())
        .map_err(|error| NotExplained::Asked(error.to_string()))
}

/// Where a text stops being JSON; its begin when it is JSON.
fn json_place(text: &str) -> usize {
    let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(text) else { return 0 };
    let lines: usize =
        text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
    let at = lines + error.column().saturating_sub(1);
    text.floor_char_boundary(at.min(text.trim_end().len().saturating_sub(1)))
}

fn not_an_event(name: &str, text: &str, message: &str, at: usize) -> Diagnostic {
    let len = text.get(at..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
    let mend = "an event is one JSON object with `source`, `detail-type` and `detail`";
    let words = [message.to_owned(), "here".to_owned(), mend.to_owned()];
    let found = config::at(name, text, at..at + len, words);
    Diagnostic { page: "docs/http-api.md#events-in", ..found }
}
