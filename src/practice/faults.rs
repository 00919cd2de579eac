//! Servers that misbehave: slow, silent, failing, redirecting, cut off.

use std::io;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use futures_util::{StreamExt as _, stream};
use serde::Deserialize;

use super::html;
use super::state::Shared;

const DEFAULT_SLOW_MS: u64 = 2000;

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/slow", get(slow))
        .route("/hang", get(hang))
        .route("/status/{code}", get(status))
        .route("/redirect", get(redirect))
        .route("/broken", get(broken))
}

#[derive(Deserialize)]
struct Slow {
    ms: Option<u64>,
}

/// Answers after `?ms=`; at once where the site stops first.
async fn slow(State(site): State<Shared>, query: Query<Slow>) -> Response {
    let delay = Duration::from_millis(query.ms.unwrap_or(DEFAULT_SLOW_MS));
    let _ = tokio::time::timeout(delay, site.stop.cancelled()).await;
    html::message("Slow", &format!("This page came after {} ms.", delay.as_millis())).into_response()
}

/// Never answers while the site runs.
async fn hang(State(site): State<Shared>) -> Response {
    site.stop.cancelled().await;
    StatusCode::SERVICE_UNAVAILABLE.into_response()
}

async fn status(Path(code): Path<u16>) -> Response {
    // 1xx are not answers of their own; a browser would wait for the real one.
    match StatusCode::from_u16(code) {
        Ok(status) if (200..600).contains(&code) => {
            (status, html::message(&status.to_string(), "As asked for.")).into_response()
        }
        _ => (StatusCode::BAD_REQUEST, html::message("Bad request", "A status is a number from 200 to 599."))
            .into_response(),
    }
}

#[derive(Deserialize)]
struct Target {
    to: String,
}

async fn redirect(Query(Target { to }): Query<Target>) -> Response {
    match html::local_path(&to) {
        Some(path) => Redirect::to(path).into_response(),
        None => (StatusCode::BAD_REQUEST, html::message("Bad request", "`to` is a path on this site, like /form."))
            .into_response(),
    }
}

/// Promises more than it sends: the connection is cut in the middle of the answer.
async fn broken() -> Response {
    let start = stream::once(async { Ok(Bytes::from_static(b"<!doctype html><title>Broken</title><p>The first hal")) });
    let cut = stream::once(async {
        // Once round the scheduler, so that the first half is on its way before the cut.
        tokio::task::yield_now().await;
        Err(io::Error::from(io::ErrorKind::ConnectionReset))
    });
    let headers = [(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CONTENT_LENGTH, "5000")];
    (headers, Body::from_stream(start.chain(cut))).into_response()
}
