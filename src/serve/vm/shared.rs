//! Sessions that a script and people share: what a script over HTTP shows of its own, and the live browsers that it acts in.
//!
//! A session that is shown is a live browser to everything at `/live/{id}`, also on the other servers; `/v0/vm` does not know it, and it
//! ends with the script, which is what saves it.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all};
use tokio::runtime::Handle;

use crate::base::{Deadline, SessionId, Tenant, with_causes};
use crate::live::{Live, LiveOptions, Paused};
use crate::page::Page;
use crate::run::{Attach, Handing, Handover, ScriptError};
use crate::session::{Session, SessionError};

use super::super::app::App;
use super::super::nodes;
use super::input::TimeoutInput;
use super::key::Opens;
use super::record::{self, Record};
use super::running::{Guest, Parts, Vm};

/// How long the end of a script waits for pages to be given back.
const LEAVING: Duration = Duration::from_millis(500);
/// How much longer than its run a record of a session that was shown is kept, where nobody comes to remove it.
const SPARE: Duration = Duration::from_mins(10);

/// The people of one script.
pub(in crate::serve) struct People(Inner);

struct Inner {
    app: App,
    tenant: Tenant,
    runtime: Handle,
    /// When the script ends at the latest, and with it what lets people in.
    deadline: Deadline,
    shown: Mutex<Vec<Arc<Vm>>>,
    guests: Mutex<Vec<Guest>>,
}

impl People {
    /// Those of a script of `tenant` that ends by `deadline`. To be called where a runtime is.
    pub(in crate::serve) fn new(app: &App, tenant: &Tenant, deadline: Deadline) -> Arc<Self> {
        let (app, tenant, runtime) = (app.clone(), tenant.clone(), Handle::current());
        let (shown, guests) = (Mutex::default(), Mutex::default());
        Arc::new(Self(Inner { app, tenant, runtime, deadline, shown, guests }))
    }
}

impl fmt::Debug for People {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "People({} shown)", self.0.shown().len())
    }
}

impl Handover for People {
    fn attach(&self, id: SessionId) -> Handing<'_, Attach> {
        self.0.attach(id).boxed()
    }

    fn show(&self, session: Session, page: Option<Page>) -> Handing<'_, String> {
        async move { self.0.show(session, page).await.map_err(ScriptError::from) }.boxed()
    }

    fn ask(&self, session: Session, reason: String) -> Handing<'_, ()> {
        async move {
            let ended = || ScriptError::new("live_ended", "the live view ended before anybody said that it is done");
            let vm = self.0.vm_of(&session).ok_or_else(ended)?;
            match vm.live.pause(&reason).done().await {
                Paused::Done => Ok(()),
                Paused::Ended => Err(ended()),
            }
        }
        .boxed()
    }

    fn hide(&self, session: Session) -> BoxFuture<'_, ()> {
        async move {
            let hidden: Vec<_> = self.0.shown().extract_if(.., |vm| vm.live.session().is_same(&session)).collect();
            join_all(hidden.iter().map(|vm| self.0.close(vm))).await;
        }
        .boxed()
    }

    fn end(&self) -> BoxFuture<'_, ()> {
        async move {
            let shown = std::mem::take(&mut *self.0.shown());
            // The pages are of no more use; a script that was stopped has little time for the rest.
            let _ = tokio::time::timeout(LEAVING, join_all(shown.iter().map(|vm| self.0.close(vm)))).await;
            self.0.guests().clear();
        }
        .boxed()
    }
}

