//! The session of a run that opens none: it keeps nothing, and tells sites what the run was given for it.

use std::sync::PoisonError;

use crate::egress::Upstream;

use super::{Identity, Session, SessionError, Workspace};

/// What the throw-away session tells sites, and how sessions go out of which nothing else was said.
#[derive(Default)]
pub(super) struct Pose {
    identity: Identity,
    through: Option<Upstream>,
}

impl Workspace {
    /// What the session of a run that opens none tells sites, and the upstream proxy that all sessions of the run go through whose
    /// identity has none of its own. For before they are there.
    pub fn pose(&self, identity: Identity, through: Option<Upstream>) {
        self.lock_pose(|pose| *pose = Pose { identity, through });
    }

    /// The current session; a throw-away one where none was opened.
    pub async fn current(&self) -> Result<Session, SessionError> {
        let turn = self.turn().await;
        let (current, reopen) = {
            let open = self.0.open.borrow();
            (open.current.clone(), open.reopen.clone())
        };
        if let Some(session) = current {
            return Ok(session);
        }
        if let Some(id) = reopen {
            return self.reopened(turn, &id).await;
        }
        let identity = self.lock_pose(|pose| pose.identity.clone());
        let way = self.way(identity.proxy.as_ref(), None).await?;
        let credentials = self.credentials(&identity).await?;
        let spare = if way.is_none() { self.running().spare().await } else { None };
        let (_, room) = self.room(spare, way).await?;
        let session = Session::throw_away(room).await?;
        if !identity.is_empty() {
            session.pose_as(&identity, credentials).await?;
        }
        self.0.open.send_modify(|open| {
            open.throw_away = Some(session.clone());
            open.current = Some(session.clone());
        });
        Ok(session)
    }

    fn lock_pose<T>(&self, look: impl FnOnce(&mut Pose) -> T) -> T {
        look(&mut self.0.pose.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The upstream proxy of sessions that nothing else was said of.
    pub(super) fn posed_through(&self) -> Option<Upstream> {
        self.lock_pose(|pose| pose.through.clone())
    }

    /// What the throw-away session's identity means by a secret's name.
    pub(super) fn posed_secret(&self, name: &str) -> Option<String> {
        self.lock_pose(|pose| pose.identity.secrets.as_ref()?.get(name).cloned())
    }
}
