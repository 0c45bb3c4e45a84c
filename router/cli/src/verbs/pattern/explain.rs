//! `slipswitch pattern explain`: why does this pattern match this event, or not?

use std::fmt::Write as _;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use server::offline::{
    ExplainError, Named, NamedText, NearestReport,
    explanation::{Conflict, Explanation, Failure as Failed, Field, Verdict},
    pattern_explain, pattern_nearest,
};

use crate::failure::{Exit, Failure};
use crate::output;
use crate::verbs::pattern::open;

/// Far beyond any pattern or event.
const TEXT_BYTES_MAX: u64 = 64 << 20;

/// Characters of an id that are shown.
const ID_CHARS_MAX: usize = 40;

const EXAMPLES: &str = "\
Pattern and event are JSON, @FILE, or - for standard input. With --patterns, a file of one pattern a line, \
{\"id\": …, \"pattern\": {…}}, the patterns that match are listed, then those that nearly do, each with its first reason.

Examples:
  slipswitch pattern explain \\
      --pattern '{\"detail\": {\"total\": [{\"numeric\": [\">\", 100]}]}}' \\
      --event '{\"detail\": {\"total\": 5}}'
  slipswitch pattern explain --pattern @pattern.json --event @event.json
  tail -n 1 audit.jsonl | slipswitch pattern explain --patterns patterns.jsonl \\
      --event -

Exit codes: 0 it matches (of many: at least one does), 1 it does not, 2 the pattern or the event is not right, \
or the answer cannot be written.";

/// Say field by field why a pattern matches an event, or does not.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The pattern: JSON, @FILE, or `-` for standard input
    #[arg(
        long,
        value_name = "JSON",
        required_unless_present = "patterns",
        conflicts_with = "patterns"
    )]
    pattern: Option<String>,
    /// File of many patterns, to find the nearest; `-` is standard input
    #[arg(long, value_name = "FILE")]
    patterns: Option<PathBuf>,
    /// The event: JSON, @FILE, or `-` for standard input
    #[arg(long, value_name = "JSON")]
    event: String,
    /// How many of the patterns to list that match, and of those that nearly do
    #[arg(long, value_name = "N", default_value_t = 10, conflicts_with = "pattern")]
    limit: usize,
    /// Print an object for programs
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let is_match = match (&arguments.patterns, &arguments.pattern) {
        (Some(patterns), _) => many(arguments, patterns)?,
        (None, Some(pattern)) => one(arguments, pattern)?,
        (None, None) => return Err(Failure::usage("name a --pattern, or a file of --patterns")),
    };
    if is_match { Ok(()) } else { Err(Failure::answer(Exit::Failed)) }
}

fn one(arguments: &Arguments, pattern: &str) -> Result<bool, Failure> {
    if is_standard_input(pattern) && is_standard_input(&arguments.event) {
        return Err(Failure::usage("--pattern and --event cannot both be standard input"));
    }
    let pattern = text("--pattern", pattern)?;
    let event = text("--event", &arguments.event)?;
    let explanation = pattern_explain(&pattern, &event).map_err(|error| wrong(&error))?;
    answered(if arguments.json {
        output::json(&value(&explanation))
    } else if output::answer_has_color() {
        output::line(explanation.painted().trim_end())
    } else {
        output::line(explanation.to_string().trim_end())
    })?;
    Ok(explanation.is_match())
}

fn many(arguments: &Arguments, patterns: &Path) -> Result<bool, Failure> {
    if patterns == Path::new("-") && is_standard_input(&arguments.event) {
        return Err(Failure::usage("--patterns and --event cannot both be standard input"));
    }
    let event = text("--event", &arguments.event)?;
    let (name, reader) = open(patterns).map_err(|failure| Failure::usage(failure.message))?;
    let patterns = Named { name, reader };
    let report =
        pattern_nearest(patterns, &event, arguments.limit).map_err(|error| wrong(&error))?;
    answered(if arguments.json {
        output::json(&list_value(&report))
    } else {
        let paint = if output::answer_has_color() { Paint::Terminal } else { Paint::None };
        output::line(list(&report, paint).trim_end())
    })?;
    Ok(0 < report.matched)
}

/// The exit code is the verdict, whether or not somebody reads the rest; 1 would be one too.
fn answered(written: io::Result<()>) -> Result<(), Failure> {
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::usage(format!("write to standard output: {error}")))
        }
        _ => Ok(()),
    }
}

fn is_standard_input(argument: &str) -> bool {
    matches!(argument, "-" | "@-")
}

/// JSON, `@FILE` or `-`, under the name to call it by.
pub(in crate::verbs) fn text(option: &str, argument: &str) -> Result<NamedText, Failure> {
    let path = match argument.strip_prefix('@') {
        Some(path) => path,
        None if argument == "-" => argument,
        None if !argument.trim_start().starts_with('{') && Path::new(argument).is_file() => {
            let message =
                format!("{option} takes JSON; to read a file, write {option} @{argument}");
            return Err(Failure::usage(message));
        }
        None => return Ok(NamedText { name: option.to_owned(), text: argument.to_owned() }),
    };
    let (name, reader) =
        open(Path::new(path)).map_err(|failure| Failure::usage(failure.message))?;
    let mut text = String::new();
    let read = reader.take(TEXT_BYTES_MAX).read_to_string(&mut text);
    read.map_err(|error| Failure::usage(format!("read {name} for {option}: {error}")))?;
    Ok(NamedText { name, text })
}

/// What keeps us from explaining, for people.
fn wrong(error: &ExplainError) -> Failure {
    let message = match error {
        ExplainError::Text { problem, text } => problem.render(text, output::has_color()),
        ExplainError::Lines(error) => error.to_string(),
    };
    Failure::usage(message)
}

