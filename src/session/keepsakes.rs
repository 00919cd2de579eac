//! Bookmarks and passwords of a profile session. They are Chromium's to keep: it is told by the interfaces that its own pages have, in a
//! tab of ours that is in no window, and has them at once. They are saved with the rest of its profile.

use std::time::Duration;

use chromiumoxide::cdp::js_protocol::runtime::EvaluateParams;
use serde_json::{Value, json};

use crate::base::{Deadline, Secret};
use crate::browser::{BrowserError, OwnPage};

use super::aside::HiddenTab;
use super::{Session, SessionError};

const SCRIPT: &str = include_str!("injected/keepsakes.js");
/// How often a page is asked whether it is there.
const LOOK: Duration = Duration::from_millis(20);
/// What a session is where it has no place for any of this.
const NO_PROFILE: &str = "has no profile: bookmarks and passwords are kept by one that was opened with `profile`";

impl Session {
    /// The addresses that are bookmarked, as Chromium has last written them: what was done some seconds ago may be missing. None where
    /// it has no profile. Blocks while the file is read.
    pub fn bookmarks(&self) -> Vec<String> {
        let read = self.own().and_then(|own| std::fs::read(own.folder().join("Default/Bookmarks")).ok());
        let written = read.and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok()).unwrap_or_default();
        let (mut found, mut folders) = (Vec::new(), Vec::new());
        folders.extend(written["roots"].as_object().into_iter().flat_map(serde_json::Map::values));
        while let Some(node) = folders.pop() {
            found.extend(node["url"].as_str().map(str::to_owned));
            folders.extend(node["children"].as_array().into_iter().flatten());
        }
        found
    }

    /// Bookmarks an address, unless it is already. [`SessionError::Kind`] where it has no profile.
    pub async fn bookmark(&self, title: &str, url: &str, deadline: Deadline) -> Result<(), SessionError> {
        let argument = json!({ "title": title, "url": url });
        self.in_own(OwnPage::Bookmarks, "bookmark", argument, deadline).await.map(drop)
    }

    /// Takes the bookmarks of an address away. [`SessionError::Kind`] where it has no profile.
    pub async fn remove_bookmark(&self, url: &str, deadline: Deadline) -> Result<(), SessionError> {
        self.in_own(OwnPage::Bookmarks, "noBookmark", json!({ "url": url }), deadline).await.map(drop)
    }

    /// Keeps the password of a user of a site (`https://a.example`, without a path) in place of the one that is kept, for Chromium to fill
    /// in. [`SessionError::Kind`] where it has no profile.
    pub async fn keep_password(
        &self,
        origin: &str,
        username: &str,
        password: &Secret,
        deadline: Deadline,
    ) -> Result<(), SessionError> {
        let argument = json!({ "origin": origin, "username": username, "password": password.expose() });
        self.in_own(OwnPage::Passwords, "password", argument, deadline).await.map(drop)
    }

    /// Does something in a document of Chromium's own.
    async fn in_own(
        &self,
        page: OwnPage,
        work: &str,
        argument: Value,
        deadline: Deadline,
    ) -> Result<Value, SessionError> {
        if self.own().is_none() {
            let id = self.id().cloned();
            return Err(id.map_or(SessionError::Closed { id: None }, |id| SessionError::Kind { id, is: NO_PROFILE }));
        }
        let done = async {
            let tab = self.0.room.tabs.open_hidden().await?;
            tab.resume();
            tab.visit_own(page).await?;
            let asked = json!({ "passwords": page == OwnPage::Passwords });
            // What it may use comes a moment after its document.
            while !matches!(call(&tab, "ready", &asked).await, Ok(Value::Bool(true))) {
                tokio::time::sleep(LOOK).await;
            }
            Ok(call(&tab, work, &argument).await?)
        };
        let late = || failed(work, "Chromium did not get to it in time");
        self.unless_closed(async { deadline.race(done).await.unwrap_or_else(|| Err(late().into())) }).await
    }
}

/// Calls one of the script's functions.
async fn call(tab: &HiddenTab, work: &str, argument: &Value) -> Result<Value, BrowserError> {
    let mut call = EvaluateParams::new(format!("({SCRIPT}).{work}({argument})"));
    (call.await_promise, call.return_by_value) = (Some(true), Some(true));
    let answer = tab.cdp().call(call).await?;
    // What was thrown may hold what was given.
    if answer.exception_details.is_some() {
        return Err(failed(work, "Chromium refused it"));
    }
    Ok(answer.result.value.unwrap_or_default())
}

fn failed(work: &str, reason: &str) -> BrowserError {
    BrowserError::Protocol { method: format!("keepsakes.{work}"), reason: reason.to_owned() }
}
