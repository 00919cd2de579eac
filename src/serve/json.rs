//! The body of a request as what it is to be; what is wrong with it is told with its place.

use axum::extract::{FromRequest, Request};
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use crate::base::closest;

use super::app::App;
use super::error::ApiError;

/// A body in JSON, whatever its content type says.
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<App> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self, ApiError> {
        read(&bytes(request, app.config.max_body).await?).map(Self)
    }
}

/// The body, as long as it is not too large.
pub(super) async fn bytes(request: Request, limit: usize) -> Result<axum::body::Bytes, ApiError> {
    let too_large =
        || ApiError::new("payload_too_large", format!("the body has more than {limit} bytes, which is the most here"));
    let told = request.headers().get("content-length").and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    // Said beforehand, nothing of it is read.
    if told.is_some_and(|length| usize::try_from(length).is_ok_and(|length| length > limit)) {
        return Err(too_large());
    }
    axum::body::to_bytes(request.into_body(), limit).await.map_err(|error| {
        let is_length =
            std::error::Error::source(&error).is_some_and(|source| source.to_string().contains("length limit"));
        if is_length { too_large() } else { ApiError::invalid(".", "the body ended before its time") }
    })
}

/// Reads JSON; says where it is wrong.
pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.into_inner();
        if inner.classify() != Category::Data {
            return ApiError::invalid(".", format!("the body is not JSON: {}", placed(&inner)));
        }
        let reason = without_place(&inner.to_string());
        let told = if path == "." { reason.clone() } else { format!("{path}: {reason}") };
        let told = ApiError::invalid(&path, told);
        match nearest(&reason) {
            Some(near) => told.with("hint", format!("did you mean {near}?")),
            None => told,
        }
    })?;
    reader.end().map_err(|error| ApiError::invalid(".", format!("after the JSON of the body: {}", placed(&error))))?;
    Ok(value)
}

/// A mistake in the text itself, with its place: there is no path to one.
fn placed(error: &serde_json::Error) -> String {
    format!("line {}, column {}: {}", error.line(), error.column(), without_place(&error.to_string()))
}

/// A value has a path; lines and columns are those of a text that nobody sees.
fn without_place(text: &str) -> String {
    text.rsplit_once(" at line ").map_or(text, |(text, _)| text).to_owned()
}

/// The known name that is nearest to one that is not, from serde's words: unknown field `x`, expected one of `a`, `b`.
fn nearest(reason: &str) -> Option<String> {
    let is_name = ["unknown field `", "unknown variant `"].iter().any(|start| reason.starts_with(start));
    let mut names = reason.split('`').skip(1).step_by(2);
    let unknown = names.next().filter(|_| is_name)?;
    closest(unknown, names).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Asked {
        #[expect(dead_code, reason = "only read")]
        timeout_ms: Option<u64>,
        #[expect(dead_code, reason = "only read")]
        session: Option<BTreeMap<String, u8>>,
    }

    fn check(body: &str, path: &str, hint: Option<&str>) {
        let error = read::<Asked>(body.as_bytes()).unwrap_err();
        assert_eq!(error.details["path"], path, "{body}: {}", error.message);
        assert_eq!(error.details.get("hint").and_then(|hint| hint.as_str()), hint, "{body}");
        assert!(!error.message.contains(" at line "), "{}", error.message);
    }

    #[test]
    fn the_place_of_a_mistake_is_named_and_the_name_that_was_meant() {
        check(r#"{"timeout_ms": "x"}"#, "timeout_ms", None);
        check(r#"{"timeoutms": 1}"#, "timeoutms", Some("did you mean timeout_ms?"));
        check(r#"{"zzzzzzz": 1}"#, "zzzzzzz", None);
        check(r#"{"session": {"a": 300}}"#, "session.a", None);
        check("7", ".", None);
        check("", ".", None);
        check("{", ".", None);
        check("{} x", ".", None);
    }

    #[test]
    fn the_place_in_a_text_that_is_no_json_is_told() {
        let error = read::<Asked>(b"{\n \"timeout_ms\" 5}").unwrap_err();
        assert_eq!(error.message, "the body is not JSON: line 2, column 15: expected `:`");
    }
}
