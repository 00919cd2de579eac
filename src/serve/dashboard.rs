//! `/`: the dashboard of a token's tenant. What it does it asks of the same operations as everybody; here are its page and its door.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::session::TokenInfo;

use super::app::App;
use super::cookie;
use super::error::{ApiError, ErrorBody};
use super::json::Body;

/// Nothing but what is served here, and nobody's frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const JS: &str = "text/javascript; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const NO_STORE: &str = "no-store";
const HTML: &str = "text/html; charset=utf-8";

/// Path, content type, text.
const FILES: [(&str, &str, &str); 9] = [
    ("/", HTML, include_str!("dashboard/index.html")),
    ("/dashboard/dashboard.css", CSS, include_str!("dashboard/dashboard.css")),
    ("/dashboard/dashboard.js", JS, include_str!("dashboard/dashboard.js")),
    ("/dashboard/api.js", JS, include_str!("dashboard/api.js")),
    ("/dashboard/jobs.js", JS, include_str!("dashboard/jobs.js")),
    ("/dashboard/live.js", JS, include_str!("dashboard/live.js")),
    ("/dashboard/parts.js", JS, include_str!("dashboard/parts.js")),
    ("/dashboard/run.js", JS, include_str!("dashboard/run.js")),
    ("/dashboard/sessions.js", JS, include_str!("dashboard/sessions.js")),
];

pub(super) fn routes() -> OpenApiRouter<App> {
    let mut router = OpenApiRouter::new().routes(routes!(sign_in)).routes(routes!(sign_out)).routes(routes!(me));
    for (path, kind, text) in FILES {
        router = router.route(path, axum::routing::get(move || async move { file(kind, text) }));
    }
    router
}

fn file(kind: &'static str, text: &'static str) -> impl IntoResponse {
    // After signing out a page is not to come back out of the browser's memory.
    let cached = if kind == HTML { NO_STORE } else { "no-cache" };
    let headers: [(HeaderName, &'static str); 6] = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, cached),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    (headers, text)
}

/// Who signs in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SignIn)]
struct SignIn {
    /// A token that `rhaven token create` made.
    token: String,
}

/// Who is signed in.
#[derive(Serialize, ToSchema)]
#[schema(as = SignedIn)]
struct Person {
    tenant: String,
    /// What the token opens.
    scopes: Vec<String>,
    /// What requests of the dashboard are to have in `x-rhaven-csrf`.
    csrf: String,
}

fn person(app: &App, token: &TokenInfo, cookie: &str) -> Person {
    let scopes = token.scopes.iter().map(|scope| scope.name().to_owned()).collect();
    Person { tenant: token.tenant.as_str().to_owned(), scopes, csrf: cookie::word(app, cookie) }
}

/// Refuses what a page of another site would have somebody's browser do.
fn own(headers: &HeaderMap) -> Result<(), ApiError> {
    if cookie::is_own(headers) {
        return Ok(());
    }
    Err(ApiError::new("forbidden", "this is for the dashboard's own page, and no other site's"))
}

fn refused() -> ApiError {
    ApiError::new("unauthorized", "this token is not known here, was revoked or has run out")
}

/// Signs in to the dashboard: for its page
#[utoipa::path(post, path = "/dashboard/sign-in", tag = "server", request_body = SignIn,
    responses((status = 200, body = Person), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 413, body = ErrorBody), (status = 503, body = ErrorBody)))]
async fn sign_in(
    State(app): State<App>,
    headers: HeaderMap,
    Body(sign_in): Body<SignIn>,
) -> Result<Response, ApiError> {
    own(&headers)?;
    let SignIn { token } = sign_in;
    let found = app.sessions.authenticate(token.trim()).await;
    let found = found.map_err(|_| ApiError::new("store_unavailable", "tokens cannot be looked up just now"))?;
    let token = found.ok_or_else(refused)?;
    let cookie = cookie::made(&app, &token);
    let set = set(&app, &cookie, cookie::LASTS.as_secs())?;
    let no_store = HeaderValue::from_static(NO_STORE);
    Ok(([(header::SET_COOKIE, set), (header::CACHE_CONTROL, no_store)], Json(person(&app, &token, &cookie)))
        .into_response())
}

/// Signs out of the dashboard: the cookie opens nothing any more
#[utoipa::path(post, path = "/dashboard/sign-out", tag = "server",
    responses((status = 204, description = "Done"), (status = 403, body = ErrorBody), (status = 503, body = ErrorBody)))]
async fn sign_out(State(app): State<App>, headers: HeaderMap) -> Result<Response, ApiError> {
    own(&headers)?;
    let away = |_| ApiError::new("store_unavailable", "nobody can be signed out just now");
    if let Some(cookie) = cookie::sent(&app, &headers)
        && let Some(token) = cookie::token_of(&app, cookie).await.map_err(away)?
    {
        cookie::sign_out(&app, &token.tenant, cookie).await.map_err(away)?;
    }
    let set = set(&app, "", 0)?;
    Ok((axum::http::StatusCode::NO_CONTENT, [(header::SET_COOKIE, set)]).into_response())
}

/// Who is signed in to the dashboard
#[utoipa::path(get, path = "/dashboard/me", tag = "server",
    responses((status = 200, body = Person), (status = 401, body = ErrorBody), (status = 503, body = ErrorBody)))]
async fn me(State(app): State<App>, headers: HeaderMap) -> Result<Response, ApiError> {
    let cookie = cookie::sent(&app, &headers).ok_or_else(refused)?;
    let found = cookie::token_of(&app, cookie).await;
    let found = found.map_err(|_| ApiError::new("store_unavailable", "tokens cannot be looked up just now"))?;
    let person = person(&app, &found.ok_or_else(refused)?, cookie);
    // It has the word that goes with the cookie.
    Ok(([(header::CACHE_CONTROL, NO_STORE)], Json(person)).into_response())
}

/// The header that keeps the cookie so long.
fn set(app: &App, cookie: &str, seconds: u64) -> Result<HeaderValue, ApiError> {
    let base = app.base_url();
    let secure = if base.starts_with("https:") { "; Secure" } else { "" };
    let path = url::Url::parse(&base).map_or_else(|_| "/".to_owned(), |url| url.path().to_owned());
    let text = format!(
        "{}={cookie}; Path={path}; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}",
        cookie::called(&base)
    );
    HeaderValue::from_str(&text).map_err(|_| ApiError::internal("the cookie cannot be sent"))
}
