//! A live browser as it is kept, sealed: whose, on which server, what of it is saved, and how it ended.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::base::{SessionId, Tenant, Version};
use crate::session::{LivePart, Saved, Seen, SessionError};

use super::super::app::App;
use super::super::nodes;
use super::super::request_id::random_id;
use super::key;

/// How long is told of one that has ended.
const REMEMBERED: Duration = Duration::from_hours(24);
const REMEMBERED_OF_RUN: Duration = Duration::from_mins(10);
/// How often a change is tried that others were quicker with.
const TRIES: usize = 20;

/// A live browser.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Record {
    format: u32,
    pub(super) id: String,
    /// The server that has it.
    pub(super) node: String,
    /// RFC 3339.
    pub(super) created_at: String,
    #[serde(default)]
    pub(super) ended: Option<Ended>,
    /// The session whose profile it has; none where nothing is kept.
    #[serde(default)]
    pub(super) session: Option<SessionId>,
    /// Whether that is saved.
    #[serde(default)]
    pub(super) saves: bool,
    /// The version of that session that it began with.
    #[serde(default)]
    pub(super) began_with: Option<Version>,
    #[serde(default)]
    pub(super) tag: Option<String>,
    /// Whether it is a script's session that is shown: it ends with the script.
    #[serde(default)]
    pub(super) of_run: bool,
    /// Proves the tokens that let people in.
    key: Zeroizing<String>,
}

/// How it ended.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Ended {
    /// RFC 3339.
    pub(super) at: String,
    /// `request`, `absolute`, `inactive`, `offline`, `shutdown`, `crashed`, `lost`.
    pub(super) reason: String,
    /// What was saved: `full`, `state`, `none`.
    pub(super) saved: String,
}

impl Record {
    pub(super) fn new(node: &str, session: Option<SessionId>, saves: bool, tag: Option<String>) -> Self {
        let (id, created_at, key) = (uuid(), now(), key::new_key());
        let (node, of_run) = (node.to_owned(), false);
        let began_with = None;
        Self { format: 1, id, node, created_at, ended: None, session, saves, began_with, tag, of_run, key }
    }

    /// Of a script's session that is shown.
    pub(super) fn of_run(node: &str) -> Self {
        Self { of_run: true, ..Self::new(node, None, false, None) }
    }

    /// A token that opens that of it.
    pub(super) fn token(&self, tenant: &Tenant, opens: key::Opens) -> String {
        self.token_for(tenant, opens, key::GOOD_FOR)
    }

    /// One that is good for `span`, and no longer than any.
    pub(super) fn token_for(&self, tenant: &Tenant, opens: key::Opens, span: Duration) -> String {
        key::token(&self.key, tenant, &self.id, opens, span.min(key::GOOD_FOR))
    }

    /// Whether the token is one of it.
    pub(super) fn knows(&self, token: &key::Token<'_>) -> bool {
        token.is_of(&self.key, &self.id)
    }
}

