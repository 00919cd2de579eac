//! Looking into the store for jobs that nobody runs: those of an earlier start, and those of servers that went.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use crate::base::{Tenant, with_causes};
use crate::session::{JobPart, SessionError};

use super::super::access::Caller;
use super::super::app::App;
use super::kept;
use super::live;
use super::record::{Claim, JobStatus, Open, Record, now};
use super::requests::MOST_BYTES;
use super::stop::{Why, interrupted};

/// How often, on a store that other machines may use, and on one of this machine.
const EVERY: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(5));
/// A server whose claim stands still for so long is taken for gone.
const SILENCE: Duration = Duration::from_secs(12);
/// How old the announcement of a job is to be, in microseconds, before it is taken for a leftover where there is no job.
const LEFTOVER: i64 = 60_000_000;

/// The claims of other servers, as they were when they last changed.
type Heard = HashMap<String, (Claim, Instant)>;

/// Looks from now on, until the server ends.
pub(super) async fn go_on(app: App) {
    let every = if app.config.workspace.store.is_shared() { EVERY.0 } else { EVERY.1 };
    let mut heard = Heard::new();
    while !app.ending.is_cancelled() {
        if let Err(error) = once(&app, &mut heard).await {
            tracing::warn!(code = error.code(), "jobs could not be looked for: {}", with_causes(&error));
        }
        app.ending.run_until_cancelled(tokio::time::sleep(every)).await;
    }
}

async fn once(app: &App, heard: &mut Heard) -> Result<(), SessionError> {
    // Before the store is asked: what comes meanwhile is not to be missed in its answer.
    let mut over = app.jobs.waiting();
    let mut found = Vec::new();
    for tenant in app.sessions.tenants().await? {
        // What is wrong with one is not at the expense of the others.
        match app.sessions.job_documents::<Open>(&tenant, JobPart::Open).await {
            Ok(open) => found.extend(open.into_iter().map(|open| (tenant.clone(), open))),
            Err(error) => {
                failed(&error, "the jobs of a tenant");
                over.retain(|(of, _)| *of != tenant);
            }
        }
    }
    let open: HashSet<&str> = found.iter().map(|(_, open)| &*open.id).collect();
    over.retain(|(_, id)| !open.contains(&**id));
    for (tenant, id) in over {
        if let Err(error) = let_go(app, &tenant, &id).await {
            failed(&error, &id);
        }
    }
    heard.retain(|id, _| found.iter().any(|(_, open)| open.id == *id));
    found.sort_by(|(_, a), (_, b)| (a.created, &a.id).cmp(&(b.created, &b.id)));
    for (tenant, open) in found {
        if !app.jobs.has(&open.id)
            && !app.ending.is_cancelled()
            && let Err(error) = see(app, &tenant, &open, heard).await
        {
            failed(&error, &open.id);
        }
    }
    Ok(())
}

fn failed(error: &SessionError, what: &str) {
    tracing::warn!(what, code = error.code(), "could not be looked at: {}", with_causes(error));
}

/// Takes a job out of this server's queue that another has brought to its end: who follows it here is told, and its place is free.
async fn let_go(app: &App, tenant: &Tenant, id: &str) -> Result<(), SessionError> {
    let record = kept::read(app, tenant, id).await?;
    if record.is_none_or(|record| record.status.is_final())
        && let Some(live) = app.jobs.live(tenant, id)
    {
        live.stop.stop(Why::Taken);
    }
    Ok(())
}

/// Looks at one job that is not in this server's hands.
async fn see(app: &App, tenant: &Tenant, open: &Open, heard: &mut Heard) -> Result<(), SessionError> {
    let id = &open.id;
    let Some(record) = kept::read(app, tenant, id).await? else {
        if now() - open.created > LEFTOVER {
            app.sessions.remove_job_document(tenant, JobPart::Open, id).await?;
        }
        return Ok(());
    };
    match (record.status, &record.claim) {
        (JobStatus::Queued, _) => take_up(app, tenant, record).await,
        (JobStatus::Running, Some(claim)) if is_gone(claim, id, heard) => {
            let error = interrupted("the server that ran it went");
            let as_seen = |now: &Record| now.status == JobStatus::Running && now.claim.as_ref() == Some(claim);
            kept::end_unrun(app, tenant, id, JobStatus::Failed, error, as_seen).await.map(drop)
        }
        (JobStatus::Running, _) => Ok(()),
        // Ended, and its announcement was left.
        _ => app.sessions.remove_job_document(tenant, JobPart::Open, id).await.map(drop),
    }
}

/// Puts a queued job into this server's queue, in the name of the token that asked for it.
async fn take_up(app: &App, tenant: &Tenant, record: Record) -> Result<(), SessionError> {
    // What is too much to hold is found again once there is room.
    if app.jobs.held(tenant).1 >= MOST_BYTES {
        return Ok(());
    }
    let token = app.sessions.token(tenant, &record.token).await?;
    if let (Some(token), Some(work)) = (token, record.work) {
        live::adopt(app, Caller::of(token), &record.id, work);
        return Ok(());
    }
    kept::end_unauthorized(app, tenant, &record.id).await
}

/// Whether the server of a claim is gone: its process, where it was of this machine, or it was not heard of for too long. The time is
/// that of this machine only: clocks of several need not agree.
fn is_gone(claim: &Claim, id: &str, heard: &mut Heard) -> bool {
    if !claim.process.alive() {
        return true;
    }
    let (last, since) = heard.entry(id.to_owned()).or_insert_with(|| (claim.clone(), Instant::now()));
    if last != claim {
        (*last, *since) = (claim.clone(), Instant::now());
    }
    since.elapsed() > SILENCE
}
