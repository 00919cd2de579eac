//! Pages on which clicking is hard: late, moving, covered, disabled, replaced, shifting targets, shadow roots, frames,
//! popups, dialogs, downloads. On each, `#clicked` counts what was clicked and `#last` names it.

use axum::Router;
use axum::extract::Query;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;

use super::html::{self, fill};
use super::state::Shared;

/// How long a trouble lasts, or how late something comes, where the address does not say.
const DEFAULT_MS: u32 = 1000;

/// Path, title and body of each page; `{{ms}}` in it is the address's `?ms=`.
const PAGES: [(&str, &str, &str); 12] = [
    ("/late", "A late button", include_str!("pages/late.html")),
    ("/moving", "A moving button", include_str!("pages/moving.html")),
    ("/covered", "A covered button", include_str!("pages/covered.html")),
    ("/disabled", "A disabled button", include_str!("pages/disabled.html")),
    ("/detached", "A button that is replaced", include_str!("pages/detached.html")),
    ("/shifting", "A layout that shifts", include_str!("pages/shifting.html")),
    ("/two", "Two equal buttons", include_str!("pages/two.html")),
    ("/shadow", "Shadow roots", include_str!("pages/shadow.html")),
    ("/popup", "Popups", include_str!("pages/popup.html")),
    ("/dialogs", "Dialogs", include_str!("pages/dialogs.html")),
    ("/download", "Downloads", include_str!("pages/download.html")),
    ("/endless", "A script that never ends", include_str!("pages/endless.html")),
];

pub(super) fn routes() -> Router<Shared> {
    let router = PAGES.into_iter().fold(Router::new(), |router, (path, title, body)| {
        router.route(path, get(move |query: Query<Trouble>| async move { troubled(title, body, &query) }))
    });
    router.route("/frames", get(frames)).route("/frames/inner", get(inner)).route("/download/report.csv", get(report))
}

#[derive(Deserialize)]
struct Trouble {
    ms: Option<u32>,
}

fn troubled(title: &str, body: &str, query: &Trouble) -> Html<String> {
    let body = fill(body, "ms", &query.ms.unwrap_or(DEFAULT_MS).to_string());
    html::page(title, include_str!("pages/clicks.html"), &body)
}

/// One frame of this site and one of another: `localhost` and `127.0.0.1` are two sites to a browser.
async fn frames(headers: HeaderMap) -> Response {
    let host = headers.get(header::HOST).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let other = if let Some(port) = host.strip_prefix("127.0.0.1") {
        format!("localhost{port}")
    } else if let Some(port) = host.strip_prefix("localhost") {
        format!("127.0.0.1{port}")
    } else {
        let text = "Come by 127.0.0.1 or localhost: the other of the two is the other site.";
        return (StatusCode::BAD_REQUEST, html::message("Which site is this?", text)).into_response();
    };
    let body = fill(include_str!("pages/frames.html"), "other", &other);
    html::page("Frames", include_str!("pages/clicks.html"), &body).into_response()
}

async fn inner() -> Html<String> {
    html::page("Inside a frame", include_str!("pages/clicks.html"), include_str!("pages/inner.html"))
}

async fn report() -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"report.csv\""),
    ];
    (headers, "id,status\nA-1000,open\nA-1001,shipped\n").into_response()
}
