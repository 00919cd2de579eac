//! The live page of a session that a command has open, at an address of this machine.

use std::net::SocketAddr;

use super::serve::not_listening;
use super::terminal::Terminal;
use crate::live::{Live, LiveOptions};
use crate::run::Failure;
use crate::serve::{LiveAddress, LivePage};
use crate::session::{Session, SessionError};

/// A session that is shown, and steered.
pub(super) struct Shown {
    live: Live,
    page: LivePage,
}

/// Listens where the page is to be; an address that others reach is told.
pub(super) async fn bind(listen: Option<SocketAddr>, terminal: &Terminal) -> Result<LiveAddress, Box<Failure>> {
    let address = listen.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0)));
    if !address.ip().is_loopback() {
        terminal.note(&format!(
            "note: {} is reached from elsewhere: whoever knows the page's address steers the browser, and nothing is encrypted on the way",
            address.ip()
        ));
    }
    LiveAddress::bind(address).await.map_err(|error| not_listening(&error))
}

impl Shown {
    /// Shows the session at that address; `goes_on` where its script does afterwards.
    pub async fn open(session: Session, address: LiveAddress, goes_on: bool) -> Result<Self, SessionError> {
        let live = Live::over(session, LiveOptions { goes_on, ..LiveOptions::default() }).await?;
        Ok(Self { page: address.show(live.clone()), live })
    }

    pub fn live(&self) -> &Live {
        &self.live
    }

    /// Its address, with what lets in.
    pub fn url(&self) -> &str {
        self.page.url()
    }

    /// Prints its address, as data.
    pub fn tell(&self, terminal: &Terminal) {
        let url = self.url();
        if terminal.json {
            terminal.value_line(&serde_json::json!({ "url": url }));
        } else {
            terminal.data(url);
        }
    }

    /// Ends it, and tells whoever looks on why. The session stays open.
    pub async fn close(&self, reason: &str) {
        self.live.close(reason).await;
        self.page.close().await;
    }
}
