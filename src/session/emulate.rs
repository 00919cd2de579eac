//! The identity of an open session: what its browser has by itself, what was asked for, and how its pages come to tell that.
//! Nothing is sent to Chromium where the two are the same.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use chromiumoxide::cdp::browser_protocol::browser::{
    GetVersionParams, PermissionDescriptor, PermissionSetting, SetPermissionParams,
};
use chromiumoxide::cdp::js_protocol::runtime::EvaluateParams;
use serde::{Deserialize, Serialize};

use crate::base::{Deadline, Secret};
use crate::browser::{BrowserError, Context, Target};
use crate::page::{Agent, Credentials, Emulation, Geolocation, Page, Screen};

use super::identity::{Identity, Viewport};
use super::{Session, SessionError, hints};

/// How long pages may take to take another identity.
const EMULATE_TIMEOUT: Duration = Duration::from_secs(10);

/// Asked of a page that has no document yet; no script of a site can be in it. The first date format of a renderer costs some
/// 10 ms, so the time zone is asked for otherwise where that can be done.
const LOOK: &str = "({ user_agent: navigator.userAgent, languages: navigator.languages, locale: navigator.language,
    timezone: globalThis.Temporal?.Now.timeZoneId() ?? Intl.DateTimeFormat().resolvedOptions().timeZone,
    viewport: { width: innerWidth, height: innerHeight }, scale: devicePixelRatio })";

/// The identity that is kept with a session.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct KeptIdentity {
    /// What was asked for, devices written out.
    #[serde(with = "super::proxy::whole")]
    asked: Identity,
    /// What the browser had by itself that the session was made in.
    own: Identity,
}

impl KeptIdentity {
    /// All of it: what was asked for, and beside it what the browser had.
    pub(super) fn whole(&self) -> Identity {
        self.asked.clone().over(&self.own)
    }

    /// What was asked for, devices written out.
    pub(super) fn asked(&self) -> Identity {
        self.asked.clone()
    }

    /// Whether something else was asked for than with `kept`, what the browser has anew included. What it has where nothing was
    /// known is no reason for a version.
    pub(super) fn asks_otherwise(&self, kept: Option<&Self>) -> bool {
        let otherwise = |kept: &Self| kept.asked != self.asked || (!kept.own.is_empty() && kept.own != self.own);
        kept.map_or(!self.asked.is_empty(), otherwise)
    }

    /// Takes in what is asked for, in a browser that tells `own` by itself.
    fn ask(&mut self, asked: Asked<'_>, own: Option<&Identity>) {
        if asked.anew {
            *self = Self::default();
        }
        if self.own.is_empty() {
            self.own = own.cloned().unwrap_or_default();
        }
        let known = asked.identity.device.is_some() && asked.identity.device == self.asked.device;
        let identity = asked.identity.clone();
        // A device that it has been all along stays the one it was, also in the version of its browser.
        let identity = if known { identity } else { identity.written_out(&major(own.unwrap_or(&self.own))) };
        self.asked = identity.over(&self.asked);
    }

    /// Takes in what is asked for while no browser is at hand, and answers what to tell. A device is kept only where it is known
    /// which Chromium the session has; else it is told as of Chromium `major`, for this once.
    pub(super) fn ask_without_browser(&mut self, asked: Asked<'_>, major: &str) -> Identity {
        if !self.own.is_empty() && !asked.anew {
            self.ask(asked, None);
            return self.whole();
        }
        if asked.anew {
            *self = Self::default();
        }
        let told = asked.identity.clone().written_out(major).over(&self.whole());
        let kept = Identity { device: None, ..asked.identity.clone() };
        self.asked = kept.over(&self.asked);
        told
    }

