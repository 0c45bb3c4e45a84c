//! `/api/v1/dead-letters`: looking at them, and sending them again.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::Uri;
use axum::response::Response;
use bus::{DeadLetterFilter, Redrive, RedriveTo};
use serde::{Deserialize, Serialize};

use super::{body, query};
use crate::http::error::{Kind, Problem};
use crate::http::{App, json};

const PAGE_DEFAULT: usize = 100;
const PAGE_MAX: usize = 1000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DeadLetterQuery {
    bus: Option<String>,
    rule: Option<String>,
    target: Option<String>,
    before: Option<i64>,
    limit: Option<usize>,
}

pub(in crate::http) async fn dead_letters(
    State(app): State<Arc<App>>,
    uri: Uri,
) -> Result<Response, Problem> {
    #[derive(Serialize)]
    struct Page<T> {
        items: Vec<T>,
        next: Option<i64>,
    }

    let query: DeadLetterQuery = query(&uri)?;
    let limit = query.limit.unwrap_or(PAGE_DEFAULT);
    if !(1..=PAGE_MAX).contains(&limit) {
        let detail = format!("`limit` is {limit}; use a number from 1 to {PAGE_MAX}");
        return Err(Kind::BadParameter.problem(detail));
    }
    let filter = DeadLetterFilter {
        bus: query.bus,
        rule: query.rule,
        target: query.target,
        before: query.before,
        limit,
        ..DeadLetterFilter::default()
    };
    let items = app.router.dead_letters(filter).await?;
    let next = if items.len() < limit { None } else { items.last().map(|last| last.id) };
    Ok(json(&Page { items, next }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RedriveRequest {
    ids: Option<Vec<i64>>,
    #[serde(default)]
    all: bool,
    bus: Option<String>,
    rule: Option<String>,
    target: Option<String>,
}

impl RedriveRequest {
    fn which(self) -> Result<Redrive, Problem> {
        let narrowed = self.bus.is_some() || self.rule.is_some() || self.target.is_some();
        match self.ids {
            Some(_) if self.all || narrowed => {
                Err(Kind::BadRequest.problem("`ids` names them one by one: leave `all`, `bus`, `rule` and `target` away"))
            }
            Some(ids) => Ok(Redrive::Ids(ids)),
            None if self.all => Ok(Redrive::Matching(DeadLetterFilter {
                bus: self.bus,
                rule: self.rule,
                target: self.target,
                ..DeadLetterFilter::default()
            })),
            None => Err(Kind::BadRequest
                .problem("say which: {\"ids\":[…]}, or {\"all\":true} with `bus`, `rule` or `target` to narrow it")),
        }
    }
}

pub(in crate::http) async fn redrive(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response, Problem> {
    #[derive(Serialize)]
    struct Refused {
        id: i64,
        reason: String,
    }

    #[derive(Serialize)]
    struct Answer {
        redriven: u64,
        queued: u64,
        refused: Vec<Refused>,
    }

    let asked: RedriveRequest = body(&app, request).await?;
    let done = app.router.redrive(asked.which()?, RedriveTo::Target).await?;
    let refused = done.refused.into_iter().map(|(id, reason)| Refused { id, reason }).collect();
    Ok(json(&Answer { redriven: done.redriven, queued: done.queued, refused }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redrive_says_which_or_is_refused() {
        let which = |text| serde_json::from_str::<RedriveRequest>(text).unwrap().which();
        assert!(matches!(which(r#"{"ids":[1,2]}"#), Ok(Redrive::Ids(ids)) if ids == [1, 2]));
        assert!(matches!(which(r#"{"all":true,"rule":"r"}"#), Ok(Redrive::Matching(_))));
        for bad in ["{}", r#"{"rule":"r"}"#, r#"{"all":false}"#, r#"{"ids":[1],"all":true}"#] {
            assert_eq!(which(bad).map(|_| ()).unwrap_err().kind(), Kind::BadRequest, "{bad}");
        }
    }
}
