//! A live browser from its start to its end: what it is loaded from, what ends it, and what of it is saved then.

use std::sync::Arc;
use std::time::Duration;

use data_encoding::BASE64;

use crate::base::{Deadline, Secret, SessionId, Tenant, with_causes};
use crate::browser::{Flavor, LaunchOptions};
use crate::live::{Live, LiveOptions};
use crate::page::GotoOptions;
use crate::session::{
    CopiedOver, KeySource, Mode, Session, SessionError, SessionOptions, SessionOutcome, StoreConfig, Workspace,
    WorkspaceConfig,
};

use super::super::app::App;
use super::super::error::ApiError;
use super::super::nodes;
use super::super::server::SAVING;
use super::input::VmInput;
use super::profile::Plan;
use super::record::{self, Record};
use super::running::{Parts, Vm};
use super::{places, watch, webhook};

/// How long is waited until a holder that is about to end begins with that.
const SOON: Duration = Duration::from_secs(30);
/// How long an end may take beside its saving.
const ENDING: Duration = Duration::from_secs(20);
/// How long people may take to be sent away, and what they wanted kept to be given to Chromium (15 s at most: `live/keep`); what is to be
/// saved is saved all the same.
const LEAVING: Duration = Duration::from_secs(20);
/// How often is looked whether one of a server that ends has ended.
const LOOK: Duration = Duration::from_millis(250);
/// How long one that is about to end may take to be gone: its people are sent away, it is saved, and that is written.
const GONE: Duration = LEAVING.saturating_add(SAVING).saturating_add(ENDING);
/// How long the first pages may take to load.
const ARRIVAL: Duration = Duration::from_secs(30);

/// What becomes of a wish for a live browser.
pub(super) enum Started {
    New(Arc<Vm>),
    /// One of the same tag, that saves the same profile.
    There(Box<Record>),
    /// The server of that id is to be asked: it has the one that saves the same profile.
    Elsewhere(String),
}

/// Starts one; `is_passed_on` where another server has passed the wish on to this one.
pub(super) async fn start(app: &App, tenant: &Tenant, input: VmInput, is_passed_on: bool) -> Result<Started, ApiError> {
    unless_ending(app)?;
    let plan = resolved(app, tenant, input.plan()?).await?;
    let mut turn = None;
    if let Plan::Over(session) | Plan::Onto { save: session, .. } = &plan {
        let free = async {
            turn = Some(app.vms.turn(tenant, session).await);
            free(app, tenant, session, input.tag.as_deref()).await
        };
        match app.ending.run_until_cancelled(free).await.unwrap_or_else(|| Err(ending()))? {
            Some(Started::Elsewhere(_)) if is_passed_on => return Err(busy(session, None)),
            Some(other) => return Ok(other),
            None => {}
        }
    }
    let place = places::place_of(app, tenant).await?;
    let (session, saves) = match &plan {
        Plan::Nothing | Plan::New | Plan::Fork(_) => (None, !matches!(plan, Plan::Nothing)),
        Plan::Over(session) | Plan::Onto { save: session, .. } => (Some(session.clone()), true),
        Plan::Read(session) => (Some(session.clone()), false),
    };
    let mut record = Record::new(app.nodes.id(), session, saves, input.tag.clone());
    let own = SessionId::new(record.id.clone()).map_err(|error| ApiError::internal(error.to_string()))?;
    if saves && record.session.is_none() {
        record.session = Some(own.clone());
    }
    let workspace = workspace(app, tenant, &record, matches!(plan, Plan::Nothing))?;
    unless_ending(app)?;
    let prepared = prepare(app, tenant, &workspace, (&plan, &input), &own).await?;
    let begun = async {
        let session = open(&workspace, record.session.as_ref().unwrap_or(&own), &plan, &input).await?;
        record.began_with = session.version();
        let live = make(&session, &input, saves).await?;
        let vm = Arc::new(Vm::new(Parts {
            tenant: tenant.clone(),
            record,
            workspace: Some(workspace.clone()),
            live,
            timeouts: input.timeout,
            control_disabled: input.control_disable_default,
            place: Some(place),
        }));
        // Before it is kept: what is kept and is not here has ended.
        app.vms.put(&vm);
        if let Err(error) = keep(app, tenant, &vm.record, &plan).await {
            give_up(app, &vm).await;
            return Err(error.into());
        }
        Ok(vm)
    };
    let vm = match Box::pin(begun).await {
        Ok(vm) => vm,
        Err(error) => {
            undo(app, tenant, &workspace, prepared).await;
            return Err(error);
        }
    };
    drop(turn);
    app.metrics.live_started();
    app.executions.spawn(go_on(app.clone(), vm.clone(), workspace, matches!(plan, Plan::Nothing)));
    Ok(Started::New(vm))
}

