//! The last lines of each plugin, for `slipswitch plugin logs`.
//!
//! # Invariants
//!
//! - **bounded**: so many lines and bytes for a plugin, so many plugins; the oldest lines go first.
//! - Lines below `info` are read out of a plugin only while somebody follows them.
//! - A follower that is slow misses lines (their numbers show it); it never holds a plugin up.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bus::Clock;
use bus::plugin::{Level, Line, LineSink};
use event::Timestamp;
use serde::Serialize;
use tokio::sync::watch;

/// Plugins with lines; further ones have none.
const PLUGINS_MAX: usize = 256;
/// Of the lines of one plugin together.
const BYTES_MAX: usize = 512 << 10;

/// A line as a follower sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Kept {
    /// Counts the lines of all plugins since the start.
    pub(crate) number: u64,
    pub(crate) time: Timestamp,
    pub(crate) plugin: String,
    pub(crate) level: &'static str,
    pub(crate) rule: Option<String>,
    pub(crate) event: Option<String>,
    pub(crate) line: String,
}

/// Everything that is kept.
pub(crate) struct Lines {
    clock: Arc<dyn Clock>,
    kept_max: usize,
    rings: Mutex<Rings>,
    /// The number of the last line.
    last: watch::Sender<u64>,
    /// Followers by the least level that they want.
    followers: [AtomicUsize; 5],
}

#[derive(Default)]
struct Rings {
    next: u64,
    of: BTreeMap<String, Ring>,
}

#[derive(Default)]
struct Ring {
    lines: VecDeque<(Level, Kept)>,
    bytes: usize,
}

/// Somebody who reads along; the lines that only he wants are no longer read when he goes.
pub(crate) struct Follower {
    lines: Arc<Lines>,
    plugin: Option<String>,
    level: Level,
    /// The number of the last line that he has seen.
    seen: u64,
    changed: watch::Receiver<u64>,
}

/// What a follower has next.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) lines: Vec<Kept>,
}

impl Lines {
    pub(crate) fn new(clock: Arc<dyn Clock>, kept_max: usize) -> Self {
        let (last, _) = watch::channel(0);
        Self { clock, kept_max, rings: Mutex::default(), last, followers: Default::default() }
    }

    /// From the lines that are kept on.
    pub(crate) fn follow(self: &Arc<Self>, plugin: Option<String>, level: Level) -> Follower {
        self.count(level).fetch_add(1, Ordering::Relaxed);
        let changed = self.last.subscribe();
        Follower { lines: Arc::clone(self), plugin, level, seen: 0, changed }
    }

    fn after(&self, seen: u64, plugin: Option<&str>, level: Level) -> Vec<Kept> {
        let rings = self.lock();
        let chosen =
            rings.of.iter().filter(|(name, _)| plugin.is_none_or(|wanted| wanted == *name));
        let lines = chosen.flat_map(|(_, ring)| &ring.lines);
        let wanted = lines.filter(|(of, kept)| level <= *of && seen < kept.number);
        let mut found: Vec<Kept> = wanted.map(|(_, kept)| kept.clone()).collect();
        found.sort_by_key(|kept| kept.number);
        found
    }

