//! The secrets that sessions are opened with: whoever tells others of a run is told of them, to leave them out.

use std::sync::{Mutex, PoisonError};

use crate::base::{Redactor, Secret};

use super::{Session, SessionError, Workspace};

/// What is known so far, and who wants to know.
#[derive(Default)]
pub(super) struct Known(Mutex<(Vec<Secret>, Vec<Redactor>)>);

impl Workspace {
    /// `redactor` is told of every secret that a session is opened with (passwords of HTTP, of proxies): those so far, and those to
    /// come.
    pub fn redact_with(&self, redactor: &Redactor) {
        let mut known = self.0.known.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.0.iter().for_each(|secret| redactor.learn(secret));
        // Those of runs that have ended.
        known.1.retain(|redactor| !redactor.is_alone());
        known.1.push(redactor.clone());
    }

    /// Tells them of one more.
    pub fn learn(&self, secret: &Secret) {
        if secret.expose().is_empty() {
            return;
        }
        let mut known = self.0.known.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.1.iter().for_each(|redactor| redactor.learn(secret));
        if !known.0.iter().any(|other| other.name() == secret.name() && other.expose() == secret.expose()) {
            known.0.push(secret.clone());
        }
    }

    /// The same of what a session may answer a site with.
    pub(super) fn learn_of(&self, session: &Session) {
        if let Some(password) = session.password() {
            self.learn(&password);
        }
    }

    /// The password by that name in the vault. [`SessionError::NoSecret`] where it has none.
    pub(super) async fn password(&self, name: &str) -> Result<Secret, SessionError> {
        let found = self.sessions().await?.secret(&self.0.config.tenant, name).await?;
        let password = found.ok_or_else(|| SessionError::NoSecret(name.to_owned()))?;
        self.learn(&password);
        Ok(password)
    }
}
