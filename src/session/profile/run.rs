//! The browser of a profile session: full Chromium on a user-data directory of its own, which is unpacked before the start and
//! archived after an end in order. A browser that was killed, or that crashed, leaves no archive: the last good one stands.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinSet;

use super::super::aside::HiddenTab;
use super::super::capture::{Captured, Snapshot};
use super::super::emulate::Own;
use super::super::kept::{Kept, Named, Opening};
use super::super::keys::seal_error;
use super::super::part::Names;
use super::super::restorer::Gate;
use super::super::room::Room;
use super::super::save::{Base, Draft};
use super::super::way::Way;
use super::super::{Cookie, SessionError, cookies};
use super::{About, Archived, Overlay, Transfers, Vault, may_open, pack, unpack};
use crate::base::{Deadline, Version, reached};
use crate::browser::{Browser, BrowserError, Flavor, LaunchOptions, ProfileDir, installed_version, version_number};
use crate::seal::DataKey;

/// How long the browser may take to end in order: what it keeps is written then. 200 ms are usual.
const QUIT: Duration = Duration::from_secs(10);
/// How often cookies are looked at in a browser with windows: those without an expiry go with the last window.
const LOOK: Duration = Duration::from_millis(250);

/// The browser of one open profile session.
pub(in crate::session) struct OwnBrowser {
    browser: Browser,
    gate: Arc<Gate>,
    dir: ProfileDir,
    /// Its version.
    chromium: String,
    /// What was laid over the archive at the start.
    pub(in crate::session) overlay: Overlay,
    /// The names in those parts that are in place and have changed since, as they were at the start.
    learnt: Mutex<HashMap<String, Names>>,
    transfers: Transfers,
    has_windows: bool,
    /// Without windows: a tab that outlives all others, since cookies without an expiry go with the last.
    keeper: Mutex<Option<HiddenTab>>,
    /// With windows: the cookies as they were last seen while there was one.
    seen: Arc<Mutex<Vec<Cookie>>>,
    looking: Mutex<JoinSet<()>>,
}

impl OwnBrowser {
    /// Unpacks what is kept and starts the browser on it. Refused where a later Chromium wrote it.
    pub(in crate::session) async fn start(
        launch: LaunchOptions,
        named: &Named,
        base: &Base,
        transfers: Transfers,
    ) -> Result<Self, SessionError> {
        let has_windows = launch.headed;
        let bytes = base.profile().map_or(0, |profile| profile.bytes);
        let dir = blocking(move || ProfileDir::create(bytes)).await?;
        let options =
            LaunchOptions { flavor: Flavor::Full, user_data_dir: None, profile_dir: Some(dir.clone()), ..launch };
        if let (Some(stored), Some(profile)) = (base.stored(), base.profile()) {
            // Asked before the start: after it a later Chromium's databases would be gone.
            let guard = async { may_open(profile, &installed_version(&options).await?) };
            let keys = stored.record.keys()?;
            let vault = Vault { sessions: &named.sessions, tenant: &named.tenant, key: &stored.key, keys: &keys };
            let (path, progress) = (dir.path(), transfers.progress(&named.id, false));
            let unpacked = async { unpack(vault, profile, &path, &progress).await };
            tokio::try_join!(guard, unpacked)?;
            reached("profile.unpacked");
        }
        let browser = Browser::launch(&options).await?;
        let product = browser.version().await?.product;
        let chromium = version_number(&product).unwrap_or(&product).to_owned();
        let gate = Gate::new(browser.clone(), Own::of_browser(has_windows), true);
        let overlay = match base.stored() {
            Some(stored) => Overlay::over(base.archived().as_ref(), &stored.index),
            None => Overlay::all(),
        };
        let (learnt, keeper, seen, looking) = (Mutex::default(), Mutex::default(), Arc::default(), Mutex::default());
        Ok(Self { browser, gate, dir, chromium, overlay, learnt, transfers, has_windows, keeper, seen, looking })
    }

    /// What the user should know of the archive that it was started on.
    pub(in crate::session) fn notice(&self, opening: &Opening) -> Option<String> {
        let differs = self.overlay.cookies_differ || !self.overlay.gone.is_empty();
        let profile = opening.base.profile().filter(|_| differs && !self.overlay.is_new)?;
        let (id, at) = (&opening.id, profile.state);
        Some(format!(
            "session {id}: its profile was last saved with {at}; what sites keep is put in place as it was saved since, but history, \
             bookmarks and passwords of since then are lost"
        ))
    }

    pub(in crate::session) fn browser(&self) -> &Browser {
        &self.browser
    }

    /// Its user-data directory.
    pub(in crate::session) fn folder(&self) -> std::path::PathBuf {
        self.dir.path()
    }

    pub(in crate::session) fn gate(&self) -> &Arc<Gate> {
        &self.gate
    }

    /// The context of the directory itself; `way` is what its browser was started with.
    pub(in crate::session) async fn room(&self, way: Option<Way>) -> Result<Room, BrowserError> {
        Room::of_directory(&self.gate, way).await
    }

