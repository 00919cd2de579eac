//! A browser that somebody else has and keeps: our connection to it, and the tabs that are in it.

use std::sync::Arc;
use std::time::Duration;

use crate::browser::{Browser, BrowserError, Target, TargetKind};

#[cfg(doc)]
use super::SessionError;
use super::restorer::Gate;
use super::room::Room;
use super::running::Running;
use super::tabs::Tabs;
use super::{Workspace, WorkspaceConfig};

/// How long the tabs that are there may take to become pages of ours.
const ATTACHING: Duration = Duration::from_secs(5);

impl Workspace {
    /// One in a browser that somebody else has: its current session is the browser's own context with the tabs that are there, of which
    /// nothing is restored or saved. No other is opened in it ([`SessionError::Visiting`]), nor another browser started. The browser goes on
    /// when this ends.
    pub fn visiting(config: WorkspaceConfig, browser: Browser) -> Self {
        let workspace = Self::new(config);
        workspace.0.open.send_modify(|open| {
            open.running = Some(Running::visit(browser));
            open.visiting = true;
        });
        workspace
    }

    /// Whether its browser is somebody else's.
    pub fn is_visiting(&self) -> bool {
        self.0.open.borrow().visiting
    }
}

/// What there is once the connection has ended: no other browser is started.
pub(super) fn is_over() -> Arc<Running> {
    Running::refused(BrowserError::Gone("it is somebody else's, and the connection to it has ended".to_owned()))
}

/// The browser's own context, with the tabs that are in it.
pub(super) async fn room(gate: &Gate) -> Result<Room, BrowserError> {
    let context = gate.browser().default_context_as_found().await?;
    let found = context.all_targets();
    let tabs = Tabs::visit(context.clone(), gate.hidden(), gate.own());
    gate.know(&tabs);
    // A page that hangs is not waited for: there may be others.
    let _ = tokio::time::timeout(ATTACHING, taken_in(&tabs, &found)).await;
    Ok(Room::of_others(context, tabs))
}

/// Waits until those of `found` that are tabs are pages, or have gone.
async fn taken_in(tabs: &Tabs, found: &[Target]) {
    loop {
        let arrived = tabs.arrived().notified();
        tokio::pin!(arrived);
        arrived.as_mut().enable();
        let pages = tabs.pages();
        let is_there = |target: &Target| pages.iter().any(|page| page.target().id() == target.id());
        let comes = |target: &Target| *target.kind() == TargetKind::Page && !target.is_gone() && !is_there(target);
        if !found.iter().any(comes) {
            return;
        }
        arrived.await;
    }
}
