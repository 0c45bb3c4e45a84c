//! The outcome as a table for people, and as JSON.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::engine::Kind;
use crate::measure::{Judgement, Outcome};
use crate::worker::{Facts, Lap};

/// A table, and below it what the table cannot say. Rates are in thousand events a second.
pub fn table(outcomes: &[Outcome]) -> String {
    let Some(first) = outcomes.first() else {
        return String::new();
    };
    let kinds: Vec<Kind> = first.engines.iter().map(|(kind, _)| *kind).collect();
    let mut heads = vec!["family", "rules", "matches"];
    heads.extend(kinds.iter().map(|kind| kind.name()));
    heads.extend(["spread", "parse ms", "compile ms", "MB"]);
    let mut rows = vec![heads.into_iter().map(str::to_owned).collect()];
    rows.extend(outcomes.iter().map(row));
    let mut text = aligned(&rows);
    for (note, families) in notes(outcomes) {
        writeln!(text, "  {note}: {}", families.join(", ")).expect("a string takes everything");
    }
    text
}

/// Everything that was measured.
pub fn json(outcomes: &[Outcome]) -> Value {
    outcomes
        .iter()
        .map(|outcome| {
            let engines: serde_json::Map<String, Value> = outcome
                .engines
                .iter()
                .map(|(kind, judgement)| (kind.name().to_owned(), engine(judgement, outcome)))
                .collect();
            json!({
                "family": outcome.spec.name,
                "about": outcome.spec.about,
                "patterns": outcome.spec.patterns,
                "events": outcome.events,
                "bytes_per_event": part(outcome.bytes, outcome.events),
                "engines": engines,
            })
        })
        .collect()
}

fn engine(judgement: &Judgement, outcome: &Outcome) -> Value {
    match judgement {
        Judgement::Measured { facts, laps } => {
            let rates = rates(laps);
            json!({
                "events_per_second": median(&rates),
                "bytes_per_second": median(&rates) * part(outcome.bytes, outcome.events),
                "spread": spread(&rates),
                "rounds": rates,
                "allocations_per_event": allocations(laps),
                "matches": facts.matches,
                "matches_per_event": part(facts.matches, outcome.events),
                "checksum": facts.checksum,
                "parse_seconds": facts.parse_seconds,
                "compile_seconds": facts.compile_seconds,
                "heap_bytes": facts.heap_bytes,
                "own_bytes": facts.own_bytes,
            })
        }
        Judgement::Refused(why) => json!({ "refused": why }),
        Judgement::Died(words) => json!({ "died": words }),
        Judgement::TooSlow => json!({ "too_slow": true }),
    }
}

fn row(outcome: &Outcome) -> Vec<String> {
    let mut cells = vec![outcome.spec.name.to_owned(), commas(outcome.spec.patterns)];
    cells.push(matcher(outcome).map_or_else(String::new, |(_, facts)| {
        let matches = part(facts.matches, outcome.events);
        if 100.0 <= matches { commas(three_digits(matches)) } else { format!("{matches:.2}") }
    }));
    for (_, judgement) in &outcome.engines {
        cells.push(match judgement {
            Judgement::Measured { laps, .. } => rate(median(&rates(laps))),
            Judgement::Refused(_) => "-".to_owned(),
            Judgement::Died(_) => "panics".to_owned(),
            Judgement::TooSlow => "too slow".to_owned(),
        });
    }
    if let Some((_, Judgement::Measured { facts, laps })) = outcome.engines.first() {
        cells.push(format!("{:.0} %", 100.0 * spread(&rates(laps))));
        cells.push(milliseconds(facts.parse_seconds));
        cells.push(milliseconds(facts.compile_seconds));
        cells.push(format!("{:.2}", part(facts.heap_bytes, 1_000_000)));
    }
    cells
}

/// The first engine that matches, to compare the others with.
fn matcher(outcome: &Outcome) -> Option<(Kind, &Facts)> {
    outcome.engines.iter().find_map(|(kind, judgement)| match judgement {
        Judgement::Measured { facts, .. } if kind.is_matcher() => Some((*kind, facts)),
        Judgement::Measured { .. }
        | Judgement::Refused(_)
        | Judgement::Died(_)
        | Judgement::TooSlow => None,
    })
}

