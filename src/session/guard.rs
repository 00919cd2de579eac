//! Guards: what shows that a session is signed in, looked for in a tab of its own after the session was restored, and
//! before a version of it is written.

use std::sync::{MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::base::{Deadline, show_duration};
use crate::page::{GotoOptions, LoadState, Page, PageError, Selector, UrlPattern, VerbError, WaitState};

use super::{Session, SessionError, Workspace};

/// How long a check takes at most unless it says otherwise.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long a page without something to wait for may take to come to rest.
const REST: Duration = Duration::from_secs(3);
/// How much of the time that is left a check before a save may take: the state has to be read after it.
const SHARE: f32 = 0.6;
/// How long what a check found stays true where nobody has used the session since: a script that ends with it is not to wait
/// for it twice.
const FRESH: Duration = Duration::from_secs(2);
/// What pages have that ask for a password.
const PASSWORD: &str = "input[type=password] >> visible=true >> nth=0";
/// How much of an address a message shows.
const SHOWN: usize = 200;

/// What shows that a session is signed in: a page, and what has to be true of it.
#[derive(Debug, Clone)]
pub struct Guard {
    /// The page to look at.
    pub url: String,
    /// A match of this is visible.
    pub visible: Option<Selector>,
    /// No match of this is visible.
    pub hidden: Option<Selector>,
    /// The page's URL, once it has come to rest.
    pub ends_at: Option<UrlPattern>,
    /// The HTTP status of the page's document.
    pub status: Option<u16>,
    /// How long all of it may take.
    pub timeout: Duration,
}

impl Guard {
    /// One that asks for nothing yet but that the page loads.
    pub fn at(url: impl Into<String>) -> Self {
        Self { url: url.into(), visible: None, hidden: None, ends_at: None, status: None, timeout: TIMEOUT }
    }

    /// Whether it asks for the same.
    fn is_as(&self, other: &Self) -> bool {
        // Patterns have no equality, and nothing hides in how they are written.
        format!("{self:?}") == format!("{other:?}")
    }

    /// Goes there and looks. Answers what is not as it should be.
    async fn look(&self, page: &Page, deadline: Deadline) -> Result<(), Fault> {
        let there = GotoOptions { wait_until: LoadState::DomContentLoaded, ..GotoOptions::default() };
        let status = page.goto(&self.url, &there, deadline).await.map_err(|error| self.unloaded(*error))?;
        if let Some(wanted) = self.status.filter(|wanted| status != Some(*wanted)) {
            let found = status.map_or_else(|| "without an HTTP status".to_owned(), |status| status.to_string());
            return Err(Fault::Found(format!("{} answered {found}, wanted was {wanted}", shown(&self.url))));
        }
        if let Some(selector) = &self.visible {
            let locator = page.locator(&any_visible(selector));
            let seen = tokio::select! {
                biased;
                seen = locator.wait_for(WaitState::Visible, deadline) => seen,
                fault = self.turned_away(page, deadline) => return Err(fault),
            };
            seen.map_err(|error| self.missed(page, *error, &format!("{:?} is not visible", selector.source())))?;
        } else {
            // What a page does not show yet, and where it has not gone yet, proves nothing.
            drop(page.wait_for_load_state(LoadState::NetworkIdle, Deadline::after(REST).min(deadline)).await);
        }
        if let Some(selector) = &self.hidden {
            let gone = page.locator(&any_visible(selector)).wait_for(WaitState::Detached, deadline).await;
            gone.map_err(|error| self.missed(page, *error, &format!("{:?} is visible", selector.source())))?;
        }
        if let Some(pattern) = &self.ends_at {
            let there = page.wait_for_url(pattern, &there, deadline).await;
            let wanted = match pattern {
                UrlPattern::Glob(glob) => format!("{glob:?}"),
                UrlPattern::Regex(regex) => format!("regex({:?})", regex.as_str()),
            };
            there.map_err(|error| self.missed(page, *error, &format!("{wanted} is not the address")))?;
        }
        Ok(())
    }

    /// Resolves where the page led to another that asks for a password: what is wanted will not come, and whoever is to sign in
    /// need not wait for it.
    async fn turned_away(&self, page: &Page, deadline: Deadline) -> Fault {
        let asks = async {
            page.wait_for_load_state(LoadState::NetworkIdle, deadline).await?;
            let password = Selector::parse(PASSWORD).map_err(|error| Box::new(PageError::from(error).into()))?;
            page.locator(&password).wait_for(WaitState::Visible, deadline).await
        };
        let asked: Result<(), Box<VerbError>> = asks.await;
        let (wanted, at) = (shown(&self.url), shown(&page.main_frame().url()));
        if asked.is_ok() && wanted.trim_end_matches('/') != at.trim_end_matches('/') {
            return Fault::Found(format!("{wanted} led to {at}, which asks for a password"));
        }
        std::future::pending().await
    }

    /// The page did not come.
    fn unloaded(&self, error: VerbError) -> Fault {
        let url = shown(&self.url);
        match error.error {
            PageError::Timeout { after, .. } => {
                Fault::Found(format!("{url} did not load within {}", show_duration(after)))
            }
            PageError::Navigation { reason, .. } => Fault::Found(format!("{url} did not load: {reason}")),
            _ => Fault::of(error),
        }
    }

    /// What was waited for did not come.
    fn missed(&self, page: &Page, error: VerbError, what: &str) -> Fault {
        let PageError::Timeout { after, .. } = error.error else { return Fault::of(error) };
        let (asked, at) = (shown(&self.url), shown(&page.main_frame().url()));
        let way = if at == asked { String::new() } else { format!(", where {asked} led to") };
        Fault::Found(format!("{what} after {} at {at}{way}", show_duration(after)))
    }
}

/// Why a check did not pass.
enum Fault {
    /// What was found, in words.
    Found(String),
    /// Nothing could be looked at.
    Error(SessionError),
}

impl Fault {
    fn of(error: VerbError) -> Self {
        match error.error {
            PageError::PageCrashed | PageError::PageClosed => Self::Found(format!("of its page: {}", error.error)),
            _ => Self::Error(Box::new(error).into()),
        }
    }
}

/// What is known of whether a session is signed in.
#[derive(Debug, Default)]
pub(super) struct Watch {
    guard: Option<Guard>,
    standing: Standing,
}

#[derive(Debug, Default)]
enum Standing {
    /// Nobody has looked.
    #[default]
    Unknown,
    /// Whoever opened it is about to sign in.
    SigningIn,
    /// Its last check passed.
    Passed,
    /// It did not pass when it was opened: what was found, and when. Nobody has used it since.
    Failed(String, Instant),
}

/// What is to be done with a session that was opened with a [`Guard`].
#[must_use]
pub enum Admission {
    /// Nothing: it is signed in, or there is nothing yet that could be.
    Admitted,
    /// It is to be signed in, and then looked at once more.
    SignIn(SigningIn),
}

/// A session that is being signed in: until this goes it counts as admitted, whoever asks.
pub struct SigningIn(Session);

impl SigningIn {
    /// It is done: checks. [`SessionError::AuthRequired`] where it did not help.
    pub async fn done(self) -> Result<(), SessionError> {
        self.0.check().await
    }
}

impl Drop for SigningIn {
    fn drop(&mut self) {
        let mut watch = self.0.watch();
        if matches!(watch.standing, Standing::SigningIn) {
            watch.standing = Standing::Unknown;
        }
    }
}

impl Workspace {
    /// To be asked by whoever has opened a session. Checks it where it was restored from something and has not passed yet. Where
    /// that fails, [`SessionError::AuthRequired`], unless who asks can sign in; who can does so in a new session at once.
    ///
    /// What a run left that ended without saving becomes a version once it has passed; where it does not, the session is
    /// opened anew without it, and [`Session::latest`] of the old handle is that one.
    pub async fn admit(&self, session: &Session, can_sign_in: bool) -> Result<Admission, SessionError> {
        let session = session.latest();
        if let Some(kept) = session.0.kept.as_ref().filter(|kept| session.is_guarded() && !kept.is_confirmed()) {
            match session.check().await {
                Ok(()) => self.confirm(kept).await?,
                Err(SessionError::AuthRequired { .. }) => self.fall_back(&session).await?,
                Err(error) => return Err(error),
            }
        }
        session.latest().admit(can_sign_in).await
    }
}

impl Session {
    fn watch(&self) -> MutexGuard<'_, Watch> {
        self.0.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_guarded(&self) -> bool {
        self.watch().guard.is_some()
    }

    /// Guards it from now on. One that asks for the same changes nothing.
    pub(super) fn guard_by(&self, guard: &Guard) {
        let mut watch = self.watch();
        if !watch.guard.as_ref().is_some_and(|now| now.is_as(guard)) {
            *watch = Watch { guard: Some(guard.clone()), standing: Standing::Unknown };
        }
    }

    /// Guards it as `other` is.
    pub(super) fn guard_as(&self, other: &Session) {
        let guard = other.watch().guard.clone();
        if let Some(guard) = guard {
            self.guard_by(&guard);
        }
    }

    /// Somebody uses it: what was found before is no more sure to be true.
    pub(super) fn used(&self) {
        let mut watch = self.watch();
        if matches!(watch.standing, Standing::Failed(..)) {
            watch.standing = Standing::Unknown;
        }
    }

    /// As [`Workspace::admit`], of a session whose state is a version, or new.
    async fn admit(&self, can_sign_in: bool) -> Result<Admission, SessionError> {
        {
            let watch = self.watch();
            if watch.guard.is_none() || matches!(watch.standing, Standing::Passed | Standing::SigningIn) {
                return Ok(Admission::Admitted);
            }
        }
        if self.is_restored() {
            match self.check().await {
                Ok(()) => return Ok(Admission::Admitted),
                Err(SessionError::AuthRequired { .. }) if can_sign_in => {}
                Err(error) => return Err(error),
            }
        } else if !can_sign_in {
            return Ok(Admission::Admitted);
        }
        self.watch().standing = Standing::SigningIn;
        Ok(Admission::SignIn(SigningIn(self.clone())))
    }

    /// Looks for what its guard wants, in a tab of its own that is closed afterwards: [`SessionError::AuthRequired`] where it
    /// is not there. A session without a guard passes.
    pub async fn check(&self) -> Result<(), SessionError> {
        let Some(guard) = self.watch().guard.clone() else { return Ok(()) };
        let found = self.unless_closed(self.look(&guard, Deadline::after(guard.timeout))).await?;
        let Some(what) = found else {
            self.watch().standing = Standing::Passed;
            return Ok(());
        };
        self.watch().standing = Standing::Failed(what.clone(), Instant::now());
        Err(self.auth_required(what, false))
    }

    /// As [`Self::check`], before a version is written, with some of `deadline` left for writing it. What was found when it was
    /// opened counts where nobody has used the session since.
    pub(super) async fn check_before_saving(&self, deadline: Deadline) -> Result<(), SessionError> {
        let guard = {
            let watch = self.watch();
            match (&watch.guard, &watch.standing) {
                (None, _) => return Ok(()),
                (Some(_), Standing::Failed(what, at)) if at.elapsed() < FRESH => {
                    let what = what.clone();
                    drop(watch);
                    return Err(self.auth_required(what, true));
                }
                (Some(guard), _) => guard.clone(),
            }
        };
        let own = Deadline::after(guard.timeout).min(Deadline::after(deadline.remaining().mul_f32(SHARE)));
        let found = self.look(&guard, own).await?;
        // Whoever asks again after this has done something about it.
        self.watch().standing = if found.is_none() { Standing::Passed } else { Standing::Unknown };
        found.map_or(Ok(()), |what| Err(self.auth_required(what, true)))
    }

    fn auth_required(&self, what: String, saving: bool) -> SessionError {
        match self.id() {
            Some(id) => SessionError::AuthRequired { id: id.clone(), what, saving, version: self.version() },
            None => SessionError::Closed { id: None },
        }
    }

    /// What is not as `guard` wants it; none where all is.
    async fn look(&self, guard: &Guard, deadline: Deadline) -> Result<Option<String>, SessionError> {
        let Some(tab) = deadline.race(self.0.room.tabs.open_guest()).await else {
            return Ok(Some("the browser does not answer".to_owned()));
        };
        match Box::pin(guard.look(&*tab?, deadline)).await {
            Ok(()) => Ok(None),
            Err(Fault::Found(what)) => Ok(Some(what)),
            Err(Fault::Error(error)) => Err(error),
        }
    }
}

/// The first visible match: that there are several does not matter here.
fn any_visible(selector: &Selector) -> Selector {
    Selector::parse(&format!("{} >> visible=true >> nth=0", selector.source())).unwrap_or_else(|_| selector.clone())
}

/// An address without what nobody is to see (query, fragment, password), and not too long.
pub(super) fn shown(url: &str) -> String {
    let url = match url::Url::parse(url) {
        // Neither fails where there is a host; where there is none there is nothing to take away.
        Ok(mut url) => {
            let _ = (url.set_username(""), url.set_password(None));
            url.to_string()
        }
        Err(_) => url.to_owned(),
    };
    let plain = url.split(['?', '#']).next().unwrap_or_default();
    match plain.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}\u{2026}", plain.get(..at).unwrap_or_default()),
        None => plain.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_private_is_not_shown() {
        assert_eq!(shown("https://me:pw@a.example/x?token=1#top"), "https://a.example/x");
        assert_eq!(shown("about:blank"), "about:blank");
        assert!(shown(&format!("https://a.example/{}", "x".repeat(500))).len() < 250);
    }

    #[test]
    fn guards_are_told_apart_by_what_they_ask_for() {
        let at = |url: &str, status| Guard { status, ..Guard::at(url) };
        assert!(at("https://a.example", Some(200)).is_as(&at("https://a.example", Some(200))));
        assert!(!at("https://a.example", Some(200)).is_as(&at("https://a.example", None)));
        assert!(!at("https://a.example", None).is_as(&at("https://b.example", None)));
    }
}