    /// What its pages tell otherwise than a browser that tells `own` by itself. In a window that people use the viewport is the
    /// window's, unless one was asked for.
    fn emulation(&self, own: &Identity, has_window: bool) -> Emulation {
        let now = self.whole();
        let languages = now.all_languages().filter(|languages| Some(languages) != own.languages.as_ref());
        let agent = now.user_agent.as_ref().filter(|agent| Some(*agent) != own.user_agent.as_ref());
        let is_own = self.asked.user_agent.is_none();
        let hints = agent.and_then(|agent| hints::of(agent, is_own, now.version.as_deref()));
        let agent = (agent.is_some() || languages.is_some()).then(|| Agent {
            user_agent: agent.cloned().unwrap_or_default(),
            languages: languages.map(|languages| languages.join(",")),
            platform: agent.and_then(|agent| hints::platform(agent)).map(str::to_owned),
            hints,
        });
        let same = now.viewport == own.viewport && now.scale == own.scale && !now.mobile.unwrap_or_default();
        let is_left = same || (has_window && self.asked.viewport.is_none());
        let screen = now.viewport.filter(|_| !is_left).map(|Viewport { width, height }| {
            let (scale, mobile) = (now.scale.unwrap_or_default(), now.mobile.unwrap_or_default());
            Screen { width, height, scale, mobile }
        });
        Emulation {
            agent,
            locale: now.locale.filter(|locale| Some(locale) != own.locale.as_ref()),
            timezone: now.timezone.filter(|zone| Some(zone) != own.timezone.as_ref()),
            screen,
            touch: now.touch.unwrap_or_default(),
            media: None,
            color_scheme: now.color_scheme,
            reduced_motion: now.reduced_motion,
            geolocation: now.geolocation,
            headers: now.extra_http_headers.unwrap_or_default(),
            // Those are in the vault, which is asked when pages are told.
            credentials: None,
        }
    }
}

/// The major version of a browser.
fn major(own: &Identity) -> String {
    let agent = own.user_agent.as_deref().unwrap_or_default();
    let version = own.version.as_deref().or_else(|| hints::version_of(agent, "Chrome"));
    version.unwrap_or_default().split('.').next().unwrap_or_default().to_owned()
}

/// What is asked for when a session is opened.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) identity: &'a Identity,
    /// What the session had before does not count, what its browser has by itself does.
    pub(super) anew: bool,
}

/// What one browser tells by itself, once it has been asked. Clones share it.
#[derive(Clone, Default)]
pub(super) struct Own(Arc<OwnInner>);

#[derive(Default)]
struct OwnInner {
    told: OnceLock<Identity>,
    has_window: bool,
}

impl Own {
    /// Nothing is known yet.
    pub(super) fn of_browser(has_window: bool) -> Self {
        Self(Arc::new(OwnInner { told: OnceLock::new(), has_window }))
    }

    /// Asks a freshly attached tab, unless that is known. The questions are on the wire when this returns; they cost no time, as
    /// what comes after them is waited for anyway.
    pub(super) fn ask(
        &self,
        target: &Target,
        context: &Context,
    ) -> Option<impl Future<Output = Result<Identity, BrowserError>> + Send + use<>> {
        if self.0.told.get().is_some() {
            return None;
        }
        let mut look = EvaluateParams::new(LOOK);
        look.return_by_value = Some(true);
        let (looked, version) = (target.cdp().send(look), context.browser().cdp().send(GetVersionParams::default()));
        Some(async move {
            let (looked, version) = tokio::try_join!(looked, version)?;
            let told: Result<Identity, _> = serde_json::from_value(looked.result.value.unwrap_or_default());
            let told = told.map_err(|error| BrowserError::Protocol {
                method: "Runtime.evaluate".to_owned(),
                reason: error.to_string(),
            })?;
            let version = version.product.split_once('/').map(|(_, version)| version.to_owned());
            Ok(Identity { version, ..told })
        })
    }

    /// Remembers the answer.
    pub(super) fn learn(&self, told: Identity) {
        // Who was first asked the same browser.
        let _ = self.0.told.set(told);
    }

