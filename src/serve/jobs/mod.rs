//! Executions: how work comes to a slot, how long it is waited for, and what becomes of it when it takes longer.

use std::time::Duration;

use axum::Json;
use axum::response::{IntoResponse, Response};
use tokio_util::sync::CancellationToken;

use crate::base::Deadline;

use super::access::Caller;
use super::app::App;
use super::error::ApiError;
use super::request_id::RequestId;
use super::task::{Events, Task, Work};

/// Does `work` for a request that waits for it.
pub(super) async fn inline(
    app: &App,
    caller: Caller,
    id: RequestId,
    work: Work,
    timeout: Duration,
) -> Result<Response, ApiError> {
    let cancel = app.ending.child_token();
    let _cancelled_with_this = CancellationToken::clone(&cancel).drop_guard();
    let deadline = Deadline::after(timeout);
    let task = Task { id: id.0.clone(), caller, deadline, cancel, events: Events::nobody() };
    let answer = work.perform(app, &task).await?;
    let mut body = serde_json::Map::new();
    body.insert("request_id".to_owned(), id.0.into());
    body.extend(answer.body);
    Ok((answer.status, Json(body)).into_response())
}
