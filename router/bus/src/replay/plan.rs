//! From what somebody asks for to a replay that can be, or the reason why not.

use event::Timestamp;
use journal::Offset;

use super::{
    CONCURRENCY_MAX, NAME_CHARS_MAX, RATE_MAX, Replay, ReplayError, ReplayState, StartReplay,
};
use crate::archives::ArchiveError;
use crate::core::Core;
use crate::key::Key;

impl Core {
    pub(super) fn plan(&self, start: StartReplay, now: Timestamp) -> Result<Replay, ReplayError> {
        if !self.has_bus(&start.bus) {
            return Err(ReplayError::UnknownBus { bus: start.bus, known: self.buses() });
        }
        let from_offset = self.begin(&start)?;
        let StartReplay { name, bus, since, until, .. } = start;
        let name = name.unwrap_or_else(|| format!("replay-{}", now.as_millis()));
        let is_name = (1..=NAME_CHARS_MAX).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
            && name != "."
            && name != "..";
        if !is_name {
            return Err(ReplayError::BadName { name: name.chars().take(NAME_CHARS_MAX).collect() });
        }
        if let Some(rate) = start.rate.filter(|rate| !(0.0 < *rate && *rate <= RATE_MAX)) {
            return Err(ReplayError::BadRate { rate });
        }
        let concurrency = start.concurrency;
        if !(1..=CONCURRENCY_MAX).contains(&concurrency) {
            return Err(ReplayError::BadConcurrency { concurrency });
        }
        if let Some(until) = until.filter(|until| *until < since) {
            return Err(ReplayError::EmptySpan { since, until });
        }
        // A clock that was set back may have seen later ones.
        if now < since && self.journal.durable_end() <= self.journal.offset_at(since.as_millis())? {
            return Err(ReplayError::Ahead { since, now });
        }
        let to_offset = match until {
            Some(until) => self.journal.offset_at(until.as_millis())?,
            None => self.journal.durable_end(),
        };
        Ok(Replay {
            name,
            bus,
            archive: start.archive,
            since,
            until: until.unwrap_or(now),
            from_offset,
            to_offset: to_offset.max(from_offset),
            position: from_offset,
            percent: 0.0,
            eta_seconds: None,
            rules: start.rules,
            targets: start.targets,
            pattern: start.pattern,
            rate: start.rate,
            concurrency,
            state: ReplayState::Running,
            error: None,
            delivered: 0,
            dropped: 0,
            dead: 0,
            damaged: 0,
            started_at: now,
            ended_at: None,
            stopped: Vec::new(),
        })
    }

    /// Where the span begins. The journal may know no time as old as an archive's.
    fn begin(&self, start: &StartReplay) -> Result<Offset, ReplayError> {
        let Some(name) = &start.archive else {
            return Ok(self.journal.offset_at(start.since.as_millis())?);
        };
        let archive = self.archive(name).map_err(|error| match error {
            ArchiveError::Unknown { name, known } => ReplayError::UnknownArchive { name, known },
            _ => ReplayError::UnknownArchive { name: name.clone(), known: Vec::new() },
        })?;
        if *archive.bus != *start.bus {
            let (bus, asked) = (archive.bus.as_ref().to_owned(), start.bus.clone());
            return Err(ReplayError::OtherBus { archive: name.clone(), bus, asked });
        }
        Ok(archive.from_offset)
    }

    /// The temporary subscriptions of a replay.
    pub(super) fn subscriptions_of(&self, replay: &Replay) -> Result<Vec<Key>, ReplayError> {
        let routes = self.routes.load();
        let on_bus: Vec<&Key> =
            routes.by_key.keys().filter(|key| *key.bus == *replay.bus).collect();
        let bus = || replay.bus.clone();
        let mut known: Vec<String> =
            on_bus.iter().map(|key| key.rule.as_ref().to_owned()).collect();
        known.dedup();
        if let Some(rule) = replay.rules.iter().find(|rule| !known.contains(rule)) {
            return Err(ReplayError::UnknownRule { rule: rule.clone(), bus: bus(), known });
        }
        let names: Vec<String> =
            on_bus.iter().map(|key| format!("{}/{}", key.rule, key.target)).collect();
        if let Some(target) = replay.targets.iter().find(|target| !names.contains(target)) {
            let (target, known) = (target.clone(), names);
            return Err(ReplayError::UnknownTarget { target, bus: bus(), known });
        }
        if known.is_empty() {
            return Err(ReplayError::NoRules { bus: bus() });
        }
        let takes_all = replay.rules.is_empty() && replay.targets.is_empty();
        let chosen = on_bus.iter().zip(&names).filter(|(key, name)| {
            takes_all
                || replay.rules.iter().any(|rule| **rule == *key.rule)
                || replay.targets.contains(name)
        });
        Ok(chosen.map(|(key, _)| key.replaying(&replay.name)).collect())
    }
}
