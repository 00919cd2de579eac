//! Slots: how many pieces of work go on at a time, and the fair queue before them.
//!
//! Tenants take turns; within one it is first come, first served. Of one session of a tenant one piece of work goes on at a time,
//! in the order in which they came: those behind it wait in the queue and hold no slot meanwhile. The queue is bounded; where it is
//! full the tenant with most in it gives up its newest place to one that has clearly fewer. Where a slot may be held for very long,
//! a tenant has no more of them than are left for others: there is always one for who has none.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::base::Tenant;

/// What a piece of work is taken to last before any was seen.
const FIRST_GUESS: Duration = Duration::from_secs(2);
/// The longest time that a client is told to stay away, in seconds.
const LONGEST_AWAY: u64 = 60;

/// A tenant's session, of which one piece of work goes on at a time.
type SessionKey = (Tenant, String);

/// Slots and their queue. Cheap to clone.
#[derive(Clone)]
pub(super) struct Slots(Arc<Inner>);

struct Inner {
    /// How many places there are in the queue for requests.
    max_queued: usize,
    state: Mutex<State>,
}

struct State {
    slots: usize,
    free: usize,
    next_id: u64,
    /// Those with somebody waiting, the one whose turn is next first.
    turns: VecDeque<Tenant>,
    queues: BTreeMap<Tenant, Queue>,
    /// Sessions that somebody works in.
    busy: BTreeSet<SessionKey>,
    /// How many slots each tenant has.
    held: BTreeMap<Tenant, usize>,
    /// Whether a tenant leaves as many free as it has.
    leaves_room: bool,
    /// How many requests wait; jobs are counted where they are kept.
    requests: usize,
    /// How long a slot is held, on average over the last ones.
    usual: Duration,
}

/// Those of one tenant who wait, in the order in which they came.
#[derive(Default)]
struct Queue {
    waiters: VecDeque<Waiter>,
    /// Requests and jobs take turns where there are both.
    request_was_last: bool,
}

impl Queue {
    fn requests(&self) -> usize {
        self.waiters.iter().filter(|waiter| waiter.is_request).count()
    }
}

struct Waiter {
    id: u64,
    session: Option<String>,
    /// A request has a client that waits, and a place in the bounded queue; a job has neither.
    is_request: bool,
    granted: oneshot::Sender<Slot>,
}

/// The queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Full {
    /// In how many seconds there is probably room.
    pub(super) retry_after: u64,
}

/// How it looks now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Load {
    /// Slots in use.
    pub(super) running: usize,
    /// Requests and jobs that wait.
    pub(super) waiting: usize,
}

/// Leave to work: a place among those that go on at a time, and the session's turn. Given back when dropped.
pub(super) struct Slot {
    /// Goes before the place: the place may be for the next of this very session.
    turn: Option<Turn>,
    place: Option<Place>,
}

impl Slot {
    /// Gives the place to the next; the session stays taken until the answer is dropped.
    pub(super) fn keep_session(mut self) -> Option<Turn> {
        drop(self.place.take());
        self.turn.take()
    }
}

/// A place among those that go on at a time.
struct Place {
    slots: Slots,
    tenant: Tenant,
    since: Instant,
}

impl Drop for Place {
    fn drop(&mut self) {
        let lasted = self.since.elapsed();
        self.slots.change(|state| {
            state.free += 1;
            state.give_back(&self.tenant);
            state.usual = (state.usual * 7 + lasted) / 8;
        });
    }
}

/// The turn of a session: nobody else works in it.
pub(super) struct Turn {
    slots: Slots,
    key: SessionKey,
}

impl Drop for Turn {
    fn drop(&mut self) {
        let key = &self.key;
        self.slots.change(|state| state.busy.remove(key));
    }
}

/// Somebody's place in the queue, given up when dropped. Resolves with the slot, or with [`Full`] where the place was given to
/// another tenant.
pub(super) struct Waiting {
    slots: Slots,
    tenant: Tenant,
    id: u64,
    granted: oneshot::Receiver<Slot>,
}

