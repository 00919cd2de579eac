//! The body of a request as what it is to be; what is wrong with it is told with its place.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use serde::de::DeserializeOwned;

use super::app::App;
use super::error::ApiError;

/// A body in JSON.
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<App> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self, ApiError> {
        let limit = app.config.max_body;
        let body = axum::body::to_bytes(request.into_body(), limit).await.map_err(|_| {
            ApiError::new("payload_too_large", format!("the body has more than {limit} bytes, which is the most here"))
        })?;
        read(&body).map(Self)
    }
}

fn read<T: DeserializeOwned>(body: &Bytes) -> Result<T, ApiError> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        ApiError::invalid(&path, format!("{path}: {}", error.inner()))
    })?;
    reader.end().map_err(|error| ApiError::invalid(".", format!("after the JSON of the body: {error}")))?;
    Ok(value)
}
