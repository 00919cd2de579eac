//! What requests about sessions, secrets and identities are refused with, and how the document tells of it.

use axum::http::StatusCode;
use tracing::Instrument as _;
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
        SessionError::Egress(error) => ApiError::new(error.code(), message),
        SessionError::Portable(error) => of_file(&error),
        SessionError::Store(StoreError::LeaseLost | StoreError::Conflict { .. } | StoreError::DocumentChanged) => {
            ApiError::new("conflict", "another has written it meanwhile: nothing was changed by this request")
        }
        SessionError::Store(StoreError::Unavailable { .. }) => {
            ApiError::new("store_unavailable", outward("store_unavailable", with_causes(&error)))
        }
        error => {
            tracing::error!(code = error.code(), error = %with_causes(&error), "a request failed");
            let message = inner(error.code()).map_or(message, str::to_owned);
            as_status(StatusCode::INTERNAL_SERVER_ERROR, error.code(), message)
        }
    }
}

/// What a client is told of an error that is about the server itself; none for those that are about what was asked. Places in the
/// store, ids of keys, paths and the system's words are in the log only.
pub(super) fn inner(code: &str) -> Option<&'static str> {
    Some(match code {
        "store_unavailable" => "the store does not answer just now",
        "store_unfit" | "store_layout" => "the server's store cannot be used as it is: its log says why",
        "store_corrupt" => "something that is kept is damaged: the server's log says what",
        "decrypt_failed" => "something that is kept cannot be opened: the server's log says what",
        "wrong_key" | "key_unavailable" | "invalid_key" => "the server's key cannot be used: its log says why",
        "save_failed" => "it could not be saved: the server's log says why",
        "browser_not_installed" => "the server has no browser: its log says why",
        "browser_launch_failed" => "the server's browser could not be started: its log says why",
        "browser_connect_failed" => "the server's browser could not be reached: its log says why",
        _ => return None,
    })
}

/// `message`, or where it is about the server itself the sentence for clients; the log has the whole then.
pub(super) fn outward(code: &str, message: String) -> String {
    let Some(told) = inner(code) else { return message };
    tracing::warn!(code, error = message, "told to a client in short");
    told.to_owned()
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
    match tokio::spawn(work.in_current_span()).await {
        Ok(done) => done.map_err(refused),
        Err(_) => Err(ApiError::internal("the work of this request broke off")),
    }
}
