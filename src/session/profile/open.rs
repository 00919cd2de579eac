//! Opening a profile session: its lease and its archive, then a browser of its own.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::OwnBrowser;
use crate::base::SessionId;
use crate::session::kept::Opening;
use crate::session::{Session, SessionError, SessionOptions, Workspace};

impl Workspace {
    /// Opens a session that is known to be a profile session.
    pub(in crate::session) async fn open_profile(
        &self,
        id: &SessionId,
        retained: Option<Opening>,
        options: &SessionOptions,
        given_up: &CancellationToken,
    ) -> Result<Session, SessionError> {
        let is_new = retained.is_none();
        let opening = if let Some(opening) = retained {
            opening
        } else {
            self.let_go(id).await;
            self.acquire(id, options, given_up).await?
        };
        self.start_profile(id, opening, is_new, options, given_up).await
    }

    /// Starts a session in a browser of its own.
    pub(in crate::session) async fn start_profile(
        &self,
        id: &SessionId,
        opening: Opening,
        is_new: bool,
        options: &SessionOptions,
        given_up: &CancellationToken,
    ) -> Result<Session, SessionError> {
        let held = opening.clone();
        let start = async {
            let transfers = self.0.transfers.clone();
            let way = self.way_of(&opening, options).await?;
            let own = OwnBrowser::start(self.launch_by(way.as_ref()), &opening.named, &opening.base, transfers).await?;
            self.note_browser(own.browser());
            self.notices().extend(own.notice(&opening));
            let own = Arc::new(own);
            let (room, gate) = (own.room(way).await?, own.gate().clone());
            let session = Session::start(room, &gate, opening, Some(own)).await?;
            session.identify(options.asked()).await?;
            Ok(session)
        };
        let started = given_up.run_until_cancelled(start).await;
        self.started(id, started, &held, is_new).await
    }
}