    /// How pages tell `identity`; none while it is not known what the browser tells by itself.
    pub(super) fn emulation(&self, identity: &KeptIdentity) -> Option<Emulation> {
        Some(identity.emulation(self.0.told.get()?, self.0.has_window))
    }
}

/// What the pages of one context tell otherwise than their browser.
#[derive(Default)]
pub(super) struct Told(Mutex<Emulation>);

impl Told {
    /// As it is now. Never held over an await.
    pub(super) fn now(&self) -> MutexGuard<'_, Emulation> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Session {
    /// Its pages tell this from now on, and so do those of later runs once it is saved. What was changed for this run alone stays so
    /// unless it is named. Of a throw-away session nothing is kept.
    pub(super) async fn identify(&self, asked: Asked<'_>) -> Result<(), SessionError> {
        let (Some(kept), own) = (&self.0.kept, self.0.room.tabs.own()) else { return Ok(()) };
        let (from, to) = {
            let mut identity = kept.identity();
            let before = identity.clone();
            identity.ask(asked, own.0.told.get());
            (own.emulation(&before).unwrap_or_default(), own.emulation(&identity).unwrap_or_default())
        };
        let credentials = self.credentials(kept).await?;
        let follow = |told: &mut Emulation| {
            told.follow(&from, &to);
            told.credentials.clone_from(&credentials);
        };
        self.tell(follow).await
    }

    /// Its pages tell this from now on, and nothing of it is kept: for a throw-away session.
    pub(super) async fn pose_as(
        &self,
        identity: &Identity,
        credentials: Option<Credentials>,
    ) -> Result<(), SessionError> {
        let own = self.0.room.tabs.own();
        let emulation = {
            let mut posed = KeptIdentity::default();
            posed.ask(Asked { identity, anew: false }, own.0.told.get());
            Emulation { credentials, ..own.emulation(&posed).unwrap_or_default() }
        };
        self.tell(|told| *told = emulation.clone()).await
    }

    /// The password that its pages may answer a site with.
    pub fn password(&self) -> Option<Secret> {
        self.0.room.tabs.told().now().credentials.as_ref().map(|credentials| credentials.password.clone())
    }

    /// Of a session that was just opened: its pages tell what it is kept with.
    pub(super) async fn identify_at_first(&self) -> Result<(), SessionError> {
        let (Some(kept), own) = (&self.0.kept, self.0.room.tabs.own()) else { return Ok(()) };
        let emulation = {
            let mut identity = kept.identity();
            identity.ask(Asked { identity: &Identity::default(), anew: false }, own.0.told.get());
            own.emulation(&identity).unwrap_or_default()
        };
        self.tell(|told| *told = emulation.clone()).await
    }

    /// Where its pages say that they are, for the rest of the run; sites that ask are let.
    pub async fn set_geolocation(&self, place: Geolocation) -> Result<(), SessionError> {
        super::identity::geolocation(&place)?;
        self.tell(|told| told.geolocation = Some(place)).await
    }

    /// Changes what pages tell, those that are open and those to come.
    async fn tell(&self, change: impl Fn(&mut Emulation)) -> Result<(), SessionError> {
        let room = &self.0.room;
        let (was, now) = {
            let mut told = room.tabs.told().now();
            let was = told.clone();
            change(&mut told);
            (was, told.clone())
        };
        if was == now {
            return Ok(());
        }
        room.context.before_workers(now.worker_commands());
        if now.geolocation.is_some() && was.geolocation.is_none() {
            grant_geolocation(&room.context).await?;
        }
        let deadline = Deadline::after(EMULATE_TIMEOUT);
        let pages = room.tabs.pages();
        let told = futures_util::future::join_all(pages.iter().map(|page| told_by(page, &change, deadline))).await;
        told.into_iter().collect()
    }
}

/// A page that closes meanwhile is nobody's loss.
async fn told_by(page: &Page, change: impl Fn(&mut Emulation), deadline: Deadline) -> Result<(), SessionError> {
    match page.emulate(change, deadline).await {
        Err(error) if !page.is_closed() => Err(error.into()),
        _ => Ok(()),
    }
}

