//! Reading events as people keep them: one JSON object, many in a row (NDJSON), or an array.
//!
//! # Invariants
//!
//! - An event's bytes are passed on as they are: `1.10` stays `1.10`.
//! - Memory holds one value of the input at a time.
//! - An object is handed out as soon as its last brace was read, whatever follows.

use std::{collections::VecDeque, io::Read};

use serde_json::{Deserializer, StreamDeserializer, de::IoRead, value::RawValue};

/// The events of an input, one after the other. An error ends them: what follows cannot be told apart.
pub(crate) struct Pieces<R: Read> {
    values: StreamDeserializer<'static, IoRead<R>, Box<RawValue>>,
    /// The rest of an array.
    elements: VecDeque<Box<RawValue>>,
    is_broken: bool,
}

pub(crate) fn pieces<R: Read>(reader: R) -> Pieces<R> {
    Pieces {
        values: Deserializer::from_reader(reader).into_iter(),
        elements: VecDeque::new(),
        is_broken: false,
    }
}

impl<R: Read> Iterator for Pieces<R> {
    type Item = Result<Box<RawValue>, serde_json::Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(element) = self.elements.pop_front() {
                return Some(Ok(element));
            }
            if self.is_broken {
                return None;
            }
            let split = self.values.next()?.and_then(|value| {
                if !value.get().starts_with('[') {
                    return Ok(VecDeque::from([value]));
                }
                serde_json::from_str(value.get())
            });
            match split {
                Ok(elements) => self.elements = elements,
                Err(error) => {
                    self.is_broken = true;
                    return Some(Err(error));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(input: &str, expected: &[&str]) {
        let found: Vec<String> = pieces(input.as_bytes())
            .map(|piece| {
                piece.map_or_else(|error| format!("error: {error}"), |json| json.get().to_owned())
            })
            .collect();
        assert_eq!(found, expected, "{input}");
    }

    #[test]
    fn objects_come_alone_in_rows_in_arrays_and_over_several_lines() {
        check("", &[]);
        check(" \n", &[]);
        check("{\"a\":1.10}", &["{\"a\":1.10}"]);
        check("{\"a\":1e400}\n\n{\"b\":2}\r\n", &["{\"a\":1e400}", "{\"b\":2}"]);
        check("{\n  \"a\": 1\n}\n", &["{\n  \"a\": 1\n}"]);
        check("[{\"a\":1} , 2]\n{}", &["{\"a\":1}", "2", "{}"]);
        check("[]", &[]);
    }

    #[test]
    fn what_is_no_json_ends_the_input_with_its_place() {
        check("{}\n{\"a\":}\n{}", &["{}", "error: expected value at line 2 column 6"]);
        check("{\"a\":", &["error: EOF while parsing a value at line 1 column 5"]);
        check("hello", &["error: expected value at line 1 column 1"]);
    }
}
