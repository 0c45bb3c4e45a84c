//! Printing: lines, tables, JSON. The only place that writes to the terminal.

use std::fmt::Display;
use std::io::{self, IsTerminal as _, Write as _};

use clap::ValueEnum;
use comfy_table::{Table, presets};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;
use terminal_size::{Width, terminal_size_of};

use crate::{failure::Failure, fit::fit};

/// How a listing is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Columns for people
    Table,
    /// JSON, all of it at once
    Json,
    /// JSON, each item on a line of its own
    Ndjson,
    /// YAML
    Yaml,
}

impl Format {
    /// For programs: all fields, and nothing beside them.
    pub(crate) fn is_data(self) -> bool {
        self != Self::Table
    }
}

/// The option that every listing takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Output {
    /// Print columns for people, or JSON, lines of JSON or YAML for programs
    #[arg(short = 'o', long = "output", value_name = "FORMAT", default_value = "table")]
    pub(crate) format: Format,
}

/// For clap: a listing of nothing is a slip of the pen.
pub(crate) fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number @ 1..) => Ok(number),
        _ => Err("use a whole number from 1".to_owned()),
    }
}

/// A line on standard output.
pub(crate) fn line(text: &str) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{text}")
}

/// The same for sentences, such as `taken in  …`: on a screen they are broken between words, and go on under where the
/// words began.
pub(crate) fn said(text: &str) -> io::Result<()> {
    match screen_width() {
        Some(width) => {
            line(&text.split('\n').map(|line| hung(line, width)).collect::<Vec<_>>().join("\n"))
        }
        None => line(text),
    }
}

/// A line broken between words; what follows stands under the first word after a gap of two spaces.
fn hung(text: &str, width: usize) -> String {
    let chars = shown_chars;
    let margin = chars(text) - chars(text.trim_start());
    let inner = text.trim_start();
    let gap = inner.find("  ").map_or(0, |gap| {
        let after = inner.get(gap..).unwrap_or_default();
        chars(inner) - chars(after.trim_start())
    });
    let hang = margin + if margin + gap <= width / 2 { gap } else { 2 };
    let mut out = String::new();
    let (mut len, mut is_first) = (0, true);
    for word in text.split_inclusive(' ') {
        let own = chars(word.trim_end());
        if !is_first && 0 < own && width < len + own {
            out.truncate(out.trim_end().len());
            out.push('\n');
            out.push_str(&" ".repeat(hang));
            len = hang;
        }
        out.push_str(word);
        len += chars(word);
        is_first = is_first && own == 0;
    }
    out
}

/// How many characters a screen shows of this: colours are none.
fn shown_chars(text: &str) -> usize {
    let mut parts = text.split("\u{1b}[");
    let first = parts.next().map_or(0, |part| part.chars().count());
    let after = |part: &str| part.split_once('m').map_or(0, |(_, rest)| rest.chars().count());
    first + parts.map(after).sum::<usize>()
}

/// A value as JSON on standard output.
pub(crate) fn json(value: &impl Serialize) -> io::Result<()> {
    let mut out = io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, value).map_err(io::Error::from)?;
    writeln!(out)
}

/// A value on standard output, for programs. As a table it is JSON, too: who has one prints it.
pub(crate) fn data(format: Format, value: &impl Serialize) -> io::Result<()> {
    if matches!(format, Format::Table | Format::Json) {
        return json(value);
    }
    let text = serde_json::to_string(value)?;
    let mut out = io::stdout().lock();
    if format == Format::Yaml {
        // What is larger than any file of ours is YAML as it is.
        return match server::offline::as_yaml(&text) {
            Some(yaml) => out.write_all(yaml.as_bytes()),
            None => writeln!(out, "{text}"),
        };
    }
    match serde_json::from_str::<Vec<&RawValue>>(&text) {
        Ok(items) => items.iter().try_for_each(|item| writeln!(out, "{}", one_line(item.get()))),
        Err(_not_a_list) => writeln!(out, "{}", one_line(&text)),
    }
}

/// JSON on one line: a line break can only stand between its parts.
pub(crate) fn one_line(json: &str) -> String {
    json.replace(['\n', '\r'], " ")
}

/// Rows under their heads on standard output. Without rows, `nothing` is said on standard error, so that
/// standard output holds rows alone.
pub(crate) fn table<const N: usize>(
    heads: [&str; N],
    rows: Vec<[String; N]>,
    nothing: &str,
) -> io::Result<()> {
    if rows.is_empty() {
        complain(nothing);
        return Ok(());
    }
    let flat = |row: [String; N]| row.iter().map(|cell| flat(cell)).collect();
    let mut all: Vec<Vec<String>> = vec![heads.map(str::to_owned).to_vec()];
    all.extend(rows.into_iter().map(flat));
    let gone = screen_width().map(|width| fit(&mut all, width)).unwrap_or_default();
    line(&columns(all))?;
    if !gone.is_empty() {
        complain(&format!("not shown: {} (-o json)", gone.join(", ")));
    }
    Ok(())
}

/// The rows under their heads, for somewhere else than standard output.
pub(crate) fn aligned<const N: usize>(heads: [&str; N], rows: Vec<[String; N]>) -> String {
    let flat = |row: [String; N]| row.iter().map(|cell| flat(cell)).collect();
    let mut all: Vec<Vec<String>> = vec![heads.map(str::to_owned).to_vec()];
    all.extend(rows.into_iter().map(flat));
    columns(all)
}

fn columns(mut all: Vec<Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(all.remove(0));
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.add_rows(all);
    table.trim_fmt()
}

