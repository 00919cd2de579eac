//! `/v1/jobs`: work that nobody waits for.

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tracing::Instrument as _;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::base::{Deadline, Tenant};
use crate::session::{JobPart, Seen};

use super::super::access::Caller;
use super::super::app::App;
use super::super::error::{ApiError, ErrorBody};
use super::super::json::Body;
use super::super::nodes;
use super::super::request_id::RequestId;
use super::super::task::Work;
use super::inline::{answer, status_url, takes_work};
use super::kept::KEPT;
use super::record::{JobInfo, JobKind, JobStatus, Key, Record};
use super::stop::Why;
use super::{events, kept, live};

/// How many jobs of a tenant that are not done there may be.
const MOST: usize = 1_000;
/// How many bytes their inputs may have together: they are held until they are begun.
pub(super) const MOST_BYTES: usize = 64 << 20;
/// The longest key of a client, in bytes.
const LONGEST_KEY: usize = 255;
/// How many jobs a list has, unless asked, and at most.
const PAGE: (usize, usize) = (50, 200);
/// How long the answer to a wish to cancel waits for the end, and how often another server's job is looked at meanwhile.
const CANCELLED_WITHIN: std::time::Duration = std::time::Duration::from_millis(2_500);
const LOOK: std::time::Duration = std::time::Duration::from_millis(200);

pub(in crate::serve) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(post_job, list_jobs))
        .routes(routes!(get_job))
        .routes(routes!(get_result))
        .routes(routes!(cancel_job))
        .merge(events::routes())
}

/// What is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct JobRequest {
    kind: JobKind,
    input: Value,
}

/// A job that was asked for.
#[derive(Debug, Serialize, ToSchema)]
struct JobAccepted {
    /// The request's id.
    request_id: String,
    /// The job's.
    job_id: String,
    status: JobStatus,
    /// Where it is told how far it is.
    status_url: String,
}

/// A job.
#[derive(Debug, Serialize, ToSchema)]
struct JobAnswer {
    /// The request's id.
    request_id: String,
    #[serde(flatten)]
    job: JobInfo,
}

/// Jobs, the newest first.
#[derive(Debug, Serialize, ToSchema)]
struct JobList {
    /// The request's id.
    request_id: String,
    jobs: Vec<JobInfo>,
    /// What to give as `after` for those that follow; null at the end.
    next: Option<String>,
}

/// Which jobs.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// How many at most: 1 to 200, 50 unless given.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<usize>,
    /// Those after this job.
    after: Option<String>,
    /// Those that are so.
    status: Option<JobStatus>,
}

/// Asks for a job. With an `Idempotency-Key` the same request is the same job, for 24 hours.
#[utoipa::path(post, path = "/v1/jobs", tag = "jobs", request_body = Work,
    params(("idempotency-key" = Option<String>, Header, description = "1 to 255 printable ASCII characters")),
    responses((status = 202, body = JobAccepted), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 409, body = ErrorBody), (status = 413, body = ErrorBody),
        (status = 422, body = ErrorBody), (status = 429, body = ErrorBody), (status = 503, body = ErrorBody)))]
async fn post_job(
    State(app): State<App>,
    caller: Caller,
    id: RequestId,
    headers: HeaderMap,
    Body(request): Body<JobRequest>,
) -> Result<Response, ApiError> {
    caller.needs(request.kind.scope())?;
    takes_work(&app)?;
    let key = key_of(&headers)?;
    let hash = hash(&request);
    let work = Work::read(&app, request.kind, &request.input)?.meant(&app, caller.tenant()).await?;
    // To its end: a client that goes now leaves a job, not half of one.
    let made = tokio::spawn(async move { make(&app, &caller, work, key, hash).await }.in_current_span()).await;
    let record = made.map_err(|_| ApiError::internal("the job could not be made"))??;
    let status_url = status_url(&record.id);
    let body = JobAccepted { request_id: id.0, job_id: record.id, status: record.status, status_url };
    Ok((StatusCode::ACCEPTED, Json(body)).into_response())
}

