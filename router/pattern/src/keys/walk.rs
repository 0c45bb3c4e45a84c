//! The keys of one event, read off its bytes.
//!
//! # Invariants
//!
//! - Every scalar leaf is visited, also those of keys that repeat; nothing is built, and what is
//!   allocated does not grow with the number of leaves.
//! - Whatever the bytes, one pass over them and an end. Bytes that are no JSON give some keys.

use super::hash::{Path, Room};
use crate::json::decode_into;

/// What a walk begins with: most paths are shorter, most events flatter.
const PATH_BYTES: usize = 128;
const DEPTH: usize = 16;

/// Tells `each` the key of every scalar in `json`, which somebody has checked to be JSON.
///
/// Keys that are alike may be told more than once.
pub fn of_event(json: &[u8], each: &mut dyn FnMut(u64)) {
    let mut walk = Walk {
        json,
        at: 0,
        path: Vec::with_capacity(PATH_BYTES),
        hashed: None,
        open: Vec::with_capacity(DEPTH),
        is_key: false,
        unescaped: Vec::new(),
        room: Room::new(),
    };
    while walk.step(each) {}
}

struct Open {
    is_object: bool,
    /// How much of the path leads to it; `None` for the root, whose keys have no dot before them.
    path_len: Option<usize>,
}

struct Walk<'a> {
    json: &'a [u8],
    at: usize,
    path: Vec<u8>,
    /// The hash of `path`, once it was needed.
    hashed: Option<Path>,
    open: Vec<Open>,
    /// The next string is a key.
    is_key: bool,
    /// What a string with escapes says.
    unescaped: Vec<u8>,
    room: Room,
}

impl Walk<'_> {
    /// Reads one token; false at the end.
    fn step(&mut self, each: &mut dyn FnMut(u64)) -> bool {
        let Some(byte) = self.json.get(self.at) else { return false };
        let start = self.at;
        self.at += 1;
        match byte {
            b'"' => self.string(each),
            b'{' => self.open(true),
            b'[' => self.open(false),
            b'}' | b']' => self.close(),
            b',' => self.is_key = self.open.last().is_some_and(|open| open.is_object),
            b'-' | b'0'..=b'9' => {
                let rest = &self.json[start..];
                let len = rest.iter().position(|byte| !is_of_number(*byte)).unwrap_or(rest.len());
                self.at = start + len;
                each(self.path().literal(&self.json[start..self.at], &mut self.room));
            }
            b't' => self.word(b't', start + 4, each),
            b'f' => self.word(b'f', start + 5, each),
            b'n' => self.word(b'z', start + 4, each),
            _ => (),
        }
        true
    }

    fn path(&mut self) -> Path {
        *self.hashed.get_or_insert_with(|| Path::new(&self.path))
    }

    fn word(&mut self, kind: u8, end: usize, each: &mut dyn FnMut(u64)) {
        self.at = end;
        each(self.path().word(kind));
    }

    /// The rest of a string, whose first quote was read.
    fn string(&mut self, each: &mut dyn FnMut(u64)) {
        let start = self.at;
        let (end, has_escapes) = string_end(self.json, start);
        self.at = end + 1;
        let inner = &self.json[start..end.min(self.json.len())];
        if std::mem::take(&mut self.is_key) {
            self.key(inner, has_escapes);
        } else if has_escapes {
            self.unescaped.clear();
            decode_into(inner, &mut self.unescaped);
            each(self.path().text(&self.unescaped, &mut self.room));
        } else {
            each(self.path().text(inner, &mut self.room));
        }
    }

    fn key(&mut self, inner: &[u8], has_escapes: bool) {
        let base = self.open.last().and_then(|open| open.path_len);
        self.path.truncate(base.unwrap_or(0));
        if base.is_some() {
            self.path.push(b'.');
        }
        if has_escapes {
            decode_into(inner, &mut self.path);
        } else {
            self.path.extend_from_slice(inner);
        }
        self.hashed = None;
    }

    fn open(&mut self, is_object: bool) {
        let path_len = (!self.open.is_empty()).then_some(self.path.len());
        self.open.push(Open { is_object, path_len });
        self.is_key = is_object;
    }

    fn close(&mut self) {
        self.is_key = false;
        if let Some(closed) = self.open.pop() {
            // The next entry of an array has the array's path again.
            self.path.truncate(closed.path_len.unwrap_or(0));
            self.hashed = None;
        }
    }
}

