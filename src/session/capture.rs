//! The whole state of a session as its browser has it now: cookies, and the storage of every origin that was visited.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chromiumoxide::cdp::browser_protocol::page::FrameId;
use chromiumoxide::cdp::browser_protocol::storage::GetStorageKeyParams;
use futures_util::future::join_all;
use serde_json::Value;

use crate::base::Deadline;
use crate::browser::Context;
use crate::page::Frame;

use super::hidden::HiddenPage;
use super::large::{Gathered, Large, Spool};
use super::part::Part;
use super::permissions::{ByOrigin, Permissions, Told};
use super::state::Beside;
use super::storage::{Answer, Door};
use super::storage_key::{Place, Position};
use super::tabs::{Tabs, origin_of};
use super::{Cookie, Partial, SessionError, cookies, storage_key};

/// How long a frame may take to show that its script thread is free. One that is stuck in a loop is left alone, and its
/// origin is read in a hidden page.
const LIVE_TIMEOUT: Duration = Duration::from_secs(2);

const LATE: &str = "no time was left to read it";

/// What one origin keeps now.
pub(super) enum Captured {
    /// Read in full but for what is named.
    Read(Part, Vec<Partial>),
    /// The same, too large to be held in memory.
    Large(Large, Vec<Partial>),
    /// Not readable, and why: what was kept before stays.
    Unreadable(Partial),
}

/// The state of a session.
pub(super) struct Snapshot {
    pub(super) cookies: Vec<Cookie>,
    pub(super) beside: Beside,
    /// By storage key; only origins that were visited.
    pub(super) origins: BTreeMap<String, Captured>,
}

/// Reads the state: storage keys with an open frame there, the others, and those whose frame went away under the reading, one
/// after another in a hidden page. What sites may do is not known then, unless `asks`.
pub(super) async fn snapshot(
    context: &Context,
    tabs: &Tabs,
    spool: Option<&Spool>,
    asks: bool,
    deadline: Deadline,
) -> Result<Snapshot, SessionError> {
    let visited = tabs.visited();
    let reading = &Reading { spool, asks, deadline, told: Mutex::default() };
    let storages = async {
        let (doors, mut origins) = read_live(tabs, reading).await;
        origins.retain(|key, captured| !matches!(captured, Captured::Unreadable(..)) || !has_place(key));
        let mut away = Away { tabs, reading, page: None };
        // Among them what frames of other sites left in sessionStorage before they went.
        let (gone, left): (Vec<_>, Vec<_>) = tabs.storages().seen_below().into_iter().partition(|key| !has_place(key));
        for key in visited.origins.iter().chain(&visited.keys).chain(doors.keys()).chain(&left) {
            if !origins.contains_key(key) {
                origins.insert(key.clone(), away.read(key).await);
            }
        }
        for (top, origin) in &visited.below {
            let is_there =
                |key: &String| storage_key::may_use(key, origin, &Position::Below(top.clone())) && key.contains('^');
            if !origins.keys().any(is_there) {
                let (key, captured) = away.read_below(top, origin).await;
                origins.entry(key).or_insert(captured);
            }
        }
        origins.retain(|key, captured| has_place(key) || keeps_something(captured));
        for key in gone {
            origins.entry(key.clone()).or_insert_with(|| unreadable(&key, String::new()));
        }
        let permissions = away.permissions().await;
        (origins.into_iter().map(|(key, captured)| said(key, captured)).collect(), permissions)
    };
    let (cookies, (origins, permissions)) = tokio::join!(cookies::read(context), storages);
    let beside = Beside { permissions, ..beside(tabs) };
    Ok(Snapshot { cookies: cookies?, beside, origins })
}

/// What is kept with the state.
pub(super) fn beside(tabs: &Tabs) -> Beside {
    let tabs = tabs.wanted().addresses(&tabs.pages());
    Beside { tabs, ..Beside::default() }
}

fn has_place(key: &str) -> bool {
    !matches!(storage_key::place(key), Place::Nowhere(_))
}

fn keeps_something(captured: &Captured) -> bool {
    match captured {
        Captured::Read(part, partial) => !(part.is_empty() && partial.is_empty()),
        Captured::Large(..) => true,
        Captured::Unreadable(_) => false,
    }
}

