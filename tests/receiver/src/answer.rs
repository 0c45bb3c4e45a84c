//! What the receiver answers to one request.

use crate::Gate;

/// An answer: a status, and what may stand beside it.
#[derive(Clone, Debug)]
pub struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) gate: Option<Gate>,
    pub(crate) ending: Ending,
}

/// What becomes of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    KeptAlive,
    ClosedAfter,
    /// The connection ends without a byte of an answer.
    Instead,
}

impl Answer {
    pub fn status(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Vec::new(),
            gate: None,
            ending: Ending::KeptAlive,
        }
    }

    /// No answer at all: the request is read whole, then the connection ends.
    pub fn hang_up() -> Self {
        Self { ending: Ending::Instead, ..Self::status(0) }
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn retry_after_seconds(self, seconds: u64) -> Self {
        self.header("retry-after", &seconds.to_string())
    }

    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Holds the answer back until somebody opens the gate.
    pub fn behind(mut self, gate: &Gate) -> Self {
        self.gate = Some(gate.clone());
        self
    }

    /// Closes the connection after the answer.
    pub fn then_close(mut self) -> Self {
        self.ending = Ending::ClosedAfter;
        self
    }
}

impl Default for Answer {
    fn default() -> Self {
        Self::status(200)
    }
}
