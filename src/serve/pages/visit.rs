//! One page request from its session to its end: the session is opened, the page asked for, actions are done, outputs captured,
//! and whatever came of that, the session is saved.

use std::collections::{BTreeMap, BTreeSet};
use std::future::pending;
use std::time::Duration;

use futures_util::future::BoxFuture;

use super::actions::Action;
use super::input::FetchInput;
use super::out::WayOut;
use super::outputs::{Captured, Room, Source};
use super::perform::Actor;
use super::plain;
use super::steps::{Step, of_verb};
use crate::base::{Deadline, Redactor, Secret};
use crate::document::llm::LlmError;
use crate::page::{GotoOptions, LoadState, Page, PageError, Selector, WaitState};
use crate::serve::app::App;
use crate::serve::error::ApiError;
use crate::serve::task::Task;
use crate::session::{Identity, PlainSession, Scope, Session, SessionError, SessionOptions, SessionOutcome, Workspace};

/// What of a request's time is kept for capturing, after its actions: this part of it, and no more than this.
const RESERVE: (u32, Duration) = (5, Duration::from_secs(3));

/// A page request that is being done.
pub(super) struct Visit {
    pub(super) app: App,
    pub(super) task: Task,
    pub(super) input: FetchInput,
    actions: Vec<(Action, bool)>,
    pub(super) redactor: Redactor,
    /// What the answer may still take.
    pub(super) room: Room,
    way: WayOut,
}

/// What was seen.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) final_url: Option<String>,
    pub(super) http_status: Option<u16>,
    pub(super) steps: Vec<Step>,
    pub(super) captured: Captured,
    pub(super) notices: Vec<String>,
    /// A session that the request did not name, but a script of it opened, was not saved.
    pub(super) is_unsaved: bool,
    /// The page was there, so that what fails from now on is not all.
    is_there: bool,
}

/// What came of a request.
pub(super) struct Ended {
    pub(super) seen: Seen,
    /// Why there is nothing to answer with.
    pub(super) error: Option<ApiError>,
    pub(super) session: Option<SessionOutcome>,
    pub(super) redactor: Redactor,
}

/// Does the request, as a part of its execution: that sees it to its end, whoever waits, and drops it where it does not come to one.
pub(super) async fn visit(app: &App, task: &Task, input: FetchInput) -> Result<Ended, ApiError> {
    let actions = input.steps()?;
    let way = WayOut::new(app.pools.outgoing(task.caller.tenant())?);
    let (redactor, room) = (Redactor::default(), Room::new(app.config.max_output));
    let visit = Visit { app: app.clone(), task: task.clone(), input, actions, redactor, room, way };
    let visiting: BoxFuture<'_, Ended> = Box::pin(visit.run());
    Ok(visiting.await)
}

impl Visit {
    async fn run(self) -> Ended {
        if let Err(error) = self.is_possible() {
            return self.ended(Seen::default(), Some(error), None);
        }
        let workspace = match self.app.pools.workspace(self.task.caller.tenant(), &self.task.id) {
            Ok(workspace) => workspace,
            Err(error) => return self.ended(Seen::default(), Some(error), None),
        };
        // Whatever its sessions are opened with is not shown.
        workspace.redact_with(&self.redactor);
        self.task.so_far.are_of(&workspace);
        let options = match self.stoppable(self.options(&workspace), pending()).await {
            Ok(options) => options,
            Err(error) => return self.ended(Seen::default(), Some(error), None),
        };
        if self.input.needs_browser() {
            return self.with_browser(workspace, &options).await;
        }
        let opening = async { Ok(self.open_plain(&workspace, &options).await) };
        match Box::pin(self.stoppable(opening, pending())).await {
            Ok(Ok(session)) => Box::pin(self.without_browser(session)).await,
            // It was not said that there is to be none.
            Ok(Err(SessionError::Kind { .. })) if self.input.render_js.is_none() => {
                self.with_browser(workspace, &options).await
            }
            Ok(Err(error)) => self.ended(Seen::default(), Some(ApiError::from(error)), None),
            Err(error) => self.ended(Seen::default(), Some(error), None),
        }
    }

    fn ended(self, seen: Seen, error: Option<ApiError>, session: Option<SessionOutcome>) -> Ended {
        Ended { seen, error, session, redactor: self.redactor }
    }

    /// Whether this server can do what is asked.
    fn is_possible(&self) -> Result<(), ApiError> {
        self.app.upstream(self.input.use_proxy)?;
        if self.input.extraction().needs_llm() && self.app.config.llm.is_none() {
            return Err(ApiError::new("llm_unavailable", LlmError::unset().to_string()));
        }
        if self.actions.iter().any(|(action, _)| matches!(action, Action::Script { .. })) {
            self.task.caller.needs(Scope::Run)?;
        }
        Ok(())
    }

