//! A session without a browser: its lease, its cookies, what it tells sites, and a save of what became of the cookies. Whatever
//! else is kept of it stays as it is.

mod jar;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;
use url::Url;
use zeroize::Zeroizing;

use crate::base::{Deadline, Secret, SessionId, reached};
use crate::egress::Upstream;
use crate::page::Credentials;

use super::capture::Snapshot;
use super::emulate::Asked;
use super::kept::{Kept, Opening};
use super::state::Beside;
use super::way::Way;
use super::{Cookie, Identity, SessionError, SessionOptions, SessionOutcome, Workspace, save};
use jar::Jar;

/// What requests say that they are from where the session has no user agent yet: one that nobody has opened in a browser.
const USER_AGENT: &str = concat!("Mozilla/5.0 (compatible; rhaven/", env!("CARGO_PKG_VERSION"), ")");
/// The version of Chrome in the user agent of a device where no browser has told its own yet.
const CHROME: &str = "140";

/// A session without a browser, or cookies that nobody keeps.
pub struct PlainSession {
    kept: Option<Kept>,
    told: Identity,
    credentials: Option<Credentials>,
    /// How it goes out, where not as everybody does.
    way: Option<Way>,
    jar: Mutex<Jar>,
}

impl Workspace {
    /// Opens a session without a browser; until it is saved nobody else can. [`SessionError::Kind`] where it is a profile session:
    /// those have a browser of their own.
    pub async fn plain(&self, id: &SessionId, options: &SessionOptions) -> Result<PlainSession, SessionError> {
        let id = self.meant(id, options).await?;
        // A task of its own: where nobody waits for it any more a lease that was just taken has to be given back.
        let given_up = CancellationToken::new();
        let _given_up_with_this = given_up.clone().drop_guard();
        let (workspace, options) = (self.clone(), options.clone());
        let opened = tokio::spawn(async move {
            let opening = Box::pin(workspace.acquire(&id, &options, &given_up)).await?;
            if opening.profile {
                opening.release().await;
                return Err(SessionError::Kind { id, is: "is a profile session, which needs a browser" });
            }
            if given_up.is_cancelled() {
                opening.release().await;
                return Err(SessionError::Closed { id: Some(id) });
            }
            let mut session = PlainSession::of(opening, options.asked());
            let equipped = session.equip(&workspace, options.through.as_ref()).await;
            if let Err(error) = equipped {
                if let Some(kept) = session.kept.take() {
                    kept.release().await;
                }
                return Err(error);
            }
            Ok(session)
        });
        opened.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
    }

    /// One without a browser of which nothing is kept.
    pub async fn plain_for_once(&self, options: &SessionOptions) -> Result<PlainSession, SessionError> {
        let mut session = PlainSession::throw_away(&options.identity);
        session.equip(self, options.through.as_ref()).await?;
        Ok(session)
    }
}

impl PlainSession {
    fn throw_away(identity: &Identity) -> Self {
        let told = identity.clone().written_out(CHROME);
        Self { kept: None, told, credentials: None, way: None, jar: Mutex::default() }
    }

    /// Looks up what its identity names.
    async fn equip(&mut self, workspace: &Workspace, through: Option<&Upstream>) -> Result<(), SessionError> {
        self.credentials = workspace.credentials(&self.told).await?;
        self.way = workspace.way(self.told.proxy.as_ref(), through).await?;
        Ok(())
    }

    /// How it goes out; none: as everybody does.
    pub fn way(&self) -> Option<&Way> {
        self.way.as_ref()
    }

    fn of(opening: Opening, asked: Asked<'_>) -> Self {
        let Opening { named, base } = opening;
        let mut identity = base.identity().cloned().unwrap_or_default();
        let told = identity.ask_without_browser(asked, CHROME);
        let jar = Mutex::new(Jar::new(base.cookies().to_vec()));
        let (base, opened) = (Mutex::new(base.clone()), base);
        let (identity, saved_so_far) = (Mutex::new(identity), Mutex::default());
        let kept = Kept { named, restorer: None, base, opened, own: None, identity, saved_so_far };
        reached("plain.opened");
        Self { kept: Some(kept), told, credentials: None, way: None, jar }
    }

