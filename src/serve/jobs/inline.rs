//! Work whose client waits for it, and how it becomes a job.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value};
use tracing::Instrument as _;
use utoipa::ToSchema;

use super::super::access::Caller;
use super::super::app::App;
use super::super::error::ApiError;
use super::super::request_id::RequestId;
use super::super::task::{Answer, Work};
use super::execution::{Execution, Order, Outcome, Stage, refused};
use super::journal::Asked;
use super::record::{JobStatus, Record};
use super::stop::Why;
use super::{kept, live};

/// What is answered where work takes longer than a client is to wait.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::serve) struct Accepted {
    /// The request's id.
    request_id: String,
    /// `async`.
    mode: &'static str,
    /// `queued`, or `waiting_for_human` where it became a job for that.
    status: &'static str,
    /// The job that it is now.
    job_id: String,
    /// Where it is told how far it is.
    status_url: String,
    /// What a person is to do, and where.
    #[serde(skip_serializing_if = "Option::is_none")]
    pause: Option<Asked>,
}

/// Does `work` for a request that waits for it. Where the client goes away the work is stopped; where it takes longer than the inline
/// limit, or waits for a person, of whom only the answer can tell, it is a job from then on, and goes on undisturbed.
pub(in crate::serve) async fn inline(
    app: &App,
    caller: Caller,
    id: RequestId,
    work: Work,
    timeout: Duration,
) -> Result<Response, ApiError> {
    let mut execution = begin(app, caller, &id, work, timeout)?;
    let (mut asked, mut is_first) = (execution.journal.asked(), true);
    loop {
        let gone = execution.stop.on_drop(Why::ClientGone);
        let ended = tokio::select! {
            ended = tokio::time::timeout(app.config.inline_limit, execution.ended()) => ended.ok(),
            Ok(_) = asked.wait_for(Option::is_some), if is_first => None,
        };
        is_first = false;
        gone.keep();
        match ended {
            Some(Some(ended)) => return answer(id, ended.outcome),
            Some(None) => return elsewhere(id, &execution).await,
            None => {}
        }
        let pause = asked.borrow().clone();
        // A task of its own: a client that goes now leaves a job, not half of one.
        let promoted = tokio::spawn(Box::pin(promote(app.clone(), execution)).in_current_span()).await;
        match promoted.map_err(|_| ApiError::internal("the work could not become a job"))? {
            Ok(job_id) => return Ok(accepted(id, job_id, pause)),
            // The store is away: the client is the only one who can be told, and waits on.
            Err(waiting) => execution = waiting,
        }
    }
}

/// Begins the work of a request, in its place in the queue.
pub(super) fn begin(
    app: &App,
    caller: Caller,
    id: &RequestId,
    work: Work,
    timeout: Duration,
) -> Result<Execution, ApiError> {
    takes_work(app)?;
    let waiting = app.slots.request(caller.tenant(), work.session_id()).map_err(refused)?;
    Ok(Execution::begin(app, Order { id: id.0.clone(), caller, work, timeout }, waiting, None))
}

/// Nothing new is begun once the server ends.
pub(super) fn takes_work(app: &App) -> Result<(), ApiError> {
    if app.ending.is_cancelled() {
        let mut error = ApiError::new("browser_unavailable", "the server is ending: ask another, or again later");
        error.retry_after = Some(5);
        return Err(error);
    }
    Ok(())
}

/// The answer of work that was waited for, or of a job that is done.
pub(super) fn answer(id: RequestId, outcome: Outcome) -> Result<Response, ApiError> {
    let answer = outcome?;
    Ok((answer.status, Json(body(id, answer))).into_response())
}

/// The JSON of an answer.
pub(super) fn body(id: RequestId, answer: Answer) -> Map<String, Value> {
    let mut body = Map::new();
    body.insert("request_id".to_owned(), id.0.into());
    body.extend(answer.body);
    body
}

fn accepted(id: RequestId, job_id: String, pause: Option<Asked>) -> Response {
    let status_url = status_url(&job_id);
    let status = if pause.is_some() { JobStatus::WaitingForHuman.name() } else { "queued" };
    let body = Accepted { request_id: id.0, mode: "async", status, job_id, status_url, pause };
    (StatusCode::ACCEPTED, Json(body)).into_response()
}

pub(super) fn status_url(job_id: &str) -> String {
    format!("/v1/jobs/{job_id}")
}

/// The answer of work that another server does: it has become a job after all.
pub(super) async fn elsewhere(id: RequestId, execution: &Execution) -> Result<Response, ApiError> {
    match &*execution.stage.lock().await {
        Stage::Unsure { job } => Ok(accepted(id, job.id().to_owned(), None)),
        _ => Err(ApiError::internal("the work is done elsewhere")),
    }
}

/// Makes a job of it; gives it back where the store cannot keep one.
pub(super) async fn promote(app: App, execution: Execution) -> Result<String, Execution> {
    let order: Arc<Order> = execution.order.clone();
    let tenant = order.caller.tenant();
    let stage = execution.stage.clone();
    // It does not begin meanwhile.
    let mut stage = stage.lock().await;
    let has_begun = matches!(&*stage, Stage::Begun);
    let reserved = match std::mem::replace(&mut *stage, Stage::Begun) {
        // The same job as before: the store may keep it already.
        Stage::Unsure { job } => job,
        _ => live::reserve(&app, &kept::new_id()),
    };
    let mut record = Record::new(reserved.id().to_owned(), order.work.clone(), order.caller.token_id());
    if has_begun {
        record.begin(app.jobs.claim());
        record.pause.clone_from(&execution.journal.asked().borrow());
    }
    if let Err(error) = kept::create(&app, tenant, &record).await {
        tracing::warn!(id = order.id, code = error.code(), "a request could not become a job");
        if !has_begun {
            *stage = Stage::Unsure { job: reserved };
        }
        drop(stage);
        return Err(execution);
    }
    if !has_begun {
        *stage = Stage::Waiting { job: Some(record.id.clone()) };
    }
    live::hand_over(&app, &record.id, execution);
    Ok(record.id)
}
