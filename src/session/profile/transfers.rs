//! How far the transfers of profiles are, for whoever shows it.

use tokio::sync::watch;

use super::{Progress, Transfer};
use crate::base::SessionId;

/// A profile on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileTransfer {
    /// Whose.
    pub session: SessionId,
    /// To the store; otherwise from it.
    pub saving: bool,
    /// How far it is.
    pub transfer: Transfer,
}

/// The latest of one workspace. Clones share it.
#[derive(Clone, Default)]
pub(in crate::session) struct Transfers(watch::Sender<Option<ProfileTransfer>>);

impl Transfers {
    /// Follows a transfer that is about to begin.
    pub(in crate::session) fn progress(&self, session: &SessionId, saving: bool) -> Progress {
        let (told, session) = (self.0.clone(), session.clone());
        Progress::new(move |transfer| {
            told.send_replace(Some(ProfileTransfer { session: session.clone(), saving, transfer }));
        })
    }

    /// Hears of them from now on.
    pub(in crate::session) fn follow(&self) -> watch::Receiver<Option<ProfileTransfer>> {
        self.0.subscribe()
    }
}
