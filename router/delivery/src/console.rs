//! The console: standard output, written by one thread of its own.
//!
//! Nobody may be reading it: a full pipe then blocks whoever writes. Only this thread does, and the
//! queue before it is bounded, so that a target on the console waits for its retries like any other.

use std::io::{self, Write};
use std::sync::OnceLock;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

/// Lines that wait to be written.
const LINES_MAX: usize = 256;
const TIME_MAX: Duration = Duration::from_secs(5);

struct Line {
    text: String,
    written: oneshot::Sender<io::Result<()>>,
}

/// Writes one line; an error when nobody takes it in time. It may still be written later.
pub(crate) async fn write(text: String) -> io::Result<()> {
    let (written, outcome) = oneshot::channel();
    match queue()?.try_send(Line { text, written }) {
        Ok(()) => (),
        Err(TrySendError::Full(_)) => return Err(unread()),
        Err(TrySendError::Disconnected(_)) => {
            return Err(io::Error::other("the console's thread has ended"));
        }
    }
    match tokio::time::timeout(TIME_MAX, outcome).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_gone)) => Err(io::Error::other("the console's thread has ended")),
        Err(_elapsed) => Err(unread()),
    }
}

fn unread() -> io::Error {
    io::Error::new(io::ErrorKind::WouldBlock, "nobody reads the standard output of the router")
}

fn queue() -> io::Result<&'static SyncSender<Line>> {
    static QUEUE: OnceLock<Option<SyncSender<Line>>> = OnceLock::new();
    let start = || {
        let (lines, waiting) = sync_channel::<Line>(LINES_MAX);
        let run = move || {
            for Line { text, written } in waiting {
                let outcome = io::stdout().lock().write_all(text.as_bytes());
                // Whoever asked may have stopped waiting.
                drop(written.send(outcome));
            }
        };
        thread::Builder::new().name("console".to_owned()).spawn(run).ok().map(|_thread| lines)
    };
    let queue = QUEUE.get_or_init(start).as_ref();
    queue.ok_or_else(|| io::Error::other("the console's thread could not be started"))
}