/// How many characters fit into a line, when somebody looks at it.
pub(crate) fn screen_width() -> Option<usize> {
    let (Width(width), _) = terminal_size_of(io::stdout())?;
    Some(width.into())
}

/// A router's listing, as the caller asked for it: JSON leaves as it came, byte for byte.
pub(crate) fn listing<T: DeserializeOwned, const N: usize>(
    format: Format,
    items: &[Box<RawValue>],
    heads: [&str; N],
    row: impl Fn(T) -> [String; N],
    nothing: &str,
) -> Result<(), Failure> {
    if format.is_data() {
        return Ok(data(format, &items)?);
    }
    let mut rows = Vec::new();
    for item in items {
        let item = serde_json::from_str(item.get()).map_err(|error| {
            Failure::failed(format!("the router lists what this command cannot read: {error}"))
        })?;
        rows.push(row(item));
    }
    Ok(table(heads, rows, nothing)?)
}

/// One resource of a router, for who reads it as `T`: nothing is left to do when the caller asked for JSON, which
/// has been printed as it came.
pub(crate) fn shown<T: DeserializeOwned>(
    format: Format,
    found: &RawValue,
) -> Result<Option<T>, Failure> {
    if format.is_data() {
        data(format, &found)?;
        return Ok(None);
    }
    serde_json::from_str(found.get()).map(Some).map_err(|error| {
        Failure::failed(format!("the router shows what this command cannot read: {error}"))
    })
}

/// A line on standard error. There is nobody left to tell when that fails.
pub(crate) fn complain(text: &str) {
    let text = text.trim_end_matches('\n');
    let width = terminal_size_of(io::stderr()).map(|(Width(width), _)| usize::from(width));
    let text = width.map_or_else(|| text.to_owned(), |width| wrapped(text, width));
    writeln!(io::stderr().lock(), "{text}").ok();
}

/// Sentences broken between words. What is drawn, and the command to copy, stays as it is.
fn wrapped(text: &str, width: usize) -> String {
    let is_set = |line: &str| line.starts_with("next: ") || line.contains(['│', '╭', '╰', '·']);
    let lines = text.split('\n');
    let lines = lines.map(|line| if is_set(line) { line.to_owned() } else { hung(line, width) });
    lines.collect::<Vec<_>>().join("\n")
}

/// Whether standard error shows colours: it is a screen, and nobody asked for none.
pub(crate) fn has_color() -> bool {
    io::stderr().is_terminal() && is_color_wanted()
}

/// As [`has_color`], of standard output.
pub(crate) fn answer_has_color() -> bool {
    io::stdout().is_terminal() && is_color_wanted()
}

/// Whether somebody looks at standard output.
pub(crate) fn answer_is_screen() -> bool {
    io::stdout().is_terminal()
}

fn is_color_wanted() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// `1 rule`, `2 rules`.
pub(crate) fn count(number: impl Display, what: &str) -> String {
    let number = number.to_string();
    if number == "1" { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// `1,234,567`
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if 0 < at && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1,234 dead letters`.
pub(crate) fn counted(number: u64, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{} {what}s", grouped(number)) }
}

/// What came from outside must not steer a terminal, nor break a row.
pub(crate) fn flat(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// `12.3 MiB`.
pub(crate) fn size(number: u64) -> String {
    let mut rest = number;
    let mut below = 0;
    for unit in ["B", "KiB", "MiB", "GiB", "TiB"] {
        if rest < 1024 || unit == "TiB" {
            let tenths = below * 10 / 1024;
            return if unit == "B" {
                format!("{rest} B")
            } else {
                format!("{rest}.{tenths} {unit}")
            };
        }
        (below, rest) = (rest % 1024, rest / 1024);
    }
    String::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_are_broken_between_words_and_nothing_else_is() {
        let said = "open data: another process has it\nmend it\n";
        assert_eq!(wrapped(said, 17), "open data:\nanother process\nhas it\nmend it\n");
        for as_it_is in
            ["  │ pattern: { source: a }", "next: slipswitch check --rules a", "unbroken"]
        {
            assert_eq!(wrapped(as_it_is, 5), as_it_is);
        }
    }

    #[test]
    fn what_is_said_in_columns_goes_on_in_its_column() {
        assert_eq!(hung("taken in  one two three", 20), "taken in  one two\n          three");
        assert_eq!(
            hung("  ✗ a → b    one two three 4", 26),
            "  ✗ a → b    one two three\n             4"
        );
        assert_eq!(hung("one two three four", 9), "one two\nthree\nfour");
        assert_eq!(
            hung("a-long-name-of-something  one two", 20),
            "a-long-name-of-something\n  one two"
        );
        assert_eq!(hung("https://without/a/place/to/break", 9), "https://without/a/place/to/break");
        let red = "\u{1b}[31mone\u{1b}[0m two three";
        assert_eq!(hung(red, 7), "\u{1b}[31mone\u{1b}[0m two\nthree");
        assert_eq!(hung("fits  well", 10), "fits  well");
        assert_eq!(hung("", 10), "");
    }

    #[test]
    fn large_numbers_are_grouped() {
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(counted(1, "event"), "1 event");
        assert_eq!(counted(1000, "event"), "1,000 events");
    }

    #[test]
    fn sizes_are_short() {
        let cases = [0, 1023, 1024, 1536, 64 << 20, 5 << 40, u64::MAX].map(size);
        let expected =
            ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "64.0 MiB", "5.0 TiB", "16777215.9 TiB"];
        assert_eq!(cases, expected);
    }
}
