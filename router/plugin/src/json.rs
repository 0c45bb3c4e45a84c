//! Whether a text is JSON, and nothing more: outputs are many, and reading each into nothing costs as much as the call.
//!
//! # Invariants
//!
//! - What [`is_json`] takes, `serde_json` takes. What is nested deeper than [`DEPTH_MAX`] it leaves to others.
//! - It allocates nothing, and its time grows with the text's length alone.

/// One bit of a word for each level.
const DEPTH_MAX: u32 = u128::BITS;
/// Each byte of a word is this byte.
const fn each(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

/// False also for what is JSON and nested too deep for it.
pub(crate) fn is_json(text: &str) -> bool {
    Scan { bytes: text.as_bytes(), at: 0, levels: 0, depth: 0 }.text().is_some()
}

struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
    /// What is open, the innermost lowest: 1 an object, 0 an array.
    levels: u128,
    depth: u32,
}

impl Scan<'_> {
    fn text(&mut self) -> Option<()> {
        loop {
            match self.next()? {
                b'{' => {
                    self.open(1)?;
                    if self.skip() != Some(b'}') {
                        self.key()?;
                        continue;
                    }
                }
                b'[' => {
                    self.open(0)?;
                    if self.skip() != Some(b']') {
                        continue;
                    }
                }
                b'"' => self.string()?,
                b'-' => {
                    let first = self.next_raw()?;
                    self.number(first)?;
                }
                first @ b'0'..=b'9' => self.number(first)?,
                b't' => self.word(b"rue")?,
                b'f' => self.word(b"alse")?,
                b'n' => self.word(b"ull")?,
                _ => return None,
            }
            if self.after_value()? {
                return Some(());
            }
        }
    }

    /// Closes what ends here. True at the end of the text, false where another value begins.
    fn after_value(&mut self) -> Option<bool> {
        loop {
            let next = self.skip();
            if self.depth == 0 {
                return next.is_none().then_some(true);
            }
            let is_object = self.levels & 1 == 1;
            self.at += 1;
            match next? {
                b',' if is_object => {
                    self.skip();
                    self.key()?;
                    return Some(false);
                }
                b',' => return Some(false),
                b'}' if is_object => (),
                b']' if !is_object => (),
                _ => return None,
            }
            self.levels >>= 1;
            self.depth -= 1;
        }
    }

    fn open(&mut self, level: u128) -> Option<()> {
        if self.depth == DEPTH_MAX {
            return None;
        }
        self.levels = self.levels << 1 | level;
        self.depth += 1;
        Some(())
    }

    fn key(&mut self) -> Option<()> {
        if self.next_raw()? != b'"' {
            return None;
        }
        self.string()?;
        (self.next()? == b':').then_some(())
    }

    /// After the opening quote.
    fn string(&mut self) -> Option<()> {
        loop {
            self.plain();
            match self.next_raw()? {
                b'"' => return Some(()),
                b'\\' => match self.next_raw()? {
                    b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => (),
                    b'u' => self.unit()?,
                    _ => return None,
                },
                0..0x20 => return None,
                _ => (),
            }
        }
    }

    /// Passes over what means nothing in a string, eight bytes at a time.
    fn plain(&mut self) {
        const LOW: u64 = each(0x01);
        const HIGH: u64 = each(0x80);
        while let Some(eight) = self.bytes.get(self.at..).and_then(|rest| rest.first_chunk()) {
            let word = u64::from_le_bytes(*eight);
            let quote = word ^ each(b'"');
            let escape = word ^ each(b'\\');
            // The lowest byte that is marked is one that stops; those above it may be marked in error.
            let stops = (quote.wrapping_sub(LOW) & !quote
                | escape.wrapping_sub(LOW) & !escape
                | word.wrapping_sub(each(0x20)) & !word)
                & HIGH;
            if stops != 0 {
                self.at += (stops.trailing_zeros() / 8) as usize;
                return;
            }
            self.at += 8;
        }
    }

    /// The four digits after `\u`. A half of a pair may stand alone, as in `serde_json`.
    fn unit(&mut self) -> Option<()> {
        let digits = self.bytes.get(self.at..self.at + 4)?;
        self.at += 4;
        digits.iter().all(u8::is_ascii_hexdigit).then_some(())
    }

    /// After the first digit.
    fn number(&mut self, first: u8) -> Option<()> {
        match first {
            b'0' => (),
            b'1'..=b'9' => self.digits(),
            _ => return None,
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.some_digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.some_digits()?;
        }
        Some(())
    }

    fn some_digits(&mut self) -> Option<()> {
        let before = self.at;
        self.digits();
        (self.at > before).then_some(())
    }

    fn digits(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
    }

    fn word(&mut self, rest: &[u8]) -> Option<()> {
        let found = self.bytes.get(self.at..)?.starts_with(rest);
        self.at += rest.len();
        found.then_some(())
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// The next byte after white space, which stays.
    fn skip(&mut self) -> Option<u8> {
        loop {
            let byte = self.peek()?;
            if !matches!(byte, b' ' | b'\n' | b'\t' | b'\r') {
                return Some(byte);
            }
            self.at += 1;
        }
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.skip()?;
        self.at += 1;
        Some(byte)
    }

    fn next_raw(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn serde(text: &str) -> bool {
        serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
    }

    #[test]
    fn json_is_told_from_what_is_none() {
        for text in [
            "{}",
            " [ ] ",
            r#"{"a":1,"b":[true,false,null,{"c":"d"}]}"#,
            "0",
            "-0.5e+10",
            "1E5",
            r#""\"\\\/\b\f\n\r\t\u00e9""#,
            r#""\ud83d\ude00 \ud800""#,
            "\"a long text that is more than eight bytes with \u{e9} and \u{1f600}\"",
            "[[[[[[]]]]],[]]",
            "{\"a\" : [ 1 , 2 ] }\n",
        ] {
            assert!(is_json(text) && serde(text), "{text}");
        }
        for text in [
            "",
            " ",
            "{",
            "[",
            "}",
            "[1,]",
            "{,}",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "[1 2]",
            "{}{}",
            "01",
            "1.",
            ".5",
            "-",
            "+1",
            "1e",
            "1e+",
            "tru",
            "truex",
            "nul",
            "\"",
            "\"a",
            "\"\\x\"",
            "\"\\u12g4\"",
            "\"a\nb\"",
            "\"12345678\u{1}\"",
            "[}",
            "{]",
            "'a'",
            "{a:1}",
            "[1}",
            "\u{feff}{}",
        ] {
            assert!(!is_json(text) && !serde(text), "{text}");
        }
    }

    #[test]
    fn what_is_too_deep_is_left_to_others() {
        let deep = |levels| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(is_json(&deep(128)));
        assert!(!is_json(&deep(129)));
    }

    #[test]
    fn it_agrees_with_serde_json_about_damaged_texts() {
        let whole = r#"{"id":"0199f0c2","n":[-1.50e-3,0,12],"s":"a\u00e9\ud83d\ude00\n ü","t":[true,false,null,{}],"e":[]}"#;
        // A small generator, so that every run sees the same texts.
        let mut seed = 88_172_645_463_325_252_u64;
        let mut next = |below: usize| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            usize::try_from(seed % below as u64).unwrap()
        };
        let pieces: Vec<char> = r#"{}[],:"\ 0123456789-+.eEtrufalsn/bdcD89"#.chars().collect();
        for _ in 0..60_000 {
            let mut chars: Vec<char> = whole.chars().collect();
            for _ in 0..=next(3) {
                let at = next(chars.len());
                match next(3) {
                    0 => drop(chars.remove(at)),
                    1 => chars.insert(at, pieces[next(pieces.len())]),
                    _ => chars[at] = pieces[next(pieces.len())],
                }
            }
            let text: String = chars.into_iter().collect();
            assert_eq!(is_json(&text), serde(&text), "{text}");
        }
    }
}
