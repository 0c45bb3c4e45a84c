//! What takes long says how far it is, to who looks at standard error.
//!
//! # Invariants
//!
//! - A file or a pipe never gets a word of it.
//! - Nothing is said in the first second, and nothing of it is left on the screen at the end.

use std::io::{self, IsTerminal as _, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::output::grouped;

/// What is done sooner needs no word.
const QUIET: Duration = Duration::from_secs(1);
const BEATS_A_SECOND: u32 = 4;
const BAR_CHARS: usize = 20;

/// Work that is under way, until it is dropped.
pub(crate) struct Progress {
    /// Closed when the work ends.
    under_way: Option<SyncSender<()>>,
    screen: Option<JoinHandle<()>>,
}

impl Progress {
    /// `what` is under way, such as "reading the journal".
    pub(crate) fn begin(what: &'static str) -> Self {
        Self::of(what, None, has_screen())
    }

    /// The same, with how many there are so far. Not while the answer goes to the same screen line by line.
    pub(crate) fn counting(what: &'static str, done: &Arc<AtomicU64>) -> Self {
        let is_free = has_screen() && !io::stdout().is_terminal();
        Self::of(what, Some(Arc::clone(done)), is_free)
    }

    fn of(what: &'static str, done: Option<Arc<AtomicU64>>, is_shown: bool) -> Self {
        if is_shown {
            return Self::on(Box::new(io::stderr()), what, done, QUIET);
        }
        Self { under_way: None, screen: None }
    }

    fn on(
        mut screen: Box<dyn Write + Send>,
        what: &'static str,
        done: Option<Arc<AtomicU64>>,
        quiet: Duration,
    ) -> Self {
        let (under_way, ended) = sync_channel::<()>(0);
        let screen = thread::spawn(move || {
            let (mut beats, mut wait) = (BEATS_A_SECOND, quiet);
            while let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(wait) {
                let done = done.as_ref().map(|done| done.load(Ordering::Relaxed));
                put(&mut screen, &line(what, beats / BEATS_A_SECOND, done));
                (beats, wait) = (beats.saturating_add(1), Duration::from_secs(1) / BEATS_A_SECOND);
            }
            if BEATS_A_SECOND < beats {
                put(&mut screen, "");
            }
        });
        Self { under_way: Some(under_way), screen: Some(screen) }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        drop(self.under_way.take());
        if let Some(screen) = self.screen.take() {
            screen.join().ok(); // what it said is lost at worst
        }
    }
}

fn line(what: &str, seconds: u32, done: Option<u64>) -> String {
    let done = done.map(|done| format!(": {}", grouped(done))).unwrap_or_default();
    format!("{what}{done} … {seconds} s")
}

/// Whether somebody looks at standard error.
pub(crate) fn has_screen() -> bool {
    io::stderr().is_terminal()
}

/// A line on standard error that the next one takes the place of; an empty one leaves nothing. Only for a screen.
pub(crate) fn show(text: &str) {
    put(&mut io::stderr().lock(), text);
}

fn put(screen: &mut dyn Write, text: &str) {
    write!(screen, "\r\u{1b}[K{text}").and_then(|()| screen.flush()).ok();
}

/// How much of how many is done.
pub(crate) fn bar(done: u64, of: u64, what: &str) -> String {
    if of == 0 {
        return format!("counting {what} …");
    }
    let percent = done.min(of) * 100 / of;
    let filled = usize::try_from(percent).unwrap_or_default() * BAR_CHARS / 100;
    let bar: String = "█".repeat(filled) + &"░".repeat(BAR_CHARS - filled);
    format!("{bar} {percent:>3} % of {} {what}", grouped(of))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn a_line_says_what_how_many_and_how_long() {
        assert_eq!(line("reading the journal", 3, None), "reading the journal … 3 s");
        assert_eq!(line("events written", 61, Some(1_234_567)), "events written: 1,234,567 … 61 s");
    }

    #[test]
    fn a_bar_is_as_full_as_the_work_is_done() {
        assert_eq!(bar(5, 0, "events"), "counting events …");
        assert!(bar(1, 4, "events").starts_with(&("█".repeat(5) + "░")));
        assert!(bar(9_999, 4, "events").ends_with("100 % of 4 events"));
        assert_eq!(bar(u64::MAX, 3, "events").chars().filter(|c| *c == '█').count(), BAR_CHARS);
    }

    /// A screen that hands on what is written on it.
    struct Screen(mpsc::Sender<Vec<u8>>);

    impl Write for Screen {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.send(bytes.to_vec()).map_err(io::Error::other)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn text(pieces: impl Iterator<Item = Vec<u8>>) -> String {
        String::from_utf8(pieces.flatten().collect()).unwrap()
    }

    #[test]
    fn work_that_takes_long_is_told_and_wiped_away() {
        let (written, pieces) = mpsc::channel();
        let done = Arc::new(AtomicU64::new(7));
        let work = Progress::on(Box::new(Screen(written)), "events", Some(done), Duration::ZERO);
        let mut said = String::new();
        while !said.contains("events: 7 … 1 s") {
            said += &text(pieces.recv_timeout(Duration::from_secs(60)).into_iter());
        }
        drop(work);
        said += &text(pieces.try_iter());
        assert!(said.ends_with("\r\u{1b}[K"), "{said:?}");
    }

    #[test]
    fn work_that_ends_at_once_says_nothing() {
        let (written, pieces) = mpsc::channel();
        drop(Progress::on(Box::new(Screen(written)), "nothing", None, Duration::from_secs(3600)));
        assert_eq!(text(pieces.try_iter()), "");
    }
}