/// Keeps the job that is asked for, or finds the one that was made for the same key.
async fn make(app: &App, caller: &Caller, work: Work, key: Option<String>, hash: String) -> Result<Record, ApiError> {
    let tenant = caller.tenant();
    let mut job_id = kept::new_id();
    if let Some(key) = key {
        job_id = settle_key(app, caller, &key, &Key::new(&job_id, hash)).await?;
        if let Some(record) = kept::read(app, tenant, &job_id).await? {
            return Ok(record);
        }
    }
    has_room(app, tenant, work.bytes())?;
    let record = Record::new(job_id, work.clone(), caller.token_id());
    let _reserved = live::reserve(app, &record.id);
    if kept::create(app, tenant, &record).await? {
        live::adopt(app, caller.clone(), &record.id, work);
        return Ok(record);
    }
    // Made by the same request, sent twice at a time.
    let read = kept::read(app, tenant, &record.id).await?;
    Ok(read.unwrap_or(record))
}

/// Whether there is room for one more job of so many bytes.
fn has_room(app: &App, tenant: &Tenant, bytes: usize) -> Result<(), ApiError> {
    let (jobs, held) = app.jobs.held(tenant);
    let full = if jobs >= MOST {
        format!("{MOST} jobs wait already, which is the most here")
    } else if held > 0 && held + bytes > MOST_BYTES {
        format!(
            "jobs with inputs of {held} bytes wait already, and this one has {bytes}; {MOST_BYTES} is the most here"
        )
    } else {
        return Ok(());
    };
    let mut error = ApiError::new("rate_limited", full);
    error.retry_after = Some(30);
    Err(error)
}

/// The job that a key stands for: `new`, or that of the same request before.
async fn settle_key(app: &App, caller: &Caller, key: &str, new: &Key) -> Result<String, ApiError> {
    let (sessions, tenant) = (&app.sessions, caller.tenant());
    let part = JobPart::Key;
    loop {
        let put = sessions.put_job_document(tenant, part, key, new, Seen::NOTHING, Some(KEPT)).await;
        if put?.is_some() {
            return Ok(new.job.clone());
        }
        let read = sessions.job_document::<Key>(tenant, part, key).await?;
        let Some((before, _)) = read else { continue };
        if before.hash == new.hash {
            return Ok(before.job);
        }
        let message = "this idempotency-key came with another request before: a new request needs a new key";
        return Err(ApiError::new("idempotency_conflict", message).with("job_id", before.job));
    }
}

/// The tenant's jobs that the token opens, the newest first.
#[utoipa::path(get, path = "/v1/jobs", tag = "jobs", params(ListQuery),
    responses((status = 200, body = JobList), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 503, body = ErrorBody)))]
async fn list_jobs(
    State(app): State<App>,
    caller: Caller,
    id: RequestId,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<JobList>, ApiError> {
    let Query(query) = query.map_err(|error| ApiError::invalid("query", error.body_text()))?;
    let limit = query.limit.unwrap_or(PAGE.0);
    if !(1..=PAGE.1).contains(&limit) {
        return Err(ApiError::invalid("limit", format!("limit is 1 to {}, found {limit}", PAGE.1)));
    }
    let opens = |kind: JobKind| caller.needs(kind.scope());
    if let (Err(error), Err(_)) = (opens(JobKind::Fetch), opens(JobKind::Run)) {
        return Err(error);
    }
    let records = app.sessions.job_documents::<Record>(caller.tenant(), JobPart::Job).await;
    let mut records = records?;
    records.retain(|record| opens(record.kind).is_ok());
    records.sort_by(|a, b| (b.created, &b.id).cmp(&(a.created, &a.id)));
    if let Some(after) = &query.after {
        let at = records.iter().position(|record| record.id == *after);
        let at =
            at.ok_or_else(|| ApiError::invalid("after", "after names a job of an earlier page; there is none by it"))?;
        records.drain(..=at);
    }
    records.retain(|record| query.status.is_none_or(|status| record.told_status() == status));
    let jobs: Vec<JobInfo> = records.iter().take(limit).map(JobInfo::from).collect();
    let next = jobs.last().filter(|_| records.len() > limit).map(|last| last.job_id.clone());
    Ok(Json(JobList { request_id: id.0, jobs, next }))
}

/// How far a job is.
#[utoipa::path(get, path = "/v1/jobs/{job_id}", tag = "jobs", params(("job_id" = String, Path)),
    responses((status = 200, body = JobAnswer), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 503, body = ErrorBody)))]
