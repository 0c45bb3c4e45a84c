//! `/api/v1/archives`: chosen events, kept for long.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use bus::{Archive, ArchiveChange, ArchiveContents, NewArchive};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::{body, named, pattern};
use crate::http::error::{Kind, Problem};
use crate::http::{App, json};

/// An archive and what is in it.
#[derive(Serialize)]
struct View {
    #[serde(flatten)]
    archive: Archive,
    state: &'static str,
    #[serde(flatten)]
    contents: ArchiveContents,
}

async fn view(app: &App, archive: &Arc<Archive>) -> Result<View, Problem> {
    let contents = app.router.archive_contents(archive).await?;
    Ok(View { archive: Archive::clone(archive), state: "enabled", contents })
}

pub(in crate::http) async fn archives(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    let mut views = Vec::new();
    for archive in app.router.archives() {
        views.push(view(&app, &archive).await?);
    }
    Ok(json(&views))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CreateRequest {
    name: String,
    bus: Option<String>,
    pattern: Option<Value>,
    #[serde(default)]
    retention_days: u32,
    #[serde(default)]
    description: String,
}

pub(in crate::http) async fn create(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response, Problem> {
    let asked: CreateRequest = body(&app, request).await?;
    let bus = asked.bus.unwrap_or_else(|| "default".to_owned());
    if !app.router.has_bus(&bus) {
        return Err(app.unknown_bus(&bus));
    }
    let new = NewArchive {
        name: asked.name,
        bus,
        pattern: asked.pattern.map(|value| pattern(&value, Kind::BadRequest)).transpose()?,
        retention_days: asked.retention_days,
        description: asked.description,
    };
    let made = app.router.create_archive(new).await?;
    Ok((StatusCode::CREATED, json(&view(&app, &made).await?)).into_response())
}

type Name = Result<Path<String>, PathRejection>;

pub(in crate::http) async fn archive(
    State(app): State<Arc<App>>,
    name: Name,
) -> Result<Response, Problem> {
    let found = app.router.archive(&named(name)?)?;
    Ok(json(&view(&app, &found).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangeRequest {
    /// `null`: every event.
    #[serde(default, deserialize_with = "present")]
    pattern: Option<Value>,
    retention_days: Option<u32>,
    description: Option<String>,
}

/// Tells `null` from what is not there.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

pub(in crate::http) async fn change(
    State(app): State<Arc<App>>,
    name: Name,
    request: Request,
) -> Result<Response, Problem> {
    let name = named(name)?;
    let asked: ChangeRequest = body(&app, request).await?;
    let pattern = match asked.pattern {
        None => None,
        Some(Value::Null) => Some(None),
        Some(value) => Some(Some(pattern(&value, Kind::BadRequest)?)),
    };
    let change = ArchiveChange {
        pattern,
        retention_days: asked.retention_days,
        description: asked.description,
    };
    let changed = app.router.change_archive(&name, change).await?;
    Ok(json(&view(&app, &changed).await?))
}

pub(in crate::http) async fn remove(
    State(app): State<Arc<App>>,
    name: Name,
) -> Result<Response, Problem> {
    app.router.remove_archive(&named(name)?).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
