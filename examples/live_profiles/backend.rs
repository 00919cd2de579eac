//! The side that holds the token: what the page may ask of Rhaven, and no more. It keeps nothing itself; the profiles that it lists are
//! the tenant's sessions that have one.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

/// By which a live browser of ours is found again: who opens a profile that is open gets the browser that has it.
const TAG: &str = "live-profiles";
/// How long a browser that nobody looks at any more goes on, in seconds; then its profile is saved.
const OFFLINE: u32 = 60;

/// Where Rhaven is, and what it knows us by.
pub struct Rhaven {
    base: Url,
    token: String,
    client: reqwest::Client,
}

impl Rhaven {
    /// A server by its address, asked with a token of the scope `vm`.
    pub fn new(base: Url, token: String) -> Self {
        Self { base, token, client: reqwest::Client::new() }
    }

    /// Asks, and hands on what is answered where that is no success.
    async fn ask(&self, method: Method, path: &[&str], body: Option<Value>) -> Result<Value, Failure> {
        let mut url = self.base.clone();
        url.path_segments_mut()
            .map_err(|()| Failure::bad_gateway("its address cannot have a path"))?
            .pop_if_empty()
            .extend(path);
        let mut request = self.client.request(method, url).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.map_err(Failure::bad_gateway)?;
        let status = response.status();
        let answer: Value = response.json().await.map_err(Failure::bad_gateway)?;
        if status.is_success() {
            return Ok(answer);
        }
        Err(Failure(status, answer["error"]["message"].as_str().unwrap_or("Rhaven refused").to_owned()))
    }
}

/// What went wrong, for the page to say.
struct Failure(StatusCode, String);

impl Failure {
    fn bad_gateway(reason: impl std::fmt::Display) -> Self {
        Self(StatusCode::BAD_GATEWAY, format!("Rhaven cannot be asked: {reason}"))
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": self.1 }))).into_response()
    }
}

/// The page, and what it asks for.
pub fn router(rhaven: Rhaven) -> Router {
    Router::new()
        .route("/", get(|| async { ([(header::CACHE_CONTROL, "no-store")], Html(include_str!("index.html"))) }))
        .route("/profiles", get(profiles))
        .route("/browsers", post(open))
        .route("/browsers/{id}", delete(close))
        .with_state(Arc::new(rhaven))
}

/// The saved profiles: `[{"id", "saved_at"}]`.
async fn profiles(State(rhaven): State<Arc<Rhaven>>) -> Result<Json<Value>, Failure> {
    let answer = rhaven.ask(Method::GET, &["v1", "sessions"], None).await?;
    let sessions = answer["sessions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let with_profile = sessions.iter().filter(|session| !session["profile"].is_null());
    let shown = with_profile.map(|session| json!({ "id": session["id"], "saved_at": session["saved_at"] }));
    Ok(Json(shown.collect()))
}

#[derive(Deserialize)]
struct Wish {
    /// The profile to open; none for a new one.
    profile: Option<String>,
}

/// Opens a profile: `{"profile", "session_id", "embed_url"}`. A body of JSON is wanted, which no page of another site can send
/// unasked.
async fn open(State(rhaven): State<Arc<Rhaven>>, Json(wish): Json<Wish>) -> Result<Json<Value>, Failure> {
    let profile = wish.profile.as_ref().map_or(json!(true), |id| json!(id));
    let body = json!({ "profile": profile, "tag": TAG, "timeout": { "offline": OFFLINE } });
    let live = rhaven.ask(Method::POST, &["v0", "vm"], Some(body)).await?;
    // A new profile has the id of the browser that makes it.
    let profile = wish.profile.map_or_else(|| live["session_id"].clone(), Value::from);
    Ok(Json(json!({ "profile": profile, "session_id": live["session_id"], "embed_url": live["embed_url"] })))
}

/// Saves the profile and ends its browser; answered when that is done.
async fn close(State(rhaven): State<Arc<Rhaven>>, Path(id): Path<String>) -> Result<StatusCode, Failure> {
    rhaven.ask(Method::DELETE, &["v0", "vm", &id], None).await?;
    Ok(StatusCode::NO_CONTENT)
}
