//! Which dead letters: the options that all of `slipswitch dlq` share.

use std::fs;

use clap::Args;
use serde_json::{Value, json};

use crate::{
    clock, consent,
    failure::Failure,
    matching::Matching,
    name::{Name, agreed},
    output,
    span::Between,
};

/// Which dead letters.
#[derive(Debug, Args)]
pub(super) struct Filter {
    /// Only of events on this bus
    #[arg(long)]
    bus: Option<String>,
    /// Only of this rule
    #[arg(long, value_name = "NAME")]
    rule: Option<String>,
    /// Only of this target: as it is called in its rule, or RULE/TARGET, or BUS/RULE/TARGET
    #[arg(long, value_name = "[[BUS/]RULE/]TARGET")]
    target: Option<String>,
    /// Only of this replay
    #[arg(long, value_name = "NAME")]
    replay: Option<String>,
    /// Only of this kind of error: refused, unavailable, timeout, transform, target-gone,
    /// event-gone
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    /// Only with this text in the error
    #[arg(long, value_name = "TEXT")]
    error: Option<String>,
    #[command(flatten)]
    between: Between,
    #[command(flatten)]
    matching: Matching,
    /// By what became of them: dead (those that wait), queued, redriven, delivered, moved, history (as --history), all [default: dead]
    #[arg(long, value_name = "STATE", conflicts_with = "history")]
    state: Option<String>,
    /// Those that were sent again at least once, whatever came of it
    #[arg(long)]
    history: bool,
}

impl Filter {
    /// What was asked for, by the names of the HTTP interface.
    pub(super) fn set(&self) -> Result<Vec<(&'static str, String)>, Failure> {
        let span = self.between.span()?;
        let pattern = self.matching.text()?;
        let target = self.target.as_deref().map(Name::of_target).transpose()?.unwrap_or_default();
        let bus = agreed("bus", self.bus.as_deref(), target.bus)?.map(str::to_owned);
        let rule = agreed("rule", self.rule.as_deref(), target.rule)?.map(str::to_owned);
        let target = target.target.map(str::to_owned);
        let state = if self.history { Some("history".to_owned()) } else { self.state.clone() };
        let all = [
            ("bus", bus),
            ("rule", rule),
            ("target", target),
            ("replay", self.replay.clone()),
            ("kind", self.kind.clone()),
            ("error", self.error.clone()),
            ("since", span.since.map(|since| since.to_string())),
            ("until", span.until.map(|until| until.to_string())),
            ("pattern", pattern),
            ("state", state),
        ];
        Ok(all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect())
    }

    /// What to say when there are none, because its span has not begun yet.
    pub(super) fn ahead(&self) -> Result<Option<String>, Failure> {
        Ok(self.between.span()?.ahead(clock::now()))
    }

    pub(super) fn is_empty(&self) -> bool {
        let Self { bus, rule, target, replay, kind, error, between, matching, state, history } =
            self;
        let texts = [bus, rule, target, replay, kind, error, state];
        let is_bare = texts.into_iter().all(Option::is_none) && !history;
        is_bare && between.is_empty() && matching.is_empty()
    }
}

/// A pattern's text. Its mistakes are the router's to find: it knows what a pattern may say.
pub(crate) fn read(pattern: &str) -> Result<String, Failure> {
    match pattern.strip_prefix('@') {
        None => Ok(pattern.to_owned()),
        Some(path) => fs::read_to_string(path)
            .map_err(|error| Failure::usage(format!("--pattern: read {path}: {error}"))),
    }
}

/// For clap: the id of a dead letter.
pub(super) fn letter_id(text: &str) -> Result<i64, String> {
    text.parse().map_err(|_no_number| {
        "dead letters have numbers, as `slipswitch dlq ls` shows them".to_owned()
    })
}

/// Letters by id, or all that the filters leave.
#[derive(Debug, Args)]
pub(super) struct Which {
    /// The ids, as `slipswitch dlq ls` shows them
    #[arg(value_name = "ID", value_parser = letter_id)]
    ids: Vec<i64>,
    /// All of them, or all that the filters leave; says how many they are, and asks (a script says --yes)
    #[arg(long, conflicts_with = "ids")]
    all: bool,
    /// Do it without asking
    #[arg(long)]
    yes: bool,
    /// Say how many they are, and do nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    filter: Filter,
}

impl Which {
    /// The body of the request.
    pub(super) fn body(&self) -> Result<Value, Failure> {
        if !self.ids.is_empty() {
            if !self.filter.is_empty() {
                return Err(Failure::usage("ids name letters one by one: leave the filters away"));
            }
            let mut ids = self.ids.clone();
            ids.sort_unstable();
            ids.dedup();
            return Ok(json!({ "ids": ids }));
        }
        if !self.all {
            return Err(Failure::usage(
                "which dead letters? name their ids, or say --all --yes (with filters such as --rule: all that these \
                 leave); `slipswitch dlq ls` shows them",
            ));
        }
        let mut body = json!({ "all": true });
        for (name, value) in self.filter.set()? {
            body[name] = value.into();
        }
        Ok(body)
    }

    /// Whether no letter was named by itself.
    pub(super) fn is_all(&self) -> bool {
        self.all
    }

    /// The letter, when one alone was named.
    pub(super) fn only(&self) -> Option<i64> {
        match *self.ids {
            [id] => Some(id),
            _ => None,
        }
    }

    pub(super) fn is_sure(&self) -> bool {
        self.yes
    }

    /// Whether letters by the dozen are meant that nobody said yes to yet.
    pub(super) fn is_rehearsal(&self) -> bool {
        self.dry_run || (self.all && !self.yes)
    }

    /// After a rehearsal: whether to do it, as somebody says who has seen how many they are.
    pub(super) fn rehearsed(&self, counted: &Counted, does: &str) -> Result<bool, Failure> {
        let Counted { letters, groups } = counted;
        output::line(&format!("to {does}: {}", output::count(letters, "dead letter")))?;
        if !groups.is_empty() {
            output::line("")?;
            let row = |group: &Group| [group.letters.to_string(), group.name()];
            output::table(["LETTERS", "TARGET"], groups.iter().map(row).collect(), "")?;
        }
        if self.dry_run || (*letters == 0 && consent::can_ask()) {
            return Ok(false);
        }
        let (first, rest) = does.split_at(1);
        let letters = output::counted(*letters, "dead letter");
        let of = match groups.len() {
            0 => String::new(),
            targets => format!(" of {}", output::count(targets, "target")),
        };
        let question = format!("{}{rest} {letters}{of}?", first.to_uppercase());
        consent::ask(&question, "nothing was done yet: say --yes to do it")?;
        Ok(true)
    }
}

/// How many letters there are.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub(super) struct Counted {
    pub(super) letters: u64,
    pub(super) groups: Vec<Group>,
}

/// Those that have something in common.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub(super) struct Group {
    pub(super) bus: Option<String>,
    pub(super) rule: Option<String>,
    pub(super) target: Option<String>,
    pub(super) kind: Option<String>,
    pub(super) error: Option<String>,
    pub(super) letters: u64,
    pub(super) oldest: String,
    pub(super) newest: String,
}

impl Group {
    pub(super) fn name(&self) -> String {
        let Self { bus, rule, target, kind, error, .. } = self;
        let parts: Vec<&str> =
            [bus, rule, target, kind, error].into_iter().flatten().map(String::as_str).collect();
        if parts.is_empty() { "(others)".to_owned() } else { output::flat(&parts.join("/")) }
    }
}
