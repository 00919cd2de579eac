//! The end of a live browser whose session goes on: pages are given back as they were before anybody looked.

use std::future::Future;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::base::Deadline;
use crate::browser::{Cdp, Pending};

use super::engine::Engine;
use super::rpc::{Rpc, rpc};
use super::tabs::FIT_TIMEOUT;
use super::told::BINDING;

/// How long all of it may take: a page that hangs is given back as it is.
const TAKES: Duration = Duration::from_secs(10);

/// Those who listen to tabs, and the end of it.
#[derive(Clone, Default)]
pub(super) struct Follows {
    over: CancellationToken,
    going: TaskTracker,
}

impl Follows {
    /// One more.
    pub fn go(&self, follow: impl Future<Output = ()> + Send + 'static) {
        drop(self.going.spawn(follow));
    }

    /// Resolves when they are to leave.
    pub async fn over(&self) {
        self.over.cancelled().await;
    }

    async fn leave(&self) {
        self.over.cancel();
        self.going.close();
        self.going.wait().await;
    }
}

/// Takes out of a session what was set up in it.
pub(super) async fn take_down(cdp: &Cdp, scripts: [Pending<Rpc>; 2]) {
    for (method, params) in [
        ("Input.setInterceptDrags", json!({"enabled": false})),
        ("Page.setInterceptFileChooserDialog", json!({"enabled": false})),
        ("Runtime.removeBinding", json!({"name": BINDING})),
    ] {
        cdp.send(rpc(method, params)).forget();
    }
    for script in scripts {
        let Ok(added) = script.await else { return };
        let params = json!({"identifier": added["identifier"]});
        // The last of them: once it is answered all are.
        let _ = cdp.send(rpc("Page.removeScriptToEvaluateOnNewDocument", params)).await;
    }
}

impl Engine {
    /// Gives the pages back.
    pub(super) async fn give_back(&mut self) {
        for (_, (cdp, context)) in &self.worlds {
            let params = json!({"expression": "globalThis.__rhavenLive?.end()", "contextId": context});
            cdp.send(rpc("Runtime.evaluate", params)).forget();
        }
        // A page that is on its way takes it once it is there.
        let sized = self.screens.drain(..).map(|(page, screen)| {
            tokio::spawn(async move {
                let _ = page.emulate(|emulation| emulation.screen = screen, Deadline::after(FIT_TIMEOUT)).await;
            })
        });
        let all = async { tokio::join!(join_all(sized), self.follows.leave()) };
        let _ = tokio::time::timeout(TAKES, all).await;
        if let (Some(page), true) = (self.session.pages().first(), self.tabs.len() > 1) {
            // The one that verbs act on; what is behind is not drawn.
            page.target().cdp().send(rpc("Page.bringToFront", json!({}))).forget();
        }
    }
}
