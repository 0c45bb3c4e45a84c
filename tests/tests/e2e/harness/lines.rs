//! The lines that a process writes, as they come.

use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use super::LONG;

#[derive(Clone)]
pub(crate) struct Lines {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    grown: Condvar,
}

#[derive(Default)]
struct State {
    lines: Vec<String>,
    has_ended: bool,
}

impl Lines {
    /// Reads a stream to its end on a thread of its own.
    pub(crate) fn of(stream: impl Read + Send + 'static) -> Self {
        let shared = Arc::new(Shared::default());
        let writer = Arc::clone(&shared);
        thread::spawn(move || {
            let mut stream = BufReader::new(stream);
            let mut line = Vec::new();
            while matches!(stream.read_until(b'\n', &mut line), Ok(read) if 0 < read) {
                let text = String::from_utf8_lossy(&line).trim_end_matches('\n').to_owned();
                writer.state.lock().unwrap().lines.push(text);
                writer.grown.notify_all();
                line.clear();
            }
            writer.state.lock().unwrap().has_ended = true;
            writer.grown.notify_all();
        });
        Self { shared }
    }

    /// The first line from `from` on that holds `part`, and its position.
    pub(crate) fn wait_for(&self, part: &str, from: usize) -> (usize, String) {
        let find = |state: &State| {
            let mut lines = state.lines.iter().enumerate().skip(from);
            lines.find(|(_, line)| line.contains(part)).map(|(at, line)| (at, line.clone()))
        };
        let found = find(&self.wait_while(|state| find(state).is_none() && !state.has_ended));
        found.unwrap_or_else(|| panic!("no line with {part:?} came; there is:\n{}", self.text()))
    }

    /// The first line; None when the stream ends without one.
    pub(crate) fn first(&self) -> Option<String> {
        self.wait_while(|state| state.lines.is_empty() && !state.has_ended).lines.first().cloned()
    }

    /// Waits for another line, but no longer than this.
    pub(crate) fn wait_for_more(&self, at_most: Duration) {
        let state = self.shared.state.lock().unwrap();
        let before = state.lines.len();
        let is_as_before = |state: &mut State| state.lines.len() == before && !state.has_ended;
        drop(self.shared.grown.wait_timeout_while(state, at_most, is_as_before).unwrap());
    }

    /// Waits for the end of the stream; whether it came.
    pub(crate) fn wait_end(&self) -> bool {
        self.wait_while(|state| !state.has_ended).has_ended
    }

    pub(crate) fn text(&self) -> String {
        let state = self.shared.state.lock().unwrap();
        state.lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect()
    }

    fn wait_while(&self, mut goes_on: impl FnMut(&mut State) -> bool) -> MutexGuard<'_, State> {
        let state = self.shared.state.lock().unwrap();
        self.shared.grown.wait_timeout_while(state, LONG, |state| goes_on(state)).unwrap().0
    }
}
