//! Whose a request is: its token, looked up in the store, and what that opens.

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;

use crate::base::Tenant;
use crate::session::{Scope, TokenInfo};

use super::app::App;
use super::error::ApiError;

/// Who asks.
#[derive(Debug, Clone)]
pub(super) struct Caller(TokenInfo);

impl Caller {
    /// Whose sessions, secrets and jobs there are for this caller.
    pub(super) fn tenant(&self) -> &Tenant {
        &self.0.tenant
    }

    /// Names the token in logs.
    pub(super) fn token_id(&self) -> &str {
        &self.0.id
    }

    /// Fails with `forbidden` where the token does not open `scope`.
    pub(super) fn needs(&self, scope: Scope) -> Result<(), ApiError> {
        if self.0.scopes.contains(&scope) {
            return Ok(());
        }
        let message = format!("this token does not open {0:?}: one with --scope {0} does", scope.name());
        Err(ApiError::new("forbidden", message).with("scope", scope.name()))
    }
}

impl FromRequestParts<App> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let value = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token =
            value.and_then(|value| value.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let Some((_, token)) = token else {
            return Err(ApiError::new("unauthorized", "a token is wanted: Authorization: Bearer TOKEN"));
        };
        match app.sessions.authenticate(token.trim()).await {
            Ok(Some(token)) => Ok(Self(token)),
            Ok(None) => Err(ApiError::new("unauthorized", "this token is not known here, was revoked or has run out")),
            Err(error) => Err(ApiError::new(error.code(), crate::base::with_causes(&error))),
        }
    }
}
