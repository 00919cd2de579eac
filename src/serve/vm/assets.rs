//! The live page and what it is made of, and `/embed.js`: the same for every live browser, and nothing of one in them.

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::super::error::{ApiError, ErrorBody};
use super::super::params::Name;

/// What the page may load: what is ours. It may stand in a frame of any site, and does nothing that its token does not open.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'";
const JS: &str = "text/javascript; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";

const PAGE: &str = include_str!("../live/page.html");
const EMBED: &str = include_str!("../live/embed.js");

macro_rules! assets {
    ($($name:literal: $kind:expr),* $(,)?) => {
        /// By name: content type and text.
        const ASSETS: &[(&str, &str, &str)] = &[$(($name, $kind, include_str!(concat!("../live/", $name)))),*];
    };
}

assets! {
    "bus.js": JS, "connection.js": JS, "dialogs.js": JS, "dom.js": JS, "embed_events.js": JS, "embed_tabs.js": JS, "files.js": JS,
    "frames.js": JS, "keyboard.js": JS, "listbox.js": JS, "menus.js": JS, "notices.js": JS, "page.css": CSS, "page.js": JS,
    "panels.css": CSS, "parent.js": JS, "pickers.js": JS, "pointer.js": JS, "tabs.js": JS, "toolbar.js": JS,
}

pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> OpenApiRouter<S> {
    OpenApiRouter::new().routes(routes!(page)).routes(routes!(asset)).routes(routes!(embed))
}

/// The page that shows a live browser; its token stands in the address's fragment
#[utoipa::path(get, path = "/live/{id}", tag = "live browsers", params(("id" = String, Path, description = "Its `session_id`")),
    responses((status = 200, description = "The page", content_type = "text/html", body = String)))]
async fn page() -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (headers, PAGE).into_response()
}

/// What the page is made of
#[utoipa::path(get, path = "/live/assets/{name}", tag = "live browsers", params(("name" = String, Path, description = "its name")),
    responses((status = 200, description = "A module or a style sheet", content_type = "text/javascript", body = String),
        (status = 404, body = ErrorBody)))]
async fn asset(Name(name): Name) -> Result<Response, ApiError> {
    let found = ASSETS.iter().find(|(asset, ..)| *asset == name);
    let (_, kind, text) = found.ok_or_else(|| ApiError::new("not_found", "there is no such asset"))?;
    Ok(shared(kind, text))
}

/// A module whose `Hyperbeam(container, embed_url, options)` puts a live browser into a page
#[utoipa::path(get, path = "/embed.js", tag = "live browsers",
    responses((status = 200, description = "The module", content_type = "text/javascript", body = String)))]
async fn embed() -> Response {
    shared(JS, EMBED)
}

/// What pages of other sites load, too: modules are asked for across origins.
fn shared(kind: &'static str, text: &'static str) -> Response {
    const POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*")),
        (POLICY, HeaderValue::from_static("cross-origin")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::CACHE_CONTROL, HeaderValue::from_static("max-age=60")),
    ];
    (StatusCode::OK, headers, text).into_response()
}
