//! The tabs: those that the session has, which one is in front, what viewers are told of them, and where they go.

use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::json;

use crate::base::Deadline;
use crate::browser::{Cdp, Pending, RawEvent, TargetEvent, TargetEvents, TargetKind};
use crate::page::{Page, Screen};

use super::address;
use super::engine::{Engine, Order, Orders};
use super::history::Asked;
use super::mailbox::cut;
use super::rpc::{Rpc, rpc};
use super::told::{BINDING, PAGE_SCRIPT, SCRIPT, WORLD};
use super::undo::{self, Follows};
use super::wire::{self, FromViewer, ToViewer};

/// How long a page may take to take another size.
pub(super) const FIT_TIMEOUT: Duration = Duration::from_secs(10);

/// More tabs than these nobody keeps apart; what pages open beyond them is closed again.
const MOST_TABS: usize = 50;

/// More than these are not opened at once: whoever saves waits for them.
const MOST_OPENING: usize = 4;

/// Tabs are told no more often: a page may change its title as fast as it likes.
const TELL_PAUSE: Duration = Duration::from_millis(100);

/// What is told of an address, in bytes.
const LONGEST_URL: usize = 2048;

/// What is listened to in a tab and in its frames that have processes of their own.
const EVENTS: [&str; 11] = [
    "Input.dragIntercepted",
    "Page.screencastFrame",
    "Page.frameNavigated",
    "Page.navigatedWithinDocument",
    "Page.frameStartedLoading",
    "Page.frameStoppedLoading",
    "Page.fileChooserOpened",
    "Runtime.bindingCalled",
    "Runtime.executionContextDestroyed",
    "Runtime.executionContextsCleared",
    "Inspector.targetCrashed",
];