impl Future for Waiting {
    type Output = Result<Slot, Full>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let granted = std::task::ready!(Pin::new(&mut self.granted).poll(context));
        Poll::Ready(granted.map_err(|_| self.slots.lock().full()))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        // A slot that was granted and not yet taken goes with the receiver.
        let gone = self.slots.lock().take_out(&self.tenant, self.id);
        drop(gone);
    }
}

impl Slots {
    /// `slots` at a time, and at most `max_queued` requests that wait.
    pub(super) fn new(slots: usize, max_queued: usize) -> Self {
        Self::with(slots, max_queued, false)
    }

    /// The same for what goes on for as long as a client likes: a tenant has at most half of the slots, and of what others have left
    /// at most half.
    pub(super) fn leaving_room(slots: usize, max_queued: usize) -> Self {
        Self::with(slots, max_queued, true)
    }

    fn with(slots: usize, max_queued: usize, leaves_room: bool) -> Self {
        let state = State {
            slots: slots.max(1),
            free: slots.max(1),
            next_id: 0,
            turns: VecDeque::new(),
            queues: BTreeMap::new(),
            busy: BTreeSet::new(),
            held: BTreeMap::new(),
            leaves_room,
            requests: 0,
            usual: FIRST_GUESS,
        };
        Self(Arc::new(Inner { max_queued, state: Mutex::new(state) }))
    }

    /// Takes a place in the queue for a request that works in `session`; [`Full`] where there is none.
    pub(super) fn request(&self, tenant: &Tenant, session: Option<&str>) -> Result<Waiting, Full> {
        self.join(tenant, session, true)
    }

    /// The same for a job, of which as many wait as are kept.
    pub(super) fn job(&self, tenant: &Tenant, session: Option<&str>) -> Result<Waiting, Full> {
        self.join(tenant, session, false)
    }

    /// How it looks now.
    pub(super) fn load(&self) -> Load {
        let state = self.lock();
        Load {
            running: state.slots - state.free,
            waiting: state.queues.values().map(|queue| queue.waiters.len()).sum(),
        }
    }

    fn join(&self, tenant: &Tenant, session: Option<&str>, is_request: bool) -> Result<Waiting, Full> {
        let (granted, waiting) = oneshot::channel();
        let session = session.map(str::to_owned);
        let id = self.change(|state| {
            let id = state.next_id;
            let at_once = state.may_begin(tenant) && state.is_free(tenant, session.as_ref());
            if is_request && !at_once && state.requests >= self.0.max_queued {
                state.make_room(tenant)?;
            }
            state.next_id += 1;
            state.add(tenant, Waiter { id, session, is_request, granted });
            Ok(id)
        })?;
        Ok(Waiting { slots: self.clone(), tenant: tenant.clone(), id, granted: waiting })
    }

