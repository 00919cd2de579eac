//! What is kept of sessions, and what can be done with it without a browser: by name and count, never by value.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::base::{SessionId, Version};
use crate::session::{
    Audit, HistoryEntry, ListingPage, RolledBack, SessionInfo, SessionSummary, VersionDiff, VersionInfo,
};

use super::access::{Admin, Caller};
use super::app::App;
use super::error::ApiError;
use super::json::Body;
use super::params::{Query, SessionPath};
use super::refusals::{Forbidden, InTheWay, Missing, TooLarge, Usual, refused, to_its_end};
use super::request_id::RequestId;

/// How many sessions a page of the list has, and how many at most.
const PAGE: u32 = 100;
const LARGEST_PAGE: u32 = 1_000;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show, delete))
        .routes(routes!(history))
        .routes(routes!(diff))
        .routes(routes!(check))
        .routes(routes!(fork))
        .routes(routes!(rollback))
}

/// Which page of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Paging {
    /// The id of the last session of the page before: `next` of its answer.
    #[param(value_type = Option<String>)]
    after: Option<SessionId>,
    /// How many at most.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
}

/// A page of a tenant's sessions, in the store's order.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SessionListed)]
struct Listed {
    /// The request's id.
    request_id: String,
    sessions: Vec<SessionSummary>,
    /// How many more there are on this page that cannot be opened.
    damaged: usize,
    /// What to ask for as `after`; null where this is the last page.
    next: Option<String>,
}

/// Lists the tenant's sessions, a page at a time
#[utoipa::path(get, path = "/v1/sessions", tag = "sessions", security(("token" = [])), params(Paging),
    responses((status = 200, body = Listed), Usual))]
async fn list(
    State(app): State<App>,
    caller: Caller,
    RequestId(request_id): RequestId,
    Query(Paging { after, limit }): Query<Paging>,
) -> Result<Json<Listed>, ApiError> {
    let limit = limit.unwrap_or(PAGE);
    if !(1..=LARGEST_PAGE).contains(&limit) {
        return Err(ApiError::invalid("limit", format!("limit: 1 to {LARGEST_PAGE} is wanted, found {limit}")));
    }
    let page = app.sessions.page(caller.tenant(), after.as_ref(), limit as usize).await.map_err(refused)?;
    let ListingPage { sessions, damaged, more } = page;
    let next = sessions.last().filter(|_| more).map(|last| last.id.to_string());
    Ok(Json(Listed { request_id, sessions, damaged, next }))
}

/// One session.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SessionShown)]
struct Shown {
    /// The request's id.
    request_id: String,
    #[serde(flatten)]
    session: SessionInfo,
}

/// Tells what a session holds: cookies, storage and versions by name, sizes, what could not be kept; never a value
#[utoipa::path(get, path = "/v1/sessions/{id}", tag = "sessions", security(("token" = [])),
    params(("id" = String, Path, description = "The session, percent-encoded")),
    responses((status = 200, body = Shown), Usual, Missing))]
async fn show(
    State(app): State<App>,
    caller: Caller,
    RequestId(request_id): RequestId,
    SessionPath(id): SessionPath,
) -> Result<Json<Shown>, ApiError> {
    let session = app.sessions.show(caller.tenant(), &id).await.map_err(refused)?;
    Ok(Json(Shown { request_id, session }))
}

/// A session that is gone.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SessionDeleted)]
struct Deleted {
    /// The request's id.
    request_id: String,
    /// Its id.
    deleted: String,
}

/// Deletes a session with all its versions; its key goes first
#[utoipa::path(delete, path = "/v1/sessions/{id}", tag = "sessions", security(("token" = ["admin"])),
    params(("id" = String, Path, description = "The session, percent-encoded")),
    responses((status = 200, body = Deleted), Usual, Forbidden, Missing, InTheWay))]
async fn delete(
    State(app): State<App>,
    Admin(caller): Admin,
    RequestId(request_id): RequestId,
    SessionPath(id): SessionPath,
) -> Result<Json<Deleted>, ApiError> {
    let (tenant, deleted) = (caller.tenant().clone(), id.to_string());
    to_its_end(async move {
        let id = app.sessions.meant(&tenant, &id).await?;
        app.sessions.delete(&tenant, &id).await?;
        app.pools.forget(&tenant, &id);
        Ok(())
    })
    .await?;
    Ok(Json(Deleted { request_id, deleted }))
}

/// The kept versions of a session.
#[derive(Debug, Serialize, ToSchema)]
struct History {
    /// The request's id.
    request_id: String,
    /// The session.
    id: String,
    /// Newest first.
    versions: Vec<HistoryEntry>,
    /// The versions that cannot be opened: what they changed is not known.
    damaged: Vec<u64>,
}

/// Tells the kept versions, newest first, and what each changed, by name
#[utoipa::path(get, path = "/v1/sessions/{id}/history", tag = "sessions", security(("token" = [])),
    params(("id" = String, Path, description = "The session, percent-encoded")),
    responses((status = 200, body = History), Usual, Missing))]
async fn history(
    State(app): State<App>,
    caller: Caller,
    RequestId(request_id): RequestId,
    SessionPath(id): SessionPath,
) -> Result<Json<History>, ApiError> {
    let _place = app.heavy(caller.tenant()).await?;
    let mut history = app.sessions.history(caller.tenant(), &id).await.map_err(refused)?;
    let (mut versions, mut damaged) = (Vec::new(), Vec::new());
    for info in history.versions() {
        match Box::pin(history.entry(info.version)).await {
            Ok(entry) => versions.push(entry),
            Err(error) => {
                tracing::warn!(code = error.code(), "a version cannot be opened");
                damaged.push(info.version.0);
                versions.push(unknown(info));
            }
        }
    }
    Ok(Json(History { request_id, id: id.to_string(), versions, damaged }))
}