async fn get_job(
    State(app): State<App>,
    caller: Caller,
    id: RequestId,
    job: Result<Path<String>, PathRejection>,
) -> Result<Json<JobAnswer>, ApiError> {
    let record = find(&app, &caller, job).await?;
    Ok(Json(JobAnswer { request_id: id.0, job: JobInfo::from(&record) }))
}

/// What came of a job: the answer that the request itself would have got, with its status.
#[utoipa::path(get, path = "/v1/jobs/{job_id}/result", tag = "jobs", params(("job_id" = String, Path)),
    responses((status = 200, description = "as the request itself"), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody),
        (status = 422, body = ErrorBody), (status = 500, body = ErrorBody), (status = 502, body = ErrorBody),
        (status = 503, body = ErrorBody), (status = 504, body = ErrorBody)))]
async fn get_result(
    State(app): State<App>,
    caller: Caller,
    id: RequestId,
    job: Result<Path<String>, PathRejection>,
) -> Result<Response, ApiError> {
    let record = find(&app, &caller, job).await?;
    if !record.status.is_final() {
        let message = "the job is not done; its status_url and its events say when it is";
        let mut error = ApiError::new("job_not_ready", message).with("job_id", record.id);
        error.retry_after = Some(1);
        return Err(error);
    }
    let kept = kept::answer(&app, caller.tenant(), record).await?;
    let kept = kept.ok_or_else(|| ApiError::new("job_not_found", "the result of this job is not kept any more"))?;
    answer(id, kept.outcome())
}

/// Cancels a job: it stops within two seconds. Once it is done this changes nothing.
#[utoipa::path(post, path = "/v1/jobs/{job_id}/cancel", tag = "jobs", params(("job_id" = String, Path)),
    responses((status = 200, body = JobAnswer), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 503, body = ErrorBody)))]
async fn cancel_job(
    State(app): State<App>,
    caller: Caller,
    id: RequestId,
    asked: Parts,
    job: Result<Path<String>, PathRejection>,
) -> Result<Json<JobAnswer>, ApiError> {
    let found = find(&app, &caller, job).await?;
    let elsewhere = found.begun_by.clone().filter(|node| !found.status.is_final() && app.nodes.is_other(node));
    let telling = async {
        if let Some(node) = &elsewhere {
            tell_owner(&app, &asked, node).await;
        }
    };
    // Whether or not that one hears it: what is kept of the job says it, too.
    let (record, ()) = tokio::join!(cancel(&app, &caller, found), telling);
    Ok(Json(JobAnswer { request_id: id.0, job: JobInfo::from(&record?) }))
}

/// Tells the server that runs a job that it is to be cancelled, so that it does not have to find out.
async fn tell_owner(app: &App, asked: &Parts, node: &str) {
    if nodes::has_come_far(asked) {
        return;
    }
    match tokio::time::timeout(CANCELLED_WITHIN, nodes::ask(app, asked, Method::POST, node)).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => tracing::warn!(node, code = error.code, "a wish to cancel was not heard at once"),
        Err(_) => tracing::warn!(node, "a wish to cancel was not answered in time"),
    }
}

