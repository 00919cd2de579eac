//! `/docs`: a page of ours that lists the operations and sends them. It loads nothing from elsewhere, and may not.

use axum::http::{HeaderName, header};
use axum::response::IntoResponse;
use utoipa_axum::router::OpenApiRouter;

use super::app::App;

const PAGE: &str = include_str!("docs_page/index.html");
const SCRIPT: &str = include_str!("docs_page/docs.js");
const STYLE: &str = include_str!("docs_page/docs.css");

/// Nothing but what is served here, nobody's frame, and no form that goes elsewhere.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub(super) fn routes() -> OpenApiRouter<App> {
    let part = |content_type, text| axum::routing::get(move || async move { file(content_type, text) });
    OpenApiRouter::new()
        .route("/docs", part("text/html; charset=utf-8", PAGE))
        .route("/docs/docs.js", part("text/javascript; charset=utf-8", SCRIPT))
        .route("/docs/docs.css", part("text/css; charset=utf-8", STYLE))
}

fn file(content_type: &'static str, text: &'static str) -> impl IntoResponse {
    let headers: [(HeaderName, &'static str); 5] = [
        (header::CONTENT_TYPE, content_type),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    (headers, text)
}
