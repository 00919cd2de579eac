//! A job as it is kept, sealed, and as it is told.

use axum::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::base::ProcessId;
use crate::session::Scope;

use super::super::error::ApiError;
use super::super::task::{Answer, Work};
use super::execution::Outcome;
use super::journal::Asked;

/// What a job does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::serve) enum JobKind {
    /// A page's contents.
    Fetch,
    /// Actions on a page.
    Interact,
    /// A script.
    Run,
}

impl JobKind {
    pub(super) fn of(work: &Work) -> Self {
        match work {
            Work::Fetch(_) => Self::Fetch,
            Work::Interact(_) => Self::Interact,
            Work::Run(_) => Self::Run,
        }
    }

    /// What a token has to open for it.
    pub(super) fn scope(self) -> Scope {
        match self {
            Self::Fetch | Self::Interact => Scope::Fetch,
            Self::Run => Scope::Run,
        }
    }
}

/// How far a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum JobStatus {
    /// Waits for a slot.
    Queued,
    /// Goes on.
    Running,
    /// Goes on, and waits for a person: `pause` says for what.
    WaitingForHuman,
    /// Done.
    Completed,
    /// Done, but for some of what was asked for.
    Partial,
    /// Failed: the result says why.
    Failed,
    /// Was cancelled.
    Cancelled,
}

impl JobStatus {
    pub(super) fn is_final(self) -> bool {
        !matches!(self, Self::Queued | Self::Running | Self::WaitingForHuman)
    }

    /// As it is written.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::WaitingForHuman => "waiting_for_human",
            Self::Completed => "completed",
            Self::Partial => "partial",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// As what an execution that came to this ended; `cancelled` where it was stopped on purpose.
    pub(super) fn of(outcome: &Outcome, cancelled: bool) -> Self {
        match outcome.as_ref().map(|answer| answer.body.get("status").and_then(Value::as_str)) {
            Ok(Some("partial")) => Self::Partial,
            Ok(Some("failed")) | Err(_) if cancelled => Self::Cancelled,
            Ok(Some("failed")) | Err(_) => Self::Failed,
            Ok(_) => Self::Completed,
        }
    }
}

/// That there is a job which is not done.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Open {
    format: u32,
    pub(super) id: String,
    /// In microseconds since 1970.
    pub(super) created: i64,
}

/// Which job a client's key stands for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Key {
    format: u32,
    pub(super) job: String,
    /// Of the body that came with it.
    pub(super) hash: String,
}

impl Key {
    pub(super) fn new(job: &str, hash: String) -> Self {
        Self { format: 1, job: job.to_owned(), hash }
    }
}

/// A job. Times are in microseconds since 1970.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Record {
    format: u32,
    pub(super) id: String,
    pub(super) kind: JobKind,
    pub(super) status: JobStatus,
    pub(super) created: i64,
    pub(super) started: Option<i64>,
    pub(super) completed: Option<i64>,
    /// Names the token that asked for it: one that was revoked meanwhile runs nothing.
    pub(super) token: String,
    /// What is to be done, until it is begun: nothing is done twice.
    pub(super) work: Option<Work>,
    /// The session that it names.
    #[serde(default)]
    pub(super) session: Option<String>,
    pub(super) claim: Option<Claim>,
    /// The server that began it, also once it is done: what happened in it can be read there for a while.
    #[serde(default)]
    pub(super) begun_by: Option<String>,
    /// What a person is asked to do in it.
    #[serde(default)]
    pub(super) pause: Option<Asked>,
    /// It is to be cancelled: the server that runs it looks.
    #[serde(default)]
    pub(super) cancel: bool,
    /// What came of it, where that is a word.
    pub(super) answer: Option<Kept>,
    /// Where what came of it is kept, else.
    pub(super) answer_name: Option<String>,
}

/// Which server runs a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Claim {
    /// The server, as it named itself when it started.
    pub(super) node: String,
    pub(super) process: ProcessId,
    /// Goes up as long as that server lives.
    pub(super) beat: u64,
}

