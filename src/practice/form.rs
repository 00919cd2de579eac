//! A form with every kind of field; what the server received is shown on the page.

use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use super::html;
use super::state::Shared;

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/form", get(|| async { html::page("Form", "", include_str!("pages/form.html")) }))
        .route("/form/received", post(received))
}

/// Answers with the JSON that came, parsed and written again, so that it proves what arrived.
async fn received(body: String) -> Response {
    match serde_json::from_str::<serde_json::Value>(&body) {
        Ok(value) => html::json(&value),
        Err(error) => (StatusCode::BAD_REQUEST, format!("the body is not JSON: {error}")).into_response(),
    }
}