/// Random, in the form of a UUID of version 4: by that form aliases of sessions are known.
fn uuid() -> String {
    let hex = random_id();
    format!("{}-{}-4{}-a{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..])
}

/// Now, as records tell when something was.
pub(super) fn now() -> String {
    Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Keeps a new one, for `ttl` where it says so.
pub(super) async fn put(
    app: &App,
    tenant: &Tenant,
    record: &Record,
    ttl: Option<Duration>,
) -> Result<(), SessionError> {
    let put = app.sessions.put_live_document(tenant, LivePart::Browser, &record.id, record, Seen::NOTHING, ttl);
    put.await.map(drop)
}

/// Whether its server has it still: one that is gone has none, and one that could not write how it ended has it no more.
pub(super) async fn goes_on(app: &App, tenant: &Tenant, record: &Record) -> Result<bool, SessionError> {
    if record.ended.is_some() {
        return Ok(false);
    }
    if app.nodes.is_other(&record.node) {
        return nodes::lives(app, &record.node).await;
    }
    Ok(app.vms.find(tenant, &record.id).is_some())
}

/// The one by that id, as it is by now: one whose server is gone has ended.
pub(super) async fn find(app: &App, tenant: &Tenant, id: &str) -> Result<Option<Record>, SessionError> {
    let Some((record, _)) = app.sessions.live_document::<Record>(tenant, LivePart::Browser, id).await? else {
        return Ok(None);
    };
    if record.ended.is_some() || goes_on(app, tenant, &record).await? {
        return Ok(Some(record));
    }
    end(app, tenant, id, "lost", None).await
}

/// Says how it ended, unless that was said; the record as it is then. Without `saved` it ended unseen, and what is kept tells.
pub(super) async fn end(
    app: &App,
    tenant: &Tenant,
    id: &str,
    reason: &str,
    saved: Option<&str>,
) -> Result<Option<Record>, SessionError> {
    for _ in 0..TRIES {
        let read = app.sessions.live_document::<Record>(tenant, LivePart::Browser, id).await?;
        let Some((mut record, seen)) = read else { return Ok(None) };
        if record.ended.is_some() {
            return Ok(Some(record));
        }
        let saved = match saved {
            Some(saved) => saved.to_owned(),
            None => left(app, tenant, &record).await?,
        };
        record.ended = Some(Ended { at: now(), reason: reason.to_owned(), saved });
        let remembered = if record.of_run { REMEMBERED_OF_RUN } else { REMEMBERED };
        let put =
            app.sessions.put_live_document(tenant, LivePart::Browser, id, &record, seen, Some(remembered)).await?;
        if put.is_some() {
            return Ok(Some(record));
        }
    }
    find_as_it_stands(app, tenant, id).await
}

async fn find_as_it_stands(app: &App, tenant: &Tenant, id: &str) -> Result<Option<Record>, SessionError> {
    let read = app.sessions.live_document::<Record>(tenant, LivePart::Browser, id).await?;
    Ok(read.map(|(record, _)| record))
}

/// What was saved of one that has not said: where its state waits to become a version, or has become one since, that. A whole archive is
/// of its own last moment, when it died before it could say so.
async fn left(app: &App, tenant: &Tenant, record: &Record) -> Result<String, SessionError> {
    let Some(session) = record.session.as_ref().filter(|_| record.saves) else { return Ok("none".to_owned()) };
    if !app.sessions.left(tenant, session).await?.is_empty() {
        return Ok(name(Saved::State).to_owned());
    }
    let saved = match app.sessions.show(tenant, session).await {
        Ok(info) if Some(info.version) == record.began_with => Saved::None,
        Ok(info) => {
            let is_next = info.version == record.began_with.map_or(Version(1), Version::next);
            info.profile.map_or(Saved::State, |profile| if is_next { profile.saved } else { Saved::State })
        }
        Err(SessionError::NotFound(_)) => Saved::None,
        Err(error) => return Err(error),
    };
    Ok(name(saved).to_owned())
}

/// As it is told.
pub(super) fn name(saved: Saved) -> &'static str {
    match saved {
        Saved::Full => "full",
        Saved::State => "state",
        Saved::None => "none",
    }
}

/// What of the profile of one that goes on is saved: as it was last archived.
pub(super) async fn saved_so_far(app: &App, tenant: &Tenant, record: &Record) -> Result<String, SessionError> {
    let Some(session) = record.session.as_ref().filter(|_| record.saves) else { return Ok("none".to_owned()) };
    let saved = match app.sessions.show(tenant, session).await {
        Ok(info) => info.profile.map_or(Saved::None, |profile| profile.saved),
        Err(SessionError::NotFound(_)) => Saved::None,
        Err(error) => return Err(error),
    };
    Ok(name(saved).to_owned())
}

/// All of a tenant, oldest first; those of servers that are gone too.
pub(super) async fn all(app: &App, tenant: &Tenant) -> Result<Vec<Record>, SessionError> {
    let mut all: Vec<Record> = app.sessions.live_documents(tenant, LivePart::Browser).await?;
    all.sort_by(|a, b| (&a.created_at, &a.id).cmp(&(&b.created_at, &b.id)));
    Ok(all)
}

/// The one that saves that session and goes on, on whichever server.
pub(super) async fn saving(app: &App, tenant: &Tenant, session: &SessionId) -> Result<Option<Record>, SessionError> {
    for record in all(app, tenant).await? {
        let saves = record.saves && record.session.as_ref() == Some(session);
        if saves && goes_on(app, tenant, &record).await? {
            return Ok(Some(record));
        }
    }
    Ok(None)
}

/// Whether a live browser of this day saves that session, be there something saved of it or not.
pub(super) async fn is_known(app: &App, tenant: &Tenant, session: &SessionId) -> Result<bool, SessionError> {
    let all = all(app, tenant).await?;
    Ok(all.iter().any(|record| record.saves && record.session.as_ref() == Some(session)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_uuid() {
        let id = uuid();
        let lengths: Vec<usize> = id.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12], "{id}");
        assert!(id.as_bytes()[14] == b'4' && id.as_bytes()[19] == b'a', "{id}");
        assert_ne!(id, uuid());
    }
}
