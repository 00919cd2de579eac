//! Scripts over HTTP: `/v1/run`.

mod folder;
mod input;
mod said;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use serde_json::{Map, Value};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::base::Deadline;
use crate::run::{self, Event, Job, Limits, Pauses};
use crate::session::{Identity, Scope, SessionOutcome, Workspace};

use super::access::Caller;
use super::app::App;
use super::error::{ApiError, INNER};
use super::json::Body;
use super::library::Script;
use super::request_id::RequestId;
use super::task::{Answer, Task, Work};
use super::vm::People;
use super::{failures, jobs, observe};

use folder::Folder;
use input::{RunAnswer, RunOutput};
pub(super) use input::{RunInput, SessionTold};
use said::Said;

/// Bytes of a text, and of all texts in one value.
const STRING: usize = 4 << 20;
/// How long a verb may take that does not say otherwise.
const VERB: Duration = Duration::from_secs(30);

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(post_run))
}

/// Runs a script.
///
/// The answer has the value of its last expression. With `Accept: text/event-stream` it is a stream of what happens, whose last event is
/// `result` or `error`.
#[utoipa::path(
    post,
    path = "/v1/run",
    tag = "scripts",
    security(("token" = ["run"])),
    request_body = RunInput,
    responses(
        (status = 200, description = "What it came to", content(
            (RunAnswer = "application/json"),
            (String = "text/event-stream")
        )),
        (status = 202, description = "It takes longer, and is a job from now on", body = jobs::Accepted)
    )
)]
async fn post_run(
    State(app): State<App>,
    caller: Caller,
    id: RequestId,
    headers: HeaderMap,
    Body(input): Body<RunInput>,
) -> Result<Response, ApiError> {
    caller.needs(Scope::Run)?;
    input.check(&app)?;
    let timeout = input.timeout(&app)?;
    let work = Work::Run(input).meant(&app, caller.tenant()).await?;
    if wants_events(&headers) {
        return jobs::stream(&app, caller, id, work, timeout);
    }
    jobs::inline(&app, caller, id, work, timeout).await
}

/// Whether the client asks for a stream of what happens.
fn wants_events(headers: &HeaderMap) -> bool {
    let accepts = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepts.flat_map(|value| value.split(',')).any(|kind| kind.trim().starts_with("text/event-stream"))
}

/// Does what `/v1/run` is asked. Stopped by the task's token or its deadline it still saves, for some seconds at most.
pub(super) async fn run(app: &App, task: &Task, input: RunInput) -> Result<Answer, ApiError> {
    let began = Instant::now();
    let script = input.source(app)?;
    let folder = Folder::new()?;
    let workspace = app.pools.workspace(task.caller.tenant(), &task.id)?;
    task.so_far.are_of(&workspace);
    let said = Said::default();
    let ended = Box::pin(perform(app, task, &input, script, &folder, &workspace, &said)).await;
    // Nothing of a run is left on the disk.
    drop(folder);
    let mut body = said.into_members(&input);
    body.insert("duration_ms".to_owned(), observe::millis(began.elapsed()).into());
    match ended {
        Ok((result, sessions)) => {
            let mut answer = Map::new();
            answer.insert("status".to_owned(), "completed".into());
            if input.wants(RunOutput::Result) {
                answer.insert("result".to_owned(), result);
            }
            answer.extend(body);
            answer.extend(input.session_members(&sessions));
            Ok(Answer { status: StatusCode::OK, body: answer })
        }
        Err((mut error, sessions)) => {
            error.beside.insert("status".to_owned(), "failed".into());
            error.beside.extend(body);
            error.beside.extend(input.session_members(&sessions));
            Err(error)
        }
    }
}

/// Runs a script on the sessions of a workspace that goes on after it, as one action of several; answers the value of its last
/// expression.
pub(super) async fn within(
    app: &App,
    task: &Task,
    workspace: &Workspace,
    source: &str,
    deadline: Deadline,
) -> Result<Value, ApiError> {
    let input: RunInput = super::json::read(serde_json::json!({ "script": source }).to_string().as_bytes())?;
    input.check(app)?;
    let folder = Folder::new()?;
    let mut job = job(app, task, &input, input.source(app)?, &folder);
    job.limits.wall_time = deadline.remaining();
    let (said, events) = (Said::default(), task.events.clone());
    let tell = move |event: Event| said.hear(event, &events);
    let report = Box::pin(run::run_in(workspace, job, task.cancel.clone(), None, tell)).await;
    report.failure.map_or(Ok(report.result), |failure| Err(failures::of_run(&failure)))
}

