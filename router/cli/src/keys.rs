//! Single keys from a terminal, without waiting for the end of a line.
//!
//! # Invariants
//!
//! - The terminal is as it was when this goes, also in a panic. Ctrl-C and Ctrl-Z stay what they are: signals.
//! - **bounded**: keys that nobody takes are dropped.

use std::io::{self, IsTerminal as _, Read as _};
use std::thread;

use rustix::termios::{self, LocalModes, OptionalActions, SpecialCodeIndex, Termios};
use tokio::sync::mpsc;

/// Keys that wait.
const WAITING_MAX: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    Char(char),
    Up,
    Down,
    Enter,
    Escape,
}

/// The terminal that somebody sits at.
pub(crate) struct Keyboard {
    before: Termios,
    keys: mpsc::Receiver<Key>,
}

impl Keyboard {
    /// `None` when nobody sits there: input or output is no terminal.
    pub(crate) fn open() -> io::Result<Option<Self>> {
        if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
            return Ok(None);
        }
        let before = termios::tcgetattr(io::stdin())?;
        let (pressed, keys) = mpsc::channel(WAITING_MAX);
        let keyboard = Self { before, keys };
        keyboard.enter()?;
        // It waits for a key when the process ends, and ends with it.
        thread::Builder::new().name("keys".to_owned()).spawn(move || read(&pressed))?;
        Ok(Some(keyboard))
    }

    /// Keys come one by one, and are not shown. Once more after a stop: the shell has its own way then.
    pub(crate) fn enter(&self) -> io::Result<()> {
        let mut single = self.before.clone();
        single.local_modes &= !(LocalModes::ICANON | LocalModes::ECHO);
        single.special_codes[SpecialCodeIndex::VMIN] = 1;
        single.special_codes[SpecialCodeIndex::VTIME] = 0;
        Ok(termios::tcsetattr(io::stdin(), OptionalActions::Now, &single)?)
    }

    /// The next key; waits for ever when the terminal is gone.
    pub(crate) async fn next(&mut self) -> Key {
        match self.keys.recv().await {
            Some(key) => key,
            None => std::future::pending().await,
        }
    }
}

impl Drop for Keyboard {
    fn drop(&mut self) {
        // There is nobody left to tell when that fails: the terminal is gone.
        termios::tcsetattr(io::stdin(), OptionalActions::Now, &self.before).unwrap_or(());
    }
}

fn read(pressed: &mpsc::Sender<Key>) {
    let mut bytes = [0; 64];
    while let Ok(count @ 1..) = io::stdin().lock().read(&mut bytes) {
        for key in keys(&bytes[..count]) {
            match pressed.try_send(key) {
                Err(mpsc::error::TrySendError::Closed(_)) => return,
                Ok(()) | Err(mpsc::error::TrySendError::Full(_)) => (),
            }
        }
    }
}

/// What was pressed, out of the bytes that a terminal sends for it.
fn keys(bytes: &[u8]) -> Vec<Key> {
    let mut found = Vec::new();
    let text = String::from_utf8_lossy(bytes);
    let mut rest = text.chars().peekable();
    while let Some(next) = rest.next() {
        found.extend(match next {
            '\u{1b}' => match rest.next_if(|next| matches!(next, '[' | 'O')) {
                None => Some(Key::Escape),
                Some(_) => match rest.find(|end| end.is_ascii_alphabetic() || *end == '~') {
                    Some('A') => Some(Key::Up),
                    Some('B') => Some(Key::Down),
                    _ => None,
                },
            },
            '\r' | '\n' => Some(Key::Enter),
            next if next.is_control() => None,
            next => Some(Key::Char(next)),
        });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_told_from_the_bytes_of_a_terminal() {
        assert_eq!(keys(b"r1?"), [Key::Char('r'), Key::Char('1'), Key::Char('?')]);
        assert_eq!(keys(b"\x1b[A\x1bOB\r"), [Key::Up, Key::Down, Key::Enter]);
        assert_eq!(keys(b"\x1b"), [Key::Escape]);
        assert_eq!(
            keys("\x1b[5~\x1b[1;5Dq\u{7f}\u{1}é".as_bytes()),
            [Key::Char('q'), Key::Char('é')]
        );
        assert_eq!(keys(b"\x1b[12"), []);
    }
}