fn is_of_number(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')
}

/// Where the closing quote is of the string that begins at `start`, and whether there are escapes.
fn string_end(json: &[u8], start: usize) -> (usize, bool) {
    let mut has_escapes = false;
    let mut at = start;
    while let Some(found) = json.get(at..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) {
        at += found;
        if json[at] == b'"' {
            return (at, has_escapes);
        }
        has_escapes = true;
        at += 2;
    }
    (json.len(), has_escapes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(json: &str) -> Vec<u64> {
        let mut keys = Vec::new();
        of_event(json.as_bytes(), &mut |key| keys.push(key));
        keys
    }

    fn at(path: &str, literal: &str) -> u64 {
        let path = Path::new(path.as_bytes());
        let room = &mut Room::new();
        match literal.as_bytes() {
            [b'"', inner @ .., b'"'] => path.text(inner, room),
            b"true" => path.word(b't'),
            b"false" => path.word(b'f'),
            b"null" => path.word(b'z'),
            number => path.literal(number, room),
        }
    }

    #[track_caller]
    fn assert_keys(json: &str, expected: &[(&str, &str)]) {
        let expected: Vec<u64> = expected.iter().map(|(path, value)| at(path, value)).collect();
        assert_eq!(keys(json), expected, "{json}");
    }

    #[test]
    fn every_scalar_has_its_path_and_arrays_have_none() {
        assert_keys(
            r#" { "a" : [ 1 , {"b": true, "c": [[null], "x"]}, 2 ], "d": {"e": {"f": false}, "g": -1.5e3}, "h": "y" } "#,
            &[
                ("a", "1"),
                ("a.b", "true"),
                ("a.c", "null"),
                ("a.c", "\"x\""),
                ("a", "2"),
                ("d.e.f", "false"),
                ("d.g", "-1500"),
                ("h", "\"y\""),
            ],
        );
        assert_keys(
            r#"{"":{"":1},"a.b":{"c":2},"a":{"b.c":3}}"#,
            &[(".", "1"), ("a.b.c", "2"), ("a.b.c", "3")],
        );
        assert_keys(r#"{"a":{},"b":[],"c":[{}],"d":"{"}"#, &[("d", "\"{\"")]);
    }

    #[test]
    fn escapes_are_read_in_keys_and_in_values() {
        assert_keys(
            r#"{"\u0061\n":"\u0062","q":"\"","b":"\\","c":"x"}"#,
            &[("a\n", "\"b\""), ("q", "\"\"\""), ("b", "\"\\\""), ("c", "\"x\"")],
        );
    }

    #[test]
    fn what_equals_has_one_key() {
        let one = |json: &str| keys(json)[0];
        for number in ["3e2", "300.0", "0.3e3", "30000e-2"] {
            assert_eq!(one(&format!(r#"{{"n":{number}}}"#)), one(r#"{"n":300}"#), "{number}");
        }
        assert_eq!(one(r#"{"ip":"010.0.0.1"}"#), one(r#"{"ip":"::ffff:a00:1"}"#));
        assert_ne!(one(r#"{"n":300}"#), one(r#"{"n":"300"}"#));
        assert_ne!(one(r#"{"n":"true"}"#), one(r#"{"n":true}"#));
        assert_ne!(one(r#"{"n":12345678901234567890}"#), one(r#"{"n":12345678901234567891}"#));
        assert_ne!(one(r#"{"n":1e999}"#), one(r#"{"n":1e998}"#));
    }

    #[test]
    fn whatever_the_bytes_there_is_an_end() {
        let json = br#"{"a":[{"b":"\u0041\\"},-1.5e3,true],"c":null}"#;
        for cut in 0..=json.len() {
            of_event(&json[..cut], &mut |_| ());
            for byte in [b'"', b'\\', b'{', b']', b'}', b't', 0xff] {
                let mut broken = json[..cut].to_vec();
                broken.push(byte);
                broken.extend_from_slice(&json[cut..]);
                of_event(&broken, &mut |_| ());
            }
        }
    }
}
