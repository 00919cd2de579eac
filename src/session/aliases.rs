//! Other names of sessions: the id of a live browser that saved over a profile means that profile, wherever a session's id is read.
//!
//! Such an id is random, in the form of a UUID, and never that of a session of its own: one of another form is what it is and is not
//! looked up, and neither is one that a run has open. An alias goes with its session where that is deleted.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::{Deadline, SessionId, Tenant, with_causes};
use crate::seal::Context;
use crate::store::DocumentName;

use super::documents::Put;
use super::options::{Mode, SessionOptions};
use super::patience::patiently;
use super::state::decode;
use super::{SessionError, Sessions, Workspace};

/// The kind of the documents, each by the name of its alias.
const KIND: &str = "live_alias";
/// How many are read at a time.
const PAGE: usize = 100;

/// What else an id means.
#[derive(Debug, Serialize, Deserialize)]
struct Alias {
    format: u32,
    session: SessionId,
}

impl Sessions {
    /// From now on `alias`, a random UUID in lower case, means the session `id`, too; one that there is stays as it is.
    pub async fn put_alias(&self, tenant: &Tenant, alias: &str, id: &SessionId) -> Result<(), SessionError> {
        let alias_of = Alias { format: 1, session: id.clone() };
        match self.put_document_over(tenant, KIND, alias, &alias_of, None, None).await? {
            Put::Done(_) | Put::Changed => Ok(()),
        }
    }

    /// The session that is meant by an id: itself, or the one that it is an alias of. Whether that one is there is not asked.
    pub async fn meant(&self, tenant: &Tenant, id: &SessionId) -> Result<SessionId, SessionError> {
        if !may_be_alias(id.as_str()) {
            return Ok(id.clone());
        }
        let alias: Option<Alias> = self.document(tenant, KIND, id.as_str()).await?;
        Ok(alias.map_or_else(|| id.clone(), |alias| alias.session))
    }

    /// Removes the aliases of a session that is deleted. What fails is litter: an alias of nothing is not found.
    pub(super) async fn forget_aliases(&self, tenant: &Tenant, id: &SessionId) {
        if let Err(error) = self.remove_aliases(tenant, id).await {
            let code = error.code();
            tracing::debug!(session = %id, code, "aliases of a session that is gone stay: {}", with_causes(&error));
        }
    }

    async fn remove_aliases(&self, tenant: &Tenant, id: &SessionId) -> Result<(), SessionError> {
        self.follow_keys().await?;
        let (tag, mut after) = (self.keys().names().tenant(tenant), None);
        loop {
            let page = self.documents().list(tag, KIND, after, PAGE).await?;
            after = page.last().map(|(name, _)| *name);
            for (name, sealed) in &page {
                let (context, what) = (Context::Document { tenant, kind: KIND, name }, "an alias");
                let opened = self.open_tenant(tenant, context, sealed, what);
                // One that is damaged is not at the expense of the others.
                let alias = opened.and_then(|bytes| decode::<Alias>(&bytes, what));
                if alias.is_ok_and(|alias| alias.session == *id) {
                    self.documents().remove(&DocumentName { tenant: tag, kind: KIND, name: *name }).await?;
                }
            }
            if page.len() < PAGE {
                return Ok(());
            }
        }
    }
}

impl Workspace {
    /// The session that an id means to this run. The store is asked only where it has none by that id; one that is away is waited for as
    /// the session would be.
    pub(super) async fn meant(&self, id: &SessionId, options: &SessionOptions) -> Result<SessionId, SessionError> {
        if !may_be_alias(id.as_str()) || self.has(id) || self.0.open.borrow().visiting {
            return Ok(id.clone());
        }
        let wait = match options.mode {
            Mode::Wait(wait) => wait,
            Mode::Fail | Mode::Fork | Mode::ReadOnly => Duration::ZERO,
        };
        let sessions = self.sessions().await?;
        patiently(Deadline::after(wait), || sessions.meant(&self.0.config.tenant, id)).await
    }
}