    /// Changes the state, then hands out what is free.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let (answer, granted) = {
            let mut state = self.lock();
            (change(&mut state), std::iter::from_fn(|| state.grant()).collect::<Vec<_>>())
        };
        // Outside the lock: where nobody waits any more the slot comes back here.
        for (waiter, tenant, key) in granted {
            let place = Place { slots: self.clone(), tenant, since: Instant::now() };
            let turn = key.map(|key| Turn { slots: self.clone(), key });
            drop(waiter.granted.send(Slot { turn, place: Some(place) }));
        }
        answer
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn add(&mut self, tenant: &Tenant, waiter: Waiter) {
        self.requests += usize::from(waiter.is_request);
        if !self.queues.contains_key(tenant) {
            self.turns.push_back(tenant.clone());
        }
        self.queues.entry(tenant.clone()).or_default().waiters.push_back(waiter);
    }

    /// Whether nobody works in the session.
    fn is_free(&self, tenant: &Tenant, session: Option<&String>) -> bool {
        session.is_none_or(|session| !self.busy.contains(&(tenant.clone(), session.clone())))
    }

    /// Whether there is a slot for the tenant.
    fn may_begin(&self, tenant: &Tenant) -> bool {
        let held = self.held.get(tenant).copied().unwrap_or_default();
        self.free > if self.leaves_room { held } else { 0 }
    }

    fn give_back(&mut self, tenant: &Tenant) {
        let left = self.held.get(tenant).map_or(0, |held| held.saturating_sub(1));
        if left == 0 {
            self.held.remove(tenant);
        } else {
            self.held.insert(tenant.clone(), left);
        }
    }

    /// The next who may begin, whose it is, and the session that is now theirs.
    fn grant(&mut self) -> Option<(Waiter, Tenant, Option<SessionKey>)> {
        if self.free == 0 {
            return None;
        }
        let mut turns = self.turns.iter().filter(|tenant| self.may_begin(tenant));
        let (tenant, id) = turns.find_map(|tenant| Some((tenant.clone(), self.next_of(tenant)?)))?;
        let waiter = self.take_out(&tenant, id)?;
        if let Some(queue) = self.queues.get_mut(&tenant) {
            queue.request_was_last = waiter.is_request;
            self.turns.retain(|other| *other != tenant);
            self.turns.push_back(tenant.clone());
        }
        self.free -= 1;
        *self.held.entry(tenant.clone()).or_default() += 1;
        let key = waiter.session.clone().map(|session| (tenant.clone(), session));
        self.busy.extend(key.clone());
        Some((waiter, tenant, key))
    }

    /// The first of a tenant whose session nobody works in; requests and jobs in turn.
    fn next_of(&self, tenant: &Tenant) -> Option<u64> {
        let queue = self.queues.get(tenant)?;
        let (mut ahead, mut request, mut job) = (BTreeSet::new(), None, None);
        for waiter in &queue.waiters {
            // Not before those of the same session that came first.
            let in_turn = waiter.session.as_ref().is_none_or(|session| ahead.insert(session));
            if in_turn && self.is_free(tenant, waiter.session.as_ref()) {
                let first = if waiter.is_request { &mut request } else { &mut job };
                first.get_or_insert(waiter.id);
                if request.is_some() && job.is_some() {
                    break;
                }
            }
        }
        if queue.request_was_last { job.or(request) } else { request.or(job) }
    }

    fn take_out(&mut self, tenant: &Tenant, id: u64) -> Option<Waiter> {
        let queue = self.queues.get_mut(tenant)?;
        let at = queue.waiters.iter().position(|waiter| waiter.id == id)?;
        let waiter = queue.waiters.remove(at)?;
        self.requests -= usize::from(waiter.is_request);
        if queue.waiters.is_empty() {
            self.queues.remove(tenant);
            self.turns.retain(|other| other != tenant);
        }
        Some(waiter)
    }

    /// Takes the newest place of the tenant with most, where `tenant` has clearly fewer.
    fn make_room(&mut self, tenant: &Tenant) -> Result<(), Full> {
        let own = self.queues.get(tenant).map_or(0, Queue::requests);
        let most = self.queues.iter().map(|(of, queue)| (queue.requests(), of)).max();
        let of = most.filter(|(most, _)| *most >= own + 2).map(|(_, of)| of.clone()).ok_or_else(|| self.full())?;
        let newest = self.queues.get(&of).and_then(|queue| queue.waiters.iter().rfind(|waiter| waiter.is_request));
        let id = newest.map(|waiter| waiter.id).ok_or_else(|| self.full())?;
        // Whoever waits hears of it as the sender goes.
        drop(self.take_out(&of, id));
        Ok(())
    }

    /// When to come again: a place is free when one of those at work is done.
    fn full(&self) -> Full {
        let slots = u32::try_from(self.slots).unwrap_or(u32::MAX);
        let seconds = (self.usual / slots).as_secs_f64().ceil();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a whole number of seconds")]
        Full { retry_after: (seconds as u64).clamp(1, LONGEST_AWAY) }
    }
}

#[cfg(test)]
#[path = "slots_tests.rs"]
mod tests;
