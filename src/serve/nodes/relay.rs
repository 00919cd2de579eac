//! Passing a request on to another server, and its answer back: whole, as a stream, or as a WebSocket. Knows HTTP and nothing else.

use std::future::Future;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::Response;
use futures_util::{FutureExt, StreamExt};
use hyper::body::Body as _;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use reqwest::{Upgraded, Url, redirect};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, copy, split};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::headers;

/// How long a server may take to be reached: it is near.
const CONNECT: Duration = Duration::from_secs(3);
/// How long it may take to begin its answer once it has the whole request. What takes long saves a session and ends a browser; what is
/// only looked up does not.
const ANSWER: Duration = Duration::from_mins(2);
const LOOKED_UP: Duration = Duration::from_secs(10);
/// A server that does not even say that it is there is gone after this, and three times `PROBE`.
const QUIET: Duration = Duration::from_secs(15);
const PROBE: Duration = Duration::from_secs(5);
/// How long the second half of a socket may stay open after the first.
const LINGER: Duration = Duration::from_secs(10);

/// Why nothing could be passed on.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failed {
    /// There is nobody, or it went in between.
    #[error("{0}")]
    Away(String),
    /// It did not begin to answer.
    #[error("no answer within {} s", .0.as_secs())]
    Silent(Duration),
    /// It was not heard of for too long, or nothing is passed on any more.
    #[error("given up before it had answered")]
    Cut,
}

/// Passes requests on.
pub(super) struct Relay(Option<reqwest::Client>);

impl Relay {
    pub(super) fn new() -> Self {
        // A connection for each: one that is kept may be closed by the other side just when it is used again, and then nobody knows
        // whether what was asked was done.
        let client = reqwest::Client::builder()
            .no_proxy()
            .http1_only()
            .redirect(redirect::Policy::none())
            .referer(false)
            .no_gzip()
            .no_brotli()
            .pool_max_idle_per_host(0)
            .connect_timeout(CONNECT)
            .tcp_keepalive(QUIET)
            .tcp_keepalive_interval(PROBE)
            .tcp_keepalive_retries(3)
            .build();
        Self(client.inspect_err(|error| tracing::error!(%error, "other servers cannot be asked")).ok())
    }

    /// Asks for `url`, until `cut` ends; `headers` are as they are to be.
    pub(super) async fn send(
        &self,
        url: Url,
        method: Method,
        headers: HeaderMap,
        body: Option<Body>,
        cut: impl Future<Output = ()>,
    ) -> Result<reqwest::Response, Failed> {
        let client = self.0.as_ref().ok_or_else(|| Failed::Away("there is no client".to_owned()))?;
        let is_socket = headers::asks_for_socket(&headers);
        let within = if method == Method::GET && !is_socket { LOOKED_UP } else { ANSWER };
        let mut request = client.request(method, url).headers(headers);
        // How fast a body comes is the client's affair.
        let sent = CancellationToken::new();
        let sending = sent.clone().drop_guard();
        if let Some(body) = body {
            let pieces = body.into_data_stream().map(move |piece| {
                let _ = &sending;
                piece
            });
            request = request.body(reqwest::Body::wrap_stream(pieces));
        } else {
            drop(sending);
        }
        let late = async {
            sent.cancelled().await;
            sleep(within).await;
        };
        tokio::select! {
            // Without the URL: what stands in its query is not for a log.
            answer = request.send() => answer.map_err(|error| Failed::Away(crate::base::with_causes(&error.without_url()))),
            () = late => Err(Failed::Silent(within)),
            () = cut => Err(Failed::Cut),
        }
    }

    /// Has `request` answered from `url`. Everything ends when `cut` does: what is waited for, streams, sockets.
    pub(super) async fn carry(
        &self,
        url: Url,
        mut request: Request,
        cut: impl Future<Output = ()> + Send + 'static,
    ) -> Result<Response, Failed> {
        let mut passed = headers::of_request(request.headers());
        let socket = headers::asks_for_socket(request.headers()).then(|| hyper::upgrade::on(&mut request));
        if socket.is_some() {
            headers::say_socket(&mut passed);
        }
        let (parts, body) = request.into_parts();
        let body = (!body.is_end_stream()).then_some(body);
        let mut cut = cut.boxed();
        let answer = self.send(url, parts.method, passed, body, &mut cut).await?;
        match socket {
            Some(client) if answer.status() == StatusCode::SWITCHING_PROTOCOLS => join(client, answer, cut).await,
            _ => Ok(streamed(answer, cut)),
        }
    }
}

/// The answer, as it comes.
fn streamed(answer: reqwest::Response, cut: impl Future<Output = ()> + Send + 'static) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = answer.status();
    *response.headers_mut() = headers::of_answer(answer.headers());
    *response.body_mut() = Body::from_stream(answer.bytes_stream().take_until(cut.boxed()));
    response
}

/// Joins the socket of the client with that of the other server.
async fn join(
    client: OnUpgrade,
    answer: reqwest::Response,
    cut: impl Future<Output = ()> + Send + 'static,
) -> Result<Response, Failed> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    *response.headers_mut() = headers::of_answer(answer.headers());
    headers::say_socket(response.headers_mut());
    let server: Upgraded = answer.upgrade().await.map_err(|error| Failed::Away(crate::base::with_causes(&error)))?;
    tokio::spawn(async move {
        let Ok(client) = client.await else { return };
        tokio::select! {
            () = between(TokioIo::new(client), server) => {}
            () = cut => {}
        }
    });
    Ok(response)
}

/// Passes on what comes, both ways and no faster than it is read, until both sides have ended; a side has not for ever once the other
/// has.
async fn between(client: impl AsyncRead + AsyncWrite, server: impl AsyncRead + AsyncWrite) {
    let ((mut from_client, mut to_client), (mut from_server, mut to_server)) = (split(client), split(server));
    let mut up = std::pin::pin!(async {
        let _ = copy(&mut from_client, &mut to_server).await;
        let _ = to_server.shutdown().await;
    });
    let mut down = std::pin::pin!(async {
        let _ = copy(&mut from_server, &mut to_client).await;
        let _ = to_client.shutdown().await;
    });
    tokio::select! {
        () = &mut up => drop(timeout(LINGER, down).await),
        () = &mut down => drop(timeout(LINGER, up).await),
    }
}