/// What is to be said, and of which families.
fn notes(outcomes: &[Outcome]) -> Vec<(String, Vec<&str>)> {
    let mut notes: Vec<(String, Vec<&str>)> = Vec::new();
    for outcome in outcomes {
        for (kind, judgement) in &outcome.engines {
            let Some(note) = note(outcome, *kind, judgement) else { continue };
            let name = outcome.spec.name;
            match notes.iter_mut().find(|(known, _)| *known == note) {
                Some((_, families)) => families.push(name),
                None => notes.push((note, vec![name])),
            }
        }
    }
    notes
}

fn note(outcome: &Outcome, kind: Kind, judgement: &Judgement) -> Option<String> {
    let name = kind.name();
    match judgement {
        Judgement::Measured { facts, .. } => {
            let (other, expected) = matcher(outcome)?;
            if !kind.is_matcher() || facts.checksum == expected.checksum {
                return None;
            }
            let (has, wanted) = (commas(facts.matches), commas(expected.matches));
            Some(format!("{name} finds {has} matches, {} {wanted}", other.name()))
        }
        // Our own choice says nothing of the engine.
        Judgement::Refused(_) if kind == Kind::Naive => None,
        Judgement::Refused(why) => Some(format!("{name} does not take the patterns ({why})")),
        Judgement::Died(words) => Some(format!("{name} panics ({words})")),
        Judgement::TooSlow => Some(format!("{name} did not answer in time")),
    }
}

fn rates(laps: &[Lap]) -> Vec<f64> {
    #[expect(clippy::cast_precision_loss, reason = "a count of events is far below 2^52")]
    laps.iter().map(|lap| lap.events as f64 / lap.seconds).collect()
}

fn allocations(laps: &[Lap]) -> f64 {
    let sum = |count: fn(&Lap) -> usize| laps.iter().map(count).sum();
    part(sum(|lap| lap.allocations), sum(|lap| lap.events))
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// How far the best is from the worst, as a part of the median.
fn spread(values: &[f64]) -> f64 {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    (most - least) / median(values)
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn part(count: usize, of: usize) -> f64 {
    count as f64 / of as f64
}

/// In thousands, with three digits that say something: `1,430`, `38.2`, `0.502`.
fn rate(value: f64) -> String {
    let thousands = value / 1e3;
    let decimals = match thousands {
        ..1.0 => 3,
        ..10.0 => 2,
        ..100.0 => 1,
        _ => return commas(three_digits(thousands)),
    };
    format!("{thousands:.decimals$}")
}

fn three_digits(value: f64) -> usize {
    let mut scale = 1.0;
    while 1_000.0 <= value / scale {
        scale *= 10.0;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts and rates")]
    {
        ((value / scale).round() * scale) as usize
    }
}

fn milliseconds(seconds: f64) -> String {
    let value = seconds * 1e3;
    if 10.0 <= value { format!("{value:.0}") } else { format!("{value:.2}") }
}

fn commas(value: usize) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if 0 < index && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The first column to the left, figures to the right.
fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row: &Vec<String>| row.get(column));
        cells.map(|cell: &String| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let cells =
            row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| match column {
                0 => format!("  {cell:<width$}"),
                _ => format!("  {cell:>width$}"),
            });
        let line: String = cells.collect();
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_have_three_digits_that_say_something() {
        assert_eq!(rate(1_434_567.0), "1,430");
        assert_eq!(rate(999_600.0), "1,000");
        assert_eq!(rate(38_249.0), "38.2");
        assert_eq!(rate(502.4), "0.502");
    }

    #[test]
    fn figures_stand_below_each_other() {
        let rows = [["what", "n"], ["a", "1,000"]].map(|row| row.map(str::to_owned).to_vec());
        assert_eq!(aligned(&rows), "  what      n\n  a     1,000\n");
    }
}
