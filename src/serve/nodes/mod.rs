//! The servers that share a store: what each tells of itself there (`node`, `beat`), whom it knows (`known`), and how a request comes
//! to the one that has what it is for: over one hop (`hop`), with bodies, events and sockets passed on as they come (`relay`).
//!
//! What is only on one server (a job that goes on, a picture, a live browser) names that server by its id; the others [`forward`] to it,
//! or [`ask`] it. Who asked is found out there once more, by the token that the request has: nobody is believed for having passed it
//! on. Addresses are only those that servers have told of themselves, under the store's key; the policy of the way out is not for them.

mod beat;
mod headers;
mod hop;
mod known;
mod node;
mod relay;
#[cfg(test)]
mod relay_tests;

use std::future::Future;

use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, Method, header};
use axum::response::Response;
use futures_util::FutureExt;
use reqwest::Url;
use tokio_util::sync::CancellationToken;

use crate::session::SessionError;

use super::app::App;
use super::error::ApiError;
use super::request_id::RequestId;

pub(super) use beat::begin;
pub(super) use headers::asks_for_socket;
pub(super) use hop::{Hop, hop};
pub(super) use known::Nodes;

use known::Known;

/// Whether the request came from another server of this store, which takes this one for whom it is for. It goes no further.
pub(super) fn has_come_far(parts: &Parts) -> bool {
    parts.extensions.get::<Hop>().is_some()
}

/// The host that the client named, whichever server it asked.
pub(super) fn host<'a>(extensions: &'a Extensions, headers: &'a HeaderMap) -> Option<&'a str> {
    match extensions.get::<Hop>() {
        Some(hop) => hop.host.as_deref(),
        None => named_host(headers),
    }
}

fn named_host(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::HOST).and_then(|value| value.to_str().ok())
}

/// Whether the server `owner` is there and can be asked.
pub(super) async fn is_there(app: &App, owner: &str) -> Result<bool, ApiError> {
    Ok(app.nodes.find(&app.sessions, owner).await?.is_some())
}

/// Whether the server `owner` goes on, as far as can be known, be it reached from here or not.
pub(super) async fn lives(app: &App, owner: &str) -> Result<bool, SessionError> {
    if !app.nodes.is_other(owner) {
        return Ok(true);
    }
    Ok(app.sessions.node::<node::Node>(owner).await?.is_some_and(|node| node.is_alive()))
}

/// Whether the server `owner` is there and takes something new.
pub(super) async fn takes_work(app: &App, owner: &str) -> Result<bool, SessionError> {
    if !app.nodes.is_other(owner) {
        return Ok(!app.ending.is_cancelled());
    }
    let node = app.sessions.node::<node::Node>(owner).await?;
    Ok(node.is_some_and(|node| node.is_alive() && !node.ending))
}

/// Has `request` answered by the server `owner`, whatever it is: bodies are passed on both ways as they come, events too, and where it
/// asks for a WebSocket that goes on until one side ends it. `node_unavailable` where that server is not to be reached, or where this
/// request has come here from another server already.
pub(super) async fn forward(app: &App, mut request: Request, owner: &str) -> Result<Response, ApiError> {
    let known = reach(app, request.extensions().get::<Hop>().is_some(), owner).await?;
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let url = address(&known, path)?;
    let client = super::observe::client(request.extensions(), request.headers(), app);
    let id = request.extensions().get::<RequestId>().map_or("", |id| &id.0);
    let host = named_host(request.headers());
    let said = hop::Said { from: app.nodes.id(), to: owner, request: id, client, host };
    let proof = said.header(app, request.method(), &url);
    request.headers_mut().insert(hop::HEADER, proof);
    let passed = app.nodes.relay().carry(url, request, cut(app, &known)).await;
    passed.map_err(|failed| away(owner, &failed))
}

/// Asks the server `owner` for the same path in the name of whoever asked here, with nothing in the body.
pub(super) async fn ask(
    app: &App,
    asked: &Parts,
    method: Method,
    owner: &str,
) -> Result<(reqwest::Response, impl Future<Output = ()> + Send + 'static), ApiError> {
    let known = reach(app, has_come_far(asked), owner).await?;
    let url = address(&known, asked.uri.path())?;
    let client = super::observe::client(&asked.extensions, &asked.headers, app);
    let id = asked.extensions.get::<RequestId>().map_or("", |id| &id.0);
    let said = hop::Said { from: app.nodes.id(), to: owner, request: id, client, host: named_host(&asked.headers) };
    let mut headers = headers::of_request(&asked.headers);
    headers::without_body(&mut headers);
    headers.insert(hop::HEADER, said.header(app, &method, &url));
    let mut cut = cut(app, &known).boxed();
    let answered = app.nodes.relay().send(url, method, headers, None, &mut cut).await;
    Ok((answered.map_err(|failed| away(owner, &failed))?, cut))
}

/// The server by that id, to be asked for what only it has.
async fn reach(app: &App, has_come_far: bool, owner: &str) -> Result<Known, ApiError> {
    if has_come_far {
        return Err(unavailable("another server took this one for the one that has this; it has moved: try again"));
    }
    let known = app.nodes.find(&app.sessions, owner).await?;
    known.ok_or_else(|| unavailable("the server that has this is not there any more, or not to be reached from here"))
}

/// Where a path is on that server. What would be another path once it is written as a URL is nothing that is passed on.
fn address(known: &Known, path: &str) -> Result<Url, ApiError> {
    let url = known
        .base
        .join(path)
        .ok()
        .filter(|url| url.origin() == known.base.origin() && Some(url.path()) == path.split('?').next());
    url.ok_or_else(|| ApiError::new("not_found", "there is nothing at this path: /docs lists what there is"))
}

/// When what is passed on is to end: this server does, or that one was not heard of for too long.
fn cut(app: &App, known: &Known) -> impl Future<Output = ()> + Send + 'static + use<> {
    let (stopping, gone): (CancellationToken, CancellationToken) = (app.stopping.clone(), known.gone.clone());
    async move {
        tokio::select! {
            () = stopping.cancelled() => {}
            () = gone.cancelled() => {}
        }
    }
}

fn away(owner: &str, failed: &relay::Failed) -> ApiError {
    tracing::warn!(node = owner, "a server could not be asked: {failed}");
    unavailable("the server that has this does not answer just now")
}

fn unavailable(message: &str) -> ApiError {
    let mut error = ApiError::new("node_unavailable", message);
    error.retry_after = Some(2);
    error
}
