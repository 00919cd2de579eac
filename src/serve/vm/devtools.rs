//! `cdp_url`: a live browser's DevTools protocol over a WebSocket, for Playwright's `connectOverCDP`, Puppeteer's `connect` and whatever
//! else speaks it.

use std::sync::Arc;
use std::time::Instant;

use axum::body::Bytes;
use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use axum::extract::{Request, State};
use axum::response::Response;
use futures_util::stream::SplitSink;
use futures_util::{FutureExt, SinkExt, StreamExt};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::browser::Bridge;

use super::super::app::App;
use super::super::error::{ApiError, ErrorBody};
use super::super::nodes;
use super::super::params::Names;
use super::admin::{Found, admitted};
use super::key::Opens;
use super::peer::{Peer, READING};
use super::running::Vm;
use super::socket::{upgrade, wants_socket};

/// The largest message of a client.
const MAX_MESSAGE: usize = 64 << 20;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(devtools))
}

/// A live browser's DevTools protocol, over a WebSocket
#[utoipa::path(get, path = "/live/{id}/cdp/{token}", tag = "live browsers",
    params(("id" = String, Path, description = "Its `session_id`"), ("token" = String, Path, description = "As `cdp_url` has it")),
    responses((status = 101, description = "A WebSocket"), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 503, body = ErrorBody)))]
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
    let bridge = vm.live.session().bridge().await?;
    let peer = Peer::of(request.extensions(), app.config.live_patience);
    let upgrade = upgrade(request).await?.max_message_size(MAX_MESSAGE).max_frame_size(MAX_MESSAGE);
    Ok(upgrade.on_upgrade(move |socket| async move { serve(&vm, bridge, socket, &peer).await }))
}

/// A client that is connected.
struct Client(Arc<Vm>);

impl Client {
    fn of(vm: &Arc<Vm>) -> Self {
        vm.clients().connected += 1;
        Self(vm.clone())
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
    let _client = Client::of(vm);
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

/// A client that closes the browser ends it in order.
async fn carry(vm: &Vm, mut bridge: Bridge, socket: WebSocket, peer: &Peer) {
    let closing = bridge.closing().clone();
    let (mut sink, mut stream) = socket.split();
    let mut beat = peer.beat();
    loop {
        let ready = bridge.ready();
        let sent = tokio::select! {
            _ = beat.tick() => Message::Ping(Bytes::new()),
            told = bridge.next() => match told {
                Some(told) => Message::text(told),
                None if bridge.is_too_slow() => {
                    let reason = "too much waits for this client, which does not read".into();
                    let close = Message::Close(Some(CloseFrame { code: close_code::AGAIN, reason }));
                    peer.send(&mut sink, close).await;
                    break;
                }
                None => break,
            },
            asked = async { ready.await; stream.next().await } => match asked {
                Some(Ok(Message::Text(text))) => {
                    vm.acted();
                    vm.live.session().touched();
                    bridge.send(&text);
                    continue;
                }
                Some(Ok(Message::Binary(_) | Message::Ping(_) | Message::Pong(_))) => continue,
                Some(Ok(Message::Close(_)) | Err(_)) | None => break,
            },
            () = closing.cancelled() => {
                // It waits for the answer, which is on its way already.
                let _ = tokio::time::timeout(READING, the_rest(&mut bridge, &mut sink, peer)).await;
                break;
            }
        };
        if !peer.send(&mut sink, sent).await {
            break;
        }
    }
    // Also of a client that did not wait for the answer.
    if closing.is_cancelled() {
        vm.end("request");
    }
    let _ = tokio::time::timeout(READING, sink.close()).await;
}

/// Sends what waits for the client by now.
async fn the_rest(bridge: &mut Bridge, sink: &mut SplitSink<WebSocket, Message>, peer: &Peer) {
    while let Some(Some(told)) = bridge.next().now_or_never() {
        if !peer.send(sink, Message::text(told)).await {
            return;
        }
    }
}
