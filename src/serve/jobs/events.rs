//! What happens in a job, as server-sent events while it happens, whichever server of the store runs it.
//!
//! A job's events are with the server that runs it (its journal). That server tells them from there; another asks it for them and
//! passes them on (`elsewhere`); where it cannot be asked, and of a job that waits, the status is told, as the store has it.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::request::Parts;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{BoxStream, StreamExt, unfold};
use serde_json::json;
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval_at};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::base::Tenant;

use super::super::access::Caller;
use super::super::app::App;
use super::super::error::{ApiError, ErrorBody};
use super::super::nodes;
use super::journal::{Journal, Told};
use super::live::Live;
use super::record::{JobStatus, Record};
use super::requests::find;
use super::{elsewhere, kept};

/// How often a client hears that the connection lives.
pub(super) const ALIVE: Duration = Duration::from_secs(15);
/// How often a job that is not here is looked at.
const LOOK: Duration = Duration::from_millis(700);
/// How many events are ready for a client that reads slowly.
const READY: usize = 16;

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
    asked: Parts,
    job: Result<Path<String>, PathRejection>,
) -> Result<Response, ApiError> {
    let record = find(&app, &caller, job).await?;
    let last = asked.headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok()).unwrap_or(0);
    let (out, events) = mpsc::channel(READY);
    let (tenant, id) = (caller.tenant().clone(), record.id.clone());
    let mut telling = Telling { app, tenant, id, asked, last, told: None, heard: false, out: out.clone() };
    tokio::spawn(async move {
        tokio::select! {
            () = out.closed() => {}
            _ = telling.go(record) => {}
        }
    });
    let events = unfold(events, async |mut events| Some((Ok::<_, Infallible>(events.recv().await?), events)));
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(ALIVE)).into_response())
}

fn event(told: Told) -> Event {
    Event::default().id(told.id.to_string()).event(told.event).data(told.data)
}

/// Of work that is or was in this server's hands.
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

/// The client is told of a job. Everything breaks off where it went away.
pub(super) struct Telling {
    pub(super) app: App,
    pub(super) tenant: Tenant,
    pub(super) id: String,
    /// As it was asked.
    pub(super) asked: Parts,
    /// The number of the last event that the client has.
    pub(super) last: u64,
    /// The status that it was told last.
    pub(super) told: Option<JobStatus>,
    /// What this server has of it was told to its end.
    heard: bool,
    out: mpsc::Sender<Event>,
}

impl Telling {
    /// Tells until the job has ended, or this server does and others know more.
    async fn go(&mut self, mut record: Record) -> ControlFlow<()> {
        loop {
            if let Some(live) = self.here(&record) {
                self.tell_here(live).await?;
            } else if !self.tell_elsewhere(&record).await? && self.told != Some(record.status) {
                self.told = Some(record.status);
                let data = json!({"status": record.status}).to_string();
                self.tell(Event::default().event("status").data(data)).await?;
            }
            if self.told.is_some_and(JobStatus::is_final) || self.app.ending.is_cancelled() {
                return ControlFlow::Break(());
            }
            self.app.ending.run_until_cancelled(tokio::time::sleep(LOOK)).await;
            record = match kept::read(&self.app, &self.tenant, &self.id).await {
                Ok(Some(record)) => record,
                _ => return ControlFlow::Break(()),
            };
        }
    }

    pub(super) async fn tell(&self, event: Event) -> ControlFlow<()> {
        match self.out.send(event).await {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    }

    /// The job where it is or was in this server's hands. One that was here and is not done is told by whoever has it now, as is one
    /// that waited here too and was begun by another.
    fn here(&self, record: &Record) -> Option<Arc<Live>> {
        if self.heard || is_of_other(&self.app, record) {
            return None;
        }
        let live = self.app.jobs.live(&self.tenant, &self.id);
        live.filter(|live| record.status.is_final() || !live.done.is_cancelled())
    }

    /// Tells what happens here until nothing will happen here any more.
    async fn tell_here(&mut self, live: Arc<Live>) -> ControlFlow<()> {
        let mut events = told_here(live.journal.clone(), self.last);
        let mut look = interval_at(tokio::time::Instant::now() + LOOK, LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut waits = true;
        loop {
            tokio::select! {
                biased;
                event = events.next() => match event {
                    Some(event) => {
                        waits = false;
                        self.tell(event).await?;
                    }
                    None => break,
                },
                // It waits here, and may be begun by another meanwhile.
                _ = look.tick(), if waits => {
                    let read = kept::read(&self.app, &self.tenant, &self.id).await;
                    if read.is_ok_and(|record| record.is_some_and(|record| is_of_other(&self.app, &record))) {
                        return ControlFlow::Continue(());
                    }
                }
            }
        }
        (self.told, self.heard) = (live.journal.status(), true);
        ControlFlow::Continue(())
    }

    /// Tells what happens on the server that has it; whether that one could be asked.
    async fn tell_elsewhere(&mut self, record: &Record) -> ControlFlow<(), bool> {
        let Some(node) = record.begun_by.clone().filter(|_| is_of_other(&self.app, record)) else {
            return ControlFlow::Continue(false);
        };
        if nodes::has_come_far(&self.asked) || self.app.ending.is_cancelled() {
            return ControlFlow::Continue(false);
        }
        elsewhere::tell(self, &node).await
    }
}

/// Whether another server began it.
fn is_of_other(app: &App, record: &Record) -> bool {
    record.begun_by.as_deref().is_some_and(|node| app.nodes.is_other(node))
}