/// What can never be put back is not kept, and why.
fn said(key: String, captured: Captured) -> (String, Captured) {
    let captured = match storage_key::place(&key) {
        Place::Nowhere(reason) => unreadable(&key, reason.to_owned()),
        _ => captured,
    };
    (key, captured)
}

/// Open frames by storage key, and what was read in them.
async fn read_live(tabs: &Tabs, reading: &Reading<'_>) -> (BTreeMap<String, Open>, BTreeMap<String, Captured>) {
    let mut origins = BTreeMap::new();
    let doors = match likely(tabs) {
        None => live_frames(tabs).await,
        // It is read while it is asked whether that is the key and whether the frame is free: one round trip less.
        Some((key, likely)) => {
            let door = Door::Live(&likely.frame);
            let reads = read(&door, &key, &likely.session, reading);
            let (mut asks, mut reads) = (std::pin::pin!(live_frames(tabs)), std::pin::pin!(reads));
            let (doors, done) = tokio::select! {
                doors = &mut asks => (doors, None),
                done = &mut reads => (asks.await, Some(done)),
            };
            let is_it = |door: &Open| door.frame.id() == likely.frame.id() && door.session == likely.session;
            if doors.get(&key).is_some_and(is_it) {
                let captured = match done {
                    Some(done) => done,
                    None => reads.await,
                };
                origins.insert(key.clone(), captured);
            }
            doors
        }
    };
    let left = doors.iter().filter(|(key, _)| !origins.contains_key(*key));
    let live = join_all(left.map(|(key, door)| async move {
        (key.clone(), read(&Door::Live(&door.frame), key, &door.session, reading).await)
    }));
    let live = live.await;
    origins.extend(live);
    (doors, origins)
}

/// The only frame that is open, with the storage key that such a frame has but for rare cases.
fn likely(tabs: &Tabs) -> Option<(String, Open)> {
    let pages = tabs.pages();
    let [page] = &pages[..] else { return None };
    let frames = page.frames();
    let [frame] = &frames[..] else { return None };
    let key = origin_of(&frame.url())?;
    let source = tabs.storages().source(&key);
    let own = source.tab.as_ref().is_none_or(|last| last == page.target().id().inner());
    Some((key, Open { frame: frame.clone(), session: source.argument(own) }))
}

/// A frame that is open, and where sessionStorage is read with it.
struct Open {
    frame: Frame,
    session: Value,
}

/// Open frames by storage key.
async fn live_frames(tabs: &Tabs) -> BTreeMap<String, Open> {
    let pages = tabs.pages();
    let frames =
        pages.iter().flat_map(|page| page.frames().into_iter().map(move |frame| (page.target().id().inner(), frame)));
    let frames: Vec<_> = frames.filter(|(_, frame)| frame.url().starts_with("http")).collect();
    let keys = join_all(
        frames
            .iter()
            .map(|(_, frame)| frame.cdp().send(GetStorageKeyParams { frame_id: Some(FrameId::new(frame.id())) })),
    );
    let mut doors = BTreeMap::new();
    let free = join_all(
        frames.iter().map(|(_, frame)| async move { Door::Live(frame).is_free(Deadline::after(LIVE_TIMEOUT)).await }),
    );
    let (keys, free) = tokio::join!(keys, free);
    for (((tab, frame), key), _) in frames.iter().zip(keys).zip(free).filter(|(_, free)| *free) {
        // A frame that went away meanwhile is read in the hidden page.
        let Ok(key) = key.map(|answer| String::from(answer.storage_key)) else { continue };
        let source = tabs.storages().source(&key);
        let own = source.tab.as_ref().is_none_or(|last| last == *tab);
        // sessionStorage is that of the tab that was used last, so a frame in that tab is asked where there is one.
        if own || !doors.contains_key(&key) {
            doors.insert(key, Open { frame: frame.clone(), session: source.argument(own) });
        }
    }
    doors
}

