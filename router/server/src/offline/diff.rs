//! Rules compared by what they would have done: the folder that is sent to a router, and two folders over recorded
//! events, without one.
//!
//! # Invariants
//!
//! - bounded: of the events, those of the examples are kept and no others, however many come.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use bus::ruleset::compare::{Comparison, Look, Report, Seen, Side, Tally};
use bus::ruleset::{About, Finds, Payload, Purpose, TransformError};
use bytes::Bytes;
use event::{Event, Limits, Stamp, Timestamp};
use serde::Deserialize;
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use super::{Stopped, compile};
use crate::config::Config;
use crate::plugins::versions::hex;
use crate::run::folders;

/// After so many events, those that no example needs any more are let go.
const ROUND: u64 = 4_096;

/// The files of a folder of rules, as they are, and the digests of the plugins beside them.
pub struct RuleFiles {
    /// Path and text.
    pub files: Vec<(String, String)>,
    /// Name and SHA-256.
    pub plugins: Vec<(String, String)>,
    /// The folder of rules.
    pub folder: String,
}

/// Reads the rule files, whatever is in them.
///
/// # Errors
///
/// What keeps us from reading, for people.
pub fn rule_files(
    rules: Option<&Path>,
    plugins: Option<&Path>,
    config: Option<&Path>,
) -> Result<RuleFiles, String> {
    let mut config = Config::read(config).map_err(|error| error.to_string())?;
    if let Some(rules) = rules {
        config.rules_dir = rules.to_owned();
    }
    if let Some(plugins) = plugins {
        config.plugins_dir = plugins.to_owned();
    }
    let mut folders = folders(&config);
    // They are looked at only where there are some.
    folders.plugins_optional |= plugins.is_none();
    let content = folders.read().map_err(|error| error.to_string())?;
    if !content.problems.is_empty() {
        let problems = content.problems.iter().map(|one| one.render("", false));
        return Err(problems.collect::<Vec<_>>().join("\n"));
    }
    let digest = |file: bus::PluginFile| (file.name, hex(&Sha256::digest(&file.bytes)));
    Ok(RuleFiles {
        files: content.rules.into_iter().map(|file| (file.path, file.text)).collect(),
        plugins: content.plugins.into_iter().map(digest).collect(),
        folder: config.rules_dir.display().to_string(),
    })
}

/// Two folders, and the events to compare them over.
pub struct Folders<'a> {
    pub before: &'a Path,
    /// As for [`super::check`].
    pub after: (Option<&'a Path>, Option<&'a Path>, Option<&'a Path>),
    /// The bus that the events were on, where they do not say it themselves; none: each on which something differs.
    pub bus: Option<&'a str>,
    pub examples: usize,
}

/// Why nothing was compared.
#[derive(Debug, thiserror::Error)]
pub enum DiffError {
    /// Rules that do not compile, as people read it.
    #[error("{0}")]
    Rules(String),

    #[error("event {number}: {message}")]
    Event { number: u64, message: String },
}

/// Compares two folders of rules over events, one after the other.
///
/// # Errors
///
/// When the rules of a folder do not compile, or what should be an event is none.
pub fn diff_folders(
    of: &Folders<'_>,
    events: impl Iterator<Item = Result<Box<RawValue>, String>>,
) -> Result<Report, DiffError> {
    let (rules, plugins, config) = of.after;
    let compiled = |rules: Option<&Path>| {
        let explain = |stopped: Stopped| {
            DiffError::Rules(stopped.explain(rules.unwrap_or(Path::new("rules")), false).1)
        };
        compile(&[], rules, plugins, config).map_err(explain)
    };
    let before = compiled(Some(of.before))?;
    let after = compiled(rules)?;
    let comparison = Comparison::new(Arc::clone(&before.rules), Arc::clone(&after.rules));
    let buses: Vec<&str> = comparison.buses().collect();
    let mut reading = Reading::new(&comparison, &buses, of);
    for (number, event) in (0..).zip(events) {
        let wrong = |message| DiffError::Event { number: number + 1, message };
        reading.event(number, event.map_err(wrong)?.get()).map_err(wrong)?;
    }
    Ok(reading.report())
}

