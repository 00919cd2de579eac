//! The browsers of the tenants: each has its own, started when it is first needed.

use std::time::Duration;

use crate::base::Tenant;
use crate::session::{Sessions, Workspace, WorkspaceConfig};

use super::ServeConfig;

/// The browsers of the tenants.
pub(super) struct Pools {
    workspace: WorkspaceConfig,
}

impl Pools {
    pub(super) fn new(config: &ServeConfig, _: Sessions) -> Self {
        Self { workspace: config.workspace.clone() }
    }

    /// Ends all browsers, within that time.
    #[expect(clippy::unused_async, reason = "each workspace ends its own")]
    pub(super) async fn close(&self, _: Duration) {}

    /// A workspace of `tenant`; `id` is that of the request or job, which others are told holds its sessions. Starts nothing yet.
    pub(super) fn workspace(&self, tenant: &Tenant, id: &str) -> Workspace {
        let holder = format!("{} ({id})", self.workspace.holder);
        Workspace::new(WorkspaceConfig { tenant: tenant.clone(), holder, ..self.workspace.clone() })
    }
}
