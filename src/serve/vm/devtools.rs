//! `cdp_url`: a live browser's DevTools protocol over a WebSocket, for Playwright's `connectOverCDP`, Puppeteer's `connect` and whatever
//! else speaks it.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::ws::{Message, WebSocket, close_code};
use axum::extract::{Request, State};
use axum::response::Response;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{FutureExt, StreamExt};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::browser::Bridge;

use super::super::app::App;
use super::super::error::{ApiError, ErrorBody};
use super::super::nodes;
use super::super::params::Names;
use super::admin::{Found, admitted};
use super::key::Opens;
use super::peer::{Last, Peer, READING, unreadable};
use super::running::Vm;
use super::socket::{upgrade, wants_socket};

/// The largest message of a client.
const MAX_MESSAGE: usize = 64 << 20;
/// What a client is told at the end of what it is connected to.
const ENDED: &str = "the live browser has ended";
/// How many clients a live browser has at a time: what each may have waiting is bounded, what all may have is that many times as much.
const MOST_CLIENTS: usize = 32;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(devtools))
}

/// A live browser's DevTools protocol, over a WebSocket
#[utoipa::path(get, path = "/live/{id}/cdp/{token}", tag = "live browsers",
    params(("id" = String, Path, description = "Its `session_id`"), ("token" = String, Path, description = "As `cdp_url` has it")),
    responses((status = 101, description = "A WebSocket"), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 429, body = ErrorBody),
        (status = 503, body = ErrorBody)))]
async fn devtools(
    State(app): State<App>,
    Names(path): Names<(String, String)>,
    request: Request,
) -> Result<Response, ApiError> {
    let (id, token) = path;
    wants_socket(&request)?;
    if request.headers().contains_key(axum::http::header::ORIGIN) {
        // Playwright and Puppeteer send none; a page that got hold of the address would.
        return Err(ApiError::new("forbidden", "this socket is not for pages"));
    }
    let vm = match admitted(&app, &id, Some(&token), &[Opens::DevTools]).await? {
        Found::There(node) => return nodes::forward(&app, request, &node).await,
        Found::Here(vm) => vm,
    };
    let client = Client::of(&vm)?;
    let bridge = vm.live.session().bridge().await?;
    let peer = Peer::program(request.extensions(), app.config.client_patience);
    let upgrade = upgrade(request).await?.max_message_size(MAX_MESSAGE).max_frame_size(MAX_MESSAGE);
    Ok(upgrade.on_upgrade(move |socket| async move {
        serve(&vm, bridge, socket, &peer).await;
        drop(client);
    }))
}

/// A client that is connected.
struct Client(Arc<Vm>);

impl Client {
    fn of(vm: &Arc<Vm>) -> Result<Self, ApiError> {
        let mut clients = vm.clients();
        if clients.connected >= MOST_CLIENTS {
            let message =
                format!("{MOST_CLIENTS} clients of one live browser is the most: let one go, or try again later");
            let mut error = ApiError::new("rate_limited", message);
            error.retry_after = Some(10);
            return Err(error);
        }
        clients.connected += 1;
        Ok(Self(vm.clone()))
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let mut clients = self.0.clients();
        clients.connected -= 1;
        clients.seen = Instant::now();
    }
}

/// Carries messages both ways until one side ends, or the other is there no more.
async fn serve(vm: &Arc<Vm>, bridge: Bridge, socket: WebSocket, peer: &Peer) {
    let over = async {
        vm.ended().await;
        tokio::time::sleep(READING).await;
    };
    tokio::select! {
        () = carry(vm, bridge, socket, peer) => {}
        () = peer.gone() => {}
        () = over => {}
    }
}

/// A client that closes the browser ends it in order. Where it is we who end the connection the client is told why.
async fn carry(vm: &Vm, mut bridge: Bridge, socket: WebSocket, peer: &Peer) {
    let (mut sink, mut stream) = socket.split();
    let last = carried(vm, &mut bridge, &mut sink, &mut stream, peer).await;
    // Also of a client that did not wait for the answer.
    if bridge.closing().is_cancelled() {
        vm.end("request");
    }
    // What waits for a client that reads nothing is kept no longer.
    drop(bridge);
    peer.close(sink, stream, last).await;
}

/// Carries messages until the end; what the client is told of it, where there is somebody to be told.
async fn carried(
    vm: &Vm,
    bridge: &mut Bridge,
    sink: &mut SplitSink<WebSocket, Message>,
    stream: &mut SplitStream<WebSocket>,
    peer: &Peer,
) -> Option<Last> {
    let closing = bridge.closing().clone();
    loop {
        let ready = bridge.ready();
        let told = tokio::select! {
            told = bridge.next() => match told {
                Some(told) => told,
                None if bridge.is_too_slow() => {
                    return Some((close_code::AGAIN, "too much waits for this client, which does not read"));
                }
                None => return Some((close_code::AWAY, ENDED)),
            },
            // Its Chromium may go on for a moment, as long as somebody is connected to it.
            () = vm.ended() => return Some((close_code::AWAY, ENDED)),
            asked = async { ready.await; stream.next().await } => match asked {
                Some(Ok(Message::Text(text))) => {
                    vm.acted();
                    vm.live.session().touched();
                    bridge.send(&text);
                    continue;
                }
                Some(Ok(Message::Binary(_) | Message::Ping(_) | Message::Pong(_))) => continue,
                Some(Err(error)) => return unreadable(error),
                Some(Ok(Message::Close(_))) | None => return None,
            },
            () = closing.cancelled() => {
                // It waits for the answer, which is on its way already.
                let _ = tokio::time::timeout(READING, the_rest(bridge, sink, peer)).await;
                return Some((close_code::NORMAL, "closed"));
            }
        };
        if !peer.send(sink, Message::text(told)).await {
            return None;
        }
    }
}

/// Sends what waits for the client by now.
async fn the_rest(bridge: &mut Bridge, sink: &mut SplitSink<WebSocket, Message>, peer: &Peer) {
    while let Some(Some(told)) = bridge.next().now_or_never() {
        if !peer.send(sink, Message::text(told)).await {
            return;
        }
    }
}
