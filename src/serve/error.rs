//! What a request is answered that cannot be done: status, stable code, message, and whether trying again may help.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::request_id::RequestId;

/// An error on its way to whoever asked. Made into JSON by `request_id::give`, which knows the request's id.
#[derive(Debug, Clone)]
pub(super) struct ApiError {
    pub(super) status: StatusCode,
    pub(super) code: String,
    pub(super) message: String,
    /// What else the error tells, by name: `path`, `holder`, `line` ..
    pub(super) details: Map<String, Value>,
    /// When to come again, in seconds.
    pub(super) retry_after: Option<u64>,
    /// Members of the answer beside the error, e.g. `session`.
    pub(super) beside: Map<String, Value>,
}

/// The JSON of an error.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ErrorBody {
    /// The request's id.
    request_id: String,
    error: ErrorTold,
    diagnostics: Diagnostics,
    #[serde(flatten)]
    beside: Map<String, Value>,
}

/// What went wrong.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ErrorTold {
    /// The stable code.
    code: String,
    /// For people.
    message: String,
    #[serde(flatten)]
    details: Map<String, Value>,
}

/// What it means for whoever asked.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Diagnostics {
    /// Trying the same again may succeed.
    retryable: bool,
    /// The target was refused or refused us.
    blocked: bool,
    /// Time ran out.
    timed_out: bool,
}

/// The detail of a `script_error` that has the code of what went wrong in the script.
pub(super) const INNER: &str = "inner_code";

/// The status of an error's code.
fn status_of(code: &str) -> StatusCode {
    match code {
        "invalid_request" => StatusCode::BAD_REQUEST,
        "unauthorized" => StatusCode::UNAUTHORIZED,
        "forbidden" => StatusCode::FORBIDDEN,
        "not_found" | "session_not_found" | "job_not_found" | "version_not_found" => StatusCode::NOT_FOUND,
        "method_not_allowed" => StatusCode::METHOD_NOT_ALLOWED,
        "session_busy"
        | "session_exists"
        | "idempotency_conflict"
        | "job_not_ready"
        | "conflict"
        | "lease_lost"
        | "cancelled" => StatusCode::CONFLICT,
        "payload_too_large" => StatusCode::PAYLOAD_TOO_LARGE,
        "rate_limited" => StatusCode::TOO_MANY_REQUESTS,
        "target_blocked" | "navigation_failed" => StatusCode::BAD_GATEWAY,
        "browser_unavailable" | "store_unavailable" | "proxy_unavailable" | "node_unavailable" | "interrupted" => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        "timeout" => StatusCode::GATEWAY_TIMEOUT,
        "internal_error" => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

impl ApiError {
    /// An error by its code, which settles the status.
    pub(super) fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        let code = code.into();
        Self {
            status: status_of(&code),
            code,
            message: message.into(),
            details: Map::new(),
            retry_after: None,
            beside: Map::new(),
        }
    }

    /// A request that cannot be understood; `path` is the place in its JSON.
    pub(super) fn invalid(path: &str, message: impl Into<String>) -> Self {
        ApiError::new("invalid_request", message).with("path", path)
    }

    /// A fault of ours.
    pub(super) fn internal(message: impl Into<String>) -> Self {
        ApiError::new("internal_error", message)
    }

    /// The same with one more thing told.
    #[must_use]
    pub(super) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.details.insert(name.to_owned(), value.into());
        self
    }

    /// The same of something that is the member `outer` of a body: its place is told from there.
    #[must_use]
    pub(super) fn within(mut self, outer: &str) -> Self {
        if let Some(Value::String(path)) = self.details.get_mut("path") {
            let inner = std::mem::take(path);
            *path = if inner == "." { outer.to_owned() } else { format!("{outer}.{inner}") };
            let place = format!("{path}: ");
            let text = self.message.strip_prefix(&format!("{inner}: ")).unwrap_or(&self.message);
            self.message = place + text;
        }
        self
    }

    /// Whether it is this error, or that of a script that ended with it.
    fn is(&self, code: &str) -> bool {
        self.code == code || self.details.get(INNER).is_some_and(|inner| inner == code)
    }

    /// Its JSON, once the request's id is known.
    pub(super) fn told(self, id: &RequestId) -> Value {
        serde_json::to_value(self.body(id)).unwrap_or_default()
    }

    fn body(self, id: &RequestId) -> ErrorBody {
        let diagnostics = Diagnostics {
            retryable: matches!(
                self.status,
                StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT
            ) || matches!(&*self.code, "session_busy" | "job_not_ready" | "conflict" | "lease_lost"),
            blocked: self.is("target_blocked"),
            timed_out: self.is("timeout"),
        };
        ErrorBody {
            request_id: id.0.clone(),
            error: ErrorTold { code: self.code, message: self.message, details: self.details },
            diagnostics,
            beside: self.beside,
        }
    }

    /// The answer, once the request's id is known.
    pub(super) fn render(self, id: &RequestId) -> Response {
        let (status, retry_after) = (self.status, self.retry_after);
        let mut response = (status, Json(self.body(id))).into_response();
        if let Some(seconds) = retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// A path that is none of ours.
pub(super) async fn no_such_route() -> ApiError {
    ApiError::new("not_found", "there is nothing at this path: /docs lists what there is")
}

/// A path of ours, asked in a way that it does not know.
pub(super) async fn no_such_method() -> ApiError {
    ApiError::new("method_not_allowed", "this path does not know this method: /docs lists what there is")
}