    /// How the session is opened.
    async fn options(&self, workspace: &Workspace) -> Result<SessionOptions, ApiError> {
        let named = self.input.identity.as_deref();
        let options = match (&self.input.session, named) {
            (Some(session), _) => session.options(workspace, &self.task, named).await?,
            (None, Some(name)) => {
                SessionOptions { identity: workspace.identity(name).await?, ..SessionOptions::default() }
            }
            (None, None) => SessionOptions::default(),
        };
        let through = self.app.upstream(self.input.use_proxy)?;
        let options = SessionOptions { through, ..options };
        let Some(device) = self.input.device else { return Ok(options) };
        let device = Identity { device: Some(device.name().to_owned()), ..Identity::default() };
        Ok(SessionOptions { identity: device.over(&options.identity), ..options })
    }

    /// `work` until it is done, its time is over, nobody wants it any more or its session was taken over.
    async fn stoppable<T>(
        &self,
        work: impl Future<Output = Result<T, ApiError>>,
        lost: impl Future<Output = ()>,
    ) -> Result<T, ApiError> {
        let late = || {
            let span = crate::base::show_duration(self.task.deadline.span());
            Err(ApiError::new("timeout", format!("it was not done within {span}")))
        };
        tokio::select! {
            biased;
            // Time that is over is told by the token too, and which of the two is heard first is chance.
            () = self.task.cancel.cancelled() => if self.task.deadline.passed() { late() } else {
                Err(ApiError::new("cancelled", "it was cancelled before it was done"))
            },
            done = self.task.deadline.race(work) => done.unwrap_or_else(late),
            () = lost => Err(ApiError::new("lease_lost", "another took the session over meanwhile")),
        }
    }

    async fn open_plain(&self, workspace: &Workspace, options: &SessionOptions) -> Result<PlainSession, SessionError> {
        match &self.input.session {
            Some(session) => Box::pin(workspace.plain(&session.id, options)).await,
            None => workspace.plain_for_once(options).await,
        }
    }

    async fn without_browser(self, session: PlainSession) -> Ended {
        let mut seen = Seen::default();
        let work = async {
            let own = session.way().map(WayOut::through).transpose()?;
            let response = plain::get(own.as_ref().unwrap_or(&self.way), &session, &self.input.url).await?;
            (seen.final_url, seen.http_status) = (Some(response.url.to_string()), Some(response.status));
            seen.is_there = true;
            let source = Source::Response(&response);
            seen.captured.take(&self, &source).await;
            Ok(())
        };
        let done = Box::pin(self.stoppable(work, session.lease_lost())).await;
        let outcome = Box::pin(session.finish(self.task.finish_by())).await;
        self.conclude(seen, done, outcome)
    }

    async fn with_browser(self, workspace: Workspace, options: &SessionOptions) -> Ended {
        let mut seen = Seen::default();
        let none = BTreeSet::new();
        let work = Box::pin(self.browse(&workspace, options, &mut seen));
        let done = self.stoppable(work, async { drop(workspace.lease_lost(&none).await) }).await;
        let outcomes = Box::pin(workspace.finish(self.task.finish_by())).await;
        let named = self.input.session.as_ref().map(|session| &session.id);
        let is_named = |outcome: &SessionOutcome| {
            named.is_some_and(|id| outcome.id == *id || outcome.forked_from.as_ref() == Some(id))
        };
        // A script may have opened others.
        let (named, others): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(is_named);
        for outcome in others {
            let Some((_, reason)) = outcome.save_error else { continue };
            seen.notices.push(format!("session {} was not saved: {reason}", outcome.id));
            seen.is_unsaved = true;
        }
        self.conclude(seen, done, named.into_iter().next())
    }

    /// Time that ran out once the page was there costs what is missing then, and no more.
    fn conclude(self, mut seen: Seen, done: Result<(), ApiError>, session: Option<SessionOutcome>) -> Ended {
        let late = |error: &ApiError| seen.is_there && error.code == "timeout";
        // Where an action failed, what it left is wanted more than why nothing was found there.
        let is_acted = seen.steps.iter().all(|step| step.failure().is_none());
        let fatal = seen.captured.fatal().filter(|_| is_acted);
        let fatal = fatal.map(|failed| ApiError::new(&*failed.code, &*failed.message));
        let error = match done {
            Ok(()) => fatal,
            Err(error) if late(&error) => {
                if let Some(step) = seen.steps.last_mut().filter(|step| step.is_running()) {
                    self.end(step, Err(error));
                }
                seen.captured.late(&self.input);
                None
            }
            Err(error) => Some(error),
        };
        let error = error.map(|error| self.redacted(error));
        self.ended(seen, error, session)
    }

