//! What a live page is connected by: a WebSocket over which the picture comes and the input goes.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::ws::{Message, Utf8Bytes, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{FromRequestParts, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use futures_util::StreamExt;
use futures_util::stream::SplitSink;
use url::Url;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::live::wire::{FromViewer, Role, ToViewer};
use crate::live::{Live, Sent, Viewer};

use super::super::app::App;
use super::super::error::{ApiError, ErrorBody};
use super::super::nodes;
use super::super::params::Name;
use super::admin::{Found, admitted};
use super::downloads::{addressed, href};
use super::key::{self, Opens};
use super::missing;
use super::peer::{Peer, READING, closing, unreadable};
use super::running::Vm;

/// What both sides speak.
const PROTOCOL: &str = "rhaven.v1";
/// What a token is offered as, beside it.
const TOKEN: &str = "token.";
/// The largest message: files of 32 MiB in base64, with what is around them.
pub(super) const MAX_MESSAGE: usize = 48 << 20;
/// The largest of who came to look on. They may be let steer, and paste a text of 1 MiB then.
const MAX_OF_ONLOOKERS: usize = 2 << 20;
/// A longer message is not read where others' sockets are waited for.
const LONG: usize = 256 << 10;
/// What the last message says to whoever did not read: it may come again.
const SLOW: &str = "slow";
/// And to whoever said nothing for too long.
const SILENT: &str = "silent";

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(socket))
}

/// Connects a live page to its browser: a WebSocket of the protocol `rhaven.v1`, with `token.TOKEN` offered beside it
#[utoipa::path(get, path = "/live/{id}/socket", tag = "live browsers",
    params(("id" = String, Path, description = "Its `session_id`")),
    responses((status = 101, description = "A WebSocket"), (status = 400, body = ErrorBody), (status = 403, body = ErrorBody)))]
async fn socket(State(app): State<App>, Name(id): Name, request: Request) -> Result<Response, ApiError> {
    wants_socket(&request)?;
    check_origin(&app.base_url(), nodes::host(request.extensions(), request.headers()), request.headers())?;
    let token = offered(request.headers()).map(str::to_owned);
    let found = admitted(&app, &id, token.as_deref(), &[Opens::View, Opens::Control]).await;
    if let Ok(Found::There(node)) = &found {
        return nodes::forward(&app, request, node).await;
    }
    let peer = Peer::person(request.extensions(), app.config.live_patience);
    let came_to_steer =
        found.is_ok() && token.as_deref().and_then(key::read).is_some_and(|token| token.opens == Opens::Control);
    let largest = if came_to_steer { MAX_MESSAGE } else { MAX_OF_ONLOOKERS };
    Ok(prepared(upgrade(request).await?, largest).on_upgrade(move |socket| async move {
        let seated = found.and_then(|found| match found {
            Found::Here(vm) => Seat::of(vm, token.as_deref().unwrap_or_default()),
            Found::There(_) => Err(missing()),
        });
        match seated {
            Ok((seat, role)) => carry(&seat, role, socket, &peer, || app.metrics.live_picture()).await,
            // A page is not told why a handshake failed: it is told here.
            Err(error) => refuse(socket, &error, &peer).await,
        }
    }))
}

/// Fails where the request asks for no WebSocket.
pub(super) fn wants_socket(request: &Request) -> Result<(), ApiError> {
    if nodes::asks_for_socket(request.headers()) {
        return Ok(());
    }
    Err(ApiError::invalid("upgrade", "a WebSocket is wanted here"))
}

/// The request as one that becomes a WebSocket here: it cannot be passed on any more.
pub(super) async fn upgrade(request: Request) -> Result<WebSocketUpgrade, ApiError> {
    let (mut parts, _) = request.into_parts();
    let upgrade = WebSocketUpgrade::from_request_parts(&mut parts, &()).await;
    upgrade.map_err(|_| ApiError::invalid("upgrade", "a WebSocket of version 13 is wanted here"))
}

