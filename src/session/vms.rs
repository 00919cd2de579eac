//! What the HTTP endpoint keeps of its live browsers: a document of its tenant for each, changed only as it was read, so that of several
//! servers on one store one has its way. What they say is the endpoint's.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::base::{Tenant, with_causes};

use super::documents::Put;
use super::jobs::Seen;
use super::{SessionError, Sessions};

/// Which document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LivePart {
    /// A live browser.
    Browser,
    /// That somebody has signed out of what a person signs in to.
    SignedOut,
}

impl LivePart {
    fn kind(self) -> &'static str {
        match self {
            Self::Browser => "live",
            Self::SignedOut => "signed_out",
        }
    }
}

impl Sessions {
    /// The document by that name.
    pub async fn live_document<T: DeserializeOwned>(
        &self,
        tenant: &Tenant,
        part: LivePart,
        name: &str,
    ) -> Result<Option<(T, Seen)>, SessionError> {
        let read = self.document_as_it_stands(tenant, part.kind(), name).await?;
        Ok(read.map(|(value, sealed)| (value, Seen::of(sealed))))
    }

    /// Puts it where what is there is still as it was `seen`; none, with nothing written, where it is not. It is gone after `ttl`.
    pub async fn put_live_document<T: Serialize>(
        &self,
        tenant: &Tenant,
        part: LivePart,
        name: &str,
        value: &T,
        seen: Seen,
        ttl: Option<Duration>,
    ) -> Result<Option<Seen>, SessionError> {
        match self.put_document_over(tenant, part.kind(), name, value, seen.into_sealed(), ttl).await? {
            Put::Done(sealed) => Ok(Some(Seen::of(sealed))),
            Put::Changed => Ok(None),
        }
    }

    /// All of that part that can be opened, in no order: one that is damaged is not at the expense of the others.
    pub async fn live_documents<T: DeserializeOwned>(
        &self,
        tenant: &Tenant,
        part: LivePart,
    ) -> Result<Vec<T>, SessionError> {
        let pass = |error: SessionError| {
            tracing::warn!(
                code = error.code(),
                "what is kept of a live browser is passed over: {}",
                with_causes(&error)
            );
            Ok(())
        };
        self.documents_but(tenant, part.kind(), pass).await
    }
}