/// Whether an id has the form of a live browser's: that of a random UUID, in lower case.
fn may_be_alias(id: &str) -> bool {
    let is_form = |(at, byte): (usize, u8)| match at {
        8 | 13 | 18 | 23 => byte == b'-',
        14 => byte == b'4',
        19 => matches!(byte, b'8' | b'9' | b'a' | b'b'),
        _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
    };
    id.len() == 36 && id.bytes().enumerate().all(is_form)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::base::Version;
    use crate::browser::LaunchOptions;
    use crate::session::{ImportOptions, KeySource, LeaseTimes, Saving, Source, StoreConfig, Ways, WorkspaceConfig};

    const ALIAS: &str = "0123abcd-4567-4890-a123-456789abcdef";

    #[test]
    fn only_what_looks_like_one_is_looked_up() {
        assert!(may_be_alias(ALIAS));
        for other in ["acme", "", "0123abcd-4567-1890-a123-456789abcdef", "0123ABCD-4567-4890-A123-456789ABCDEF"] {
            assert!(!may_be_alias(other), "{other}");
        }
        assert!(!may_be_alias(&ALIAS.replace('-', "0")) && !may_be_alias(&format!("{ALIAS}.fork-1")));
    }

    #[tokio::test]
    async fn an_alias_is_of_its_tenant_and_goes_with_its_session() {
        let folder = tempfile::tempdir().unwrap();
        let key = KeySource::MadeOnFirstUse(folder.path().join("key"));
        let sessions = Sessions::open(StoreConfig::Memory, key).await.unwrap();
        let (tenant, other) = (Tenant::default(), Tenant::new("other").unwrap());
        let id = |text: &str| SessionId::new(text).unwrap();
        let another = ALIAS.replace("0123", "4567");
        sessions.put_alias(&tenant, ALIAS, &id("acme")).await.unwrap();
        sessions.put_alias(&tenant, &another, &id("b")).await.unwrap();
        let meant = async |tenant: &Tenant, text: &str| sessions.meant(tenant, &id(text)).await.unwrap();
        assert_eq!(meant(&tenant, ALIAS).await, id("acme"));
        assert_eq!(meant(&other, ALIAS).await, id(ALIAS));
        assert_eq!(meant(&tenant, "acme").await, id("acme"));
        sessions.forget_aliases(&tenant, &id("acme")).await;
        assert_eq!(meant(&tenant, ALIAS).await, id(ALIAS));
        assert_eq!(meant(&tenant, &another).await, id("b"));
        let gone = sessions.show(&tenant, &id(ALIAS)).await.unwrap_err();
        assert_eq!(gone.code(), "session_not_found");
    }

    #[tokio::test]
    async fn a_session_is_found_by_its_alias_and_none_is_made_by_it() {
        let folder = tempfile::tempdir().unwrap();
        let key = KeySource::MadeOnFirstUse(folder.path().join("key"));
        let sessions = Sessions::open(StoreConfig::Memory, key.clone()).await.unwrap();
        let (tenant, acme, alias) =
            (Tenant::default(), SessionId::new("acme").unwrap(), SessionId::new(ALIAS).unwrap());
        let state = br#"{"cookies": [{"name": "sid", "value": "1", "domain": "a.example", "path": "/"}]}"#;
        let import = async |replace: bool| {
            let source = Source::open(Cursor::new(state.to_vec()), None).await.unwrap();
            let options = ImportOptions { replace, ..ImportOptions::default() };
            Box::pin(sessions.import(&tenant, if replace { &alias } else { &acme }, source, &options)).await.unwrap()
        };
        import(false).await;
        sessions.put_alias(&tenant, ALIAS, &acme).await.unwrap();
        assert_eq!(import(true).await.version, Version(2));
        assert_eq!(sessions.show(&tenant, &alias).await.unwrap().id, acme);
        assert_eq!(sessions.history(&tenant, &alias).await.unwrap().versions().len(), 2);
        assert_eq!(sessions.rollback(&tenant, &alias, Version(1)).await.unwrap().version, Version(3));
        let other = SessionId::new("other").unwrap();
        sessions.fork(&tenant, &alias, &other, None).await.unwrap();
        let exists = sessions.fork(&tenant, &other, &alias, None).await.unwrap_err();
        assert_eq!(exists.code(), "session_exists");

        let config = WorkspaceConfig {
            tenant: tenant.clone(),
            store: StoreConfig::Memory,
            key,
            launch: LaunchOptions::default(),
            holder: "a test".to_owned(),
            ttl: None,
            profile_ttl: None,
            saving: Saving::AsAsked,
            lease: LeaseTimes::default(),
            outbox: None,
        };
        let workspace = Workspace::going_out(config, Some(sessions.clone()), Ways::free());
        let opened = workspace.plain(&alias, &SessionOptions::default()).await.unwrap();
        assert_eq!(opened.id(), Some(&acme));
        assert_eq!(sessions.delete(&tenant, &alias).await.unwrap_err().code(), "session_busy");
        opened.finish(Deadline::after(Duration::from_secs(10))).await;
        sessions.delete(&tenant, &alias).await.unwrap();
        assert_eq!(sessions.meant(&tenant, &alias).await.unwrap(), alias);
        assert_eq!(sessions.show(&tenant, &acme).await.unwrap_err().code(), "session_not_found");
    }
}
