//! Reading server-sent events (the HTML standard, section 9.2.6): bytes in, messages out.
//!
//! # Invariants
//!
//! - However the bytes are cut, the messages are the same.
//! - **bounded**: a message that grows beyond [`MESSAGE_BYTES_MAX`] is an error, not memory.

/// Far beyond what a router sends: an event has a few megabytes at most.
const MESSAGE_BYTES_MAX: usize = 64 << 20;

/// One message, or, when it has neither kind nor data, a sign of life.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) id: Option<String>,
    pub(crate) kind: String,
    pub(crate) data: String,
}

/// What has come of the next message.
#[derive(Debug, Default)]
pub(crate) struct Parser {
    line: Vec<u8>,
    message: Message,
    has_data: bool,
    bytes: usize,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooLarge;

impl Parser {
    /// The messages that these bytes end.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Result<Vec<Message>, TooLarge> {
        let mut found = Vec::new();
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.bytes += part.len();
            if MESSAGE_BYTES_MAX < self.bytes {
                return Err(TooLarge);
            }
            self.line.extend_from_slice(part);
            if part.ends_with(b"\n") {
                let line = std::mem::take(&mut self.line);
                let text = String::from_utf8_lossy(&line);
                found.extend(self.take(text.trim_end_matches(['\n', '\r'])));
            }
        }
        Ok(found)
    }

    /// A line; the message that it ends.
    fn take(&mut self, line: &str) -> Option<Message> {
        if line.is_empty() {
            (self.bytes, self.has_data) = (0, false);
            return Some(std::mem::take(&mut self.message));
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "id" => self.message.id = Some(value.to_owned()),
            "event" => value.clone_into(&mut self.message.kind),
            "data" => {
                if std::mem::replace(&mut self.has_data, true) {
                    self.message.data.push('\n');
                }
                self.message.data.push_str(value);
            }
            _ => (), // A comment, `retry`, or what a later version says.
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = ": hello\nid: 4\n\nid: 5\nevent: event\ndata: {\ndata:  \"a\":1}\r\n\nevent: end\ndata: x\n\nid: 9\n";

    fn messages(step: usize) -> Vec<Message> {
        let mut parser = Parser::default();
        TEXT.as_bytes().chunks(step).flat_map(|part| parser.feed(part).unwrap()).collect()
    }

    #[test]
    fn messages_are_the_same_however_the_bytes_are_cut() {
        let message = |id: Option<&str>, kind: &str, data: &str| Message {
            id: id.map(str::to_owned),
            kind: kind.to_owned(),
            data: data.to_owned(),
        };
        let expected = [
            message(Some("4"), "", ""),
            message(Some("5"), "event", "{\n \"a\":1}"),
            message(None, "end", "x"),
        ];
        for step in 1..TEXT.len() {
            assert_eq!(messages(step), expected, "{step}");
        }
    }

    #[test]
    fn a_message_without_end_is_an_error() {
        let (mut parser, piece) = (Parser::default(), vec![b'x'; 1 << 20]);
        let fed = (0..65).map(|_| parser.feed(&piece)).find(Result::is_err);
        assert_eq!(fed, Some(Err(TooLarge)));
    }
}