fn unless_ending(app: &App) -> Result<(), ApiError> {
    if app.ending.is_cancelled() { Err(ending()) } else { Ok(()) }
}

fn ending() -> ApiError {
    ApiError::new("browser_unavailable", "this server ends, and starts nothing new")
}

/// Ends one that could not be kept: nobody is told of it.
async fn give_up(app: &App, vm: &Vm) {
    vm.end("lost");
    let _ = tokio::time::timeout(LEAVING, vm.live.close("lost")).await;
    app.vms.remove(&vm.record.id);
    // It may be there by now, be it that only the answer was lost.
    if let Err(error) = record::end(app, &vm.tenant, &vm.record.id, "lost", Some("none")).await {
        tracing::warn!(live = vm.record.id, code = error.code(), "the end of a live browser is lost");
    }
    vm.is_over();
}

/// The plan with the sessions that are meant; those that are loaded have to be there.
async fn resolved(app: &App, tenant: &Tenant, plan: Plan) -> Result<Plan, ApiError> {
    let meant = async |id: SessionId| -> Result<SessionId, ApiError> {
        let id = app.sessions.meant(tenant, &id).await?;
        match there(app, tenant, &id).await {
            // Known from the start of the live browser that saves it, though nothing is saved yet.
            Err(SessionError::NotFound(_)) if record::is_known(app, tenant, &id).await? => {}
            shown => shown?,
        }
        Ok(id)
    };
    Ok(match plan {
        Plan::Nothing | Plan::New => plan,
        Plan::Over(id) => Plan::Over(meant(id).await?),
        Plan::Read(id) => Plan::Read(meant(id).await?),
        Plan::Fork(id) => Plan::Fork(meant(id).await?),
        Plan::Onto { load, save } => match (meant(load).await?, meant(save).await?) {
            // By two names.
            (load, save) if load == save => Plan::Over(save),
            (load, save) => Plan::Onto { load, save },
        },
    })
}

/// It is there; with what one that was killed has left, which whoever only loads it would not find.
async fn there(app: &App, tenant: &Tenant, id: &SessionId) -> Result<(), SessionError> {
    if app.vms.saving(tenant, id).is_none() && !app.sessions.left(tenant, id).await?.is_empty() {
        match app.sessions.recover(tenant, id, app.config.workspace.profile_ttl).await {
            Ok(_) | Err(SessionError::Busy { .. } | SessionError::NotFound(_)) => {}
            Err(error) => return Err(error),
        }
    }
    app.sessions.show(tenant, id).await.map(drop)
}

/// Waits for a live browser that saves that session and is about to end; none once nobody is in the way. One of the same tag is answered.
async fn free(app: &App, tenant: &Tenant, session: &SessionId, tag: Option<&str>) -> Result<Option<Started>, ApiError> {
    let begins = Deadline::after(SOON);
    loop {
        let Some(vm) = app.vms.saving(tenant, session) else { return elsewhere(app, tenant, session, tag).await };
        if vm.is_ending() {
            if tokio::time::timeout(GONE, vm.ended()).await.is_err() {
                return Err(busy(session, Some(&vm.record)));
            }
        } else if watch::ends_soon(&vm, begins.remaining()) {
            // Somebody may come back to it meanwhile.
            let _ = tokio::time::timeout(LOOK, vm.wished()).await;
        } else if tag.is_some() && vm.record.tag.as_deref() == tag {
            return Ok(Some(Started::There(Box::new(vm.record.clone()))));
        } else {
            return Err(busy(session, Some(&vm.record)));
        }
    }
}

/// The same where another server has it.
async fn elsewhere(
    app: &App,
    tenant: &Tenant,
    session: &SessionId,
    tag: Option<&str>,
) -> Result<Option<Started>, ApiError> {
    let patience = Deadline::after(GONE);
    loop {
        let Some(record) = record::saving(app, tenant, session).await? else { return Ok(None) };
        if !nodes::takes_work(app, &record.node).await? {
            // With its server it ends within this time, too.
            if patience.passed() {
                return Err(busy(session, Some(&record)));
            }
            tokio::time::sleep(LOOK).await;
        } else if tag.is_some() && record.tag.as_deref() == tag {
            return Ok(Some(Started::There(Box::new(record))));
        } else if nodes::is_there(app, &record.node).await? {
            return Ok(Some(Started::Elsewhere(record.node)));
        } else {
            return Err(busy(session, Some(&record)));
        }
    }
}

