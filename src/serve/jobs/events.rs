//! What happens in a job, as server-sent events while it happens.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{BoxStream, StreamExt, once, unfold};
use serde_json::json;
use tokio::sync::watch;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::base::Tenant;

use super::super::access::Caller;
use super::super::app::App;
use super::super::error::{ApiError, ErrorBody};
use super::journal::{Journal, Told};
use super::kept;
use super::record::JobStatus;
use super::requests::find;

/// How often a client hears that the connection lives.
pub(super) const ALIVE: Duration = Duration::from_secs(15);
/// How often a job of another server is looked at.
const LOOK: Duration = Duration::from_millis(700);

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(get_events))
}

/// What happens in a job: `step`, `log`, `emit`, `screenshot`, `status` .. as it happens, from the beginning or from `Last-Event-ID` on.
/// Ends after the job.
#[utoipa::path(get, path = "/v1/jobs/{job_id}/events", tag = "jobs",
    params(("job_id" = String, Path), ("last-event-id" = Option<String>, Header, description = "the last one that was read")),
    responses((status = 200, content_type = "text/event-stream", body = String), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 503, body = ErrorBody)))]
async fn get_events(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    job: Result<Path<String>, PathRejection>,
) -> Result<Response, ApiError> {
    let record = find(&app, &caller, job).await?;
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok()).unwrap_or(0);
    let is_final = record.status.is_final();
    // One that was here and is not done is told by whoever has it now.
    let here = app.jobs.live(caller.tenant(), &record.id).filter(|live| is_final || !live.done.is_cancelled());
    let events = match here {
        Some(live) => told_on(live.journal.clone(), last, app, caller.tenant().clone(), record.id),
        None => told_elsewhere(app, caller.tenant().clone(), record.id, None),
    };
    let events = events.map(Ok::<_, Infallible>);
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(ALIVE)).into_response())
}

fn event(told: Told) -> Event {
    Event::default().id(told.id.to_string()).event(told.event).data(told.data)
}

/// Of a job that is or was in this server's hands.
pub(super) fn told_here(journal: Arc<Journal>, last: u64) -> BoxStream<'static, Event> {
    struct At {
        journal: Arc<Journal>,
        changed: watch::Receiver<()>,
        last: u64,
        ready: VecDeque<Event>,
        closed: bool,
    }
    let changed = journal.follow();
    let at = At { journal, changed, last, ready: VecDeque::new(), closed: false };
    unfold(at, |mut at| async move {
        loop {
            if let Some(next) = at.ready.pop_front() {
                return Some((next, at));
            }
            if at.closed {
                return None;
            }
            at.changed.borrow_and_update();
            let since = at.journal.since(at.last);
            if since.lost > 0 {
                let text = format!("{} earlier events are not kept any more", since.lost);
                at.ready.push_back(Event::default().event("notice").data(json!({"text": text}).to_string()));
            }
            at.last = since.events.last().map_or(at.last, |told| told.id);
            at.ready.extend(since.events.into_iter().map(event));
            at.closed = since.closed;
            if at.ready.is_empty() && !at.closed && at.changed.changed().await.is_err() {
                return None;
            }
        }
    })
    .boxed()
}

/// Of a job that is or was in this server's hands, and, where it left it undone, of what becomes of it then.
fn told_on(journal: Arc<Journal>, last: u64, app: App, tenant: Tenant, id: String) -> BoxStream<'static, Event> {
    let here = told_here(journal.clone(), last);
    let rest = once(async move { told_elsewhere(app, tenant, id, journal.status()) }).flatten();
    here.chain(rest).boxed()
}

/// Of a job of another server, or of an earlier start of this one: how far it is, after the status that was `told` last.
fn told_elsewhere(app: App, tenant: Tenant, id: String, told: Option<JobStatus>) -> BoxStream<'static, Event> {
    let at = (app, tenant, id, told);
    unfold(at, |(app, tenant, id, mut told)| async move {
        loop {
            if told.is_some_and(JobStatus::is_final) || app.ending.is_cancelled() {
                return None;
            }
            let status = kept::read(&app, &tenant, &id).await.ok()??.status;
            if told.replace(status) != Some(status) {
                let event = Event::default().event("status").data(json!({"status": status}).to_string());
                return Some((event, (app, tenant, id, told)));
            }
            app.ending.run_until_cancelled(tokio::time::sleep(LOOK)).await;
        }
    })
    .boxed()
}