    /// Sees to it that cookies without an expiry outlive the last page.
    pub(in crate::session) async fn keep_cookies(&self, room: &Room) -> Result<(), BrowserError> {
        if !self.has_windows {
            let keeper = room.tabs.open_blank().await?;
            *lock(&self.keeper) = Some(keeper);
            return Ok(());
        }
        let (context, tabs, seen) = (room.context.clone(), room.tabs.downgrade(), self.seen.clone());
        lock(&self.looking).spawn(async move {
            loop {
                tokio::time::sleep(LOOK).await;
                let Ok(now) = cookies::read(&context).await else { return };
                // The end of the last window is told before the answer of one who asks after it.
                let Some(tabs) = tabs.upgrade() else { return };
                if !tabs.pages().is_empty() {
                    *lock(&seen) = now;
                }
            }
        });
        Ok(())
    }

    /// The cookies that were read, with those that went with the last window.
    pub(in crate::session) fn with_lost(&self, room: &Room, now: Vec<Cookie>) -> Vec<Cookie> {
        if self.has_windows && room.tabs.pages().is_empty() { cookies::with_lost(now, &lock(&self.seen)) } else { now }
    }

    /// Looks into the parts that were in place at the start and differ now, to name what has changed.
    pub(in crate::session) async fn learn(&self, kept: &Kept, now: &Snapshot) {
        let Some(stored) = kept.opened.stored() else { return };
        for part in stored.index.parts.iter().filter(|part| self.overlay.in_place.contains(&part.storage_key)) {
            let digest = match now.origins.get(&part.storage_key) {
                Some(Captured::Read(new, _)) => new.digest(),
                Some(Captured::Large(new, _)) => new.outline.digest(),
                Some(Captured::Unreadable(_)) | None => continue,
            };
            let differs = data_encoding::HEXLOWER.encode(&digest) != part.digest;
            if !differs || lock(&self.learnt).contains_key(&part.storage_key) {
                continue;
            }
            let sealed = kept.opened.sealed().get(&part.part_id());
            // One that is damaged is replaced by what the profile has: all of it counts as new.
            let opened = kept.sessions.open_part(&kept.tenant, stored, part, sealed).await;
            let names = opened.map(|old| old.names()).unwrap_or_default();
            lock(&self.learnt).insert(part.storage_key.clone(), names);
        }
    }

    /// What [`Self::learn`] found, by storage key.
    pub(in crate::session) fn learnt(&self) -> HashMap<String, Names> {
        lock(&self.learnt).clone()
    }

    /// Ends the browser in order and adds the archive of its directory to a state that was read from it. Where that cannot be,
    /// the state comes back as it was, with the reason.
    pub(in crate::session) async fn archive(
        &self,
        named: &Named,
        base: &Base,
        draft: Draft,
        archived: Archived,
    ) -> (Draft, Option<SessionError>) {
        self.stop_looking();
        if !self.browser.quit(Deadline::after(QUIT)).await {
            let reason = "its browser did not end in order".to_owned();
            return (draft, Some(SessionError::ProfileDirty { reason }));
        }
        reached("profile.browser_ended");
        match self.pack(named, base, &draft).await {
            Ok((profile, key)) => (draft.with_profile(profile, archived, &key), None),
            Err(error) => (draft, Some(error)),
        }
    }

    async fn pack(
        &self,
        named: &Named,
        base: &Base,
        draft: &Draft,
    ) -> Result<(super::ProfileRef, DataKey), SessionError> {
        let (key, keys) = if let Some(stored) = base.stored() {
            (stored.key.clone(), stored.record.keys()?)
        } else {
            // What is large of its state may be sealed under one already.
            let key = draft.key().map_or_else(DataKey::generate, |key| Ok(key.clone()));
            let key = key.map_err(|error| seal_error("a new key", error))?;
            (key.clone(), vec![key])
        };
        named.sessions.before_sealing(&named.tenant).await?;
        let vault = Vault { sessions: &named.sessions, tenant: &named.tenant, key: &key, keys: &keys };
        let about = About {
            chromium: self.chromium.clone(),
            state: base.version().map_or(Version(1), Version::next),
            origins: draft.origins(),
            tabs: false,
        };
        let progress = self.transfers.progress(&named.id, true);
        let profile = pack(vault, &self.dir.path(), base.profile(), about, &progress).await?;
        reached("profile.packed");
        Ok((profile, key))
    }

    fn stop_looking(&self) {
        lock(&self.looking).abort_all();
        *lock(&self.keeper) = None;
    }

    /// Ends the browser, at once unless it has ended, and removes its directory.
    pub(in crate::session) async fn end(&self) {
        self.stop_looking();
        self.browser.close(Deadline::after(Duration::ZERO)).await;
        let dir = self.dir.clone();
        let _ = tokio::task::spawn_blocking(move || dir.remove()).await;
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
