//! A tenant's sessions a page at a time, in the store's own order, for those who cannot hold all of them.

use crate::base::{SessionId, Tenant};

use super::{SessionError, SessionSummary, Sessions};

/// Some of a tenant's sessions.
#[derive(Debug, Default)]
pub struct ListingPage {
    /// Those that can be opened.
    pub sessions: Vec<SessionSummary>,
    /// How many between them cannot.
    pub damaged: usize,
    /// Whether there are more; the id of the last one says after which.
    pub more: bool,
}

impl Sessions {
    /// At most `limit` sessions of a tenant after `after`, which need not be there any more, in the order of their names in the
    /// store. Reads no more of it than that, and nothing of other tenants.
    pub async fn page(
        &self,
        tenant: &Tenant,
        after: Option<&SessionId>,
        limit: usize,
    ) -> Result<ListingPage, SessionError> {
        self.follow_keys().await?;
        let tag = self.keys().names().tenant(tenant);
        let mut after = after.map(|id| self.name(tenant, id).session);
        let mut page = ListingPage::default();
        loop {
            // One more than is wanted tells whether there are more.
            let wanted = limit + 1 - page.sessions.len();
            let listed = self.records().list(tag, after, wanted).await?;
            let is_last = listed.len() < wanted;
            for listed in listed {
                after = Some(listed.name.session);
                match self.summary(tenant, &listed) {
                    Ok(_) if page.sessions.len() == limit => {
                        page.more = true;
                        return Ok(page);
                    }
                    Ok(summary) => page.sessions.push(summary),
                    Err(error) => {
                        tracing::debug!(code = error.code(), "a session in a listing cannot be opened");
                        page.damaged += 1;
                    }
                }
            }
            if is_last {
                return Ok(page);
            }
        }
    }
}
