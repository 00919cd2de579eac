//! What requests about sessions, secrets and identities are refused with, and how the document tells of it.

use axum::http::StatusCode;
use utoipa::IntoResponses;

use crate::base::{Version, with_causes};
use crate::session::{PortableError, SessionError};
use crate::store::StoreError;

use super::error::{ApiError, ErrorBody};
use super::params::PASSPHRASE;

/// What every request with a token may be refused with.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "read by the document only")]
pub(super) enum Usual {
    /// `invalid_request`: something in path, query, headers or body; `path` says where.
    #[response(status = 400)]
    Invalid(ErrorBody),
    /// `unauthorized`: no token, or one that is not known, was revoked or has run out.
    #[response(status = 401)]
    Unauthorized(ErrorBody),
    /// What is kept cannot be opened: `decrypt_failed`, `store_corrupt` ..
    #[response(status = 500)]
    Damaged(ErrorBody),
    /// `store_unavailable`.
    #[response(status = 503)]
    Unavailable(ErrorBody),
}

/// The token does not open the scope.
#[derive(IntoResponses)]
#[response(status = 403, description = "`forbidden`: the token does not open the scope; `scope` names it.")]
#[expect(dead_code, reason = "read by the document only")]
pub(super) struct Forbidden(ErrorBody);

/// There is no such thing for this tenant.
#[derive(IntoResponses)]
#[response(status = 404, description = "`session_not_found`, `version_not_found` or `not_found`: not of this tenant.")]
#[expect(dead_code, reason = "read by the document only")]
pub(super) struct Missing(ErrorBody);

/// It is in use, or there is one already.
#[derive(IntoResponses)]
#[response(
    status = 409,
    description = "`session_busy` with `holder` and `lease_ends_in_ms`, `session_exists`, or `conflict`: another wrote it meanwhile."
)]
#[expect(dead_code, reason = "read by the document only")]
pub(super) struct InTheWay(ErrorBody);

/// The body is too large.
#[derive(IntoResponses)]
#[response(status = 413, description = "`payload_too_large`.")]
#[expect(dead_code, reason = "read by the document only")]
pub(super) struct TooLarge(ErrorBody);

/// The file cannot be taken.
#[derive(IntoResponses)]
#[response(
    status = 422,
    description = "`invalid_import` with the place in the file, or `decrypt_failed`: another passphrase, or a damaged bundle."
)]
#[expect(dead_code, reason = "read by the document only")]
pub(super) struct BadFile(ErrorBody);

/// The answer to a request that a session's error ends. Of what is wrong with the store or with what is kept in it only the log
/// has more: places and keys are none of the client's business.
pub(super) fn refused(error: SessionError) -> ApiError {
    let message = error.to_string();
    match error {
        SessionError::Busy { holder, expires_in, .. } => {
            let ends = u64::try_from(expires_in.as_millis()).unwrap_or(u64::MAX);
            ApiError::new("session_busy", message).with("holder", holder).with("lease_ends_in_ms", ends)
        }
        SessionError::NoVersion { kept, .. } => {
            let kept: Vec<u64> = kept.iter().map(|Version(number)| *number).collect();
            as_status(StatusCode::NOT_FOUND, "version_not_found", message).with("kept", kept)
        }
        SessionError::NotFound(_) | SessionError::Exists(_) => ApiError::new(error.code(), message),
        SessionError::NoIdentity { .. } | SessionError::NoSecret(_) => ApiError::new("not_found", message),
        SessionError::Id(_)
        | SessionError::Url { .. }
        | SessionError::Secret(_)
        | SessionError::Token(_)
        | SessionError::Cookie(_)
        | SessionError::Identity(_) => ApiError::invalid(".", message),
        SessionError::Portable(error) => of_file(&error),
        SessionError::Store(StoreError::LeaseLost | StoreError::Conflict { .. } | StoreError::DocumentChanged) => {
            ApiError::new("conflict", "another has written it meanwhile: nothing was changed by this request")
        }
        SessionError::Store(StoreError::Unavailable { .. }) => {
            tracing::warn!(error = %with_causes(&error), "the store does not answer");
            ApiError::new("store_unavailable", "the store does not answer just now")
        }
        error => {
            tracing::error!(code = error.code(), error = %with_causes(&error), "a request failed");
            as_status(StatusCode::INTERNAL_SERVER_ERROR, error.code(), message)
        }
    }
}

fn as_status(status: StatusCode, code: &str, message: impl Into<String>) -> ApiError {
    let mut error = ApiError::new(code, message);
    error.status = status;
    error
}

fn of_file(error: &PortableError) -> ApiError {
    let message = error.to_string();
    match error {
        PortableError::NoPassphrase => {
            let message = format!("a bundle is sealed under a passphrase: send it in the header {PASSPHRASE}");
            as_status(StatusCode::BAD_REQUEST, error.code(), message).with("path", PASSPHRASE)
        }
        PortableError::Passphrase(_) => ApiError::invalid(PASSPHRASE, message),
        PortableError::TooLarge { .. } => ApiError::new("payload_too_large", message),
        PortableError::Read(_) => ApiError::invalid("body", "the body broke off"),
        PortableError::GivenUp => ApiError::invalid("body", message),
        PortableError::Write(_) => ApiError::internal("the answer could not be written"),
        _ => as_status(StatusCode::UNPROCESSABLE_ENTITY, error.code(), message),
    }
}

/// `work` to its end, also where whoever asked for it has gone: given up half-way it would leave a lease behind.
pub(super) async fn to_its_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, SessionError>> + Send + 'static,
) -> Result<T, ApiError> {
    match tokio::spawn(work).await {
        Ok(done) => done.map_err(refused),
        Err(_) => Err(ApiError::internal("the work of this request broke off")),
    }
}