struct Reading<'c> {
    comparison: &'c Comparison,
    looks: Vec<(&'c str, Look<'c>)>,
    finds: Finds,
    of: &'c Folders<'c>,
    /// Those that may be examples.
    kept: HashMap<u64, (Bytes, Timestamp)>,
    seen: u64,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
}

/// An event as `slipswitch events -o json` lists it.
#[derive(Deserialize)]
struct Listed<'a> {
    bus: String,
    #[serde(borrow)]
    event: &'a RawValue,
    #[serde(rename = "offset")]
    _offset: u64,
}

impl<'c> Reading<'c> {
    fn new(comparison: &'c Comparison, buses: &[&'c str], of: &'c Folders<'c>) -> Self {
        let look = |bus: &&'c str| (*bus, Look::new(comparison, bus, of.examples));
        let looks = buses.iter().map(look).collect();
        let (finds, kept) = (Finds::default(), HashMap::new());
        Self { comparison, looks, finds, of, kept, seen: 0, first: None, last: None }
    }

    fn event(&mut self, number: u64, text: &str) -> Result<(), String> {
        let listed: Option<Listed<'_>> = serde_json::from_str(text).ok();
        let (text, bus) = match &listed {
            Some(listed) => (listed.event.get(), Some(listed.bus.as_str())),
            None => (text, self.of.bus),
        };
        let event = read(number, text)?;
        let (envelope, taken_at) = (event.bytes(), event.time());
        self.seen += 1;
        self.first = Some(self.first.map_or(taken_at, |first| first.min(taken_at)));
        self.last = Some(self.last.map_or(taken_at, |last| last.max(taken_at)));
        for (_, look) in self.looks.iter_mut().filter(|(on, _)| bus.is_none_or(|bus| bus == *on)) {
            look.event(Seen { offset: number, envelope, taken_at }, &making(&self.finds));
        }
        self.kept.insert(number, (envelope.clone(), taken_at));
        if self.seen.is_multiple_of(ROUND) {
            self.let_go();
        }
        Ok(())
    }

    fn let_go(&mut self) {
        let mut wanted = std::collections::HashSet::new();
        for (_, look) in &self.looks {
            wanted.extend(self.comparison.shown(look.so_far()).into_iter().map(|(_, at)| at));
        }
        self.kept.retain(|number, _| wanted.contains(number));
    }

    fn report(self) -> Report {
        let Self { comparison, looks, finds, of, kept, seen, first, last } = self;
        let mut tally: Tally = comparison.tally();
        for (_, look) in looks {
            tally = tally.and(look.tally(), of.examples);
        }
        // An event that is asked of several buses is one all the same.
        tally.events = seen;
        tally.times = first.zip(last);
        let find = |_bus: &str, number: u64| kept.get(&number).cloned();
        comparison.report(&tally, &find, &making(&finds))
    }
}

/// An envelope, or what a sender would send.
fn read(number: u64, text: &str) -> Result<Event, String> {
    let bytes = Bytes::copy_from_slice(text.as_bytes());
    event::check_json(&bytes, &Limits::default()).map_err(|error| error.to_string())?;
    if let Ok(event) = Event::read(bytes) {
        return Ok(event);
    }
    let id = format!("event-{}", number + 1);
    let time = Timestamp::from_millis(0);
    let stamp = Stamp { id: &id, time, account: "000000000000", region: "local" };
    let event = Event::from_entry(text.as_bytes(), &Limits::default(), &stamp);
    event.map_err(|error| error.to_string())
}

fn making(
    finds: &Finds,
) -> impl Fn(&Side, &Event, Timestamp) -> Result<Vec<Payload>, TransformError> {
    move |side, event, ingested| {
        let about = About {
            rule: &side.rule.name,
            target: &side.target.id,
            bus: &side.rule.bus,
            replay: event.replay_name(),
            ingested,
            purpose: Purpose::Look,
        };
        side.target.transform_with(event, &about, Some(finds))
    }
}
