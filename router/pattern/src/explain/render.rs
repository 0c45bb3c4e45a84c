//! An explanation as lines for people, plain or with the colours of a terminal.

use std::fmt::{self, Display, Write as _};

use super::words::{count, grouped, list};
use super::{Alternative, Conflict, Explanation, Field, Party, Verdict};

/// The part of a line that a text is.
#[derive(Clone, Copy)]
enum Part {
    Good,
    Bad,
    /// It fits, but not with others.
    Apart,
    Headline,
    Hint,
    Aside,
}

struct Lines {
    out: String,
    is_painted: bool,
}

impl Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines(false))
    }
}

impl Explanation {
    /// As `Display`, with escape sequences that colour it on a terminal.
    pub fn painted(&self) -> String {
        self.lines(true)
    }

    fn lines(&self, is_painted: bool) -> String {
        let mut lines = Lines { out: String::new(), is_painted };
        let (part, mark, word) = match self.is_match() {
            true => (Part::Good, '✓', "match"),
            false => (Part::Bad, '✗', "no match"),
        };
        let headline = format!("{word}: {}", self.why());
        lines.line(0, &[(part, &mark.to_string()), (Part::Headline, &headline)]);
        // Beside one that matches, what does not is of no interest.
        let mut shown = 0;
        let is_match = self.is_match();
        for alternative in self.alternatives.iter().filter(|one| one.is_match == is_match) {
            shown += 1;
            lines.line(0, &[]);
            let mut indent = 1;
            if 1 < self.alternatives_total {
                lines.title(alternative, self.alternatives_total);
                indent = 2;
            }
            lines.alternative(indent, alternative);
        }
        let more = self.alternatives_total - shown;
        if 0 < more {
            lines.line(0, &[]);
            lines.more(1, more, "more alternative");
        }
        lines.out
    }
}

impl Lines {
    fn title(&mut self, alternative: &Alternative, total: usize) {
        let Alternative { number, fits_total, fields_total, .. } = alternative;
        let (part, mark) = match alternative.is_match {
            true => (Part::Good, "✓"),
            false => (Part::Bad, "✗"),
        };
        let title = format!("alternative {number} of {}:", grouped(total));
        let fit = if *fields_total == 1 { "fits" } else { "fit" };
        let fits = format!("{} of {} {fit}", grouped(*fits_total), count(*fields_total, "field"));
        self.line(1, &[(part, mark), (Part::Headline, &title), (Part::Aside, &fits)]);
    }

    fn alternative(&mut self, indent: usize, alternative: &Alternative) {
        // Conflicts follow the fields that they are about.
        let apart = alternative.fields.iter().rposition(|field| field.verdict == Verdict::Apart);
        for (at, field) in alternative.fields.iter().enumerate() {
            self.field(indent, field);
            if Some(at) == apart {
                for conflict in &alternative.conflicts {
                    self.conflict(indent, conflict);
                }
            }
        }
        self.more(indent, alternative.fields_total - alternative.fields.len(), "more field");
    }

    fn field(&mut self, indent: usize, field: &Field) {
        let said = format!("{}: {}", field.path, field.why);
        let (part, mark) = match field.verdict {
            Verdict::Fits => (Part::Good, "✓"),
            Verdict::Apart => (Part::Apart, "~"),
            Verdict::Misses => (Part::Bad, "✗"),
        };
        match field.verdict {
            Verdict::Misses => self.line(indent, &[(part, mark), (Part::Headline, &said)]),
            Verdict::Fits | Verdict::Apart => {
                return self.line(indent, &[(part, mark), (Part::Aside, &said)]);
            }
        }
        for hint in &field.hints {
            self.line(indent + 1, &[(Part::Hint, &format!("→ {hint}"))]);
        }
        if 1 < field.found_total {
            for found in &field.found {
                let line = format!("{}: {}", found.place, found.why);
                self.line(indent + 1, &[(Part::Aside, &line)]);
            }
            let more = field.found_total - field.found.len();
            if 0 < more {
                self.line(indent + 1, &[(Part::Aside, &format!("… and {} more", grouped(more)))]);
            }
        }
    }

    fn conflict(&mut self, indent: usize, conflict: &Conflict) {
        let said = format!("{}: {}", conflict.path, conflict.why);
        self.line(indent, &[(Part::Bad, "✗"), (Part::Headline, &said)]);
        for party in &conflict.parties {
            let Party { key, must_be_absent, places, places_total } = party;
            let mut places: Vec<String> = places.clone();
            let more = places_total - places.len();
            if 0 < more {
                places.push(format!("{} more", grouped(more)));
            }
            let places = list(&places, usize::MAX, "and");
            let says = if *must_be_absent { "is there, in" } else { "fits in" };
            self.line(indent + 1, &[(Part::Aside, &format!("{key} {says} {places}"))]);
        }
    }

    fn more(&mut self, indent: usize, more: usize, what: &str) {
        if 0 < more {
            self.line(indent, &[(Part::Aside, &format!("… and {}", count(more, what)))]);
        }
    }

    fn line(&mut self, indent: usize, parts: &[(Part, &str)]) {
        for _ in 0..indent {
            self.out.push_str("  ");
        }
        for (at, (part, text)) in parts.iter().enumerate() {
            if 0 < at {
                self.out.push(' ');
            }
            let style = match part {
                _ if !self.is_painted => "",
                Part::Good => "32",
                Part::Bad => "31",
                Part::Apart => "33",
                Part::Headline => "1",
                Part::Hint => "36",
                Part::Aside => "2",
            };
            if style.is_empty() {
                self.out.push_str(text);
            } else {
                write!(self.out, "\u{1b}[{style}m{text}\u{1b}[0m")
                    .expect("writing to a string cannot fail");
            }
        }
        self.out.push('\n');
    }
}
