//! The last lines of each plugin, for `slipswitch plugin logs`.
//!
//! # Invariants
//!
//! - **bounded**: so many lines and bytes for a plugin, so many plugins; the oldest lines go first, and all of them with
//!   their plugin.
//! - Lines below `info` are read out of a plugin only while somebody follows them.
//! - A follower that is slow misses lines (their numbers show it); it never holds a plugin up: it looks now and then, at
//!   what is new alone, and takes a page of it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bus::Clock;
use bus::plugin::{Level, Line, LineSink};
use event::Timestamp;
use serde::Serialize;
use tokio::sync::watch;
use tracing::warn;

/// Plugins with lines; further ones have none.
const PLUGINS_MAX: usize = 256;
/// Of the lines of one plugin together.
const BYTES_MAX: usize = 512 << 10;
/// Of what a follower gets at once.
const PAGE_LINES_MAX: usize = 1_000;
const PAGE_BYTES_MAX: usize = 256 << 10;
/// Between two looks of a follower.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A line as a follower sees it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
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
    is_full_said: AtomicBool,
}

#[derive(Default)]
struct Rings {
    next: u64,
    of: BTreeMap<String, Ring>,
}

#[derive(Default)]
struct Ring {
    /// By their numbers, which grow.
    lines: VecDeque<(Level, Arc<Kept>)>,
    bytes: usize,
}

/// The next line of one ring; the greatest is the one that came first.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Next {
    number: Reverse<u64>,
    ring: usize,
    kept: Arc<Kept>,
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
    pub(crate) lines: Vec<Arc<Kept>>,
}

impl Lines {
    pub(crate) fn new(clock: Arc<dyn Clock>, kept_max: usize) -> Self {
        let (last, _) = watch::channel(0);
        let (rings, followers) = (Mutex::default(), Default::default());
        Self { clock, kept_max, rings, last, followers, is_full_said: AtomicBool::new(false) }
    }

    /// From the lines that are kept on.
    pub(crate) fn follow(self: &Arc<Self>, plugin: Option<String>, level: Level) -> Follower {
        self.count(level).fetch_add(1, Ordering::Relaxed);
        let changed = self.last.subscribe();
        Follower { lines: Arc::clone(self), plugin, level, seen: 0, changed }
    }

    /// Forgets the lines of plugins that are not there any more.
    pub(crate) fn retain(&self, is_there: impl Fn(&str) -> bool) {
        self.lock().of.retain(|plugin, _| is_there(plugin));
    }

    /// The next page of the lines behind `seen`, and the number up to which nothing is left out.
    fn after(&self, seen: u64, plugin: Option<&str>, level: Level) -> (Vec<Arc<Kept>>, u64) {
        let rings = self.lock();
        let chosen =
            rings.of.iter().filter(|(name, _)| plugin.is_none_or(|wanted| wanted == *name));
        let mut news: Vec<_> = chosen
            .map(|(_, ring)| {
                let first = ring.lines.partition_point(|(_, kept)| kept.number <= seen);
                ring.lines.range(first..).filter(|(of, _)| level <= *of).map(|(_, kept)| kept)
            })
            .collect();
        let mut heads = BinaryHeap::new();
        for ring in 0..news.len() {
            heads.extend(next(&mut news, ring));
        }
        let (mut page, mut bytes) = (Vec::new(), 0);
        while let Some(Next { number, ring, kept }) = heads.pop() {
            bytes += kept.line.len();
            page.push(kept);
            if PAGE_LINES_MAX <= page.len() || PAGE_BYTES_MAX <= bytes {
                return (page, number.0);
            }
            heads.extend(next(&mut news, ring));
        }
        (page, rings.next)
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
            drop(rings);
            if !self.is_full_said.swap(true, Ordering::Relaxed) {
                let plugin = line.plugin;
                warn!(plugin, plugins_max = PLUGINS_MAX, "too many plugins have lines, not kept");
            }
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
        ring.lines.push_back((line.level, Arc::new(kept)));
        while self.kept_max < ring.lines.len() || BYTES_MAX < ring.bytes {
            let Some((_, gone)) = ring.lines.pop_front() else { break };
            ring.bytes -= gone.line.len();
        }
        drop(rings);
        self.last.send_replace(number);
    }
}

impl Follower {
    /// The next lines since the last look, as many as go into a page; empty when there are none.
    pub(crate) fn take(&mut self) -> Page {
        let (lines, seen) = self.lines.after(self.seen, self.plugin.as_deref(), self.level);
        self.seen = seen;
        Page { lines }
    }

    /// Returns when there may be another line, and not at once: lines come by the thousand.
    pub(crate) async fn wait(&mut self) {
        if self.changed.changed().await.is_err() {
            std::future::pending().await
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn next<'a>(news: &mut [impl Iterator<Item = &'a Arc<Kept>>], ring: usize) -> Option<Next> {
    let kept = news.get_mut(ring)?.next()?;
    Some(Next { number: Reverse(kept.number), ring, kept: Arc::clone(kept) })
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
        page.lines.iter().map(|kept| format!("{} {}", kept.plugin, kept.line)).collect()
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
        let mut all = lines.follow(None, Level::Info);
        let pages = [0; 3].map(|_| all.take().lines.len() * 4096);
        assert_eq!(pages, [PAGE_BYTES_MAX, BYTES_MAX - PAGE_BYTES_MAX, 0]);
    }

    #[test]
    fn a_page_is_bounded_and_the_next_goes_on_where_it_ended_whatever_plugin_comes_next() {
        let lines = lines(1_000_000);
        for number in 0..3 * PAGE_LINES_MAX {
            let plugin = if number % 3 == 0 { "a" } else { "b" };
            say(&lines, plugin, Level::Info, &number.to_string());
        }
        let mut all = lines.follow(None, Level::Info);
        for page in 0..3 {
            let taken = all.take().lines;
            let numbers: Vec<usize> = taken.iter().map(|kept| kept.line.parse().unwrap()).collect();
            let expected: Vec<usize> =
                (page * PAGE_LINES_MAX..(page + 1) * PAGE_LINES_MAX).collect();
            assert_eq!(numbers, expected);
        }
        assert_eq!(all.take(), Page::default());
    }

    #[test]
    fn lines_go_with_their_plugin_and_make_room_for_another() {
        let lines = lines(10);
        for number in 0..PLUGINS_MAX {
            say(&lines, &format!("p-{number}"), Level::Info, "1");
        }
        say(&lines, "over", Level::Info, "2");
        let mut all = lines.follow(None, Level::Info);
        assert_eq!(all.take().lines.len(), PLUGINS_MAX);
        lines.retain(|plugin| plugin == "p-7");
        say(&lines, "over", Level::Info, "3");
        assert_eq!(texts(all.take()), ["over 3"]);
        assert_eq!(texts(lines.follow(None, Level::Info).take()), ["p-7 1", "over 3"]);
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

    #[tokio::test(start_paused = true)]
    async fn a_follower_looks_now_and_then_however_many_lines_come() {
        let lines = lines(10);
        let mut follower = lines.follow(None, Level::Info);
        let began = tokio::time::Instant::now();
        for _ in 0..3 {
            say(&lines, "a", Level::Info, "1");
            follower.wait().await;
        }
        assert_eq!(began.elapsed(), 3 * LOOK_EVERY);
    }
}
