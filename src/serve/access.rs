//! Whose a request is: its token, looked up in the store at every request, and what that opens.

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};

use crate::base::Tenant;
use crate::session::{Scope, TokenInfo};

use super::app::App;
use super::cookie;
use super::error::ApiError;
use super::observe::Seen;

/// Who asks.
#[derive(Debug, Clone)]
pub(super) struct Caller(TokenInfo);

impl Caller {
    /// Whoever has this token: for work that was asked for earlier.
    pub(super) fn of(token: TokenInfo) -> Self {
        Self(token)
    }

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
        let refused = |message: &str| ApiError::new("unauthorized", message);
        let value = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token =
            value.and_then(|value| value.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let found = match token {
            Some((_, token)) => app.sessions.authenticate(token.trim()).await,
            // A person with the dashboard.
            None => cookie::person(app, &parts.headers).await,
        };
        let has_token = token.is_some();
        match found {
            Ok(Some(token)) => {
                let caller = Self(token);
                if let Some(seen) = parts.extensions.get::<Seen>() {
                    seen.tell(caller.tenant().as_str(), caller.token_id());
                }
                Ok(caller)
            }
            Ok(None) if !has_token => Err(refused("a token is wanted: Authorization: Bearer TOKEN")),
            Ok(None) => Err(refused("this token is not known here, was revoked or has run out")),
            // Whoever asks is nobody yet: what is wrong with the store is not for them.
            Err(error) => {
                tracing::warn!(code = error.code(), error = %crate::base::with_causes(&error), "a token cannot be looked up");
                Err(ApiError::new("store_unavailable", "tokens cannot be looked up just now"))
            }
        }
    }
}

/// A caller whose token opens `admin`: known before anything else of the request is read.
pub(super) struct Admin(pub(super) Caller);

impl FromRequestParts<App> for Admin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let caller = Caller::from_request_parts(parts, app).await?;
        caller.needs(Scope::Admin)?;
        Ok(Self(caller))
    }
}

/// Tells the document how tokens are sent. Operations name the scopes that they need as `security(("token" = ["admin"]))`.
pub(super) struct TokenScheme;

impl utoipa::Modify for TokenScheme {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let bearer = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("A token that `rhaven token create` made; it belongs to one tenant."));
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(bearer.build()));
        let admin = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("The `admin_token` of the live browser."));
        components.add_security_scheme("admin_token", SecurityScheme::Http(admin.build()));
    }
}
