//! What stands between brackets: characters, ranges and categories.

use std::ops::Range;

use super::escape::Escape;
use super::syntax::{Fault, Reader, fault};

impl Reader<'_> {
    /// The rest of a class.
    pub(super) fn class(&mut self, start: usize) -> Result<(), Fault> {
        self.out.push('[');
        if self.peek() == Some('^') {
            self.at += 1;
            self.out.push('^');
        }
        let first = self.at;
        // Each counts once: they are large, and a class could repeat them at will.
        let mut categories: Vec<&str> = Vec::new();
        loop {
            let at = self.at;
            let Some(next) = self.next() else {
                let mend = "close it with ], or write \\[ for the character";
                return Err(fault(start..start + 1, "a class never ends", mend));
            };
            match next {
                ']' if at == first => {
                    let mend = "name a character; a ] is written \\], a ^ alone \\^";
                    return Err(fault(start..self.at, "a class is empty", mend));
                }
                ']' => {
                    self.out.push(']');
                    return Ok(());
                }
                '-' if at != first && self.peek() != Some(']') => return Err(hyphen(at..self.at)),
                '-' => self.plain('-'),
                _ => match self.member(next, at)? {
                    Escape::Character(low) => self.span(low, at)?,
                    Escape::Category => {
                        let category = self.text.get(at..self.at).unwrap_or_default();
                        if !categories.contains(&category) {
                            categories.push(category);
                            self.out.push_str(category);
                        }
                    }
                },
            }
        }
    }

    /// A character, escape or category in a class.
    fn member(&mut self, first: char, start: usize) -> Result<Escape, Fault> {
        match first {
            '\\' => self.escape(start),
            '[' => {
                let mend = "write \\[ for the character; classes do not nest and have no names";
                Err(fault(start..self.at, "a [ cannot stand in a class", mend))
            }
            other => Ok(Escape::Character(other)),
        }
    }

    /// A character of a class, or the range that it begins.
    fn span(&mut self, low: char, start: usize) -> Result<(), Fault> {
        let mut following = self.rest().chars();
        self.plain(low);
        if following.next() != Some('-') || following.next() == Some(']') {
            return Ok(());
        }
        let hyphen_at = self.at;
        self.at += 1;
        let at = self.at;
        let high = match self.next() {
            // The class never ends, which is said there.
            None => return Ok(()),
            Some('-') => return Err(hyphen(hyphen_at..at)),
            Some(next) => self.member(next, at)?,
        };
        let Escape::Character(high) = high else {
            return Err(hyphen(hyphen_at..at));
        };
        if high < low {
            let message = "a range ends before it begins";
            return Err(fault(start..self.at, message, "write the smaller character first"));
        }
        self.out.push('-');
        self.plain(high);
        Ok(())
    }
}

fn hyphen(span: Range<usize>) -> Fault {
    let mend = "write \\- for the character, or put it first or last";
    fault(span, "a - stands between what is no range", mend)
}
