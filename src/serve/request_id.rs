//! Each request's id: made here, or by the server of the store that passed the request on; told in a header, in every JSON answer
//! and in the log.

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use data_encoding::HEXLOWER;
use tracing::{Instrument as _, Span};

use super::app::App;
use super::error::ApiError;
use super::nodes;

/// The header that tells it.
const HEADER: &str = "x-request-id";

/// A request's id, e.g. `req_5f0c..`.
#[derive(Debug, Clone)]
pub(super) struct RequestId(pub(super) String);

impl RequestId {
    fn new() -> Self {
        Self(format!("req_{}", random_id()))
    }
}

/// A request that is not done, whatever it is for, and why.
#[derive(Debug, Clone)]
pub(super) struct Refused(pub(super) ApiError);

/// 128 random bits in hex: names of requests and jobs, which nobody can guess.
pub(super) fn random_id() -> String {
    let mut bytes = [0; 16];
    // Without randomness nothing could be sealed either; the id is then merely not unique.
    let _ = getrandom::fill(&mut bytes);
    HEXLOWER.encode(&bytes)
}

impl<S: Sync> FromRequestParts<S> for RequestId {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| ApiError::internal("the request has no id"))
    }
}

/// Gives an error's answer its text, where requests are not told apart.
pub(super) async fn tell(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    match response.extensions_mut().remove::<ApiError>() {
        Some(error) => error.render(&RequestId::new()).into_response(),
        None => response,
    }
}

/// What is logged within has this id, of a request or a job.
pub(super) fn named(id: &str) -> Span {
    // As an error, so that it is there however little is logged.
    tracing::error_span!("work", id)
}

/// Gives the request its id, and an error's answer its text with it.
pub(super) async fn give(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let mut id = RequestId::new();
    match nodes::hop(&app, request.method(), request.uri(), request.headers()).await {
        Ok(Some(hop)) => {
            id = RequestId(hop.request.clone());
            request.extensions_mut().insert(hop);
        }
        Ok(None) => {}
        // Answered where requests are counted.
        Err(error) => drop(request.extensions_mut().insert(Refused(error))),
    }
    request.extensions_mut().insert(id.clone());
    let mut response = next.run(request).instrument(named(&id.0)).await;
    if let Some(error) = response.extensions_mut().remove::<ApiError>() {
        response = error.render(&id).into_response();
    }
    response.headers_mut().entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if let Ok(value) = HeaderValue::from_str(&id.0) {
        response.headers_mut().insert(HEADER, value);
    }
    response
}