async fn cancel(app: &App, caller: &Caller, found: Record) -> Result<Record, ApiError> {
    let (tenant, job_id) = (caller.tenant(), found.id.clone());
    // One that nobody has begun is over with this; whoever runs one sees the wish.
    let queued = |record: &Record| record.status == JobStatus::Queued;
    let error = Why::Cancelled.error(0.0);
    let ended = kept::end_unrun(app, tenant, &job_id, JobStatus::Cancelled, error, queued).await;
    let ended = ended?;
    if ended.is_some_and(|(record, _)| !record.status.is_final()) {
        let wished = kept::update(app, tenant, &job_id, |record| {
            let goes_on = !record.status.is_final() && !record.cancel;
            record.cancel |= goes_on;
            goes_on
        });
        wished.await?;
    }
    let live = app.jobs.live(tenant, &job_id);
    if let Some(live) = &live {
        live.stop.stop(Why::Cancelled);
    }
    let patience = Deadline::after(CANCELLED_WITHIN);
    loop {
        let read = kept::read(app, tenant, &job_id).await?;
        let record = read.ok_or_else(not_found)?;
        if record.status.is_final() || patience.passed() {
            return Ok(record);
        }
        let next = LOOK.min(patience.remaining());
        match &live {
            Some(live) if !live.done.is_cancelled() => drop(tokio::time::timeout(next, live.done.cancelled()).await),
            _ => tokio::time::sleep(next).await,
        }
    }
}

/// The tenant's job by that id.
pub(super) async fn find(
    app: &App,
    caller: &Caller,
    job: Result<Path<String>, PathRejection>,
) -> Result<Record, ApiError> {
    let id = job.ok().map(|Path(id)| id).filter(|id| kept::is_id(id)).ok_or_else(not_found)?;
    let record = kept::read(app, caller.tenant(), &id).await?;
    let record = record.ok_or_else(not_found)?;
    caller.needs(record.kind.scope())?;
    Ok(record)
}

fn not_found() -> ApiError {
    ApiError::new("job_not_found", "there is no such job, or it was done more than 24 hours ago")
}

/// The client's key, where it gave one.
fn key_of(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let mut given = headers.get_all("idempotency-key").iter();
    let Some(key) = given.next() else { return Ok(None) };
    let good =
        |key: &&str| (1..=LONGEST_KEY).contains(&key.len()) && key.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    let key = key.to_str().ok().filter(good).filter(|_| given.next().is_none());
    let message = format!("an idempotency-key is one header of 1 to {LONGEST_KEY} printable ASCII characters");
    key.map(|key| Some(key.to_owned())).ok_or_else(|| ApiError::invalid("idempotency-key", message))
}

/// The same for the same JSON, however it is written.
fn hash(request: &JobRequest) -> String {
    let mut text = format!("{:?} ", request.kind);
    write_canonical(&request.input, &mut text);
    HEXLOWER.encode(&Sha256::digest(text.as_bytes()))
}

fn write_canonical(value: &Value, text: &mut String) {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_unstable_by_key(|(name, _)| *name);
            text.push('{');
            for (name, value) in members {
                text.push_str(&Value::from(name.as_str()).to_string());
                text.push(':');
                write_canonical(value, text);
                text.push(',');
            }
            text.push('}');
        }
        Value::Array(values) => {
            text.push('[');
            for value in values {
                write_canonical(value, text);
                text.push(',');
            }
            text.push(']');
        }
        value => text.push_str(&value.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_same_json_has_the_same_hash() {
        let hash = |kind, input| hash(&JobRequest { kind, input });
        let one = hash(JobKind::Run, json!({"a": 1, "b": [{"c": 2, "d": null}]}));
        assert_eq!(one, hash(JobKind::Run, serde_json::from_str(r#"{"b":[{"d":null,"c":2}],"a":1}"#).unwrap()));
        assert_ne!(one, hash(JobKind::Fetch, json!({"a": 1, "b": [{"c": 2, "d": null}]})));
        assert_ne!(one, hash(JobKind::Run, json!({"a": 1, "b": [{"c": 2}, {"d": null}]})));
    }
}
