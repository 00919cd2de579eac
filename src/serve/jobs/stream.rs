//! Work whose client wants to hear of it as it happens: server-sent events up to the answer, which is the last of them.

use std::convert::Infallible;
use std::time::Duration;

use axum::response::sse::{KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::StreamExt;
use serde_json::Value;

use super::super::access::Caller;
use super::super::app::App;
use super::super::error::ApiError;
use super::super::request_id::RequestId;
use super::super::task::{TaskEvent, Work};
use super::events::{ALIVE, told_here};
use super::execution::Outcome;
use super::inline::{begin, body};
use super::stop::Why;

/// Does `work` and tells of it; the last event is `result` or `error`, with what the answer would have been. Where the client goes away
/// the work is stopped. It never becomes a job.
pub(in crate::serve) fn stream(
    app: &App,
    caller: Caller,
    id: RequestId,
    work: Work,
    timeout: Duration,
) -> Result<Response, ApiError> {
    let mut execution = begin(app, caller, &id, work, timeout)?;
    let (journal, gone) = (execution.journal.clone(), execution.stop.on_drop(Why::ClientGone));
    let telling = journal.clone();
    tokio::spawn(async move {
        let nothing = || Err(ApiError::internal("the work is done elsewhere"));
        telling.tell(last(&id, execution.ended().await.map_or_else(nothing, |ended| ended.outcome)));
        telling.close();
    });
    let events = told_here(journal, 0).map(move |event| {
        // Goes with the stream.
        let _ = &gone;
        Ok::<_, Infallible>(event)
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(ALIVE)).into_response())
}

fn last(id: &RequestId, outcome: Outcome) -> TaskEvent {
    match outcome {
        Ok(answer) => TaskEvent { event: "result".to_owned(), data: Value::Object(body(id.clone(), answer)) },
        Err(error) => TaskEvent { event: "error".to_owned(), data: error.told(id) },
    }
}