fn busy(session: &SessionId, holder: Option<&Record>) -> ApiError {
    let Some(record) = holder else {
        return ApiError::new("session_busy", format!("profile {session} is in use by a live browser, which saves it"));
    };
    let message = format!("profile {session} is in use by the live browser {}, which saves it", record.id);
    ApiError::new("session_busy", message).with("holder", record.id.as_str())
}

/// What was made to be opened: of no use where nothing comes of it.
enum Prepared {
    Nothing,
    /// A session of its own.
    Own(SessionId),
    /// A version of another, which is held since.
    Over(CopiedOver),
}

/// Makes what is to be opened.
async fn prepare(
    app: &App,
    tenant: &Tenant,
    workspace: &Workspace,
    (plan, input): (&Plan, &VmInput),
    own: &SessionId,
) -> Result<Prepared, ApiError> {
    Ok(match plan {
        Plan::New => Prepared::Own(own.clone()),
        Plan::Fork(load) => match app.sessions.fork(tenant, load, own, None).await {
            // Of a profile that is known and not saved yet there is nothing to copy.
            Ok(_) | Err(SessionError::NotFound(_)) => Prepared::Own(own.clone()),
            Err(error) => return Err(error.into()),
        },
        Plan::Onto { load, save } => Prepared::Over(workspace.copy_over(load, save, &options(plan, input)?).await?),
        Plan::Nothing | Plan::Over(_) | Plan::Read(_) => Prepared::Nothing,
    })
}

/// Ends what was begun, as if nothing had been.
async fn undo(app: &App, tenant: &Tenant, workspace: &Workspace, prepared: Prepared) {
    let undone = match &prepared {
        // While it is held: nobody else has written it.
        Prepared::Over(copied) => workspace.take_back(copied).await,
        Prepared::Nothing | Prepared::Own(_) => Ok(()),
    };
    workspace.finish(Deadline::after(ENDING)).await;
    let (id, undone) = match prepared {
        Prepared::Nothing => return,
        Prepared::Own(id) => {
            let deleted = app.sessions.delete(tenant, &id).await;
            (id, deleted)
        }
        Prepared::Over(copied) => (copied.onto, undone),
    };
    match undone {
        Ok(()) | Err(SessionError::NotFound(_)) => {}
        Err(error) => {
            let code = error.code();
            tracing::warn!(session = %id, code, "what a start that failed had made stays: {}", with_causes(&error));
        }
    }
}

/// A workspace whose browser is its own: others' sessions would be seen by whoever speaks its DevTools protocol.
fn workspace(app: &App, tenant: &Tenant, record: &Record, keeps_nothing: bool) -> Result<Workspace, ApiError> {
    let egress = app.pools.outgoing(tenant)?.egress();
    let usual = &app.config.workspace;
    let launch = LaunchOptions { egress: Some(egress), flavor: Flavor::Full, ..usual.launch.clone() };
    let holder = format!("live browser {} of {}", record.id, usual.holder);
    let config = WorkspaceConfig { tenant: tenant.clone(), launch, holder, ..usual.clone() };
    let ways = app.pools.ways(tenant)?;
    if !keeps_nothing {
        return Ok(Workspace::going_out(config, Some(app.sessions.clone()), ways));
    }
    let mut key = zeroize::Zeroizing::new([0; 32]);
    getrandom::fill(&mut *key).map_err(|error| ApiError::internal(error.to_string()))?;
    let key = KeySource::Text(Secret::new("a key of this browser", BASE64.encode(&*key)));
    let config = WorkspaceConfig { store: StoreConfig::Memory, key, outbox: None, ..config };
    Ok(Workspace::going_out(config, None, ways))
}

async fn open(workspace: &Workspace, id: &SessionId, plan: &Plan, input: &VmInput) -> Result<Session, ApiError> {
    Ok(workspace.session(id, &options(plan, input)?).await?)
}

fn options(plan: &Plan, input: &VmInput) -> Result<SessionOptions, ApiError> {
    let identity = input.identity()?;
    let is_read = matches!(plan, Plan::Read(_));
    let mode = if is_read { Mode::ReadOnly } else { Mode::Fail };
    Ok(SessionOptions { mode, profile: Some(true), identity, ..SessionOptions::default() })
}

