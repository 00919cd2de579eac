//! The whole state of a session as its browser has it now: cookies, and the storage of every origin that was visited.

use std::collections::BTreeMap;
use std::time::Duration;

use chromiumoxide::cdp::browser_protocol::page::FrameId;
use chromiumoxide::cdp::browser_protocol::storage::GetStorageKeyParams;
use futures_util::future::join_all;
use serde_json::Value;

use crate::base::Deadline;
use crate::browser::Context;
use crate::page::Frame;

use super::hidden::HiddenPage;
use super::part::Part;
use super::state::Beside;
use super::storage::Door;
use super::tab_storage::Source;
use super::tabs::Tabs;
use super::{Cookie, Partial, SessionError, cookies};

/// How long reading one origin may take; an origin that takes longer keeps its old state, and is named as partial.
const ORIGIN_TIMEOUT: Duration = Duration::from_secs(20);

/// How long a frame may take to show that its script thread is free. One that is stuck in a loop is left alone, and its
/// origin is read in a hidden page.
const LIVE_TIMEOUT: Duration = Duration::from_secs(2);

/// What one origin keeps now.
pub(super) enum Captured {
    /// Read in full but for what is named.
    Read(Part, Vec<Partial>),
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

/// Reads the state: origins with an open frame there, the others, and those whose frame went away under the reading, one
/// after another in a hidden page.
pub(super) async fn snapshot(context: &Context, tabs: &Tabs, deadline: Deadline) -> Result<Snapshot, SessionError> {
    let visited = tabs.visited();
    let storages = async {
        let (doors, foreign) = live_frames(tabs).await;
        let live = join_all(doors.iter().map(|(key, door)| async move {
            (key.clone(), read(&Door::Live(&door.frame), key, &door.session, deadline).await)
        }));
        let mut origins: BTreeMap<String, Captured> = live.await.into_iter().collect();
        origins.retain(|_, captured| matches!(captured, Captured::Read(..)));
        let mut page = None;
        for origin in visited.iter().chain(doors.keys()) {
            if !origins.contains_key(origin) {
                origins.insert(origin.clone(), read_away(tabs, &mut page, origin, deadline).await);
            }
        }
        origins.extend(foreign);
        origins
    };
    let (cookies, origins) = tokio::join!(cookies::read(context), storages);
    Ok(Snapshot { cookies: cookies?, beside: beside(tabs), origins })
}

/// What is kept with the state.
pub(super) fn beside(tabs: &Tabs) -> Beside {
    let tabs = tabs.pages().iter().map(|page| page.main_frame().url()).collect();
    Beside { tabs, ..Beside::default() }
}

/// A frame that is open, and where sessionStorage is read with it.
struct Open {
    frame: Frame,
    session: Value,
}

/// Open frames by storage key; and what embedded frames of other sites keep under keys of their own, which no hidden page
/// can put back yet, as unreadable.
async fn live_frames(tabs: &Tabs) -> (BTreeMap<String, Open>, Vec<(String, Captured)>) {
    let pages = tabs.pages();
    let frames =
        pages.iter().flat_map(|page| page.frames().into_iter().map(move |frame| (page.target().id().inner(), frame)));
    let frames: Vec<_> = frames.filter(|(_, frame)| frame.url().starts_with("http")).collect();
    let keys = join_all(
        frames
            .iter()
            .map(|(_, frame)| frame.cdp().send(GetStorageKeyParams { frame_id: Some(FrameId::new(frame.id())) })),
    );
    let (mut doors, mut foreign) = (BTreeMap::new(), Vec::new());
    let free = join_all(
        frames.iter().map(|(_, frame)| async move { Door::Live(frame).is_free(Deadline::after(LIVE_TIMEOUT)).await }),
    );
    let (keys, free) = tokio::join!(keys, free);
    for (((tab, frame), key), _) in frames.iter().zip(keys).zip(free).filter(|(_, free)| *free) {
        // A frame that went away meanwhile is read in the hidden page.
        let Ok(key) = key.map(|answer| String::from(answer.storage_key)) else { continue };
        if !key.contains('^') {
            let source = tabs.storages().source(&key);
            let own = source.tab.as_ref().is_none_or(|last| last == *tab);
            // sessionStorage is that of the tab that was used last, so a frame in that tab is asked where there is one.
            if own || !doors.contains_key(&key) {
                doors.insert(key, Open { frame: frame.clone(), session: source.argument(own) });
            }
        } else if let Ok((part, partial)) =
            Door::Live(frame).capture(&key, &Source::default().argument(true), Deadline::after(ORIGIN_TIMEOUT)).await
            && !(part.is_empty() && partial.is_empty())
        {
            let reason = "storage of embedded frames of other sites is not kept yet".to_owned();
            foreign.push((
                key.clone(),
                Captured::Unreadable(Partial { origin: key, store: "storage".into(), key: None, reason }),
            ));
        }
    }
    (doors, foreign)
}

async fn read(door: &Door<'_>, key: &str, session: &Value, deadline: Deadline) -> Captured {
    let own = Deadline::after(ORIGIN_TIMEOUT).min(deadline);
    match own.race(door.capture(key, session, own)).await {
        Some(Ok((part, partial))) => Captured::Read(part, partial),
        Some(Err(error)) => unreadable(key, error.to_string()),
        None => unreadable(key, format!("not read within {}", crate::base::show_duration(own.span()))),
    }
}

async fn read_away(tabs: &Tabs, page: &mut Option<HiddenPage>, origin: &str, deadline: Deadline) -> Captured {
    let ready = async {
        if page.is_none() {
            *page = Some(HiddenPage::prepare(tabs.open_hidden().await?).await?);
        }
        if let Some(page) = page {
            page.visit(origin).await?;
        }
        Ok::<_, SessionError>(())
    };
    match deadline.race(ready).await {
        Some(Ok(())) => {}
        Some(Err(error)) => return unreadable(origin, error.to_string()),
        None => return unreadable(origin, "no time was left to read it".to_owned()),
    }
    match page {
        Some(page) => {
            let session = tabs.storages().source(origin).argument(false);
            read(&Door::Hidden(page), origin, &session, deadline).await
        }
        None => unreadable(origin, "no page to read it in".to_owned()),
    }
}

fn unreadable(key: &str, reason: String) -> Captured {
    Captured::Unreadable(Partial { origin: key.to_owned(), store: "storage".into(), key: None, reason })
}
