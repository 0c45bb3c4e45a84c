//! Copies JSON text, leaving out or replacing the values at some paths.
//!
//! # Invariants
//!
//! - What no path names is copied byte for byte: values are skipped over, never converted.
//! - Nesting costs no stack beyond the length of the longest path.

use slipswitch_sdk::Error;

use crate::path::{Path, Segment, descend};
use crate::scan::{Scan, broken};

/// `json` without the values at `paths`, or with `mask` (JSON text) in their place.
pub fn without(json: &str, paths: &[Path], mask: Option<&str>) -> Result<String, Error> {
    let paths: Vec<&[Segment]> = paths.iter().map(|path| path.segments.as_slice()).collect();
    let scan = Scan { json, at: 0 };
    let mut copy = Copy { scan, copied: 0, output: String::with_capacity(json.len()), mask };
    copy.scan.skip_space();
    copy.value(&paths)?;
    copy.flush(json.len())?;
    Ok(copy.output)
}

struct Copy<'a> {
    scan: Scan<'a>,
    /// Everything before it is in `output`, or left out.
    copied: usize,
    output: String,
    mask: Option<&'a str>,
}

impl Copy<'_> {
    /// Reads one value, of which `paths` are to go. It starts where the scan is, and the scan ends up behind it.
    fn value(&mut self, paths: &[&[Segment]]) -> Result<(), Error> {
        match self.scan.peek() {
            Some(b'{') if !paths.is_empty() => self.members(paths, true),
            Some(b'[') if !paths.is_empty() => self.members(paths, false),
            _ => self.scan.skip_value(),
        }
    }

    /// Reads an object or an array.
    fn members(&mut self, paths: &[&[Segment]], is_object: bool) -> Result<(), Error> {
        self.scan.at += 1;
        self.scan.skip_space();
        let mut index = 0;
        let mut is_any_kept = false;
        // Where the separator in front of the member begins. The separator goes or stays with the member, except that
        // the first one kept has none; the space after the bracket stays.
        let mut separator = self.scan.at;
        while !matches!(self.scan.peek(), Some(b'}' | b']')) {
            let start = self.scan.at;
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
                self.flush(self.scan.at)?;
                self.output.push_str(mask);
                self.scan.skip_value()?;
                self.copied = self.scan.at;
            } else {
                self.scan.skip_value()?;
                self.leave_out(separator, self.scan.at)?;
            }
            separator = self.scan.at;
            self.scan.skip_space();
            if self.scan.peek() == Some(b',') {
                self.scan.at += 1;
                self.scan.skip_space();
            }
            index += 1;
        }
        self.scan.at += 1;
        Ok(())
    }

    /// Reads `"key" :` and says which paths lead into its value.
    fn key<'p>(&mut self, paths: &[&'p [Segment]]) -> Result<Vec<&'p [Segment]>, Error> {
        let start = self.scan.at;
        self.scan.skip_string()?;
        let text = self.scan.json.get(start..self.scan.at).ok_or_else(broken)?;
        let decoded: String;
        let key = if text.contains('\\') {
            decoded = serde_json::from_str(text)?;
            &decoded
        } else {
            text.trim_matches('"')
        };
        self.scan.skip_space();
        if self.scan.peek() != Some(b':') {
            return Err(broken());
        }
        self.scan.at += 1;
        self.scan.skip_space();
        Ok(descend(paths, |segment| matches!(segment, Segment::Key(name) if name == key)))
    }

    fn flush(&mut self, until: usize) -> Result<(), Error> {
        self.output.push_str(self.scan.json.get(self.copied..until).ok_or_else(broken)?);
        self.copied = until;
        Ok(())
    }

    fn leave_out(&mut self, from: usize, until: usize) -> Result<(), Error> {
        self.flush(from)?;
        self.copied = until;
        Ok(())
    }
}
