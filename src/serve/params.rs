//! What stands in a request's path, query and headers, checked; what is wrong with it is `invalid_request`.

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use crate::base::{Secret, SessionId};

use super::app::App;
use super::error::ApiError;

/// The header that a bundle's passphrase is sent in: queries end up in logs of others.
pub(super) const PASSPHRASE: &str = "x-rhaven-passphrase";

/// The query, with nothing in it that is not known.
pub(super) struct Query<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequestParts<App> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, ApiError> {
        match axum::extract::Query::<T>::try_from_uri(&parts.uri) {
            Ok(axum::extract::Query(query)) => Ok(Self(query)),
            Err(error) => Err(ApiError::invalid("query", error.body_text())),
        }
    }
}

/// The names in the path, of a route that has several.
pub(super) struct Names<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Names<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match Path::<T>::from_request_parts(parts, state).await {
            Ok(Path(names)) => Ok(Self(names)),
            Err(error) => Err(ApiError::invalid("path", format!("UTF-8, percent-encoded, is wanted: {error}"))),
        }
    }
}

/// A name in the path.
pub(super) struct Name(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Name {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match Path::<String>::from_request_parts(parts, state).await {
            Ok(Path(name)) => Ok(Self(name)),
            Err(error) => Err(ApiError::invalid("path", format!("UTF-8, percent-encoded, is wanted: {error}"))),
        }
    }
}

/// The id of a session in the path: any text of 1 to 256 bytes, percent-encoded.
pub(super) struct SessionPath(pub(super) SessionId);

impl FromRequestParts<App> for SessionPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let Name(id) = Name::from_request_parts(parts, app).await?;
        SessionId::new(id).map(Self).map_err(|error| ApiError::invalid("id", error.to_string()))
    }
}

/// The passphrase that was sent with the request, if there is one. Nobody after this sees the header.
pub(super) struct Passphrase(pub(super) Option<Secret>);

impl FromRequestParts<App> for Passphrase {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, ApiError> {
        let Some(value) = parts.headers.remove(PASSPHRASE) else { return Ok(Self(None)) };
        match std::str::from_utf8(value.as_bytes()) {
            Ok(text) => Ok(Self(Some(Secret::new("the passphrase", text.to_owned())))),
            Err(_) => Err(ApiError::invalid(PASSPHRASE, "a passphrase is text in UTF-8")),
        }
    }
}
