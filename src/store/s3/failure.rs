//! What S3 answers when it does not do as asked, and which error of the store that is. The server's own code and message are
//! told; nothing of a request is.

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use crate::base::with_causes;

use super::super::StoreError;
use super::Bucket;

/// A request that failed.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{text}")]
pub(super) struct Failure {
    /// HTTP's status; none where no answer came.
    status: Option<u16>,
    /// The server's word for it, `AccessDenied`.
    code: Option<String>,
    text: String,
}

impl Failure {
    /// What became of `operation`, as S3 calls it.
    pub(super) fn of<E>(operation: &str, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let status = error.raw_response().map(|response| response.status().as_u16());
        let known = error.as_service_error().map(ProvideErrorMetadata::meta);
        let code = known.and_then(|known| known.code()).map(str::to_owned);
        let said = known.and_then(|known| known.message()).map(str::to_owned);
        let reason = match error {
            SdkError::TimeoutError(_) => "no answer came in time".to_owned(),
            SdkError::ServiceError(_) => said.unwrap_or_else(|| "the server gave no reason".to_owned()),
            error => with_causes(error),
        };
        let named = match (&code, status) {
            (Some(code), Some(status)) => format!(" ({code}, {status})"),
            (None, Some(status)) => format!(" ({status})"),
            _ => String::new(),
        };
        let way_out = way_out(code.as_deref(), status, operation, &reason);
        Self { status, code, text: format!("{operation} failed{named}: {reason}{way_out}") }
    }

    /// One that the server did not tell.
    pub(super) fn told(text: impl Into<String>) -> Self {
        Self { status: None, code: None, text: text.into() }
    }

    /// There is no such object.
    pub(super) fn is_absent(&self) -> bool {
        self.code.as_deref() != Some("NoSuchBucket") && self.status == Some(404)
    }

    /// The condition did not hold.
    pub(super) fn is_refused_by_condition(&self) -> bool {
        self.status == Some(412)
    }

    /// Another request for the same key was under way.
    pub(super) fn is_conflict(&self) -> bool {
        self.status == Some(409)
    }

    /// There is not that much of it.
    pub(super) fn is_beyond_end(&self) -> bool {
        self.status == Some(416)
    }

    /// The keys are not those of anybody who may do that.
    pub(super) fn is_denied(&self) -> bool {
        self.status == Some(403)
    }
}

fn way_out(code: Option<&str>, status: Option<u16>, operation: &str, reason: &str) -> String {
    match (code, status) {
        (Some("NoSuchBucket"), _) => "; make the bucket, or name another one".to_owned(),
        (Some("InvalidAccessKeyId" | "SignatureDoesNotMatch" | "ExpiredToken" | "InvalidToken"), _) => {
            "; check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE".to_owned()
        }
        (Some("PermanentRedirect" | "AuthorizationHeaderMalformed"), _) | (_, Some(301)) => {
            "; the bucket is in another region: say which with ?region=".to_owned()
        }
        (_, Some(403)) => format!("; access denied: its policy has to allow {}", action(operation)),
        (None, None) if reason.contains("credential") => {
            "; no credentials were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE".to_owned()
        }
        _ => String::new(),
    }
}

/// What a policy calls it.
fn action(operation: &str) -> &'static str {
    match operation {
        "GetObject" | "HeadObject" => "s3:GetObject, and s3:ListBucket (without it what is not there is denied, too)",
        "ListObjectsV2" => "s3:ListBucket",
        "ListMultipartUploads" => "s3:ListBucketMultipartUploads",
        "DeleteObject" | "DeleteObjects" => "s3:DeleteObject",
        "AbortMultipartUpload" => "s3:AbortMultipartUpload",
        _ => "s3:PutObject",
    }
}

impl Bucket {
    /// The error of the store.
    pub(super) fn failed(&self, failure: Failure) -> StoreError {
        StoreError::Unavailable { what: self.place.clone(), source: failure.into() }
    }
}