impl Inner {
    fn shown(&self) -> MutexGuard<'_, Vec<Arc<Vm>>> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn guests(&self) -> MutexGuard<'_, Vec<Guest>> {
        self.guests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the session is seen.
    fn vm_of(&self, session: &Session) -> Option<Arc<Vm>> {
        let is_it = |vm: &&Arc<Vm>| vm.live.session().is_same(session);
        let shown = self.shown().iter().find(is_it).cloned();
        shown.or_else(|| self.guests().iter().map(Guest::vm).find(is_it).cloned())
    }

    async fn attach(&self, id: SessionId) -> Result<Attach, ScriptError> {
        let (app, tenant) = (&self.app, &self.tenant);
        let meant = app.sessions.meant(tenant, &id).await?;
        let here = app.vms.find(tenant, id.as_str()).filter(|vm| vm.workspace.is_some());
        let Some(vm) = here.or_else(|| app.vms.saving(tenant, &meant)).filter(|vm| !vm.is_ending()) else {
            return self.nobody(&id, meant).await;
        };
        let session = vm.live.session().clone();
        self.guests().push(Guest::of(&vm));
        Ok(Attach::Open(session))
    }

    /// Nobody has it here. Where another server's live browser has it the script is told which.
    async fn nobody(&self, id: &SessionId, meant: SessionId) -> Result<Attach, ScriptError> {
        let (app, tenant) = (&self.app, &self.tenant);
        for record in record::all(app, tenant).await? {
            let is_it = record.id == id.as_str() || (record.saves && record.session.as_ref() == Some(&meant));
            let goes_on = record.ended.is_none() && !record.of_run && app.nodes.is_other(&record.node);
            if is_it && goes_on && nodes::lives(app, &record.node).await? {
                let Record { id: live, node, .. } = &record;
                let message = format!("session {id}: the live browser {live} has it open on another server, {node}");
                return Err(ScriptError::new("live_elsewhere", message));
            }
        }
        Ok(Attach::Nobody(meant))
    }

    async fn show(&self, session: Session, page: Option<Page>) -> Result<String, SessionError> {
        let vm = match self.vm_of(&session) {
            Some(vm) => vm,
            None => self.make(session).await?,
        };
        if let Some(page) = page {
            vm.live.bring_to_front(&page);
        }
        let token = vm.record.token_for(&self.tenant, Opens::Control, self.deadline.remaining());
        Ok(format!("{}/live/{}#token={token}", self.app.base_url(), vm.record.id))
    }

    async fn make(&self, session: Session) -> Result<Arc<Vm>, SessionError> {
        let (app, tenant) = (&self.app, &self.tenant);
        let live = Live::over(session, LiveOptions { goes_on: true, ..LiveOptions::default() }).await?;
        let vm = Arc::new(Vm::new(Parts {
            tenant: tenant.clone(),
            record: Record::of_run(app.nodes.id()),
            workspace: None,
            live,
            timeouts: TimeoutInput::default(),
            control_disabled: false,
            place: None,
        }));
        // Ours from here on, whatever becomes of the rest: it is hidden in the end.
        self.shown().push(vm.clone());
        app.vms.put(&vm);
        record::put(app, tenant, &vm.record, Some(self.deadline.remaining() + SPARE)).await?;
        Ok(vm)
    }

    async fn close(&self, vm: &Arc<Vm>) {
        // Nobody new is let in; this much is done also where the rest is not waited for.
        self.app.vms.remove(&vm.record.id);
        forget(&self.app, vm);
        // Also whoever does not read what they are told then.
        vm.is_over();
        vm.live.close("done").await;
    }
}

/// Writes that it is over; nobody waits for that.
fn forget(app: &App, vm: &Arc<Vm>) {
    let (store, vm) = (app.clone(), vm.clone());
    app.executions.spawn(async move {
        if let Err(error) = record::end(&store, &vm.tenant, &vm.record.id, "done", Some("none")).await {
            let code = error.code();
            tracing::warn!(live = vm.record.id, code, "the end of a live view is not written: {}", with_causes(&error));
        }
    });
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Of a run that was given up at once.
        for vm in self.shown().drain(..) {
            let (app, of) = (self.app.clone(), vm.clone());
            self.app.vms.remove(&vm.record.id);
            vm.is_over();
            self.app.executions.spawn_on(
                async move {
                    of.live.close("done").await;
                    forget(&app, &of);
                },
                &self.runtime,
            );
        }
    }
}
