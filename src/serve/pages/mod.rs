//! Page requests: what a page says (`fetch`), and what comes of actions on it (`interact`).
//!
//! What is asked (`input`, `actions`, `extract`) is checked before anything is opened. A `visit` takes the request from its session
//! to its end: over plain HTTP (`plain`, `charset`) or in a browser (`perform`, `steps`), by the way that there is (`out`); what is
//! wanted of the page is captured (`outputs`) and told (`answer`).

mod actions;
mod answer;
mod charset;
mod extract;
mod input;
mod out;
mod outputs;
mod perform;
mod plain;
mod steps;
mod visit;

use axum::extract::State;
use axum::response::Response;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::session::Scope;

use super::access::Caller;
use super::app::App;
use super::error::ApiError;
use super::jobs;
use super::json::Body;
use super::request_id::RequestId;
use super::task::{Answer, Task, Work};

use answer::{FetchAnswer, InteractAnswer};
pub(super) use input::{FetchInput, InteractInput};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(post_fetch)).routes(routes!(post_interact))
}

/// Reads a page, over plain HTTP or in a browser.
///
/// What the target answers with is no error: `http_status` tells. What could not be had of a page that was there is in `diagnostics`.
#[utoipa::path(
    post,
    path = "/v1/fetch",
    tag = "pages",
    request_body = FetchInput,
    responses((status = 200, description = "The page", body = FetchAnswer))
)]
async fn post_fetch(
    State(app): State<App>,
    caller: Caller,
    id: RequestId,
    Body(input): Body<FetchInput>,
) -> Result<Response, ApiError> {
    caller.needs(Scope::Fetch)?;
    input.check()?;
    let timeout = input.timeout();
    let work = Work::Fetch(input).meant(&app, caller.tenant()).await?;
    jobs::inline(&app, caller, id, work, timeout).await
}

/// Acts on a page, then reads it.
///
/// An action that fails ends the sequence; what is there then is answered all the same, and the session is saved.
#[utoipa::path(
    post,
    path = "/v1/interact",
    tag = "pages",
    request_body = InteractInput,
    responses((status = 200, description = "What came of it", body = InteractAnswer))
)]
async fn post_interact(
    State(app): State<App>,
    caller: Caller,
    id: RequestId,
    Body(input): Body<InteractInput>,
) -> Result<Response, ApiError> {
    caller.needs(Scope::Fetch)?;
    input.check()?;
    let timeout = input.timeout();
    let work = Work::Interact(input).meant(&app, caller.tenant()).await?;
    jobs::inline(&app, caller, id, work, timeout).await
}

/// Does what `/v1/fetch` is asked.
pub(super) async fn fetch(app: &App, task: &Task, input: FetchInput) -> Result<Answer, ApiError> {
    input.check()?;
    let ended = visit::visit(app, task, input.clone()).await?;
    answer::fetch(&input, ended)
}

/// Does what `/v1/interact` is asked.
pub(super) async fn interact(app: &App, task: &Task, input: InteractInput) -> Result<Answer, ApiError> {
    input.check()?;
    let ended = visit::visit(app, task, input.0.clone()).await?;
    answer::interact(task, &input.0, ended)
}
