//! Fields that fit one by one, but not together, in words.

use super::inquiry::{arrays_of, elements_of};
use super::judge::Case;
use super::survey::NodeId;
use super::{Conflict, Party, words};

/// Elements that are named of one party.
const PLACES_SHOWN_MAX: usize = 3;

/// Parties that are told of.
const PARTIES_SHOWN_MAX: usize = 6;

/// Of the fields at these places of the branch.
pub(super) fn report(case: &Case<'_>, branch: &[usize], places: &[usize]) -> Conflict {
    let fields: Vec<usize> = places.iter().map(|place| branch[*place]).collect();
    let arrays: Vec<Vec<NodeId>> = fields.iter().map(|field| arrays_of(case, *field)).collect();
    let array = common(case, &arrays);
    let parties: Vec<Party> = fields.iter().map(|field| party(case, *field, array)).collect();
    let name = |party: &Party| match party.must_be_absent {
        true => format!("no {}", party.key),
        false => party.key.clone(),
    };
    let names: Vec<String> = parties.iter().map(name).collect();
    let listed = words::list(&names, PARTIES_SHOWN_MAX, "and");
    let all = if names.len() == 2 { format!("both {listed}") } else { format!("all of {listed}") };
    let (path, why) = match array {
        Some(array) if shares_deeper(case, &arrays, array) => {
            (array, format!("no single element, with one of each array in it, had {all}"))
        }
        Some(array) => (array, format!("no single element had {all}")),
        None => (0, format!("no choice of elements had {all}")),
    };
    let path = match path {
        0 => words::path(fields.last().map_or(&[], |field| &case.field(*field).path)),
        array => words::path(&case.survey.path(0, array)),
    };
    Conflict { path, why, parties: parties.into_iter().take(PARTIES_SHOWN_MAX).collect() }
}

/// The innermost of the arrays that all are about.
fn common(case: &Case<'_>, arrays: &[Vec<NodeId>]) -> Option<NodeId> {
    let (first, others) = arrays.split_first()?;
    let is_common = |array: &&NodeId| others.iter().all(|arrays| arrays.contains(array));
    let common = first.iter().filter(is_common).copied();
    common.max_by_key(|array| case.survey.path(0, *array).len())
}

/// Some of the fields, not all, are also about an array further in.
fn shares_deeper(case: &Case<'_>, arrays: &[Vec<NodeId>], common: NodeId) -> bool {
    let len = case.survey.path(0, common).len();
    let is_shared = |array: &NodeId| {
        let about = arrays.iter().filter(|arrays| arrays.contains(array)).count();
        1 < about && len < case.survey.path(0, *array).len()
    };
    arrays.iter().flatten().any(is_shared)
}

fn party(case: &Case<'_>, field: usize, array: Option<NodeId>) -> Party {
    let path = &case.field(field).path;
    let key = match array.map(|array| case.survey.path(0, array)) {
        Some(array) if array == **path => "a value of its own".to_owned(),
        Some(array) => {
            let key = path.strip_prefix(&*array).and_then(|key| key.strip_prefix(b"."));
            words::path(key.unwrap_or(path))
        }
        None => words::path(path),
    };
    let elements = elements_of(case, field);
    Party {
        key,
        must_be_absent: case.seen(field).accepted.is_empty(),
        places: elements.iter().take(PLACES_SHOWN_MAX).map(|one| place(case, *one)).collect(),
        places_total: elements.len(),
    }
}

/// `detail.items[0]`
pub(super) fn place(case: &Case<'_>, element: usize) -> String {
    match element {
        0 => "the event itself".to_owned(),
        _ => words::path(&case.survey.place_of_element(element)),
    }
}
