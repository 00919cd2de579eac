//! Sessions that a live browser has open and a run acts in: they are current like its own, and nobody's to save or close but the live
//! browser's.

use super::{Session, SessionError, Workspace};
use crate::base::SessionId;

/// Why a run may not end what is another's.
const LENT: &str = "a live browser has it open, and ends it";

impl Workspace {
    /// Makes a session that somebody else has open, and goes on to have, current in this run, under the id that it was asked by too.
    /// Neither [`Workspace::finish`] nor [`Workspace::close`] touches it.
    pub fn adopt(&self, id: &SessionId, session: &Session) {
        self.0.open.send_modify(|open| {
            if !open.lent.iter().any(|(known, lent)| known == id && lent.is_same(session)) {
                open.lent.push((id.clone(), session.clone()));
            }
            open.current = Some(session.clone());
        });
    }

    /// Whether the run has a session by that id, its own or one that was lent to it.
    pub fn has(&self, id: &SessionId) -> bool {
        self.lent(id).is_some() || self.0.open.borrow().named.iter().any(|(_, session)| session.answers_to(id))
    }

    /// The one that was lent by that id.
    pub fn lent(&self, id: &SessionId) -> Option<Session> {
        let open = self.0.open.borrow();
        let mut lent = open.lent.iter();
        lent.find(|(known, session)| known == id || session.answers_to(id)).map(|(_, session)| session.clone())
    }

    /// Fails for a session that is not the run's to end.
    pub(super) fn may_end(&self, session: &Session) -> Result<(), SessionError> {
        let is_lent = self.0.open.borrow().lent.iter().any(|(_, lent)| lent.is_same(session));
        let what = "closed, deleted or rolled back here";
        if is_lent { Err(SessionError::Fixed { id: session.id().cloned(), what, why: LENT }) } else { Ok(()) }
    }
}
