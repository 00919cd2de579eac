//! Scripts over HTTP.

use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
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
    OpenApiRouter::new().routes(routes!(post_run))
}

/// What `/v1/run` is asked.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RunInput {
    script: Option<String>,
    name: Option<String>,
}

/// Runs a script.
#[utoipa::path(post, path = "/v1/run", tag = "scripts", request_body = RunInput, responses((status = 200), (status = 400, body = ErrorBody)))]
async fn post_run(
    State(app): State<App>,
    caller: Caller,
    id: RequestId,
    Body(input): Body<RunInput>,
) -> Result<Response, ApiError> {
    caller.needs(Scope::Run)?;
    jobs::inline(&app, caller, id, Work::Run(input), Duration::from_mins(5)).await
}

/// Does what `/v1/run` is asked.
pub(super) async fn run(_: &App, _: &Task, input: RunInput) -> Result<Answer, ApiError> {
    let what = input.script.or(input.name).unwrap_or_default();
    Err(ApiError::new("browser_unavailable", format!("nothing runs {} characters yet", what.len())))
}
