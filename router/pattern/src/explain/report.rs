//! From a judged branch to an [`Alternative`]: choosing what is said of each field, and how much.

use super::conflict;
use super::entry::Entry;
use super::field::Asked;
use super::inquiry::{Inquiry, Ruling};
use super::judge::{Case, Score};
use super::said::Said;
use super::{Alternative, Conflict, Failure, Field, Verdict};
use crate::join::Memory;

/// Fields of an alternative that are explained.
const FIELDS_SHOWN_MAX: usize = 40;

/// Failures that are kept.
const FAILURES_SHOWN_MAX: usize = 20;

pub(super) fn alternative(
    case: &Case<'_>,
    said: &[Vec<Said<'_>>],
    (number, score): (usize, Score),
    memory: &mut Memory,
) -> Alternative {
    let branch = &case.pattern.branches()[number];
    let ruling = match score.is_match {
        true => Ruling::default(),
        false => Inquiry::new(case, branch, memory).ruling(),
    };
    let verdicts = verdicts(branch.len(), &ruling);
    let shown = shown(&verdicts);
    let fields: Vec<Field> = shown
        .iter()
        .map(|place| {
            let field = branch[*place];
            let said = said.get(field).map_or(&[][..], Vec::as_slice);
            let entries = Entry::of_field(&case.field(field).wanted, said);
            let later = &branch[place + 1..];
            Asked { case, field, entries, later }.report(verdicts[*place])
        })
        .collect();
    let conflicts: Vec<Conflict> =
        ruling.conflicts.iter().map(|places| conflict::report(case, branch, places)).collect();
    let failures_total = ruling.misses.len() + ruling.conflicts.len();
    let failures = failures(&ruling, &shown, &fields, &conflicts);
    Alternative {
        number: number + 1,
        is_match: score.is_match,
        fields,
        fields_total: branch.len(),
        fits_total: branch.len() - failures_total.min(branch.len()),
        conflicts,
        failures,
        failures_total,
    }
}

fn verdicts(fields: usize, ruling: &Ruling) -> Vec<Verdict> {
    let mut verdicts = vec![Verdict::Fits; fields];
    for place in ruling.conflicts.iter().flatten() {
        verdicts[*place] = Verdict::Apart;
    }
    for place in &ruling.misses {
        verdicts[*place] = Verdict::Misses;
    }
    verdicts
}

/// The places of the fields that are explained: those that fit only if there is room.
fn shown(verdicts: &[Verdict]) -> Vec<usize> {
    let places = |fits: bool| {
        let is_one = move |place: &usize| (verdicts[*place] == Verdict::Fits) == fits;
        (0..verdicts.len()).filter(is_one)
    };
    let mut shown: Vec<usize> = places(false).chain(places(true)).take(FIELDS_SHOWN_MAX).collect();
    shown.sort_unstable();
    shown
}

fn failures(
    ruling: &Ruling,
    shown: &[usize],
    fields: &[Field],
    conflicts: &[Conflict],
) -> Vec<Failure> {
    let misses = shown.iter().zip(fields).filter(|(_, field)| field.verdict == Verdict::Misses);
    let misses = misses.map(|(place, field)| (*place, &field.path, &field.why));
    let conflicts = ruling.conflicts.iter().zip(conflicts).map(|(places, conflict)| {
        (places.last().copied().unwrap_or_default(), &conflict.path, &conflict.why)
    });
    let mut failures: Vec<_> = misses.chain(conflicts).collect();
    failures.sort_by_key(|(place, ..)| *place);
    failures.truncate(FAILURES_SHOWN_MAX);
    let failure = |(_, path, why): (usize, &String, &String)| Failure {
        path: path.clone(),
        why: why.clone(),
    };
    failures.into_iter().map(failure).collect()
}
