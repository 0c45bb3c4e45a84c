//! `/api/v1/dead-letters`: looking at them.
//!
//! ```text
//! GET  /dead-letters?…            a page                              here
//! GET  /dead-letters/count?…      how many, by what they have in common
//! GET  /dead-letters/export?…     all of them, one a line             export
//! GET  /dead-letters/{id}         one
//! POST /dead-letters/redrive      send them again                     act
//! POST /dead-letters/purge        remove them                         act
//! ```

pub(in crate::http) mod act;
pub(in crate::http) mod export;
mod filter;

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::Response;
use bus::delivery::DeadLetter;
use bus::{AttemptRecord, DeadLetterFilter, GroupBy};
use serde::{Deserialize, Serialize};

use super::{named, query};
use crate::http::error::{Kind, Problem};
use crate::http::{App, json, shown};
use filter::{Filter, Rest, nothing_else};

const PAGE_DEFAULT: usize = 100;
const PAGE_MAX: usize = 1000;

#[derive(Deserialize)]
struct PageQuery {
    before: Option<i64>,
    limit: Option<usize>,
    #[serde(flatten)]
    filter: Filter,
    #[serde(flatten)]
    rest: Rest,
}

pub(in crate::http) async fn dead_letters(
    State(app): State<Arc<App>>,
    uri: Uri,
) -> Result<Response, Problem> {
    let PageQuery { before, limit, filter, rest } = query(&uri)?;
    nothing_else(&rest, Kind::BadParameter)?;
    let limit = limit.unwrap_or(PAGE_DEFAULT);
    if !(1..=PAGE_MAX).contains(&limit) {
        let detail = format!("`limit` is {limit}; use a number from 1 to {PAGE_MAX}");
        return Err(Kind::BadParameter.problem(detail));
    }
    let filter = filter.read(&app, Kind::BadParameter).await?;
    let page = app.router.dead_letters(DeadLetterFilter { before, limit, ..filter }).await?;
    Ok(json(&page))
}

#[derive(Deserialize)]
struct CountQuery {
    group_by: Option<String>,
    #[serde(flatten)]
    filter: Filter,
    #[serde(flatten)]
    rest: Rest,
}

pub(in crate::http) async fn count(
    State(app): State<Arc<App>>,
    uri: Uri,
) -> Result<Response, Problem> {
    let CountQuery { group_by, filter, rest } = query(&uri)?;
    nothing_else(&rest, Kind::BadParameter)?;
    let by = match group_by.as_deref() {
        None => None,
        Some("rule") => Some(GroupBy::Rule),
        Some("target") => Some(GroupBy::Target),
        Some("kind") => Some(GroupBy::Kind),
        Some("error") => Some(GroupBy::Error),
        Some(other) => {
            let detail =
                format!("`group_by` is `{other}`; use `rule`, `target`, `kind` or `error`");
            return Err(Kind::BadParameter.problem(detail));
        }
    };
    let filter = filter.read(&app, Kind::BadParameter).await?;
    Ok(json(&app.router.count_dead_letters(filter, by).await?))
}

pub(in crate::http) async fn dead_letter(
    State(app): State<Arc<App>>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    #[derive(Serialize)]
    struct View {
        #[serde(flatten)]
        letter: DeadLetter,
        log: Vec<AttemptRecord>,
    }

    let id = named(id)?;
    let id: i64 = id.parse().map_err(|_no_number| {
        Kind::NotFound
            .problem(format!("there is no dead letter `{}`: they have numbers", shown(&id)))
    })?;
    let found = app.router.dead_letter(id).await?;
    let letter = found.ok_or_else(|| {
        Kind::NotFound.problem(format!("there is no dead letter {id}; it may have been purged"))
    })?;
    let log = app.router.dead_letter_attempts(id).await?;
    Ok(json(&View { letter, log }))
}