/// Without it every site that asks is refused, as nobody is there to be asked.
pub(super) async fn grant_geolocation(context: &Context) -> Result<(), BrowserError> {
    let mut grant = SetPermissionParams::new(PermissionDescriptor::new("geolocation"), PermissionSetting::Granted);
    grant.browser_context_id = Some(context.id().clone());
    context.browser().cdp().call(grant).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(version: &str) -> Identity {
        Identity {
            user_agent: Some(format!("Mozilla/5.0 (X11; Linux x86_64) HeadlessChrome/{version} Safari/537.36")),
            languages: Some(vec!["en-US".into()]),
            locale: Some("en-US".into()),
            timezone: Some("UTC".into()),
            viewport: Some(Viewport { width: 1280, height: 720 }),
            scale: Some(1.0),
            version: Some(version.to_owned()),
            ..Identity::default()
        }
    }

    fn ask(kept: &mut KeptIdentity, identity: &Identity, own: &Identity) {
        kept.ask(Asked { identity, anew: false }, Some(own));
    }

    #[test]
    fn in_the_browser_that_it_was_made_in_nothing_is_sent() {
        let (mut kept, own) = (KeptIdentity::default(), own("156.0.1.2"));
        ask(&mut kept, &Identity::default(), &own);
        assert_eq!(kept.emulation(&own, false), Emulation::default());
        assert!(!kept.asks_otherwise(None));
    }

    #[test]
    fn in_another_browser_it_stays_what_it_was() {
        let mut kept = KeptIdentity::default();
        ask(&mut kept, &Identity::default(), &own("156.0.1.2"));
        let newer = Identity { timezone: Some("Asia/Tokyo".into()), ..own("157.0.1.2") };
        ask(&mut kept, &Identity::default(), &newer);
        let told = kept.emulation(&newer, false);
        let agent = told.agent.unwrap();
        assert!(agent.user_agent.contains("/156.0.1.2 ") && agent.hints.unwrap().to_string().contains("156.0.1.2"));
        assert_eq!((told.timezone.as_deref(), told.locale, told.screen), (Some("UTC"), None, None));
        let before = kept.clone();
        kept.ask(Asked { identity: &Identity::default(), anew: true }, Some(&newer));
        assert!(kept.asks_otherwise(Some(&before)) && !kept.asks_otherwise(Some(&KeptIdentity::default())));
        assert_eq!(kept.emulation(&newer, false), Emulation::default());
    }

    #[test]
    fn a_device_stays_in_its_version_however_often_it_is_asked_for() {
        let mut kept = KeptIdentity::default();
        let phone = Identity { device: Some("Pixel 7".into()), ..Identity::default() };
        ask(&mut kept, &phone, &own("156.0.1.2"));
        let before = kept.clone();
        assert!(kept.asks_otherwise(None));
        ask(&mut kept, &phone, &own("157.0.1.2"));
        assert!(kept == before && !kept.asks_otherwise(Some(&before)));
        let told = kept.emulation(&own("157.0.1.2"), false);
        assert!(told.agent.unwrap().user_agent.contains("Chrome/156.0.0.0 Mobile") && told.touch);
        assert!(told.screen.unwrap().mobile);
    }

    #[test]
    fn the_viewport_of_a_window_is_its_own_unless_one_was_asked_for() {
        let mut kept = KeptIdentity::default();
        ask(&mut kept, &Identity::default(), &own("156.0.1.2"));
        let window = Identity { viewport: Some(Viewport { width: 1100, height: 800 }), ..own("156.0.1.2") };
        assert_eq!(kept.emulation(&window, true).screen, None);
        assert!(kept.emulation(&window, false).screen.is_some());
        let asked = Identity { viewport: Some(Viewport { width: 900, height: 700 }), ..Identity::default() };
        ask(&mut kept, &asked, &window);
        assert_eq!(kept.emulation(&window, true).screen.unwrap().width, 900);
    }
}
