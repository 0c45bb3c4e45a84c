//! The reader stops at the first thing it cannot take. So what it stopped at is taken out of the text, and it reads
//! again: until there is nothing more to say, each problem of a file once.
//!
//! ```text
//! limits: { dpeth: 7, body_events: many }   unknown key `dpeth`
//! limits: {           body_events: many }   expected a whole number
//! limits: {                             }   and this is read
//! ```
//!
//! # Invariants
//!
//! - Every byte that stays keeps its place, so a place in what is left is a place in the file.
//! - Nothing is reported that taking something out brought about.
//! - Each round takes out more, and there are [`PROBLEMS_MAX`] at most.

use std::ops::Range;

use bus::ruleset::{Code, Diagnostic, SourceFile, YamlEntry, YamlOutline, yaml_outline};
use serde::de::DeserializeOwned;
use serde_saphyr::Error;

use super::diagnose::{PAGE, one_document, place, yaml};

/// Of one file; who has more does not read them all.
pub(super) const PROBLEMS_MAX: usize = 32;

/// What could be read of a file, and what could not.
pub(super) struct Read<T> {
    /// The default where nothing could.
    pub(super) file: T,
    pub(super) problems: Vec<Diagnostic>,
}

/// Reads one document; an empty one is the default.
pub(super) fn read<T: DeserializeOwned + Default>(path: &str, text: &str) -> Read<T> {
    let mut left = SourceFile { path: path.to_owned(), text: text.to_owned() };
    let YamlOutline { entries, second_document, broken } = yaml_outline(&left);
    let mut taken: Vec<Range<usize>> = Vec::new();
    let mut problems = Vec::new();
    let stopped = |problems| Read { file: T::default(), problems };
    loop {
        let options = serde_saphyr::options! {
            strict_booleans: true,
            with_snippet: false,
        };
        let error = match serde_saphyr::from_str_with_options::<Option<T>>(&left.text, options) {
            Ok(file) => {
                // The first is empty now, and the second is taken for it.
                let second = second_document.map(|at| one_document(path, text, at));
                problems.extend(second);
                return Read { file: file.unwrap_or_default(), problems };
            }
            Err(error) => error,
        };
        let problem = yaml(path, text, &error);
        if let Some(broken) = broken {
            // Nobody knows where the entries of such a file end.
            return stopped(with_the_break(problem, broken));
        }
        let is_second = matches!(error.without_snippet(), Error::MultipleDocuments { .. });
        let found = holding(&error, text, &entries, &taken).filter(|_| !is_second);
        let is_our_doing = found.is_some_and(|entry| is_missing(&error) && holds(entry, &taken));
        if !is_our_doing {
            problems.push(problem);
        }
        let Some(entry) = found.filter(|_| problems.len() < PROBLEMS_MAX) else {
            return stopped(problems);
        };
        taken.push(entry.span.clone());
        left.text = without(&left.text, entry);
        if yaml_outline(&left).broken.is_some() {
            return stopped(problems); // What is left would have problems that the file does not have.
        }
    }
}

/// What is wrong before the file breaks off, and why it does.
fn with_the_break(first: Diagnostic, broken: Diagnostic) -> Vec<Diagnostic> {
    let is_another = first.code != Code::Syntax && first.span.start < broken.span.start;
    let broken = Diagnostic { page: PAGE, ..broken };
    if is_another { vec![first, broken] } else { vec![broken] }
}

/// The innermost entry at the place of an error.
fn holding<'e>(
    error: &Error,
    text: &str,
    entries: &'e [YamlEntry],
    taken: &[Range<usize>],
) -> Option<&'e YamlEntry> {
    let at = place(text, &error.without_snippet().location()?).start;
    let is_there = |entry: &&YamlEntry| {
        let Range { start, end } = entry.span;
        let is_at = start <= at && (at < end || (start == end && at == end));
        is_at && !taken.iter().any(|taken| taken.start <= start && end <= taken.end)
    };
    entries.iter().filter(is_there).min_by_key(|entry| entry.span.len())
}

fn is_missing(error: &Error) -> bool {
    matches!(error.without_snippet(), Error::SerdeMissingField { .. })
}

fn holds(entry: &YamlEntry, taken: &[Range<usize>]) -> bool {
    taken.iter().any(|taken| entry.span.start <= taken.start && taken.end <= entry.span.end)
}

/// The text with spaces in the place of the entry, its colon, its dash and its comma.
fn without(text: &str, entry: &YamlEntry) -> String {
    let Range { mut start, mut end } = entry.span;
    let before = |end: usize| text.get(..end).unwrap_or_default();
    let after = |start: usize| text.get(start..).unwrap_or_default();
    // A key without a value ends before its colon.
    if let Some(key_end) = entry.key_end
        && !text.get(key_end..end).is_some_and(|between| between.contains(':'))
        && after(end).trim_start_matches(' ').starts_with(':')
    {
        end += after(end).find(':').map_or(0, |colon| colon + 1);
    }
    if entry.is_flow {
        let gap = after(end).len() - after(end).trim_start().len();
        if after(end + gap).starts_with(',') {
            end += gap + 1;
        } else if before(start).trim_end().ends_with(',') {
            start = before(start).trim_end().len() - 1;
        }
    } else if before(start).trim_end().ends_with(if entry.key_end.is_none() { '-' } else { '?' }) {
        start = before(start).trim_end().len() - 1;
    }
    let blank = |byte: u8| if matches!(byte, b'\n' | b'\r') { char::from(byte) } else { ' ' };
    let spaces: String = text.get(start..end).unwrap_or_default().bytes().map(blank).collect();
    [before(start), &spaces, after(end)].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, part: &str, expected: &str) {
        let at = text.find(part).unwrap();
        let read =
            |text: &str| yaml_outline(&SourceFile { path: String::new(), text: text.to_owned() });
        let YamlOutline { entries, broken, .. } = read(text);
        assert_eq!(broken, None);
        let entry = entries.iter().find(|entry| entry.span.start == at).expect("an entry");
        let left = without(text, entry);
        assert_eq!(left, expected);
        assert_eq!(left.len(), text.len());
        assert_eq!(read(&left).broken, None, "{left}");
    }

    #[test]
    fn an_entry_is_taken_out_and_all_else_stays_where_it_is() {
        check("a: 1\nb: 2\n", "a", "    \nb: 2\n");
        check("a: 1\r\nb: ö\r\nc: 3", "b", "a: 1\r\n     \r\nc: 3");
        check("a:\n  b: [1, 2]\n  c: 3\n", "b", "a:\n           \n  c: 3\n");
        check("a:\n  b:\n    c: 1\nd: 2\n", "b", "a:\n    \n        \nd: 2\n");
        check("a:\nb: 2\n", "a", "  \nb: 2\n");
        check("{ a: 1, b: 2 }", "a", "{       b: 2 }");
        check("{ a: 1, b: 2 }", "b", "{ a: 1       }");
        check("{ a: , b: 2 }", "a", "{      b: 2 }");
        check("{ a: { b: 1 } }", "b", "{ a: {      } }");
        check("[one, two]", "two", "[one     ]");
        check("- one\n- two\n", "one", "     \n- two\n");
        check("? a\n: 1\nb: 2\n", "a", "   \n   \nb: 2\n");
        check("- - one\n  - two\n", "one", "-      \n  - two\n");
        check("\"a\": |\n  x\n  y\nb: 1\n", "\"a\"", "      \n   \n   \nb: 1\n");
    }
}