/// What is shown over a socket, and steered.
pub(super) trait Shown: Send + Sync {
    /// What people look at.
    fn live(&self) -> &Live;

    /// The address at which a download is got, as the page resolves it.
    fn href(&self, download: &str) -> String;

    /// Resolves once nothing is shown any more.
    fn over(&self) -> impl Future<Output = ()> + Send;

    /// A viewer has come by the socket.
    fn joined(&self, _viewer: u32) {}

    /// It has gone.
    fn left(&self, _viewer: u32) {}

    /// Somebody wants it to go on.
    fn acted(&self) {}
}

/// A live browser for somebody who came by a link.
struct Seat {
    vm: Arc<Vm>,
    link: String,
    /// Whether what is done there keeps it from its end.
    counts: bool,
}

impl Seat {
    /// For who has that token, which was looked at; and what they may. `forbidden` for who was sent away.
    fn of(vm: Arc<Vm>, token: &str) -> Result<(Self, Role), ApiError> {
        let token = key::read(token).ok_or_else(missing)?;
        let role = vm.links.role(token.link, token.opens, vm.control_disabled);
        let role = role.ok_or_else(|| ApiError::new("forbidden", "whoever came by this link was sent away"))?;
        let counts = token.opens == Opens::Control;
        Ok((Self { link: token.link.to_owned(), counts, vm }, role))
    }
}

impl Shown for Seat {
    fn live(&self) -> &Live {
        &self.vm.live
    }

    fn href(&self, download: &str) -> String {
        let Vm { record, tenant, .. } = &*self.vm;
        href(&record.id, download, &record.token(tenant, Opens::Files))
    }

    async fn over(&self) {
        self.vm.ended().await;
    }

    fn joined(&self, viewer: u32) {
        self.vm.links.joined(viewer, &self.link);
    }

    fn left(&self, viewer: u32) {
        self.vm.links.left(viewer);
    }

    fn acted(&self) {
        // Who may only look on does not keep it.
        if self.counts {
            self.vm.acted();
        }
    }
}

/// Speaks what the page speaks, and takes messages of so many bytes.
pub(super) fn prepared(upgrade: WebSocketUpgrade, largest: usize) -> WebSocketUpgrade {
    upgrade.protocols([PROTOCOL]).max_message_size(largest).max_frame_size(largest)
}

/// Refuses pages of other sites; `host` is what it was asked for as.
pub(super) fn check_origin(base_url: &str, host: Option<&str>, headers: &HeaderMap) -> Result<(), ApiError> {
    if is_of_own_page(base_url, host, headers) {
        return Ok(());
    }
    Err(ApiError::new("forbidden", "this socket is for the page of the live browser, and no other site's"))
}

/// Whether the page that asks is one of ours: a browser says so of every socket, and no page can say otherwise.
pub(in crate::serve) fn is_of_own_page(base_url: &str, host: Option<&str>, headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(header::ORIGIN).and_then(|value| value.to_str().ok()) else {
        // No browser: it has the token, and nobody's else.
        return true;
    };
    let Ok(origin) = Url::parse(origin) else { return false };
    let is_public = Url::parse(base_url).is_ok_and(|base| base.origin() == origin.origin());
    let host = host.unwrap_or_default();
    let asked = Url::parse(&format!("{}://{host}", origin.scheme()));
    is_public || asked.is_ok_and(|asked| asked.origin() == origin.origin())
}

/// The token that is offered as a protocol: an address would end up in logs.
pub(super) fn offered(headers: &HeaderMap) -> Option<&str> {
    let all = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|value| value.to_str().ok());
    all.flat_map(|value| value.split(',')).find_map(|protocol| protocol.trim().strip_prefix(TOKEN))
}