    /// Its id; none for one of which nothing is kept.
    pub fn id(&self) -> Option<&SessionId> {
        self.kept.as_ref().map(|kept| &kept.id)
    }

    /// The user agent that its requests tell.
    pub fn user_agent(&self) -> String {
        self.told.user_agent.clone().unwrap_or_else(|| USER_AGENT.to_owned())
    }

    /// What its requests accept by language; none where that was never settled.
    pub fn accept_language(&self) -> Option<String> {
        let languages = self.told.all_languages().filter(|languages| !languages.is_empty())?;
        // As Chromium weighs them.
        let weighed = languages.iter().enumerate().map(|(at, language)| match at {
            0 => language.clone(),
            _ => format!("{language};q=0.{}", 10_usize.saturating_sub(at).max(1)),
        });
        Some(weighed.collect::<Vec<_>>().join(","))
    }

    /// The headers that its identity adds to every request.
    pub fn extra_headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.told.extra_http_headers.iter().flatten().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The `Authorization` header of a request to the site that it has credentials for; none for any other.
    pub fn authorization(&self, url: &Url) -> Option<Zeroizing<String>> {
        self.credentials.as_ref().and_then(|credentials| credentials.basic(url))
    }

    /// The same header for a request that goes to a site once more, which has asked who we are, where it is not said for which site
    /// its credentials are: only for the site of `taken`, the address that was asked for first.
    pub fn authorization_when_asked(&self, taken: &Url, url: &Url) -> Option<Zeroizing<String>> {
        self.credentials.as_ref().and_then(|credentials| credentials.when_asked(taken, url))
    }

    /// The password that it may answer a site with.
    pub fn password(&self) -> Option<&Secret> {
        self.credentials.as_ref().map(|credentials| &credentials.password)
    }

    /// The `Cookie` header of a request that a person would have made by entering this address; none where no cookie goes there.
    pub fn cookie_header(&self, url: &Url) -> Option<String> {
        self.jar().header(url)
    }

    /// Takes in what a response from `url` sets: one `Set-Cookie` header. What no browser would take is passed over.
    pub fn set_cookie(&self, url: &Url, header: &str) {
        self.jar().set(url, header);
    }

    fn jar(&self) -> MutexGuard<'_, Jar> {
        self.jar.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Cancelled when another took the session over, because this process was not heard of for too long; pends for ever for one of
    /// which nothing is kept.
    pub async fn lease_lost(&self) {
        match self.kept.as_ref().and_then(|kept| kept.lease.as_ref()) {
            Some(lease) => lease.lost().cancelled().await,
            None => std::future::pending().await,
        }
    }

    /// Saves what became of its cookies, as a version where they changed, and gives the session back. None for one of which nothing
    /// is kept. A store that is away is waited for until the deadline. To be awaited to its end.
    pub async fn finish(mut self, deadline: Deadline) -> Option<SessionOutcome> {
        let cookies = self.jar().cookies();
        let kept = self.kept.take()?;
        if kept.lease.is_none() {
            kept.used().await;
            return Some(kept.outcome());
        }
        let outcome = Box::pin(kept.write_last(draft(&kept, cookies), deadline)).await;
        kept.release().await;
        reached("plain.saved");
        Some(outcome)
    }
}

/// One that nobody took, or that was let go of on the way, is given back as it was.
impl Drop for PlainSession {
    fn drop(&mut self) {
        let Some(kept) = self.kept.take() else { return };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { kept.release().await });
        }
    }
}

/// What would be written: other cookies, everything else as it was.
fn draft(kept: &Kept, cookies: Vec<Cookie>) -> save::Draft {
    let base: Arc<_> = kept.base();
    let identity = kept.identity().clone();
    let beside = base.beside().cloned().unwrap_or_default();
    let beside = Beside { identity: Some(Box::new(identity)), ..beside };
    let now = Snapshot { cookies, beside, origins: std::collections::BTreeMap::new() };
    save::Draft::new(&base, &kept.opened, &std::collections::HashMap::new(), now)
}