/// Makes an open session live, with its first pages on their way.
async fn make(session: &Session, input: &VmInput, keeps: bool) -> Result<Live, ApiError> {
    let picture = input.picture()?;
    let options = LiveOptions {
        width: picture.width,
        height: picture.height,
        fps: picture.fps,
        control_at_once: !input.control_disable_default,
        kiosk: input.kiosk,
        hide_cursor: input.hide_cursor,
        keeps,
        ..LiveOptions::default()
    };
    let live = Live::over(session.clone(), options).await?;
    let deadline = Deadline::after(ARRIVAL);
    // Whoever asked need not wait for a site, and sees in the picture what came of it.
    let Some(url) = input.start_url.clone() else {
        // All are open before anybody opens another: what comes later comes to the front, and is the one that people steer.
        session.open_tabs_again(deadline).await?;
        return Ok(live);
    };
    let session = session.clone();
    tokio::spawn(async move {
        if let Ok(page) = session.page().await {
            let _ = page.goto(&url, &GotoOptions::default(), deadline).await;
        }
    });
    Ok(live)
}

async fn keep(app: &App, tenant: &Tenant, record: &Record, plan: &Plan) -> Result<(), SessionError> {
    record::put(app, tenant, record, None).await?;
    if let Plan::Over(session) | Plan::Onto { save: session, .. } = plan {
        app.sessions.put_alias(tenant, &record.id, session).await?;
    }
    Ok(())
}

/// Goes on until something ends it, and sees to that end.
async fn go_on(app: App, vm: Arc<Vm>, workspace: Workspace, keeps_nothing: bool) {
    let none = std::collections::BTreeSet::new();
    let reason = tokio::select! {
        reason = vm.wished() => reason,
        reason = watch::time_out(&vm) => reason,
        () = app.ending.cancelled() => "shutdown",
        () = workspace.browser_gone() => "crashed",
        _ = workspace.lease_lost(&none) => "lost",
    };
    vm.end(reason);
    tracing::info!(live = vm.record.id, reason, "a live browser ends");
    if tokio::time::timeout(LEAVING, vm.live.close(reason)).await.is_err() {
        tracing::warn!(live = vm.record.id, "people could not be sent away in time");
    }
    let saved = finish(&vm, &workspace, keeps_nothing).await;
    written(&app, &vm, reason, saved).await;
    app.metrics.live_ended(reason);
    app.vms.remove(&vm.record.id);
    vm.is_over();
    let webhook = vm.times().timeouts.webhook.clone();
    let (tenant, id) = (vm.tenant.clone(), vm.record.id.clone());
    // Its place is another's now, whoever is told of it and however long that takes.
    drop(vm);
    if let Some(webhook) = webhook.filter(|_| matches!(reason, "absolute" | "inactive" | "offline")) {
        webhook::tell(&app, &tenant, &webhook, &id, reason).await;
    }
}

/// Saves what is to be saved and ends the browser; what was.
async fn finish(vm: &Vm, workspace: &Workspace, keeps_nothing: bool) -> &'static str {
    if keeps_nothing {
        // Out of a store in memory, which goes with the workspace.
        if let Ok(session) = workspace.current().await {
            let _ = workspace.delete(&session).await;
        }
        workspace.finish(Deadline::after(ENDING)).await;
        return "none";
    }
    let outcomes = workspace.finish(Deadline::after(SAVING)).await;
    outcomes.first().map_or("none", |outcome| told(&vm.record, outcome))
}

fn told(record: &Record, outcome: &SessionOutcome) -> &'static str {
    if let Some((code, message)) = &outcome.save_error {
        tracing::warn!(live = record.id, code, "what a live browser kept could not be saved: {message}");
    }
    if !record.saves || outcome.read_only {
        return "none";
    }
    outcome.saved.map_or("none", record::name)
}

/// Writes how it ended, also where the store is away for a while.
async fn written(app: &App, vm: &Vm, reason: &str, saved: &str) {
    let patience = Deadline::after(ENDING);
    let mut pause = Duration::from_millis(50);
    loop {
        match record::end(app, &vm.tenant, &vm.record.id, reason, Some(saved)).await {
            Ok(_) => return,
            Err(error) if patience.passed() => {
                let code = error.code();
                tracing::warn!(live = vm.record.id, code, "the end of a live browser is lost: {}", with_causes(&error));
                return;
            }
            Err(_) => tokio::time::sleep(pause).await,
        }
        pause = (pause * 2).min(Duration::from_secs(2));
    }
}
