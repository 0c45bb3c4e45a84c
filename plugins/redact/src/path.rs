//! `$.a.b`, `$['a']`, `$.items[0]`, `$.items[*]`, `$.a.*`: a way from the event down.

#[slipswitch_sdk::config]
#[derive(Debug)]
#[serde(try_from = "String")]
pub struct Path {
    pub segments: Vec<Segment>,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Segment {
    Key(String),
    Index(usize),
    /// Every member or element.
    Every,
}

impl TryFrom<String> for Path {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let Some(rest) = text.strip_prefix('$') else {
            return Err(format!(
                "path `{text}`: expected `$` at the beginning, as in `$.detail.email`"
            ));
        };
        if rest.is_empty() {
            return Err(format!(
                "path `{text}`: names the whole event; name a field in it, as in `$.detail.email`"
            ));
        }
        let mut reader = Reader { text: &text, rest };
        let mut segments = Vec::new();
        while !reader.rest.is_empty() {
            segments.push(reader.segment()?);
        }
        Ok(Self { segments })
    }
}

/// The rest of the paths whose first segment leads on.
pub fn descend<'p>(
    paths: &[&'p [Segment]],
    leads: impl Fn(&Segment) -> bool,
) -> Vec<&'p [Segment]> {
    let below = |path: &&'p [Segment]| {
        let (first, rest) = path.split_first()?;
        (*first == Segment::Every || leads(first)).then_some(rest)
    };
    paths.iter().filter_map(below).collect()
}

struct Reader<'a> {
    text: &'a str,
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn segment(&mut self) -> Result<Segment, String> {
        if self.take(".") {
            let end = self.rest.find(['.', '[']).unwrap_or(self.rest.len());
            return match self.split(end) {
                "" => Err(self.error("expected a name after `.`")),
                "*" => Ok(Segment::Every),
                name => Ok(Segment::Key(name.to_owned())),
            };
        }
        if !self.take("[") {
            return Err(self.error("expected `.` or `[`"));
        }
        let segment = self.bracketed()?;
        if self.take("]") { Ok(segment) } else { Err(self.error("expected `]`")) }
    }

    fn bracketed(&mut self) -> Result<Segment, String> {
        if self.take("*") {
            return Ok(Segment::Every);
        }
        for quote in ["'", "\""] {
            if self.take(quote) {
                let words = format!("expected a closing `{quote}` for the name");
                let end = self.rest.find(quote).ok_or_else(|| self.error(&words))?;
                let name = self.split(end).to_owned();
                self.take(quote);
                return Ok(Segment::Key(name));
            }
        }
        let end = self.rest.find(|it: char| !it.is_ascii_digit()).unwrap_or(self.rest.len());
        let Ok(index) = self.rest.split_at(end).0.parse() else {
            return Err(self.error("expected a number, `*` or a quoted name after `[`"));
        };
        self.split(end);
        Ok(Segment::Index(index))
    }

    fn take(&mut self, start: &str) -> bool {
        let rest = self.rest.strip_prefix(start);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn split(&mut self, end: usize) -> &'a str {
        let (start, rest) = self.rest.split_at(end);
        self.rest = rest;
        start
    }

    fn error(&self, expected: &str) -> String {
        let before = self.text.len() - self.rest.len();
        let character = self.text.char_indices().take_while(|(at, _)| *at < before).count() + 1;
        format!("path `{}`: {expected} at character {character}", self.text)
    }
}
