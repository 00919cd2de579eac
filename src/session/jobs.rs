//! What the HTTP endpoint keeps of its jobs: documents of a tenant that are changed only as they were read, so that of several
//! servers on one store one has its way. What they say is the endpoint's.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::base::{Tenant, with_causes};
use crate::seal::Sealed;

use super::documents::Put;
use super::{SessionError, Sessions, tenants};

/// Which document of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobPart {
    /// Says that there is one that is not done: what a server looks for.
    Open,
    /// The job.
    Job,
    /// What came of it.
    Answer,
    /// Which job a client's key stands for.
    Key,
}

impl JobPart {
    fn kind(self) -> &'static str {
        match self {
            Self::Open => "job_open",
            Self::Job => "job",
            Self::Answer => "job_answer",
            Self::Key => "job_key",
        }
    }
}

/// A document as it stood when it was read or written: it can be changed as long as it stands so.
#[derive(Debug, Clone)]
pub struct Seen(Option<Sealed>);

impl Seen {
    /// Nothing stood there.
    pub const NOTHING: Self = Self(None);

    /// This stood there.
    pub(super) fn of(sealed: Sealed) -> Self {
        Self(Some(sealed))
    }

    /// What stood there.
    pub(super) fn into_sealed(self) -> Option<Sealed> {
        self.0
    }
}

impl Sessions {
    /// The document by that name.
    pub async fn job_document<T: DeserializeOwned>(
        &self,
        tenant: &Tenant,
        part: JobPart,
        name: &str,
    ) -> Result<Option<(T, Seen)>, SessionError> {
        let read = self.document_as_it_stands(tenant, part.kind(), name).await?;
        Ok(read.map(|(value, sealed)| (value, Seen(Some(sealed)))))
    }

    /// Puts it where what is there is still as it was `seen`; none, with nothing written, where it is not. It is gone after `ttl`.
    pub async fn put_job_document<T: Serialize>(
        &self,
        tenant: &Tenant,
        part: JobPart,
        name: &str,
        value: &T,
        seen: Seen,
        ttl: Option<Duration>,
    ) -> Result<Option<Seen>, SessionError> {
        let put = self.put_document_over(tenant, part.kind(), name, value, seen.0, ttl).await?;
        Ok(match put {
            Put::Done(sealed) => Some(Seen(Some(sealed))),
            Put::Changed => None,
        })
    }

    /// Removes it; answers whether it was there.
    pub async fn remove_job_document(&self, tenant: &Tenant, part: JobPart, name: &str) -> Result<bool, SessionError> {
        self.remove_document(tenant, part.kind(), name).await
    }

    /// All of that part that can be opened, in no order: one that is damaged is not at the expense of the others.
    pub async fn job_documents<T: DeserializeOwned>(
        &self,
        tenant: &Tenant,
        part: JobPart,
    ) -> Result<Vec<T>, SessionError> {
        let pass = |error: SessionError| {
            tracing::warn!(code = error.code(), "what is kept of a job is passed over: {}", with_causes(&error));
            Ok(())
        };
        self.documents_but(tenant, part.kind(), pass).await
    }

    /// Every tenant that anything was ever kept for.
    pub async fn tenants(&self) -> Result<Vec<Tenant>, SessionError> {
        Ok(tenants::all(self).await?.0.into_values().collect())
    }
}
