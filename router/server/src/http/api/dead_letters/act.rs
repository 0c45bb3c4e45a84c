//! `POST /api/v1/dead-letters/redrive` and `…/purge`.
//!
//! # Invariants
//!
//! - Nothing is done to all letters that was not asked for in words: `ids`, or `all`.
//! - With `dry_run` nothing is done at all.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use bus::{Counted, GroupBy, Redrive, RedriveTo};
use serde::{Deserialize, Serialize};

use super::filter::{Filter, Rest, nothing_else};
use crate::http::api::body;
use crate::http::error::{Kind, Problem};
use crate::http::{App, json};

#[derive(Deserialize)]
struct Asked {
    ids: Option<Vec<i64>>,
    #[serde(default)]
    all: bool,
    #[serde(default)]
    dry_run: bool,
    /// `target` or `rules`.
    to: Option<String>,
    rules: Option<Vec<String>>,
    #[serde(flatten)]
    filter: Filter,
    #[serde(flatten)]
    rest: Rest,
}

impl Asked {
    async fn which(self, app: &App) -> Result<Redrive, Problem> {
        let Self { ids, all, filter, rest, .. } = self;
        nothing_else(&rest, Kind::BadRequest)?;
        match ids {
            Some(_) if all || !filter.is_empty() => Err(Kind::BadRequest
                .problem("`ids` names them one by one: leave `all` and the filters away")),
            Some(ids) => Ok(Redrive::Ids(ids)),
            None if all => Ok(Redrive::Matching(filter.read(app, Kind::BadRequest).await?)),
            None => Err(Kind::BadRequest.problem(
                "say which: {\"ids\":[…]}, or {\"all\":true} with `bus`, `rule`, `target`, `kind`, `error`, \
                 `since`, `until`, `pattern` or `state` to narrow it",
            )),
        }
    }

    fn way(&self) -> Result<RedriveTo, Problem> {
        match (self.to.as_deref(), &self.rules) {
            (None | Some("target"), None) => Ok(RedriveTo::Target),
            (Some("rules"), rules) => Ok(RedriveTo::Rules(rules.clone().unwrap_or_default())),
            (None | Some("target"), Some(_)) => Err(Kind::BadRequest
                .problem("`rules` narrows {\"to\":\"rules\"}; a letter's own target needs none")),
            (Some(other), _) => Err(Kind::BadRequest
                .problem(format!("`to` is `{other}`; use `target` (the default) or `rules`"))),
        }
    }
}

#[derive(Serialize)]
struct Refused {
    id: i64,
    reason: String,
}

/// What would be done, and to which targets' letters.
#[derive(Serialize)]
struct Rehearsed {
    dry_run: bool,
    #[serde(flatten)]
    counted: Counted,
}

pub(in crate::http) async fn redrive(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response, Problem> {
    #[derive(Serialize)]
    struct Answer {
        redriven: u64,
        queued: u64,
        refused_total: u64,
        refused: Vec<Refused>,
    }

    let asked: Asked = body(&app, request).await?;
    let (to, dry_run) = (asked.way()?, asked.dry_run);
    if let RedriveTo::Rules(rules) = &to {
        known_rules(&app, rules)?;
    }
    let which = asked.which(&app).await?;
    if dry_run {
        return match to {
            RedriveTo::Target => rehearse(&app, which).await,
            RedriveTo::Rules(rules) => {
                let counted = app.router.rehearse_redrive(which, rules).await?;
                Ok(json(&Rehearsed { dry_run: true, counted }))
            }
        };
    }
    let done = app.router.redrive(which, to).await?;
    let refused = done.refused.into_iter().map(|(id, reason)| Refused { id, reason }).collect();
    let (redriven, queued, refused_total) = (done.redriven, done.queued, done.refused_total);
    Ok(json(&Answer { redriven, queued, refused_total, refused }))
}

pub(in crate::http) async fn purge(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response, Problem> {
    #[derive(Serialize)]
    struct Answer {
        purged: u64,
        left: u64,
    }

    let asked: Asked = body(&app, request).await?;
    if asked.to.is_some() || asked.rules.is_some() {
        return Err(Kind::BadRequest.problem("a purge sends nothing: leave `to` and `rules` away"));
    }
    let dry_run = asked.dry_run;
    let which = asked.which(&app).await?;
    if dry_run {
        return rehearse(&app, which).await;
    }
    let done = app.router.purge_dead_letters(which).await?;
    Ok(json(&Answer { purged: done.purged, left: done.left }))
}

async fn rehearse(app: &App, which: Redrive) -> Result<Response, Problem> {
    let counted = match which {
        Redrive::Matching(filter) => {
            app.router.count_dead_letters(filter, Some(GroupBy::Target)).await?
        }
        Redrive::Ids(ids) => {
            let mut letters = 0;
            for id in ids {
                letters += u64::from(app.router.dead_letter(id).await?.is_some());
            }
            Counted { letters, groups: Vec::new() }
        }
    };
    Ok(json(&Rehearsed { dry_run: true, counted }))
}

fn known_rules(app: &App, names: &[String]) -> Result<(), Problem> {
    let rules = app.router.rules();
    let known: Vec<&str> = rules.rules().iter().map(|rule| rule.name.as_str()).collect();
    match names.iter().find(|name| !known.contains(&name.as_str())) {
        None => Ok(()),
        Some(name) => Err(App::unknown_rule(name, &known)),
    }
}
