//! Copies JSON text, leaving out or replacing the values at some paths.
//!
//! # Invariants
//!
//! - What no path names is copied byte for byte: values are skipped over, never converted.
//! - Nesting costs no stack beyond the length of the longest path.

use slipswitch_sdk::Error;

use crate::path::{Path, Segment};

/// `json` without the values at `paths`, or with `mask` (JSON text) in their place.
pub fn without(json: &str, paths: &[Path], mask: Option<&str>) -> Result<String, Error> {
    let paths: Vec<&[Segment]> = paths.iter().map(|path| path.segments.as_slice()).collect();
    let mut copy = Copy { json, at: 0, copied: 0, output: String::with_capacity(json.len()), mask };
    copy.skip_space();
    copy.value(&paths)?;
    copy.flush(json.len())?;
    Ok(copy.output)
}

struct Copy<'a> {
    json: &'a str,
    /// The next byte to read.
    at: usize,
    /// Everything before it is in `output`, or left out.
    copied: usize,
    output: String,
    mask: Option<&'a str>,
}

impl Copy<'_> {
    /// Reads one value, of which `paths` are to go. It starts at `at`, and `at` ends up behind it.
    fn value(&mut self, paths: &[&[Segment]]) -> Result<(), Error> {
        match self.peek() {
            Some(b'{') if !paths.is_empty() => self.members(paths, true),
            Some(b'[') if !paths.is_empty() => self.members(paths, false),
            _ => self.skip_value(),
        }
    }

    /// Reads an object or an array.
    fn members(&mut self, paths: &[&[Segment]], is_object: bool) -> Result<(), Error> {
        self.at += 1;
        self.skip_space();
        let mut index = 0;
        let mut is_any_kept = false;
        // Where the separator in front of the member begins. The separator goes or stays with the member, except that
        // the first one kept has none; the space after the bracket stays.
        let mut separator = self.at;
        while !matches!(self.peek(), Some(b'}' | b']')) {
            let start = self.at;
            let below = if is_object {
                self.key(paths)?
            } else {
                descend(paths, |it| *it == Segment::Index(index))
            };
            if !below.iter().any(|path| path.is_empty()) {
                if !is_any_kept {
                    self.leave_out(separator, start)?;
                }
                is_any_kept = true;
                self.value(&below)?;
            } else if let Some(mask) = self.mask {
                if !is_any_kept {
                    self.leave_out(separator, start)?;
                }
                is_any_kept = true;
                self.flush(self.at)?;
                self.output.push_str(mask);
                self.skip_value()?;
                self.copied = self.at;
            } else {
                self.skip_value()?;
                self.leave_out(separator, self.at)?;
            }
            separator = self.at;
            self.skip_space();
            if self.peek() == Some(b',') {
                self.at += 1;
                self.skip_space();
            }
            index += 1;
        }
        self.at += 1;
        Ok(())
    }

    /// Reads `"key" :` and says which paths lead into its value.
    fn key<'p>(&mut self, paths: &[&'p [Segment]]) -> Result<Vec<&'p [Segment]>, Error> {
        let start = self.at;
        self.skip_string()?;
        let text = self.json.get(start..self.at).ok_or_else(broken)?;
        let decoded: String;
        let key = if text.contains('\\') {
            decoded = serde_json::from_str(text)?;
            &decoded
        } else {
            text.trim_matches('"')
        };
        self.skip_space();
        if self.peek() != Some(b':') {
            return Err(broken());
        }
        self.at += 1;
        self.skip_space();
        Ok(descend(paths, |segment| matches!(segment, Segment::Key(name) if name == key)))
    }

    fn skip_value(&mut self) -> Result<(), Error> {
        let mut depth = 0_usize;
        loop {
            match self.peek().ok_or_else(broken)? {
                b'"' => self.skip_string()?,
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                }
                b'}' | b']' => {
                    depth = depth.checked_sub(1).ok_or_else(broken)?;
                    self.at += 1;
                }
                b',' | b':' | b' ' | b'\t' | b'\n' | b'\r' if depth > 0 => self.at += 1,
                _ => self.skip_scalar()?,
            }
            if depth == 0 {
                return Ok(());
            }
        }
    }

    fn skip_scalar(&mut self) -> Result<(), Error> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
        {
            self.at += 1;
        }
        if self.at == start { Err(broken()) } else { Ok(()) }
    }

    fn skip_string(&mut self) -> Result<(), Error> {
        if self.peek() != Some(b'"') {
            return Err(broken());
        }
        self.at += 1;
        loop {
            match self.peek().ok_or_else(broken)? {
                b'\\' => self.at += 2,
                b'"' => break,
                _ => self.at += 1,
            }
        }
        self.at += 1;
        Ok(())
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.json.as_bytes().get(self.at).copied()
    }

    fn flush(&mut self, until: usize) -> Result<(), Error> {
        self.output.push_str(self.json.get(self.copied..until).ok_or_else(broken)?);
        self.copied = until;
        Ok(())
    }

    fn leave_out(&mut self, from: usize, until: usize) -> Result<(), Error> {
        self.flush(from)?;
        self.copied = until;
        Ok(())
    }
}

/// The rest of the paths whose first segment leads on.
fn descend<'p>(paths: &[&'p [Segment]], leads: impl Fn(&Segment) -> bool) -> Vec<&'p [Segment]> {
    let below = |path: &&'p [Segment]| match path.split_first() {
        Some((first, rest)) if *first == Segment::Every || leads(first) => Some(rest),
        _ => None,
    };
    paths.iter().filter_map(below).collect()
}

/// The router hands over whole JSON only; a step before this one may not have.
fn broken() -> Error {
    Error::invalid("the event is not valid JSON")
}