type Ended = Result<(Value, Vec<SessionOutcome>), (ApiError, Vec<SessionOutcome>)>;

async fn perform(
    app: &App,
    task: &Task,
    input: &RunInput,
    script: Script,
    folder: &Folder,
    workspace: &Workspace,
    said: &Said,
) -> Ended {
    let early = |error: ApiError| (error, Vec::new());
    let job = job(app, task, input, script, folder);
    let prepared = match run::prepare(workspace, job).await {
        Ok(prepared) => prepared,
        Err(failure) => return Err(early(failures::of_run(&failure))),
    };
    if let Err(error) = open(app, task, input, workspace).await {
        let outcomes = workspace.finish(task.finish_by()).await;
        return Err((error, outcomes));
    }
    let (heard, events) = (said.clone(), task.events.clone());
    let tell = move |event: Event| heard.hear(event, &events);
    let report = prepared.run(workspace, task.cancel.clone(), || task.finish_by(), tell).await;
    match report.failure {
        Some(failure) => Err((failures::of_run(&failure), report.sessions)),
        None => match report.result.to_string().len() {
            bytes if bytes > app.config.max_output => {
                let message = format!("the script's result has {bytes} bytes; {} is the most", app.config.max_output);
                let error = ApiError::new("script_error", message).with(INNER, "limit_exceeded");
                Err((error, report.sessions))
            }
            _ => Ok((report.result, report.sessions)),
        },
    }
}

/// Opens the session that the request names; without one its identity is that of pages in none.
async fn open(app: &App, task: &Task, input: &RunInput, workspace: &Workspace) -> Result<(), ApiError> {
    let through = app.upstream(input.use_proxy)?;
    let Some(session) = &input.session else {
        let identity = match &input.identity {
            Some(name) => workspace.identity(name).await?,
            None => Identity::default(),
        };
        workspace.pose(identity, through);
        return Ok(());
    };
    workspace.pose(Identity::default(), through);
    let opened = async {
        let options = session.options(workspace, task, input.identity.as_deref()).await?;
        workspace.session(&session.id, &options).await.map(drop).map_err(ApiError::from)
    };
    tokio::select! {
        opened = opened => opened,
        () = task.cancel.cancelled() => Err(ApiError::new("cancelled", "the run was cancelled before its script began")),
        () = tokio::time::sleep(task.deadline.remaining()) => {
            Err(ApiError::new("timeout", format!("session {} could not be opened in time", session.id)))
        }
    }
}

/// The script with all that it may have: no environment, no folder but its own, the secrets of its tenant.
fn job(app: &App, task: &Task, input: &RunInput, script: Script, folder: &Folder) -> Job {
    let working_folder = folder.path().to_owned();
    Job {
        source: script.text,
        name: script.name,
        import_root: script.import_root.unwrap_or_else(|| working_folder.clone()),
        working_folder,
        args: input.args.clone().into_iter().collect(),
        env: BTreeMap::new(),
        session: input.session.as_ref().map(|session| session.id.clone()),
        secrets: BTreeMap::new(),
        workspace: app.config.workspace.clone(),
        llm: app.config.llm.clone(),
        limits: limits(app, task),
        slow_mo: None,
        pauses: Pauses::default(),
        handover: Some(People::new(app, task.caller.tenant(), task.deadline)),
    }
}

/// Tighter than those of a person's own scripts: one process has the scripts of many.
fn limits(app: &App, task: &Task) -> Limits {
    Limits {
        wall_time: task.deadline.remaining(),
        verb_timeout: VERB.min(task.deadline.remaining()),
        operations: 0,
        // Together they bound the memory of one script: a value may have all of the three, a call all of the variables.
        call_depth: 32,
        string_bytes: STRING.min(app.config.max_output),
        array_len: 50_000,
        map_len: 20_000,
        variables: 256,
        modules: 32,
        emitted_bytes: app.config.max_output,
    }
}
