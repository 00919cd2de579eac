//! What a live page is connected by: a WebSocket over which the picture comes and the input goes.

use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::extract::{FromRequestParts, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use futures_util::{SinkExt, StreamExt};
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
use super::running::Vm;

/// What both sides speak.
const PROTOCOL: &str = "rhaven.v1";
/// What a token is offered as, beside it.
const TOKEN: &str = "token.";
/// The largest message: files of 32 MiB in base64, with what is around them.
const MAX_MESSAGE: usize = 48 << 20;

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
    Ok(prepared(upgrade(request).await?).on_upgrade(move |socket| async move {
        match found {
            Ok(Found::Here(vm)) => carry(&*vm, role(&vm, token.as_deref()), socket, || app.metrics.live_picture()).await,
            Ok(Found::There(_)) => {}
            // A page is not told why a handshake failed: it is told here.
            Err(error) => refuse(socket, &error).await,
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

    /// Somebody wants it to go on.
    fn acted(&self) {}
}

impl Shown for Vm {
    fn live(&self) -> &Live {
        &self.live
    }

    fn href(&self, download: &str) -> String {
        href(&self.record.id, download, &self.record.token(&self.tenant, Opens::Files))
    }

    fn acted(&self) {
        Vm::acted(self);
    }
}

/// Speaks what the page speaks, and takes as much as it may send.
pub(super) fn prepared(upgrade: WebSocketUpgrade) -> WebSocketUpgrade {
    upgrade.protocols([PROTOCOL]).max_message_size(MAX_MESSAGE).max_frame_size(MAX_MESSAGE)
}

/// Refuses pages of other sites; `host` is what it was asked for as.
pub(super) fn check_origin(base_url: &str, host: Option<&str>, headers: &HeaderMap) -> Result<(), ApiError> {
    if is_of_own_page(base_url, host, headers) {
        return Ok(());
    }
    Err(ApiError::new("forbidden", "this socket is for the page of the live browser, and no other site's"))
}

/// Whether the page that asks is one of ours: a browser says so of every socket, and no page can say otherwise.
fn is_of_own_page(base_url: &str, host: Option<&str>, headers: &HeaderMap) -> bool {
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

fn role(vm: &Vm, token: Option<&str>) -> Role {
    let opens = token.and_then(key::read).map(|token| token.opens);
    if opens == Some(Opens::Control) && !vm.control_disabled { Role::Control } else { Role::View }
}

/// Says why nobody is let in, and closes.
pub(super) async fn refuse(mut socket: WebSocket, error: &ApiError) {
    let ended = error.details.get("reason").and_then(serde_json::Value::as_str);
    let (code, reason) = match error.status {
        StatusCode::NOT_FOUND if ended.is_some() => (4410, ended.unwrap_or_default()),
        StatusCode::UNAUTHORIZED => (4401, "unauthorized"),
        StatusCode::FORBIDDEN => (4403, "forbidden"),
        StatusCode::NOT_FOUND => (4404, "not_found"),
        // It may be there again in a moment.
        _ => (1013, "try again"),
    };
    if code != 1013 {
        let closed = ToViewer::Closed { reason: reason.to_owned() };
        let _ = socket.send(text(&closed)).await;
    }
    let _ = socket.send(Message::Close(Some(CloseFrame { code, reason: reason.to_owned().into() }))).await;
}

fn text(message: &ToViewer) -> Message {
    Message::text(serde_json::to_string(message).unwrap_or_default())
}

/// Carries messages both ways until one side ends.
pub(super) async fn carry(shown: &impl Shown, role: Role, socket: WebSocket, pictured: impl Fn() + Sync) {
    let viewer = shown.live().join(role);
    let (mut sink, mut stream) = socket.split();
    let sends = async {
        while let Some(sent) = viewer.next().await {
            let message = match sent {
                Sent::Message(message) => text(&addressed(shown, message)),
                Sent::Frame(frame) => {
                    pictured();
                    Message::Binary(frame)
                }
            };
            if sink.send(message).await.is_err() {
                return;
            }
        }
        let _ = sink.close().await;
    };
    let takes = async {
        while let Some(Ok(message)) = stream.next().await {
            match message {
                Message::Text(text) => take(shown, &viewer, &text),
                Message::Close(_) => return,
                Message::Binary(_) | Message::Ping(_) | Message::Pong(_) => {}
            }
        }
    };
    tokio::select! {
        () = sends => {}
        () = takes => {}
    }
}

fn take(shown: &impl Shown, viewer: &Viewer, text: &str) {
    match serde_json::from_str::<FromViewer>(text) {
        Ok(message) => {
            if matches!(message, FromViewer::Ping { active: true, .. }) {
                shown.acted();
            }
            viewer.take(message);
        }
        Err(error) => viewer.misunderstood(&error.to_string()),
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
