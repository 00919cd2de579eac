//! What addresses of ours begin with for who asks: as they have reached us.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;

use super::app::App;

/// `http://HOST`, without a slash at the end; empty where the request does not say, so that addresses are relative.
#[derive(Debug, Clone)]
pub(super) struct BaseUrl(pub(super) String);

impl FromRequestParts<App> for BaseUrl {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Infallible> {
        let host = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok()).or_else(|| parts.uri.host());
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']');
        let host = host.filter(|host| !host.is_empty() && host.chars().all(plain));
        Ok(Self(host.map(|host| format!("http://{host}")).unwrap_or_default()))
    }
}
