//! The live browsers of this server.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;

use tokio::sync::{OwnedMutexGuard, watch};

use crate::base::{SessionId, Tenant};
use crate::live::Live;
use crate::session::Workspace;

use super::input::TimeoutInput;
use super::links::Links;
use super::places::{NoPlace, Place, Places};
use super::record::Record;

/// A live browser of this server.
pub(super) struct Vm {
    pub(super) tenant: Tenant,
    /// As it was made.
    pub(super) record: Record,
    /// None of a script's session, which ends with the script.
    pub(super) workspace: Option<Workspace>,
    pub(super) live: Live,
    /// When it was made, or its times were last set anew.
    pub(super) times: Mutex<Times>,
    /// What clients of its DevTools protocol did.
    pub(super) clients: Mutex<Clients>,
    /// Who joins does not steer at once.
    pub(super) control_disabled: bool,
    /// What was said of people by the links that they came by.
    pub(super) links: Links,
    /// A wish that it ends, and why; the first one counts.
    wish: watch::Sender<Option<&'static str>>,
    /// Its end, once that is written.
    over: watch::Sender<bool>,
    /// Given back at its end, whoever still looks at it then.
    place: Mutex<Option<Place>>,
}

/// When it ends by itself.
pub(super) struct Times {
    pub(super) since: Instant,
    pub(super) timeouts: TimeoutInput,
}

/// A script that acts in it, until this is dropped. As long as there is one somebody does something.
pub(super) struct Guest(Arc<Vm>);

impl Guest {
    pub(super) fn of(vm: &Arc<Vm>) -> Self {
        vm.clients().scripts += 1;
        Self(vm.clone())
    }

    pub(super) fn vm(&self) -> &Arc<Vm> {
        &self.0
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut clients = self.0.clients();
        clients.scripts -= 1;
        (clients.seen, clients.acted) = (Instant::now(), Instant::now());
    }
}

/// The clients of its DevTools protocol, and the scripts that act in it.
pub(super) struct Clients {
    pub(super) connected: usize,
    pub(super) scripts: usize,
    pub(super) seen: Instant,
    pub(super) acted: Instant,
}

/// What a live browser is made of.
pub(super) struct Parts {
    pub(super) tenant: Tenant,
    pub(super) record: Record,
    pub(super) workspace: Option<Workspace>,
    pub(super) live: Live,
    pub(super) timeouts: TimeoutInput,
    pub(super) control_disabled: bool,
    pub(super) place: Option<Place>,
}

impl Vm {
    pub(super) fn new(parts: Parts) -> Self {
        let Parts { tenant, record, workspace, live, timeouts, control_disabled, place } = parts;
        let now = Instant::now();
        Self {
            tenant,
            record,
            workspace,
            live,
            times: Mutex::new(Times { since: now, timeouts }),
            clients: Mutex::new(Clients { connected: 0, scripts: 0, seen: now, acted: now }),
            control_disabled,
            links: Links::default(),
            wish: watch::Sender::new(None),
            over: watch::Sender::new(false),
            place: Mutex::new(place),
        }
    }

    /// When it ends by itself from now on, as far as that is `named`; with `reset` what has passed counts no more.
    pub(super) fn set_times(&self, timeouts: TimeoutInput, named: impl Fn(&str) -> bool, reset: bool) {
        let mut times = self.times();
        times.timeouts.take(timeouts, named);
        if reset {
            times.since = Instant::now();
        }
    }

    /// Somebody did something in it.
    pub(super) fn acted(&self) {
        self.clients().acted = Instant::now();
    }

    /// Wishes that it ends.
    pub(super) fn end(&self, reason: &'static str) {
        self.wish.send_if_modified(|wish| {
            let is_first = wish.is_none();
            wish.get_or_insert(reason);
            is_first
        });
    }

    /// Whether it is about to end.
    pub(super) fn is_ending(&self) -> bool {
        self.wish.borrow().is_some()
    }

    /// Waits for a wish that it ends.
    pub(super) async fn wished(&self) -> &'static str {
        let mut wish = self.wish.subscribe();
        let wished = wish.wait_for(Option::is_some).await.ok().and_then(|wish| *wish);
        wished.unwrap_or("request")
    }

    /// Its end is written.
    pub(super) fn is_over(&self) {
        drop(self.place.lock().unwrap_or_else(PoisonError::into_inner).take());
        self.over.send_replace(true);
    }

    /// Waits until its end is written.
    pub(super) async fn ended(&self) {
        let _ = self.over.subscribe().wait_for(|over| *over).await;
    }

    pub(super) fn times(&self) -> MutexGuard<'_, Times> {
        self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn clients(&self) -> MutexGuard<'_, Clients> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whose turn it is to start one.
type Turn = tokio::sync::Mutex<()>;

/// The live browsers of this server.
pub(in crate::serve) struct Vms {
    places: Places,
    running: Mutex<BTreeMap<String, Arc<Vm>>>,
    /// Those who are about to have a profile saved, one at a time.
    starting: Mutex<BTreeMap<(Tenant, SessionId), Weak<Turn>>>,
}

impl Vms {
    /// No more than `most` at a time.
    pub(in crate::serve) fn new(most: usize) -> Self {
        Self { places: Places::new(most), running: Mutex::default(), starting: Mutex::default() }
    }

    fn running(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Vm>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many there are, but for scripts' sessions, and how many people and clients are connected to them.
    pub(in crate::serve) fn counts(&self) -> (usize, usize) {
        let all: Vec<Arc<Vm>> = self.running().values().filter(|vm| vm.workspace.is_some()).cloned().collect();
        let connected = all.iter().map(|vm| vm.live.activity().connected + vm.clients().connected);
        (all.len(), connected.sum())
    }

    /// A place for one more of a tenant, which may have so many.
    pub(super) fn place(&self, tenant: &Tenant, most: usize) -> Result<Place, NoPlace> {
        self.places.take(tenant, most)
    }

    /// Waits until nobody else here is about to start one that saves that session: the next one then sees what that came to.
    pub(super) async fn turn(&self, tenant: &Tenant, session: &SessionId) -> OwnedMutexGuard<()> {
        let turn = {
            let mut starting = self.starting.lock().unwrap_or_else(PoisonError::into_inner);
            starting.retain(|_, turn| turn.strong_count() > 0);
            let slot = starting.entry((tenant.clone(), session.clone())).or_default();
            slot.upgrade().unwrap_or_else(|| {
                let turn = Arc::default();
                *slot = Arc::downgrade(&turn);
                turn
            })
        };
        turn.lock_owned().await
    }

    pub(super) fn put(&self, vm: &Arc<Vm>) {
        self.running().insert(vm.record.id.clone(), vm.clone());
    }

    pub(super) fn remove(&self, id: &str) {
        self.running().remove(id);
    }

    /// The tenant's by that id.
    pub(super) fn find(&self, tenant: &Tenant, id: &str) -> Option<Arc<Vm>> {
        self.running().get(id).filter(|vm| vm.tenant == *tenant).cloned()
    }

    /// The tenant's that saves that session.
    pub(super) fn saving(&self, tenant: &Tenant, session: &SessionId) -> Option<Arc<Vm>> {
        let running = self.running();
        let saves =
            |vm: &&Arc<Vm>| vm.tenant == *tenant && vm.record.saves && vm.record.session.as_ref() == Some(session);
        running.values().find(saves).cloned()
    }
}