/// An origin that cannot be read, or not in time, keeps its old state, and is named as partial.
async fn read(door: &Door<'_>, key: &str, session: &Value, reading: &Reading<'_>) -> Captured {
    let Reading { spool, asks, deadline, .. } = *reading;
    match deadline.race(door.capture(key, session, spool, asks, deadline)).await {
        Some(Ok(Answer { gathered, partial, permissions })) => {
            // Those of frames below other sites are the tab's.
            if let Some(told) = permissions.filter(|_| !key.contains('^')) {
                reading.told.lock().unwrap_or_else(PoisonError::into_inner).insert(key.to_owned(), told);
            }
            match gathered {
                Gathered::Small(part) => Captured::Read(part, partial),
                Gathered::Large(large) => Captured::Large(large, partial),
                Gathered::TooLarge => unreadable(key, "it is too large to be held in memory".to_owned()),
                Gathered::Torn(how) => unreadable(key, format!("it changed whenever it was read: {how}")),
            }
        }
        Some(Err(error)) => unreadable(key, error.to_string()),
        None => unreadable(key, format!("not read within {}", crate::base::show_duration(deadline.span()))),
    }
}

/// What a whole reading has in common.
struct Reading<'a> {
    spool: Option<&'a Spool>,
    /// Whether documents are asked what they may do, which takes as long as all else.
    asks: bool,
    deadline: Deadline,
    /// What documents told of what they may do, by origin.
    told: Mutex<BTreeMap<String, Told>>,
}

/// Reads what no open frame tells, in a hidden page that is opened for the first of it.
struct Away<'a> {
    tabs: &'a Tabs,
    reading: &'a Reading<'a>,
    page: Option<HiddenPage>,
}

impl Away<'_> {
    async fn read(&mut self, key: &str) -> Captured {
        let session = self.tabs.storages().source(key).argument(false);
        let (deadline, reading) = (self.reading.deadline, self.reading);
        let ready = async {
            let page = self.page().await?;
            page.visit(key).await?;
            Ok::<_, SessionError>(page)
        };
        let page: &HiddenPage = match deadline.race(ready).await {
            Some(Ok(page)) => page,
            Some(Err(error)) => return unreadable(key, error.to_string()),
            None => return unreadable(key, LATE.to_owned()),
        };
        read(&Door::Hidden(page), key, &session, reading).await
    }

    /// What was decided for the origins that were read; nothing for those where it is not known.
    async fn permissions(&mut self) -> ByOrigin {
        let told = std::mem::take(&mut *self.reading.told.lock().unwrap_or_else(PoisonError::into_inner));
        let mut all = ByOrigin::new();
        for (origin, told) in told {
            if told.is_usual() {
                all.insert(origin, Permissions::new());
            } else if let Some(stranger) = self.stranger(&told).await {
                all.insert(origin, told.beyond(&stranger));
            }
        }
        all
    }

    /// What an origin may that nobody has met.
    async fn stranger(&mut self, told: &Told) -> Option<Permissions> {
        if let Some(known) = self.tabs.stranger(told.secure) {
            return Some(known);
        }
        let deadline = self.reading.deadline;
        let asked = async {
            let page = self.page().await.ok()?;
            page.visit(told.stranger()).await.ok()?;
            Door::Hidden(page).permissions(deadline).await.ok()?
        };
        let states = deadline.race(asked).await??.states;
        self.tabs.know_stranger(told.secure, states.clone());
        Some(states)
    }

    /// What `origin` keeps in frames of a tab that is at `top`, and its storage key.
    async fn read_below(&mut self, top: &str, origin: &str) -> (String, Captured) {
        let deadline = self.reading.deadline;
        let ready = async {
            let page = self.page().await?;
            Ok::<_, SessionError>(page.visit_below(&[top.to_owned()], origin).await?)
        };
        // Where the key is not known, this is the closest to it.
        let near = || format!("{origin}^0{}", top.trim_end_matches('/'));
        match deadline.race(ready).await {
            Some(Ok(key)) => {
                let captured = self.read(&key).await;
                (key, captured)
            }
            Some(Err(error)) => (near(), unreadable(&near(), error.to_string())),
            None => (near(), unreadable(&near(), LATE.to_owned())),
        }
    }

    async fn page(&mut self) -> Result<&mut HiddenPage, SessionError> {
        match &mut self.page {
            Some(page) => Ok(page),
            none => Ok(none.insert(HiddenPage::prepare(self.tabs.open_hidden().await?).await?)),
        }
    }
}

fn unreadable(key: &str, reason: String) -> Captured {
    Captured::Unreadable(Partial { origin: key.to_owned(), store: "storage".into(), key: None, reason })
}
