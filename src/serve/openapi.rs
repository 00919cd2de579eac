//! The document of the interface: what the handlers say of themselves, and what holds of all of them: the token, the id of each
//! request, the errors.

use axum::http::header;
use axum::response::IntoResponse;
use serde_json::{Map, Value, json};
use utoipa::OpenApi;

use super::access::TokenScheme;
use super::error::ErrorBody;

/// The document that the handlers' own are put into.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Rhaven",
        description = "Browser automation with sessions that last: scripts, pages, sessions. Every answer has the id of its \
                       request, in `X-Request-Id` and in its JSON."
    ),
    modifiers(&TokenScheme),
    components(schemas(ErrorBody)),
    tags(
        (name = "scripts", description = "Scripts that drive a browser"),
        (name = "pages", description = "What a page says, and actions on it"),
        (name = "jobs", description = "Work that takes longer than a request"),
        (name = "sessions", description = "What is kept of sites"),
        (name = "identities", description = "What sessions tell sites"),
        (name = "secrets", description = "Values that scripts may type and nobody may read"),
        (name = "live browsers", description = "Browsers that people watch and steer, and clients drive"),
        (name = "server", description = "The server itself")
    )
)]
pub(super) struct Document;

/// An error that an operation may answer: status, description, code of the example, its message.
type Told = (u16, &'static str, &'static str, &'static str);

/// Of every operation that needs a token.
const ALWAYS: [Told; 7] = [
    (400, "The request cannot be understood; `path` is the place in its JSON", "invalid_request", "url: missing"),
    (401, "No token, or one that opens nothing", "unauthorized", "a token is wanted: Authorization: Bearer TOKEN"),
    (403, "The token does not open this", "forbidden", "this token does not open \"run\": one with --scope run does"),
    (404, "There is no such thing, or it is another tenant's", "not_found", "there is nothing at this path"),
    (414, "The address is too long", "uri_too_long", "the address has 9000 bytes; 8192 is the most here"),
    (500, "A fault of the server", "internal_error", "the work ended early"),
    (503, "The store, a browser or a proxy is not there now", "store_unavailable", "the store is not available"),
];

/// Of those that change or do something.
const DOING: [Told; 3] = [
    (
        409,
        "Others have the session, or something else is in the way",
        "session_busy",
        "session acme is in use by another",
    ),
    (413, "The body is too large", "payload_too_large", "the body has more than 4194304 bytes"),
    (422, "Understood, and it cannot be done", "script_error", "no element matches \"#pay\""),
];

/// Of those that do work in a browser.
const WORKING: [Told; 3] = [
    (429, "Too much waits already: come again after `Retry-After` seconds", "rate_limited", "the queue is full"),
    (
        502,
        "The address may not be reached from here, or could not be",
        "target_blocked",
        "127.0.0.1 is not to be reached",
    ),
    (504, "Time ran out", "timeout", "the run took longer than 30s"),
];

/// What begins the paths of operations that do work in a browser.
const WORK: [&str; 4] = ["/v1/run", "/v1/fetch", "/v1/interact", "/v1/jobs"];

/// What begins the paths at the base of a live browser's address, which have tokens of their own.
const LIVE: &str = "/live/{id}/";

/// What ends the paths of operations that open whole sessions, and so wait for a place.
const HEAVY: [&str; 5] = ["/history", "/diff", "/check", "/export", "/import"];

/// The whole document, as JSON.
pub(super) fn text(document: &utoipa::openapi::OpenApi, base_url: &str) -> String {
    let mut document = serde_json::to_value(document).unwrap_or_default();
    document["info"]["version"] = env!("CARGO_PKG_VERSION").into();
    document["info"]["license"] = json!({ "name": env!("CARGO_PKG_LICENSE") });
    document["servers"] = json!([{ "url": base_url }]);
    let paths = document["paths"].as_object_mut();
    for (path, operations) in paths.into_iter().flatten() {
        for (method, operation) in operations.as_object_mut().into_iter().flatten() {
            complete(path, method, operation);
        }
    }
    serde_json::to_string_pretty(&document).unwrap_or_default()
}

/// Adds to an operation what holds of all.
fn complete(path: &str, method: &str, operation: &mut Value) {
    let Some(operation) = operation.as_object_mut() else { return };
    let needs_token = path.starts_with("/v1/") || path.starts_with("/v0/");
    if needs_token {
        operation.entry("security").or_insert_with(|| json!([{ "token": [] }]));
    }
    let responses = operation.entry("responses").or_insert_with(|| json!({}));
    let Some(responses) = responses.as_object_mut() else { return };
    if needs_token {
        add(responses, &ALWAYS);
        if method != "get" {
            add(responses, &DOING);
        }
        if WORK.iter().any(|start| path.starts_with(start)) {
            add(responses, &WORKING);
        }
        if HEAVY.iter().any(|end| path.ends_with(end)) {
            add(responses, &WORKING[..1]);
        }
    }
    if path.starts_with(LIVE) {
        add(responses, &ALWAYS);
        if method == "post" {
            add(responses, &DOING[1..2]);
        }
    }
    if path == "/metrics" {
        operation_may_be_refused(responses);
    }
    for response in responses.values_mut() {
        // Events are no value that a schema of JSON describes.
        if let Some(events) = response.pointer_mut("/content/text~1event-stream").and_then(Value::as_object_mut) {
            events.remove("schema");
        }
        response["headers"]["X-Request-Id"] =
            json!({ "description": "The request's id", "schema": { "type": "string" } });
    }
}

fn operation_may_be_refused(responses: &mut Map<String, Value>) {
    let refused = ALWAYS.into_iter().filter(|(status, ..)| *status == 401 || *status == 503);
    add(responses, &refused.collect::<Vec<_>>());
}

/// Adds the errors that the handler did not describe itself.
fn add(responses: &mut Map<String, Value>, errors: &[Told]) {
    for (status, description, code, message) in errors {
        let example = json!({
            "request_id": "req_5f0c2b1e9d3a4c7f8e6b5a4d3c2b1a09",
            "error": { "code": code, "message": message },
            "diagnostics": {
                "retryable": matches!(status, 429 | 503 | 504) || *code == "session_busy",
                "blocked": *code == "target_blocked",
                "timed_out": *code == "timeout",
            },
        });
        let content = json!({
            "application/json": { "schema": { "$ref": "#/components/schemas/ErrorBody" }, "example": example }
        });
        let told = json!({ "description": description, "content": content });
        responses.entry(status.to_string()).or_insert(told);
    }
}

/// The document that was made at the start.
#[derive(Clone)]
pub(super) struct Made(pub(super) std::sync::Arc<str>);

/// The document of this interface.
#[utoipa::path(
    get,
    path = "/openapi.json",
    tag = "server",
    responses((status = 200, description = "This document", content_type = "application/json", body = Object))
)]
pub(super) async fn openapi(axum::Extension(made): axum::Extension<Made>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], made.0.to_string())
}
