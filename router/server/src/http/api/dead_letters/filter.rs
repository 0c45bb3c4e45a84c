//! Which dead letters: the same words in every query and every body.

use std::collections::BTreeMap;

use bus::delivery::{ErrorKind, LetterState};
use bus::{DeadLetterFilter, LetterChoice};
use serde::Deserialize;
use serde_json::Value;

use crate::config::nearest;
use crate::http::api::{pattern, span};
use crate::http::error::{Kind, Problem};
use crate::http::{App, shown};

#[derive(Debug, Default, Deserialize)]
pub(super) struct Filter {
    bus: Option<String>,
    rule: Option<String>,
    target: Option<String>,
    replay: Option<String>,
    kind: Option<String>,
    error: Option<String>,
    since: Option<String>,
    until: Option<String>,
    pattern: Option<Value>,
    state: Option<String>,
}

/// What nobody asked for.
pub(super) type Rest = BTreeMap<String, Value>;

pub(super) fn nothing_else(rest: &Rest, kind: Kind) -> Result<(), Problem> {
    let Some(key) = rest.keys().next() else { return Ok(()) };
    const KNOWN: [&str; 17] = [
        "bus", "rule", "target", "replay", "kind", "error", "since", "until", "pattern", "state",
        "before", "limit", "group_by", "ids", "all", "dry_run", "to",
    ];
    let mend = match nearest(key, &KNOWN) {
        Some(word) if word != key => format!("; did you mean `{word}`?"),
        _ => String::new(),
    };
    Err(kind.problem(format!("there is no `{}` here{mend}", shown(key))))
}

impl Filter {
    pub(super) fn is_empty(&self) -> bool {
        let Self { bus, rule, target, replay, kind, error, since, until, pattern, state } = self;
        let texts = [bus, rule, target, replay, kind, error, since, until, state];
        texts.into_iter().all(Option::is_none) && pattern.is_none()
    }

    /// `bad` is how a mistake is called here.
    pub(super) async fn read(self, app: &App, bad: Kind) -> Result<DeadLetterFilter, Problem> {
        let (since, until) = span(self.since.as_deref(), self.until.as_deref(), bad)?;
        let filter = DeadLetterFilter {
            kind: self.kind.as_deref().map(|text| kind(text, bad)).transpose()?,
            since,
            until,
            pattern: self.pattern.map(|value| pattern(&value, bad)).transpose()?,
            choice: choice(self.state.as_deref(), bad)?,
            bus: self.bus,
            rule: self.rule,
            target: self.target,
            replay: self.replay,
            error: self.error,
            before: None,
            limit: 0,
        };
        known(app, &filter).await?;
        Ok(filter)
    }
}

fn kind(text: &str, bad: Kind) -> Result<ErrorKind, Problem> {
    ErrorKind::parse(text).ok_or_else(|| {
        let all = ErrorKind::ALL.map(ErrorKind::as_str).join(", ");
        bad.problem(format!("`kind` is `{}`; use one of {all}", shown(text)))
    })
}

fn choice(text: Option<&str>, bad: Kind) -> Result<LetterChoice, Problem> {
    let Some(text) = text else { return Ok(LetterChoice::default()) };
    match text {
        "all" => return Ok(LetterChoice::All),
        "history" => return Ok(LetterChoice::Redriven),
        _ => (),
    }
    LetterState::parse(text).map(LetterChoice::In).ok_or_else(|| {
        let states = LetterState::ALL.map(LetterState::as_str).join(", ");
        let text = shown(text);
        bad.problem(format!(
            "`state` is `{text}`; use one of {states}, `history` for what was ever sent again, or `all`"
        ))
    })
}

/// A name that neither the rules nor the letters know is a slip of the pen.
async fn known(app: &App, filter: &DeadLetterFilter) -> Result<(), Problem> {
    let DeadLetterFilter { bus, rule, target, .. } = filter;
    if bus.is_none() && rule.is_none() && target.is_none() {
        return Ok(());
    }
    let mut names = app.router.dead_letter_names().await?;
    for rule in app.router.rules().rules() {
        let of_target = |target: &std::sync::Arc<bus::ruleset::Target>| {
            [rule.bus.clone(), rule.name.clone(), target.id.clone()]
        };
        names.extend(rule.targets.iter().map(of_target));
    }
    let has = |index: usize, name: &String| names.iter().any(|one| one[index] == *name);
    if let Some(bus) = bus.as_ref().filter(|bus| !has(0, bus) && !app.router.has_bus(bus)) {
        return Err(app.unknown_bus(bus));
    }
    for (index, what, name) in [(1, "rule", rule), (2, "target", target)] {
        let Some(name) = name.as_ref().filter(|name| !has(index, name)) else { continue };
        let mut words: Vec<&str> = names.iter().map(|one| one[index].as_str()).collect();
        words.sort_unstable();
        words.dedup();
        let mend = match nearest(name, &words) {
            Some(word) => format!("did you mean `{word}`?"),
            None => "`slipswitch dlq count --by target` shows what there is".to_owned(),
        };
        let name = shown(name);
        return Err(Kind::UnknownRule.problem(format!(
            "there is neither a {what} `{name}` nor a dead letter of one; {mend}"
        )));
    }
    Ok(())
}
