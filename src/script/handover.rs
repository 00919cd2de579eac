//! What a script knows of people: who shows its sessions to them, asks them to do something, and says when that is done. Implemented
//! by whoever runs the script; without one nobody can be asked.

use std::fmt;

use futures_util::future::BoxFuture;

use crate::base::SessionId;
use crate::page::Page;
use crate::session::Session;

use super::ScriptError;

/// What a [`Handover`] does, or why it cannot.
pub type Handing<'a, T> = BoxFuture<'a, Result<T, ScriptError>>;

/// Shows the sessions of one run to people. One is made for each run, and ended with it.
///
/// Each of the futures may be dropped on the way, where the script is stopped or its time is over: what was begun is then ended by
/// [`Handover::hide`] or [`Handover::end`], which are always called.
pub trait Handover: fmt::Debug + Send + Sync {
    /// The session by that id as a live browser has it open that is not this run's, where there is one:
    /// `session(id, #{ live: true })`. The run acts in it, and neither saves nor closes it.
    fn attach(&self, id: SessionId) -> Handing<'_, Attach>;

    /// Makes an open session of the run live and answers the address where people see and steer it, which lets them in by itself.
    /// For one that is shown already, or was attached, the address that it has. `page` comes to the front.
    fn show(&self, session: Session, page: Option<Page>) -> Handing<'_, String>;

    /// Asks the people to do something in a session that is shown; done when one of them says so. Dropped, it is taken back.
    /// Knows no time limit. An error where the live view ends meanwhile.
    fn ask(&self, session: Session, reason: String) -> Handing<'_, ()>;

    /// Shows a session no more; its pages are as a script expects them then (dialogs, size). Nothing where it is not shown, or was
    /// attached.
    fn hide(&self, session: Session) -> BoxFuture<'_, ()>;

    /// The script has ended: nothing is shown any more, and what was attached is left. Called before the sessions are saved, once.
    fn end(&self) -> BoxFuture<'_, ()>;
}

/// What there is by an id.
#[derive(Clone)]
pub enum Attach {
    /// A live browser has it open.
    Open(Session),
    /// None has: it is to be opened as usual, by this id, which is another one where the id was that of a live browser which saved
    /// over the session.
    Nobody(SessionId),
}

impl fmt::Debug for Attach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open(session) => write!(f, "Open({:?})", session.id()),
            Self::Nobody(id) => write!(f, "Nobody({id})"),
        }
    }
}