fn value(explanation: &Explanation) -> Value {
    let alternatives: Vec<Value> = explanation
        .alternatives
        .iter()
        .map(|one| {
            let failure = |failure: &Failed| json!({"path": failure.path, "why": failure.why});
            json!({
                "number": one.number,
                "matches": one.is_match,
                "fits_total": one.fits_total,
                "failures": one.failures.iter().map(failure).collect::<Vec<_>>(),
                "failures_total": one.failures_total,
                "fields": one.fields.iter().map(field).collect::<Vec<_>>(),
                "fields_total": one.fields_total,
                "conflicts": one.conflicts.iter().map(conflict).collect::<Vec<_>>(),
            })
        })
        .collect();
    json!({
        "matches": explanation.is_match(),
        "why": explanation.why(),
        "alternatives": alternatives,
        "alternatives_total": explanation.alternatives_total,
    })
}

fn field(field: &Field) -> Value {
    let verdict = match field.verdict {
        Verdict::Fits => "fits",
        Verdict::Apart => "apart",
        Verdict::Misses => "misses",
    };
    let found = field.found.iter().map(|found| {
        json!({
            "place": found.place,
            "shown": found.shown,
            "kind": found.kind,
            "fits": found.fits,
            "why": found.why,
        })
    });
    json!({
        "path": field.path,
        "verdict": verdict,
        "why": field.why,
        "hints": field.hints,
        "expected": field.expected,
        "expected_total": field.expected_total,
        "found": found.collect::<Vec<_>>(),
        "found_total": field.found_total,
    })
}

fn conflict(conflict: &Conflict) -> Value {
    let parties = conflict.parties.iter().map(|party| {
        json!({
            "key": party.key,
            "must_be_absent": party.must_be_absent,
            "places": party.places,
            "places_total": party.places_total,
        })
    });
    json!({
        "path": conflict.path,
        "why": conflict.why,
        "parties": parties.collect::<Vec<_>>(),
    })
}

/// Not a [`Value`], in which an id that is a long number would be rounded.
#[derive(Serialize)]
struct List<'a> {
    patterns_total: usize,
    matches_total: usize,
    nearest: Vec<Listed<'a>>,
}

#[derive(Serialize)]
struct Listed<'a> {
    id: &'a RawValue,
    matches: bool,
    fits_total: usize,
    fields_total: usize,
    why: &'a str,
}

fn list_value(report: &NearestReport) -> List<'_> {
    let listed = report.nearest.iter().map(|(id, near)| Listed {
        id,
        matches: near.is_match,
        fits_total: near.fits,
        fields_total: near.of,
        why: &near.why,
    });
    List {
        patterns_total: report.patterns,
        matches_total: report.matched,
        nearest: listed.collect(),
    }
}

/// The listing for people.
fn list(report: &NearestReport, paint: Paint) -> String {
    let NearestReport { patterns, matched, nearest } = report;
    let match_word = if *matched == 1 { "matches" } else { "match" };
    let head = format!("{} of {} {match_word}", matched, output::count(patterns, "pattern"));
    let (good, bad) = (paint.on("32", "✓"), paint.on("31", "✗"));
    let mark = if *matched == 0 { &bad } else { &good };
    let mut out = format!("{mark} {}\n\n", paint.on("1", &head));
    let ids: Vec<String> = nearest.iter().map(|(id, _)| shown_id(id)).collect();
    let width = |texts: &[String]| texts.iter().map(|text| text.chars().count()).max();
    let id_width = width(&ids).unwrap_or_default();
    let fits: Vec<String> = nearest
        .iter()
        .map(|(_, near)| {
            if near.is_match { String::new() } else { format!("{} of {} fit", near.fits, near.of) }
        })
        .collect();
    let fits_width = width(&fits).unwrap_or_default();
    for (((_, near), id), fits) in nearest.iter().zip(&ids).zip(&fits) {
        let line = if near.is_match {
            format!("  {good} {id}")
        } else {
            let fits = paint.on("2", &format!("{fits:fits_width$}"));
            format!("  {bad} {id:id_width$}  {fits}  {}", near.why)
        };
        out.push_str(&line);
        out.push('\n');
    }
    let shown = nearest.iter().filter(|(_, near)| near.is_match).count();
    let rest = [
        (matched - shown, "more matching"),
        (patterns - matched - (nearest.len() - shown), "more not matching"),
    ];
    let rest: Vec<String> = rest
        .iter()
        .filter(|(count, _)| 0 < *count)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    if !rest.is_empty() {
        let rest = format!("… and {}", rest.join(", "));
        writeln!(out, "  {}", paint.on("2", &rest)).expect("a string takes everything");
    }
    out
}

/// Whether to colour what is printed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Paint {
    None,
    Terminal,
}

impl Paint {
    /// The text in a style, named by its number on terminals.
    fn on(self, style: &str, text: &str) -> String {
        match self {
            Self::None => text.to_owned(),
            Self::Terminal => format!("\u{1b}[{style}m{text}\u{1b}[0m"),
        }
    }
}

/// A string as it is, anything else as JSON.
fn shown_id(id: &RawValue) -> String {
    let id = serde_json::from_str::<String>(id.get()).unwrap_or_else(|_| id.get().to_owned());
    let mut chars = output::flat(&id).chars().collect::<Vec<_>>();
    if ID_CHARS_MAX < chars.len() {
        chars.truncate(ID_CHARS_MAX - 1);
        chars.push('…');
    }
    chars.into_iter().collect()
}