    async fn browse(&self, workspace: &Workspace, options: &SessionOptions, seen: &mut Seen) -> Result<(), ApiError> {
        let session = self.open(workspace, options).await.map_err(ApiError::from)?;
        // Its identity may have names for them.
        let secrets = self.secrets(workspace).await?;
        let page = session.page().await.map_err(ApiError::from)?;
        let deadline = self.task.deadline;
        // Where nothing is done in between it can be asked for beside the outputs: a round trip less.
        let asks_late = self.actions.is_empty() && self.input.wait_for.is_none();
        let options = GotoOptions { skip_status: asks_late, ..GotoOptions::default() };
        seen.http_status = self.goto(&page, &self.input.url, &options, deadline).await?;
        self.wait(&page).await?;
        seen.is_there = true;
        let left = deadline.remaining();
        let act_by = Deadline::after(left.saturating_sub(RESERVE.1.min(left / RESERVE.0)));
        let actor = Actor { visit: self, workspace, session: &session, secrets: &secrets, deadline: act_by };
        let is_done = self.act(&actor, seen).await;
        let page = session.page().await.map_err(ApiError::from)?;
        // A navigation that the last action began is part of what it did.
        let url = page.url(deadline).await;
        if is_done && !self.actions.is_empty() {
            let loaded = page.wait_for_load_state(LoadState::Load, act_by).await;
            // What there is by then is captured in the time that was kept for it.
            let is_late = |error: &PageError| matches!(error, PageError::Timeout { .. });
            if let Err(error) = loaded
                && !is_late(&error.error)
            {
                return Err(of_verb(&error));
            }
        }
        seen.final_url = Some(url.unwrap_or_else(|_| page.main_frame().url()));
        let source = Source::Page { page: &page, deadline, most: self.app.config.max_output };
        let Seen { http_status, captured, .. } = &mut *seen;
        let status = async {
            if asks_late {
                // A page that has gone by now costs what it cannot tell, and no more.
                *http_status = page.status(deadline).await.unwrap_or_default();
            }
        };
        tokio::join!(status, captured.take(self, &source));
        seen.notices = session.pages().iter().flat_map(Page::take_notices).collect();
        Ok(())
    }

    async fn open(&self, workspace: &Workspace, options: &SessionOptions) -> Result<Session, SessionError> {
        if let Some(session) = &self.input.session {
            // Scripts among the actions may open others, which go the same way.
            workspace.pose(Identity::default(), options.through.clone());
            return Box::pin(workspace.session(&session.id, options)).await;
        }
        workspace.pose(options.identity.clone(), options.through.clone());
        Box::pin(workspace.current()).await
    }

    /// The secrets that actions name. Whatever is answered from now on does not show their values.
    async fn secrets(&self, workspace: &Workspace) -> Result<BTreeMap<String, Secret>, ApiError> {
        let mut secrets = BTreeMap::new();
        for (at, (action, _)) in self.actions.iter().enumerate() {
            let Some(name) = action.secret() else { continue };
            let secret = workspace.secret(name).await.map_err(ApiError::from)?;
            let Some(secret) = secret else {
                let message = format!("there is no secret {name:?} in the vault");
                return Err(
                    ApiError::new("secret_not_set", message).with("path", format!("actions[{at}].value.secret"))
                );
            };
            workspace.learn(&secret);
            secrets.insert(name.to_owned(), secret);
        }
        Ok(secrets)
    }

    /// Goes there; answers the document's status.
    pub(super) async fn goto(
        &self,
        page: &Page,
        url: &str,
        options: &GotoOptions,
        deadline: Deadline,
    ) -> Result<Option<u16>, ApiError> {
        let parsed: url::Url = url.parse().map_err(|error| ApiError::invalid("url", format!("{error}")))?;
        self.way.check(&parsed)?;
        let gone = page.goto(url, options, deadline).await;
        gone.map_err(|error| of_verb(&error))
    }

    async fn wait(&self, page: &Page) -> Result<(), ApiError> {
        let Some(wait) = &self.input.wait_for else { return Ok(()) };
        let deadline = self.task.deadline;
        if let Some(selector) = &wait.selector {
            let invalid = |error: crate::page::SelectorError| ApiError::invalid("wait_for.selector", error.to_string());
            let first = page.locator(&Selector::parse(&format!("{selector} >> nth=0")).map_err(invalid)?);
            let waited = first.wait_for(WaitState::Attached, deadline).await;
            waited.map_err(|error| of_verb(&error))?;
        }
        if wait.network_idle {
            let waited = page.wait_for_load_state(LoadState::NetworkIdle, deadline).await;
            waited.map_err(|error| of_verb(&error))?;
        }
        Ok(())
    }

    /// Does the actions, until one fails; answers whether none did.
    async fn act(&self, actor: &Actor<'_>, seen: &mut Seen) -> bool {
        for (at, (action, strict)) in self.actions.iter().enumerate() {
            seen.steps.push(Step::begin(at, action, &self.task.events));
            let Some(step) = seen.steps.last_mut() else { return false };
            let done = Box::pin(actor.act(action, *strict, step)).await;
            let is_done = done.is_ok();
            if let Ok(Some(status)) = done {
                seen.http_status = Some(status);
            }
            self.end(step, done.map(drop));
            if !is_done {
                return false;
            }
        }
        true
    }

    /// Ends a step. It is told to others before the answer is, and shows no secret then either.
    fn end(&self, step: &mut Step, ended: Result<(), ApiError>) {
        step.result = step.result.take().map(|result| crate::script::redacted(result, &self.redactor));
        step.end(ended.map_err(|error| self.redacted(error)), &self.task.events);
    }

    fn redacted(&self, error: ApiError) -> ApiError {
        let details = crate::script::redacted((*error.details).into(), &self.redactor);
        let details = Box::new(details.as_object().cloned().unwrap_or_default());
        ApiError { message: self.redactor.redact(&error.message), details, ..error }
    }
}