/// A version of which only that it is there is known.
fn unknown(version: VersionInfo) -> HistoryEntry {
    HistoryEntry { version, against: None, changes: None, profile: None }
}

/// Which versions to compare.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Between {
    /// The version to compare with; the kept one before `to` where it is left out.
    #[param(minimum = 1)]
    from: Option<u64>,
    /// The version that is told of; the newest where it is left out.
    #[param(minimum = 1)]
    to: Option<u64>,
}

/// What differs between two versions.
#[derive(Debug, Serialize, ToSchema)]
struct Diff {
    /// The request's id.
    request_id: String,
    #[serde(flatten)]
    diff: VersionDiff,
}

/// Tells what differs between two kept versions, by name
#[utoipa::path(get, path = "/v1/sessions/{id}/diff", tag = "sessions", security(("token" = [])),
    params(("id" = String, Path, description = "The session, percent-encoded"), Between),
    responses((status = 200, body = Diff), Usual, Missing))]
async fn diff(
    State(app): State<App>,
    caller: Caller,
    RequestId(request_id): RequestId,
    SessionPath(id): SessionPath,
    Query(Between { from, to }): Query<Between>,
) -> Result<Json<Diff>, ApiError> {
    let (from, to) = (from.map(Version), to.map(Version));
    let _place = app.heavy(caller.tenant()).await?;
    let diff = Box::pin(app.sessions.diff(caller.tenant(), &id, from, to)).await.map_err(refused)?;
    Ok(Json(Diff { request_id, diff }))
}

/// What is whole of a session.
#[derive(Debug, Serialize, ToSchema)]
struct Checked {
    /// The request's id.
    request_id: String,
    #[serde(flatten)]
    audit: Audit,
}

/// Opens every kept version with all that belongs to it and tells what is damaged; changes nothing and visits no site. That it is
/// whole says nothing of whether a site still knows it: that is asked with a page request or a script
#[utoipa::path(post, path = "/v1/sessions/{id}/check", tag = "sessions", security(("token" = [])),
    params(("id" = String, Path, description = "The session, percent-encoded")),
    responses((status = 200, body = Checked, description = "Also where something is damaged: `whole` is false then."), Usual, Missing))]
async fn check(
    State(app): State<App>,
    caller: Caller,
    RequestId(request_id): RequestId,
    SessionPath(id): SessionPath,
) -> Result<Json<Checked>, ApiError> {
    let _place = app.heavy(caller.tenant()).await?;
    let audit = Box::pin(app.sessions.audit(caller.tenant(), &id)).await.map_err(refused)?;
    Ok(Json(Checked { request_id, audit }))
}

/// Which fork to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ForkInput {
    /// The new session: any text of 1 to 256 bytes without control characters.
    #[schema(value_type = String, min_length = 1, max_length = 256, pattern = r"^[^\x00-\x1f\x7f-\x9f]+$")]
    id: SessionId,
    /// Another version than the newest.
    #[schema(minimum = 1)]
    version: Option<u64>,
}

/// A fork that was made.
#[derive(Debug, Serialize, ToSchema)]
struct NewFork {
    /// The request's id.
    request_id: String,
    /// The new session.
    id: String,
    /// Its version.
    version: u64,
    /// The session that it is a copy of.
    forked_from: String,
    /// The version that it is a copy of.
    of_version: Version,
}

/// Copies a session to a new one, which has a life of its own from there on; the source may be in use
#[utoipa::path(post, path = "/v1/sessions/{id}/fork", tag = "sessions", security(("token" = ["admin"])),
    params(("id" = String, Path, description = "The session, percent-encoded")), request_body = ForkInput,
    responses((status = 201, body = NewFork), Usual, Forbidden, Missing, InTheWay, TooLarge))]
async fn fork(
    State(app): State<App>,
    Admin(caller): Admin,
    RequestId(request_id): RequestId,
    SessionPath(id): SessionPath,
    Body(input): Body<ForkInput>,
) -> Result<(StatusCode, Json<NewFork>), ApiError> {
    let (tenant, new_id, at) = (caller.tenant().clone(), input.id, input.version.map(Version));
    let (forked_from, new) = (id.to_string(), new_id.to_string());
    let of_version = to_its_end(async move { app.sessions.fork(&tenant, &id, &new_id, at).await }).await?;
    Ok((StatusCode::CREATED, Json(NewFork { request_id, id: new, version: 1, forked_from, of_version })))
}

/// Where to go back to.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RollbackInput {
    /// A kept version.
    #[schema(minimum = 1)]
    version: u64,
}

/// A session that was rolled back.
#[derive(Debug, Serialize, ToSchema)]
struct Back {
    /// The request's id.
    request_id: String,
    #[serde(flatten)]
    rolled_back: RolledBack,
}

/// Makes an old version's content the newest again, as a version of its own: nothing is lost
#[utoipa::path(post, path = "/v1/sessions/{id}/rollback", tag = "sessions", security(("token" = ["admin"])),
    params(("id" = String, Path, description = "The session, percent-encoded")), request_body = RollbackInput,
    responses((status = 200, body = Back), Usual, Forbidden, Missing, InTheWay, TooLarge))]
async fn rollback(
    State(app): State<App>,
    Admin(caller): Admin,
    RequestId(request_id): RequestId,
    SessionPath(id): SessionPath,
    Body(input): Body<RollbackInput>,
) -> Result<Json<Back>, ApiError> {
    let (tenant, version) = (caller.tenant().clone(), Version(input.version));
    let rolled_back = to_its_end(async move { app.sessions.rollback(&tenant, &id, version).await }).await?;
    Ok(Json(Back { request_id, rolled_back }))
}