/// A tab.
pub(super) struct Tab {
    pub id: u32,
    pub page: Page,
    pub cdp: Cdp,
    /// Chromium's id of its main frame.
    pub main: String,
    pub title: String,
    pub url: String,
    pub icon: Option<String>,
    /// Where the icon is from.
    pub icon_of: Option<String>,
    /// Whether that is still to be asked for.
    pub asks_for_icon: bool,
    pub loading: bool,
    pub back: Option<i64>,
    pub forward: Option<i64>,
    /// Whether it is being asked where it is in its history.
    pub asked: Asked,
    pub crashed: bool,
    /// How many documents it has had.
    pub documents: u64,
    /// The tab that opened it.
    opener: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Fields {
    frame_id: String,
    url: String,
    frame: FrameFields,
    execution_context_id: i64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct FrameFields {
    id: String,
    parent_id: Option<String>,
    url: String,
    url_fragment: String,
    unreachable_url: String,
}

impl Engine {
    pub(super) fn active_tab(&self) -> Option<&Tab> {
        self.tabs.iter().find(|tab| tab.id == self.active)
    }

    pub(super) fn tabs_message(&self) -> ToViewer {
        let tell = |tab: &Tab| wire::Tab {
            id: tab.id,
            title: cut(if tab.title.is_empty() { &tab.url } else { &tab.title }, LONGEST_URL).to_owned(),
            url: cut(&tab.url, LONGEST_URL).to_owned(),
            active: tab.id == self.active,
            loading: tab.loading,
            can_go_back: tab.back.is_some(),
            can_go_forward: tab.forward.is_some(),
            crashed: tab.crashed,
        };
        ToViewer::Tabs { tabs: self.tabs.iter().map(tell).collect() }
    }

    /// Tells the tabs; where they were told a moment ago, together with what else changes in this moment.
    pub(super) fn tell_tabs(&mut self) {
        match self.tabs_told.map(|at| at + TELL_PAUSE).filter(|next| *next > Instant::now()) {
            Some(next) => self.tabs_due = Some(next),
            None => self.tell_tabs_now(),
        }
    }

    pub(super) fn tell_tabs_now(&mut self) {
        (self.tabs_told, self.tabs_due) = (Some(Instant::now()), None);
        self.tell(&self.tabs_message());
        self.tell_icons();
        self.tell_bookmarked();
    }

    /// Pages have come.
    pub(super) fn look_for_pages(&mut self) {
        let known = |page: &Page| self.tabs.iter().any(|tab| tab.page.target().id() == page.target().id());
        let fresh: Vec<Page> = self.session.pages().into_iter().filter(|page| !known(page)).collect();
        for page in fresh {
            if self.tabs.len() >= MOST_TABS && page.target().opener().is_some() {
                tokio::spawn(async move { drop(page.close().await) });
            } else {
                self.add_tab(page);
            }
        }
    }

    /// Follows a page; it comes to the front, as a popup does.
    pub(super) fn add_tab(&mut self, page: Page) {
        let id = self.number();
        let target = page.target().clone();
        let cdp = target.cdp().clone();
        let opened_by = |tab: &&Tab| Some(tab.page.target().id()) == target.opener();
        let opener = self.tabs.iter().find(opened_by).map(|tab| tab.id);
        self.keep_dialogs(&page, id);
        self.follows.go(follow(id, cdp.clone(), target.children(), (self.orders.clone(), self.follows.clone()), true));
        let url = page.main_frame().url();
        let tab = Tab {
            id,
            cdp,
            main: target.id().inner().clone(),
            title: String::new(),
            url,
            icon: None,
            icon_of: None,
            asks_for_icon: false,
            loading: false,
            back: None,
            forward: None,
            asked: Asked::default(),
            crashed: false,
            documents: 0,
            opener,
            page,
        };
        if !self.screens.iter().any(|(known, _)| known.target().id() == tab.page.target().id()) {
            self.screens.push((tab.page.clone(), tab.page.emulation().screen));
        }
        self.fit(&tab);
        self.tabs.push(tab);
        self.refresh(id);
        self.bring_to_front(id);
    }

    /// Gives a tab the size that all have.
    pub(super) fn fit(&self, tab: &Tab) {
        tokio::spawn(fit(tab.page.clone(), (self.options.width, self.options.height)));
    }

    pub(super) fn bring_to_front(&mut self, id: u32) {
        let Some(tab) = self.tabs.iter().find(|tab| tab.id == id) else { return };
        // What is behind is not drawn.
        tab.cdp.send(rpc("Page.bringToFront", json!({}))).forget();
        if self.active == id {
            self.sync_cast();
            return self.tell_tabs();
        }
        self.let_go();
        self.active = id;
        self.close_picker();
        self.set_caret(None);
        self.viewers.values().for_each(|viewer| viewer.mailbox.forget_picture());
        self.sync_cast();
        // At once: the pictures are of this one from here on.
        self.tell_tabs_now();
    }

    /// An event of a tab or of a frame in it.
    pub(super) fn event(&mut self, id: u32, cdp: &Cdp, event: &RawEvent) {
        match &*event.method {
            "Page.screencastFrame" => return self.picture(id, event),
            "Input.dragIntercepted" => return self.drag_began(id, event),
            "Page.fileChooserOpened" => return self.wants_files(id, cdp, event),
            "Runtime.bindingCalled" => return self.heard(id, cdp, event),
            _ => {}
        }
        let Some(fields) = event.decode::<Fields>() else { return };
        let of = |(tab, (session, _)): &(u32, (Cdp, i64))| *tab == id && session.session_id() == cdp.session_id();
        match &*event.method {
            "Runtime.executionContextsCleared" => return self.worlds.retain(|world| !of(world)),
            "Runtime.executionContextDestroyed" => {
                return self.worlds.retain(|world| !(of(world) && world.1.1 == fields.execution_context_id));
            }
            _ => {}
        }
        let Some(tab) = self.tabs.iter_mut().find(|tab| tab.id == id) else { return };
        let is_main = fields.frame_id == tab.main || (fields.frame.id == tab.main && fields.frame.parent_id.is_none());
        match &*event.method {
            "Inspector.targetCrashed" if cdp.session_id() == tab.cdp.session_id() => {
                tab.crashed = true;
                tab.loading = false;
                self.sync_cast();
            }
            "Page.frameNavigated" if is_main => {
                let frame = fields.frame;
                let url = if frame.unreachable_url.is_empty() { frame.url } else { frame.unreachable_url };
                tab.url = format!("{url}{}", frame.url_fragment);
                tab.title.clear();
                tab.documents += 1;
                self.refresh(id);
                self.page_changed(id);
                if id == self.active {
                    self.close_picker();
                    self.set_caret(None);
                }
            }
            "Page.navigatedWithinDocument" if is_main => {
                tab.url = fields.url;
                self.refresh(id);
            }
            "Page.frameStartedLoading" if is_main => tab.loading = true,
            "Page.frameStoppedLoading" if is_main => {
                tab.loading = false;
                self.refresh(id);
                self.page_changed(id);
            }
            _ => return,
        }
        self.tell_tabs();
    }

    /// A tab's events have ended: it was closed, or has crashed and is shown so until it is closed.
    fn over(&mut self, id: u32) {
        let Some(at) = self.tabs.iter().position(|tab| tab.id == id && !tab.crashed) else { return };
        self.remove_tab(at);
    }

    fn remove_tab(&mut self, at: usize) {
        let tab = self.tabs.remove(at);
        self.screens.retain(|(page, _)| page.target().id() != tab.page.target().id());
        self.worlds.retain(|(of, _)| *of != tab.id);
        self.close_dialogs(|shown| shown.message.tab == tab.id);
        if self.active == tab.id {
            let opener = tab.opener.filter(|opener| self.tabs.iter().any(|tab| tab.id == *opener));
            let beside = self.tabs.get(at).or(self.tabs.last()).map(|tab| tab.id);
            self.active = 0;
            match opener.or(beside) {
                Some(next) => return self.bring_to_front(next),
                None => self.sync_cast(),
            }
        }
        self.tell_tabs();
    }

    /// Where the one in control wants to go, and what becomes of tabs.
    pub(super) fn go(&mut self, viewer: u32, message: FromViewer) {
        match message {
            FromViewer::Navigate { url, tab } => self.navigate(viewer, &url, tab.unwrap_or(self.active)),
            FromViewer::Back {} => self.step(-1),
            FromViewer::Forward {} => self.step(1),
            FromViewer::Reload {} => match self.active_tab().filter(|tab| tab.crashed) {
                Some(crashed) => self.revive(crashed.id),
                None => self.post("Page.reload", json!({})),
            },
            FromViewer::Stop {} => self.post("Page.stopLoading", json!({})),
            FromViewer::TabNew { url } => match url.as_deref().map(address::read).transpose() {
                Ok(url) => self.open_tab(viewer, url, None),
                Err(why) => self.refuse(viewer, "refused_address", why),
            },
            FromViewer::TabClose { id } => self.close_tab(viewer, id),
            FromViewer::TabSelect { id } => self.bring_to_front(id),
            _ => {}
        }
    }

    fn navigate(&mut self, viewer: u32, url: &str, tab: u32) {
        let url = match address::read(url) {
            Ok(url) => url,
            Err(why) => return self.refuse(viewer, "refused_address", why),
        };
        match self.tabs.iter().find(|known| known.id == tab) {
            Some(tab) if !tab.crashed => self.load(viewer, &tab.cdp, &url),
            None if tab != self.active => self.refuse(viewer, "gone", "that tab has gone"),
            other => {
                let instead = other.map(|tab| tab.id);
                self.open_tab(viewer, Some(url), instead);
            }
        }
    }

    /// Takes a tab to an address that was read; what Chromium will not open is told.
    fn load(&self, viewer: u32, cdp: &Cdp, url: &str) {
        let (sent, orders) = (cdp.send(rpc("Page.navigate", json!({"url": url}))), self.orders.clone());
        tokio::spawn(async move {
            if let Err(error) = sent.await {
                orders.then(move |engine| engine.refuse(viewer, "refused_address", error.to_string()));
            }
        });
    }

    fn revive(&mut self, id: u32) {
        let url = self.tabs.iter().find(|tab| tab.id == id).map(|tab| tab.url.clone());
        self.open_tab(0, url.filter(|url| address::is_allowed(url)), Some(id));
    }

    /// Opens a tab, perhaps in place of another.
    fn open_tab(&mut self, viewer: u32, url: Option<String>, instead: Option<u32>) {
        if instead.is_none() && self.tabs.len() + self.opening >= MOST_TABS {
            return self.refuse(viewer, "failed", format!("{MOST_TABS} tabs are open, and more are not; close one"));
        }
        self.open(viewer, move |engine, page| {
            let cdp = page.target().cdp().clone();
            if let Some(url) = url {
                engine.load(viewer, &cdp, &url);
            }
            if let Some(instead) = instead {
                engine.drop_tab(instead);
            }
        });
    }

    /// Opens a page and goes on with it: of a few at once, and of none any more once it is to end, since who saves then would wait
    /// for all of them.
    fn open(&mut self, viewer: u32, then: impl FnOnce(&mut Self, &Page) + Send + 'static) {
        if self.opening >= MOST_OPENING {
            return self.refuse(viewer, "failed", "several tabs are being opened already; wait for them");
        }
        self.opening += 1;
        let (session, orders, closing) = (self.session.clone(), self.orders.clone(), self.shared.closing.clone());
        tokio::spawn(async move {
            let Some(opened) = closing.run_until_cancelled(Box::pin(session.open_another())).await else { return };
            orders.then(move |engine| {
                engine.opening -= 1;
                match opened {
                    Ok(page) => {
                        engine.look_for_pages();
                        then(engine, &page);
                    }
                    Err(error) => engine.refuse(viewer, "failed", error.to_string()),
                }
            });
        });
    }

    /// Closes a tab as a person does: its page may ask. There is always one: the last is followed by an empty one.
    fn close_tab(&mut self, viewer: u32, id: u32) {
        let Some(tab) = self.tabs.iter().find(|tab| tab.id == id) else {
            return self.refuse(viewer, "gone", "that tab has gone");
        };
        if tab.crashed {
            if self.tabs.len() == 1 {
                return self.open_tab(viewer, None, Some(id));
            }
            return self.drop_tab(id);
        }
        let cdp = tab.cdp.clone();
        if self.tabs.len() > 1 {
            cdp.send(rpc("Page.close", json!({}))).forget();
            return;
        }
        // First: without a window Chromium would have nothing to show, and the session would count as left.
        self.open(viewer, move |_, _| cdp.send(rpc("Page.close", json!({}))).forget());
    }

    /// Closes a tab without asking it.
    fn drop_tab(&mut self, id: u32) {
        if let Some(at) = self.tabs.iter().position(|tab| tab.id == id) {
            let page = self.tabs[at].page.clone();
            tokio::spawn(async move { drop(page.close().await) });
            self.remove_tab(at);
        }
    }
}

/// Gives a page this size; one that has gone or hangs takes none.
pub(super) async fn fit(page: Page, (width, height): (u32, u32)) {
    let fit = |emulation: &mut crate::page::Emulation| {
        let (scale, mobile) = emulation.screen.map_or((1.0, false), |screen| (screen.scale, screen.mobile));
        emulation.screen = Some(Screen { width, height, scale, mobile });
    };
    let _ = page.emulate(fit, Deadline::after(FIT_TIMEOUT)).await;
}

/// Sets up one session of a tab, and hands on its events until it ends; those of frames in processes of their own likewise.
fn follow(
    id: u32,
    cdp: Cdp,
    mut children: TargetEvents,
    (orders, follows): (Orders, Follows),
    is_main: bool,
) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>> {
    let mut events = cdp.raw_events(&EVENTS);
    let script = set_up(&cdp);
    Box::pin(async move {
        let mut has_children = true;
        loop {
            tokio::select! {
                event = events.next() => match event {
                    Some(event) => orders.send(Order::Event(id, cdp.clone(), event)),
                    None => break,
                },
                child = children.next(), if has_children => match child {
                    Some(TargetEvent::Attached(child)) if *child.kind() == TargetKind::Iframe => {
                        let to = (orders.clone(), follows.clone());
                        follows.go(follow(id, child.cdp().clone(), child.children(), to, false));
                    }
                    Some(_) => {}
                    None => has_children = false,
                },
                () = follows.over() => return undo::take_down(&cdp, script).await,
            }
        }
        orders.then(move |engine| {
            if is_main {
                engine.over(id);
            } else {
                engine.worlds.retain(|(_, (session, _))| session.session_id() != cdp.session_id());
            }
        });
    })
}

/// Puts our script into every document of a session, those that are there included; the answer tells its name.
fn set_up(cdp: &Cdp) -> [Pending<Rpc>; 2] {
    let script = json!({"source": SCRIPT, "worldName": WORLD, "runImmediately": true});
    for (method, params) in [
        // The system's own dragging would take the mouse away.
        ("Input.setInterceptDrags", json!({"enabled": true})),
        ("Runtime.addBinding", json!({"name": BINDING, "executionContextName": WORLD})),
        ("Page.setInterceptFileChooserDialog", json!({"enabled": true})),
    ] {
        cdp.send(rpc(method, params)).forget();
    }
    let page = json!({"source": PAGE_SCRIPT, "runImmediately": true});
    [script, page].map(|script| cdp.send(rpc("Page.addScriptToEvaluateOnNewDocument", script)))
}
