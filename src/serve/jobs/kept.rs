//! Jobs in the store: how they are made, claimed, cancelled and ended, each in one step that another server sees whole or not at all.

use std::time::Duration;

use crate::base::{Deadline, Tenant, with_causes};
use crate::session::{JobPart, Seen, SessionError};

use super::super::app::App;
use super::super::error::ApiError;
use super::super::failures::untouched;
use super::super::request_id::random_id;
use super::execution::Ended;
use super::record::{JobStatus, Kept, Open, Record, now};

/// How long a job that is done, its result and its key are kept.
pub(super) const KEPT: Duration = Duration::from_hours(24);
/// How long a job waits at most for a server that runs it.
const WAITS: Duration = Duration::from_hours(24 * 7);
/// How long a store that is away is asked for a claim, and how often.
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(250);
/// A result of more bytes is not kept.
const LARGEST: usize = 32 << 20;
/// A longer answer has a document of its own, so that a list of jobs stays quick to read.
const SHORT: usize = 2 << 10;

/// A job id is of ours, or there is no such job.
pub(super) fn is_id(id: &str) -> bool {
    id.strip_prefix("job_").is_some_and(|hex| hex.len() == 32 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

pub(super) fn new_id() -> String {
    format!("job_{}", random_id())
}

/// Keeps a new job; false where there is one by that id.
pub(super) async fn create(app: &App, tenant: &Tenant, record: &Record) -> Result<bool, SessionError> {
    let (sessions, id) = (&app.sessions, &record.id);
    // First that there is one: a server that finds only this waits before it takes it for a leftover.
    let open = Open::of(record);
    sessions.put_job_document(tenant, JobPart::Open, id, &open, Seen::NOTHING, Some(WAITS)).await?;
    let put = sessions.put_job_document(tenant, JobPart::Job, id, record, Seen::NOTHING, Some(WAITS)).await?;
    Ok(put.is_some())
}

pub(super) async fn read(app: &App, tenant: &Tenant, id: &str) -> Result<Option<Record>, SessionError> {
    let read = app.sessions.job_document(tenant, JobPart::Job, id).await?;
    Ok(read.map(|(record, _)| record))
}

/// Changes a job as it stands now; `change` answers whether it is to be written, and may be asked again where another was faster.
/// The answer is the job as it is then, and whether it was changed; none where there is no such job.
pub(super) async fn update(
    app: &App,
    tenant: &Tenant,
    id: &str,
    mut change: impl FnMut(&mut Record) -> bool + Send,
) -> Result<Option<(Record, bool)>, SessionError> {
    loop {
        let read = app.sessions.job_document::<Record>(tenant, JobPart::Job, id).await?;
        let Some((mut record, seen)) = read else { return Ok(None) };
        if !change(&mut record) {
            return Ok(Some((record, false)));
        }
        let ttl = if record.status.is_final() { KEPT } else { WAITS };
        if app.sessions.put_job_document(tenant, JobPart::Job, id, &record, seen, Some(ttl)).await?.is_some() {
            return Ok(Some((record, true)));
        }
    }
}

/// Whether the token that asked for a queued job still opens something; where it does not the job is over with this.
pub(super) async fn may_begin(app: &App, tenant: &Tenant, id: &str, token: &str) -> bool {
    let settled = match app.sessions.token(tenant, token).await {
        Ok(Some(_)) => return true,
        Ok(None) => end_unauthorized(app, tenant, id).await,
        Err(error) => Err(error),
    };
    if let Err(error) = settled {
        tracing::warn!(
            job = id,
            code = error.code(),
            "the token of a job cannot be asked for: {}",
            with_causes(&error)
        );
    }
    false
}

/// Ends a queued job whose token opens nothing any more.
pub(super) async fn end_unauthorized(app: &App, tenant: &Tenant, id: &str) -> Result<(), SessionError> {
    let error = ApiError::new("unauthorized", "the token that asked for it was revoked or has run out");
    let queued = |now: &Record| now.status == JobStatus::Queued;
    end_unrun(app, tenant, id, JobStatus::Failed, error, queued).await.map(drop)
}

/// What came of the wish to begin a queued job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Claimed {
    /// It is this server's.
    Taken,
    /// There is no such job.
    Missing,
    /// There is nothing to begin: another has it, or it was cancelled.
    Gone,
}

/// Takes a queued job for this server, which begins it. A store that is away is asked again for some seconds: what it did not answer
/// may have been done.
pub(super) async fn claim(app: &App, tenant: &Tenant, id: &str) -> Result<Claimed, SessionError> {
    let patience = Deadline::after(PATIENCE);
    loop {
        let error = match claim_once(app, tenant, id).await {
            Err(error @ SessionError::Store(_)) if !patience.passed() => error,
            settled => return settled,
        };
        tracing::warn!(job = id, code = error.code(), "a job could not be claimed yet: {}", with_causes(&error));
        tokio::time::sleep(PAUSE).await;
    }
}

/// Takes a queued job for this server, whose client waits for it: it is no job then.
pub(super) async fn withdraw(app: &App, tenant: &Tenant, id: &str) -> Result<Claimed, SessionError> {
    let claimed = claim(app, tenant, id).await?;
    if claimed == Claimed::Taken {
        for part in [JobPart::Job, JobPart::Open] {
            if let Err(error) = app.sessions.remove_job_document(tenant, part, id).await {
                // It is marked as interrupted then, as nobody says that its server lives.
                tracing::warn!(job = id, code = error.code(), "a job that is none could not be removed");
            }
        }
    }
    Ok(claimed)
}

async fn claim_once(app: &App, tenant: &Tenant, id: &str) -> Result<Claimed, SessionError> {
    let claim = app.jobs.claim();
    let claimed = update(app, tenant, id, |record| {
        let free = record.status == JobStatus::Queued;
        if free {
            record.begin(claim.clone());
        }
        free
    });
    Ok(match claimed.await? {
        None => Claimed::Missing,
        // Taken before, too: by a claim whose answer was lost. A job is in one queue of this server only.
        Some((record, taken)) if taken || record.is_run_by(app.jobs.node()) => Claimed::Taken,
        Some(_) => Claimed::Gone,
    })
}

/// Says that the server lives that runs it. What is answered is whether it is to be stopped, and why.
pub(super) async fn beat(app: &App, tenant: &Tenant, id: &str) -> Result<Option<super::stop::Why>, SessionError> {
    let node = app.jobs.node();
    let beaten = update(app, tenant, id, |record| match &mut record.claim {
        Some(claim) if claim.node == node => {
            claim.beat += 1;
            true
        }
        _ => false,
    });
    Ok(beaten.await?.map_or(Some(super::stop::Why::Taken), |(record, _)| wanted(&record, node)))
}

/// Whether a job that this server runs is to be stopped, and why.
pub(super) fn wanted(record: &Record, node: &str) -> Option<super::stop::Why> {
    if !record.is_run_by(node) {
        return Some(super::stop::Why::Taken);
    }
    record.cancel.then_some(super::stop::Why::Cancelled)
}

/// Keeps what came of a job that this server runs. Nothing where it is not this server's any more.
pub(super) async fn end(
    app: &App,
    tenant: &Tenant,
    id: &str,
    status: JobStatus,
    ended: &Ended,
) -> Result<(), SessionError> {
    let node = app.jobs.node();
    let (mut status, mut kept) = (status, Kept::of(ended.outcome.clone()));
    let mut length = serde_json::to_vec(&kept).map_or(usize::MAX, |bytes| bytes.len());
    if length > LARGEST {
        let message = format!("what came of it has more than {LARGEST} bytes, which is the most that is kept of a job");
        let too_large = Kept::of(Err(ApiError::new("result_too_large", message)));
        (status, kept, length) = (JobStatus::Failed, too_large.in_place_of(kept), 0);
    }
    let (mut answer, mut answer_name) = (Some(kept), None);
    if length > SHORT {
        // A name of its own: another server may have ended the job meanwhile, with words of its own.
        let name = random_id();
        let put = app.sessions.put_job_document(tenant, JobPart::Answer, &name, &answer, Seen::NOTHING, Some(KEPT));
        put.await?;
        (answer, answer_name) = (None, Some(name));
    }
    let written = update(app, tenant, id, |record| {
        if !record.is_run_by(node) {
            return false;
        }
        record.end(status, ended.at);
        (record.answer, record.answer_name) = (answer.clone(), answer_name.clone());
        true
    });
    if written.await?.is_some_and(|(_, written)| written) {
        app.metrics.job_ended(status.name());
    }
    app.sessions.remove_job_document(tenant, JobPart::Open, id).await?;
    Ok(())
}

/// Ends a job that nobody runs, with what is to be told instead of a result; `still` says whether it is to be ended as it stands.
pub(super) async fn end_unrun(
    app: &App,
    tenant: &Tenant,
    id: &str,
    status: JobStatus,
    error: ApiError,
    mut still: impl FnMut(&Record) -> bool + Send,
) -> Result<Option<(Record, bool)>, SessionError> {
    let ended = update(app, tenant, id, |record| {
        let ends = still(record);
        if ends {
            let mut error = error.clone();
            let session = record.session.as_deref().map(untouched);
            error.beside.insert("session".to_owned(), session.unwrap_or_default());
            record.end(status, now());
            record.answer = Some(Kept::of(Err(error)));
        }
        ends
    });
    let ended = ended.await?;
    if ended.as_ref().is_some_and(|(_, written)| *written) {
        app.metrics.job_ended(status.name());
    }
    if ended.as_ref().is_none_or(|(record, _)| record.status.is_final()) {
        app.sessions.remove_job_document(tenant, JobPart::Open, id).await?;
    }
    Ok(ended)
}

/// What came of a job that is done.
pub(super) async fn answer(app: &App, tenant: &Tenant, record: Record) -> Result<Option<Kept>, SessionError> {
    let Some(name) = &record.answer_name else { return Ok(record.answer) };
    let read = app.sessions.job_document(tenant, JobPart::Answer, name).await?;
    Ok(read.map(|(kept, _)| kept))
}