    fn count(&self, level: Level) -> &AtomicUsize {
        let [trace, debug, info, warn, error] = &self.followers;
        match level {
            Level::Trace => trace,
            Level::Debug => debug,
            Level::Info => info,
            Level::Warn => warn,
            Level::Error => error,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Rings> {
        self.rings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LineSink for Lines {
    fn is_wanted(&self, level: Level) -> bool {
        let is_followed = |level| 0 < self.count(level).load(Ordering::Relaxed);
        match level {
            Level::Info | Level::Warn | Level::Error => true,
            Level::Debug => is_followed(Level::Debug) || is_followed(Level::Trace),
            Level::Trace => is_followed(Level::Trace),
        }
    }

    fn line(&self, line: &Line<'_>) {
        let time = self.clock.now();
        let mut rings = self.lock();
        if rings.of.len() >= PLUGINS_MAX && !rings.of.contains_key(line.plugin) {
            return;
        }
        rings.next += 1;
        let number = rings.next;
        let kept = Kept {
            number,
            time,
            plugin: line.plugin.to_owned(),
            level: line.level.name(),
            rule: line.rule.map(str::to_owned),
            event: line.event.map(str::to_owned),
            line: line.text.to_owned(),
        };
        let ring = rings.of.entry(line.plugin.to_owned()).or_default();
        ring.bytes += kept.line.len();
        ring.lines.push_back((line.level, kept));
        while self.kept_max < ring.lines.len() || BYTES_MAX < ring.bytes {
            let Some((_, gone)) = ring.lines.pop_front() else { break };
            ring.bytes -= gone.line.len();
        }
        drop(rings);
        self.last.send_replace(number);
    }
}

impl Follower {
    /// The lines since the last look; empty when there are none.
    pub(crate) fn take(&mut self) -> Page {
        let lines = self.lines.after(self.seen, self.plugin.as_deref(), self.level);
        if let Some(last) = lines.last() {
            self.seen = last.number;
        }
        Page { lines }
    }

    /// Returns when there may be another line.
    pub(crate) async fn wait(&mut self) {
        if self.changed.changed().await.is_err() {
            std::future::pending().await
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.lines.count(self.level).fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;

    fn lines(kept_max: usize) -> Arc<Lines> {
        Arc::new(Lines::new(Arc::new(SystemClock::start()), kept_max))
    }

    fn say(lines: &Lines, plugin: &str, level: Level, text: &str) {
        lines.line(&Line { plugin, level, event: Some("e-1"), rule: None, text });
    }

    fn texts(page: Page) -> Vec<String> {
        page.lines.into_iter().map(|kept| format!("{} {}", kept.plugin, kept.line)).collect()
    }

    #[test]
    fn the_last_lines_are_kept_and_each_is_seen_once() {
        let lines = lines(2);
        for text in ["1", "2", "3"] {
            say(&lines, "a", Level::Info, text);
        }
        say(&lines, "b", Level::Warn, "4");
        let mut all = lines.follow(None, Level::Info);
        assert_eq!(texts(all.take()), ["a 2", "a 3", "b 4"]);
        say(&lines, "a", Level::Error, "5");
        assert_eq!(texts(all.take()), ["a 5"]);
        assert_eq!(all.take(), Page::default());
        assert_eq!(texts(lines.follow(Some("b".to_owned()), Level::Info).take()), ["b 4"]);
        assert_eq!(texts(lines.follow(None, Level::Error).take()), ["a 5"]);
    }

    #[test]
    fn the_bytes_of_a_plugin_are_bounded() {
        let lines = lines(1_000_000);
        for _ in 0..200 {
            say(&lines, "a", Level::Info, &"x".repeat(4096));
        }
        let kept = lines.follow(None, Level::Info).take().lines.len();
        assert_eq!(kept * 4096, BYTES_MAX);
    }

    #[test]
    fn lines_that_only_a_follower_wants_are_read_while_he_is_there() {
        let lines = lines(10);
        assert!(lines.is_wanted(Level::Info) && !lines.is_wanted(Level::Debug));
        let follower = lines.follow(None, Level::Debug);
        assert!(lines.is_wanted(Level::Debug) && !lines.is_wanted(Level::Trace));
        drop(follower);
        assert!(!lines.is_wanted(Level::Debug));
    }

    #[tokio::test]
    async fn a_follower_wakes_when_a_line_comes() {
        let lines = lines(10);
        let mut follower = lines.follow(None, Level::Info);
        say(&lines, "a", Level::Info, "1");
        follower.wait().await;
        assert_eq!(texts(follower.take()), ["a 1"]);
    }
}
