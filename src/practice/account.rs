//! Signing in and out, and the dashboard: cookie, token and device record are what a session has to bring back.

use axum::Router;
use axum::extract::{Form, Query, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{AppendHeaders, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use serde::Deserialize;

use super::html::{self, fill};
use super::state::{Shared, cookie, random_id};

/// The e-mail address that may sign in; shown on the login page.
pub const EMAIL: &str = "user@example.com";
/// Its password; shown on the login page, for it guards nothing.
pub const PASSWORD: &str = "correct horse battery";

/// A month: long enough that the cookie outlives the browser, as "remember me" cookies do.
const SID_MAX_AGE: u32 = 30 * 24 * 60 * 60;
const DEFAULT_AVATAR_MS: u32 = 300;

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/login", get(login_form).post(login))
        .route("/logout", post(logout))
        .route("/dashboard", get(dashboard))
        .route("/api/token", get(token))
}

#[derive(Deserialize)]
struct Next {
    next: Option<String>,
}

#[derive(Deserialize)]
struct Credentials {
    #[serde(default)]
    csrf: String,
    #[serde(default)]
    email: String,
    #[serde(default)]
    password: String,
}

async fn login_form(Query(Next { next }): Query<Next>) -> Response {
    login_page(StatusCode::OK, next.as_deref().unwrap_or_default(), "")
}

/// The form, each time with a fresh CSRF token: the same value as a field and as a cookie, which a form on another
/// site can neither read nor set.
fn login_page(status: StatusCode, next: &str, error: &str) -> Response {
    let Ok(csrf) = random_id() else { return no_random() };
    let mut body = include_str!("pages/login.html").to_owned();
    let action = if next.is_empty() {
        "/login".to_owned()
    } else {
        let query: String = url::form_urlencoded::byte_serialize(next.as_bytes()).collect();
        format!("/login?next={query}")
    };
    for (name, value) in
        [("csrf", csrf.as_str()), ("action", &action), ("error", error), ("email", EMAIL), ("password", PASSWORD)]
    {
        body = fill(&body, name, value);
    }
    let set_csrf = format!("csrf={csrf}; Path=/login; HttpOnly; SameSite=Lax");
    (status, [(header::SET_COOKIE, set_csrf)], html::page("Sign in", "", &body)).into_response()
}

async fn login(
    State(site): State<Shared>,
    Query(Next { next }): Query<Next>,
    headers: HeaderMap,
    Form(given): Form<Credentials>,
) -> Response {
    if given.csrf.is_empty() || cookie(&headers, "csrf") != Some(given.csrf.as_str()) {
        let text = "The form's token does not belong to this browser. Load the login page again.";
        return (StatusCode::FORBIDDEN, html::message("Forbidden", text)).into_response();
    }
    let next = next.unwrap_or_default();
    if given.email != EMAIL || given.password != PASSWORD {
        return login_page(StatusCode::UNAUTHORIZED, &next, "Wrong e-mail or password");
    }
    let Ok(sid) = random_id() else { return no_random() };
    let set_sid = format!("sid={sid}; Path=/; Max-Age={SID_MAX_AGE}; HttpOnly; SameSite=Lax");
    site.sign_in(sid);
    let target = html::local_path(&next).unwrap_or("/dashboard");
    (
        AppendHeaders([
            (header::SET_COOKIE, set_sid),
            (header::SET_COOKIE, "csrf=; Path=/login; Max-Age=0; HttpOnly; SameSite=Lax".to_owned()),
        ]),
        Redirect::to(target),
    )
        .into_response()
}

async fn logout(State(site): State<Shared>, headers: HeaderMap) -> Response {
    site.sign_out(&headers);
    ([(header::SET_COOKIE, "sid=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax")], Redirect::to("/login")).into_response()
}

/// Where a stranger is sent, with the way back; `None` for those who are signed in.
pub(super) fn stranger(site: &Shared, headers: &HeaderMap, uri: &Uri) -> Option<Redirect> {
    if site.is_signed_in(headers) {
        return None;
    }
    let here = uri.path_and_query().map_or("/", |path| path.as_str());
    let next: String = url::form_urlencoded::byte_serialize(here.as_bytes()).collect();
    Some(Redirect::to(&format!("/login?next={next}")))
}

#[derive(Deserialize)]
struct Avatar {
    avatar: Option<u32>,
}

async fn dashboard(State(site): State<Shared>, query: Query<Avatar>, headers: HeaderMap, uri: Uri) -> Response {
    if let Some(redirect) = stranger(&site, &headers, &uri) {
        return redirect.into_response();
    }
    let body = fill(include_str!("pages/dashboard.html"), "email", EMAIL);
    let body = fill(&body, "avatar_ms", &query.avatar.unwrap_or(DEFAULT_AVATAR_MS).to_string());
    html::page("Dashboard", include_str!("pages/dashboard-first.html"), &body).into_response()
}

/// The token that the dashboard keeps in localStorage.
async fn token(State(site): State<Shared>, headers: HeaderMap) -> Response {
    if !site.is_signed_in(&headers) {
        return (StatusCode::UNAUTHORIZED, html::json(&serde_json::json!({ "error": "sign in first" })))
            .into_response();
    }
    match random_id() {
        Ok(token) => html::json(&serde_json::json!({ "token": token })),
        Err(_) => no_random(),
    }
}

fn no_random() -> Response {
    (StatusCode::INTERNAL_SERVER_ERROR, "the system gave no random numbers").into_response()
}
