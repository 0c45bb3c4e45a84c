//! Skips over JSON text: values end where they end, and are never converted.

use slipswitch_sdk::Error;

pub struct Scan<'a> {
    pub json: &'a str,
    /// The next byte to read.
    pub at: usize,
}

impl Scan<'_> {
    pub fn skip_value(&mut self) -> Result<(), Error> {
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

    pub fn skip_string(&mut self) -> Result<(), Error> {
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

    pub fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    pub fn peek(&self) -> Option<u8> {
        self.json.as_bytes().get(self.at).copied()
    }
}

/// The router hands over whole JSON only; a step before this one may not have.
pub fn broken() -> Error {
    Error::invalid("the event is not valid JSON")
}
