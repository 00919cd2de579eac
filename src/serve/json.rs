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
        ApiError::invalid(&path, format!("{path}: {}{}", error.inner(), meant(&error.inner().to_string())))
    })?;
    reader.end().map_err(|error| ApiError::invalid(".", format!("after the JSON of the body: {error}")))?;
    Ok(value)
}

/// The known member nearest to one that is not known, in words.
fn meant(message: &str) -> String {
    let mut names = message.split('`').skip(1).step_by(2);
    let unknown = names.next().filter(|_| message.starts_with("unknown "));
    let near = unknown.and_then(|unknown| crate::base::closest(unknown, names));
    near.map_or_else(String::new, |near| format!("; did you mean {near:?}?"))
}
