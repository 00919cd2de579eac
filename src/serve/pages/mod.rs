//! Page requests: what a page says (`fetch`), and what comes of actions on it (`interact`).

use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::session::Scope;

use super::access::Caller;
use super::app::App;
use super::error::{ApiError, ErrorBody};
use super::jobs;
use super::json::Body;
use super::request_id::RequestId;
use super::task::{Answer, Task, Work};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(post_fetch)).routes(routes!(post_interact))
}

/// What `/v1/fetch` is asked.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FetchInput {
    url: String,
}

/// What `/v1/interact` is asked.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct InteractInput {
    url: String,
}

/// Reads a page.
#[utoipa::path(post, path = "/v1/fetch", tag = "pages", request_body = FetchInput, responses((status = 200), (status = 400, body = ErrorBody)))]
async fn post_fetch(
    State(app): State<App>,
    caller: Caller,
    id: RequestId,
    Body(input): Body<FetchInput>,
) -> Result<Response, ApiError> {
    caller.needs(Scope::Fetch)?;
    jobs::inline(&app, caller, id, Work::Fetch(input), Duration::from_secs(30)).await
}

/// Acts on a page, then reads it.
#[utoipa::path(post, path = "/v1/interact", tag = "pages", request_body = InteractInput, responses((status = 200), (status = 400, body = ErrorBody)))]
async fn post_interact(
    State(app): State<App>,
    caller: Caller,
    id: RequestId,
    Body(input): Body<InteractInput>,
) -> Result<Response, ApiError> {
    caller.needs(Scope::Fetch)?;
    jobs::inline(&app, caller, id, Work::Interact(input), Duration::from_secs(30)).await
}

/// Does what `/v1/fetch` is asked.
pub(super) async fn fetch(_: &App, _: &Task, input: FetchInput) -> Result<Answer, ApiError> {
    Err(ApiError::new("browser_unavailable", format!("nothing reads {} yet", input.url)))
}

/// Does what `/v1/interact` is asked.
pub(super) async fn interact(_: &App, _: &Task, input: InteractInput) -> Result<Answer, ApiError> {
    Err(ApiError::new("browser_unavailable", format!("nothing acts on {} yet", input.url)))
}