/// What came of a job.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Kept {
    format: u32,
    status: u16,
    /// The members of the answer but for its `request_id`.
    #[serde(default)]
    body: Map<String, Value>,
    error: Option<KeptError>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct KeptError {
    code: String,
    message: String,
    details: Map<String, Value>,
}

impl Open {
    pub(super) fn of(record: &Record) -> Self {
        Self { format: 1, id: record.id.clone(), created: record.created }
    }
}

impl Record {
    /// One that was asked for now.
    pub(super) fn new(id: String, work: Work, token: &str) -> Self {
        Self {
            format: 1,
            id,
            kind: JobKind::of(&work),
            status: JobStatus::Queued,
            created: now(),
            started: None,
            completed: None,
            token: token.to_owned(),
            session: work.session_id().map(str::to_owned),
            work: Some(work),
            claim: None,
            begun_by: None,
            pause: None,
            cancel: false,
            answer: None,
            answer_name: None,
        }
    }

    /// It is begun, by this server.
    pub(super) fn begin(&mut self, claim: Claim) {
        self.begun_by = Some(claim.node.clone());
        (self.status, self.started, self.claim, self.work) = (JobStatus::Running, Some(now()), Some(claim), None);
    }

    /// It was done at that time.
    pub(super) fn end(&mut self, status: JobStatus, at: i64) {
        (self.status, self.completed, self.work, self.claim) = (status, Some(at), None, None);
        self.pause = None;
    }

    /// How far it is, as it is told.
    pub(super) fn told_status(&self) -> JobStatus {
        match (self.status, &self.pause) {
            (JobStatus::Running, Some(_)) => JobStatus::WaitingForHuman,
            (status, _) => status,
        }
    }

    /// Whether this server runs it.
    pub(super) fn is_run_by(&self, node: &str) -> bool {
        self.status == JobStatus::Running && self.claim.as_ref().is_some_and(|claim| claim.node == node)
    }
}

impl Kept {
    pub(super) fn of(outcome: Outcome) -> Self {
        match outcome {
            Ok(Answer { status, body }) => Self { format: 1, status: status.as_u16(), body, error: None },
            Err(error) => Self {
                format: 1,
                status: error.status.as_u16(),
                body: *error.beside,
                error: Some(KeptError { code: error.code, message: error.message, details: *error.details }),
            },
        }
    }

    /// This, which is to be told in the place of `result`, with what that says of sessions: it is as true as before.
    pub(super) fn in_place_of(mut self, result: Self) -> Self {
        let of_sessions = |(name, _): &(String, Value)| matches!(name.as_str(), "session" | "sessions");
        self.body.extend(result.body.into_iter().filter(of_sessions));
        self
    }

    /// The answer that the request itself would have got.
    pub(super) fn outcome(self) -> Outcome {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        match self.error {
            None => Ok(Answer { status, body: self.body }),
            Some(KeptError { code, message, details }) => {
                let (details, beside) = (Box::new(details), Box::new(self.body));
                Err(ApiError { status, details, beside, ..ApiError::new(code, message) })
            }
        }
    }
}

/// A job, as it is told.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct JobInfo {
    /// Its id.
    pub(super) job_id: String,
    job_type: JobKind,
    pub(super) status: JobStatus,
    /// When it was asked for (RFC 3339), and so on.
    created_at: String,
    started_at: Option<String>,
    completed_at: Option<String>,
    /// What a person is to do, and where, while it is `waiting_for_human`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pause: Option<Asked>,
    /// Whether `GET /v1/jobs/{id}/result` has an answer.
    result_available: bool,
}

impl From<&Record> for JobInfo {
    fn from(record: &Record) -> Self {
        Self {
            job_id: record.id.clone(),
            job_type: record.kind,
            status: record.told_status(),
            pause: record.pause.clone(),
            created_at: told(record.created),
            started_at: record.started.map(told),
            completed_at: record.completed.map(told),
            result_available: record.status.is_final(),
        }
    }
}

/// Now, as it is kept.
pub(super) fn now() -> i64 {
    Timestamp::now().as_microsecond()
}

fn told(micros: i64) -> String {
    Timestamp::from_microsecond(micros).map(|at| at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()).unwrap_or_default()
}