/// Says why nobody is let in, and closes.
pub(super) async fn refuse(socket: WebSocket, error: &ApiError, peer: &Peer) {
    let ended = error.details.get("reason").and_then(serde_json::Value::as_str);
    let (code, reason) = match error.status {
        StatusCode::NOT_FOUND if ended.is_some() => (4410, ended.unwrap_or_default()),
        StatusCode::UNAUTHORIZED => (4401, "unauthorized"),
        StatusCode::FORBIDDEN => (4403, "forbidden"),
        StatusCode::NOT_FOUND => (4404, "not_found"),
        // It may be there again in a moment.
        _ => (1013, "try again"),
    };
    let (mut sink, _stream) = socket.split();
    let says = async {
        if code != 1013 {
            peer.send(&mut sink, text(&ToViewer::Closed { reason: reason.to_owned() })).await;
        }
        peer.send(&mut sink, closing(code, reason)).await;
    };
    tokio::select! {
        () = says => {}
        () = peer.gone() => {}
    }
}

fn text(message: &ToViewer) -> Message {
    Message::text(serde_json::to_string(message).unwrap_or_default())
}

/// Carries messages both ways until one side ends, or the other is there no more. Where it is we who end the connection the other side is
/// told why.
pub(super) async fn carry(shown: &impl Shown, role: Role, socket: WebSocket, peer: &Peer, pictured: impl Fn() + Sync) {
    let viewer = shown.live().join(role);
    shown.joined(viewer.number());
    let (mut sink, mut stream) = socket.split();
    let takes = async {
        while let Some(message) = stream.next().await {
            match message {
                Ok(Message::Text(text)) => take(shown, &viewer, text).await,
                Ok(Message::Close(_)) => return None,
                Ok(Message::Binary(_) | Message::Ping(_) | Message::Pong(_)) => {}
                Err(error) => return unreadable(error),
            }
        }
        None
    };
    let over = async {
        shown.over().await;
        // Whoever reads is told first.
        tokio::time::sleep(READING).await;
    };
    let last = tokio::select! {
        () = sends(shown, &viewer, &mut sink, peer, pictured) => None,
        last = takes => last,
        () = peer.gone() => Some((close_code::AGAIN, SILENT)),
        () = over => None,
    };
    shown.left(viewer.number());
    drop(viewer);
    let _ = tokio::time::timeout(2 * READING, peer.close(sink, stream, last)).await;
}

/// Sends what there is for the viewer until that is all.
async fn sends(
    shown: &impl Shown,
    viewer: &Viewer,
    sink: &mut SplitSink<WebSocket, Message>,
    peer: &Peer,
    pictured: impl Fn() + Sync,
) {
    let mut beat = peer.beat();
    loop {
        let message = tokio::select! {
            biased;
            _ = beat.tick() => Message::Ping(Bytes::new()),
            sent = viewer.next() => match sent {
                Some(Sent::Message(ToViewer::Closed { reason })) if reason == SLOW => closing(1013, SLOW),
                Some(Sent::Message(message)) => text(&addressed(shown, message)),
                Some(Sent::Frame(frame)) => {
                    pictured();
                    Message::Binary(frame)
                }
                None => break,
            },
        };
        if !peer.send(sink, message).await {
            return;
        }
    }
}

async fn take(shown: &impl Shown, viewer: &Viewer, text: Utf8Bytes) {
    let read = |text: &str| serde_json::from_str::<FromViewer>(text).map_err(|error| error.to_string());
    let read = if text.len() < LONG {
        read(text.as_str())
    } else {
        let read = tokio::task::spawn_blocking(move || read(&text)).await;
        read.unwrap_or_else(|_| Err("it cannot be read".to_owned()))
    };
    match read {
        Ok(message) => {
            if matches!(message, FromViewer::Ping { active: true, .. }) {
                shown.acted();
            }
            viewer.take(message);
        }
        Err(error) => viewer.misunderstood(&error),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn the_token_stands_beside_the_protocol() {
        let mut headers = HeaderMap::new();
        assert_eq!(offered(&headers), None);
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static("rhaven.v1, token.v1.YQ.x"));
        assert_eq!(offered(&headers), Some("v1.YQ.x"));
    }
}
