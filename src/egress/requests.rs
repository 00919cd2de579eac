//! One client's requests: tunnels, and plain requests that are handed on as they come, byte by byte.
//!
//! A plain request that cannot be answered ends its connection without an answer: to a browser an answer of ours would be
//! a document of the very site that was not reached.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{Either, Empty, Full};
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::http1::SendRequest;
use hyper::header::{CONTENT_TYPE, HOST, HeaderValue, PROXY_AUTHORIZATION};
use hyper::http::request::Parts;
use hyper::http::uri::PathAndQuery;
use hyper::upgrade::OnUpgrade;
use hyper::{Method, Request, Response, StatusCode, Uri, Version};
use hyper_util::rt::TokioIo;
use tokio::sync::OwnedSemaphorePermit;

use super::dial::{authority, wants_credentials};
use super::headers::{REFUSED, set_upgrade, strip, upgrade_to};
use super::log::{Log, Way};
use super::policy::Target;
use super::{Fault, Upstream, dial::Dialer, tunnel};

/// How long a connection is waited for that should be free.
const FREE: Duration = Duration::from_millis(50);

type Sent = Either<Incoming, Empty<Bytes>>;
type Answer = Either<Incoming, Full<Bytes>>;

/// The connection of one client.
pub(super) struct Visitor {
    pub(super) dialer: Arc<Dialer>,
    pub(super) log: Arc<Log>,
    /// Held by its tunnels too.
    pub(super) place: Arc<OwnedSemaphorePermit>,
    /// The last connection of a plain request, for the next one to the same target.
    kept: Mutex<Option<(Target, SendRequest<Sent>)>>,
}

/// The connection ends without an answer.
#[derive(Debug, thiserror::Error)]
#[error("no answer")]
pub(super) struct NoAnswer;

impl Visitor {
    pub(super) fn new(dialer: Arc<Dialer>, log: Arc<Log>, place: OwnedSemaphorePermit) -> Self {
        Self { dialer, log, place: Arc::new(place), kept: Mutex::default() }
    }

    /// Answers one request.
    pub(super) async fn answer(&self, request: Request<Incoming>) -> Result<Response<Answer>, NoAnswer> {
        if request.method() == Method::CONNECT {
            return Ok(self.tunnel(request).await);
        }
        let target = (request.uri().scheme_str() == Some("http")).then(|| target_of(request.uri(), Some(80))).flatten();
        match target {
            Some(target) => self.forward(&target, request).await,
            None => {
                Ok(told(StatusCode::BAD_REQUEST, "this is a proxy: CONNECT, or a request with an absolute http URL"))
            }
        }
    }

    async fn tunnel(&self, request: Request<Incoming>) -> Response<Answer> {
        let Some(target) = target_of(request.uri(), None) else {
            return told(StatusCode::BAD_REQUEST, "CONNECT wants HOST:PORT");
        };
        match self.dialer.tunnel(&target).await {
            Ok(stream) => {
                self.join(hyper::upgrade::on(request), stream);
                Response::new(Either::Right(Full::default()))
            }
            Err(fault) => {
                let answer = failed(&fault);
                self.log.note(&target, Way::Tunnel, fault);
                answer
            }
        }
    }

    /// Bytes both ways from now on, as soon as the client has its answer.
    fn join(&self, client: OnUpgrade, stream: impl tunnel::Stream + 'static) {
        let place = self.place.clone();
        self.dialer.tasks.spawn(async move {
            if let Ok(client) = client.await {
                drop(tunnel::join(TokioIo::new(client), stream).await);
            }
            drop(place);
        });
    }

    /// Hands a plain request on, and its answer back.
    async fn forward(&self, target: &Target, mut request: Request<Incoming>) -> Result<Response<Answer>, NoAnswer> {
        let protocol = upgrade_to(request.headers());
        let client = protocol.is_some().then(|| hyper::upgrade::on(&mut request));
        let (mut parts, body) = request.into_parts();
        self.rewrite(target, &mut parts, protocol)?;
        let body = if body.is_end_stream() { Either::Right(Empty::new()) } else { Either::Left(body) };
        let response = self.exchange(target, Request::from_parts(parts, body)).await;
        let mut response =
            response.inspect_err(|fault| self.log.note(target, Way::Plain, fault.clone())).map_err(|_| NoAnswer)?;
        let agreed =
            if response.status() == StatusCode::SWITCHING_PROTOCOLS { upgrade_to(response.headers()) } else { None };
        strip(response.headers_mut());
        *response.version_mut() = Version::HTTP_11;
        if let Some((client, protocol)) = client.zip(agreed) {
            let server = hyper::upgrade::on(&mut response);
            set_upgrade(response.headers_mut(), protocol);
            let place = self.place.clone();
            self.dialer.tasks.spawn(async move {
                if let Ok((client, server)) = tokio::try_join!(client, server) {
                    drop(tunnel::join(TokioIo::new(client), TokioIo::new(server)).await);
                }
                drop(place);
            });
        }
        Ok(response.map(Either::Left))
    }

    /// Makes of a request to a proxy one to the target, or to the next proxy.
    fn rewrite(&self, target: &Target, parts: &mut Parts, protocol: Option<HeaderValue>) -> Result<(), NoAnswer> {
        strip(&mut parts.headers);
        // The address that was checked, and no other that a header names.
        let host = if target.port == 80 { target.host.to_string() } else { authority(target) };
        let host_header = HeaderValue::from_str(&host).map_err(|_| NoAnswer)?;
        parts.headers.insert(HOST, host_header);
        let path = parts.uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
        parts.uri = match self.dialer.upstream.as_ref().filter(|upstream| upstream.takes_urls()) {
            None => Uri::from(path),
            Some(upstream) => {
                if let Some(value) = upstream.authorization() {
                    parts.headers.insert(PROXY_AUTHORIZATION, value);
                }
                let uri = Uri::builder().scheme("http").authority(host).path_and_query(path);
                uri.build().map_err(|_| NoAnswer)?
            }
        };
        if let Some(protocol) = protocol {
            set_upgrade(&mut parts.headers, protocol);
        }
        parts.version = Version::HTTP_11;
        Ok(())
    }

    /// Sends a request over the connection that is open, or over a new one.
    async fn exchange(&self, target: &Target, request: Request<Sent>) -> Result<Response<Incoming>, Fault> {
        let request = match self.take(target).await {
            None => request,
            Some(mut sender) => {
                let again = again(&request);
                // The server may have closed it in this very moment; then what can be repeated is.
                match sender.try_send_request(request).await {
                    Ok(response) => return self.answered(target, sender, response),
                    Err(mut error) => match error.take_message().or(again) {
                        Some(request) => request,
                        None => return Err(broken(target, error.error())),
                    },
                }
            }
        };
        let mut sender = self.dialer.http(target).await?;
        let response = sender.send_request(request).await.map_err(|error| broken(target, &error))?;
        self.answered(target, sender, response)
    }

    fn answered(
        &self,
        target: &Target,
        sender: SendRequest<Sent>,
        response: Response<Incoming>,
    ) -> Result<Response<Incoming>, Fault> {
        let asked = self.dialer.upstream.as_ref().is_some_and(Upstream::takes_urls);
        if asked && response.status() == StatusCode::PROXY_AUTHENTICATION_REQUIRED {
            return Err(wants_credentials());
        }
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some((target.clone(), sender));
        Ok(response)
    }

    /// The open connection, where it is one to this target and free.
    async fn take(&self, target: &Target) -> Option<SendRequest<Sent>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (_, mut sender) = kept.filter(|(to, _)| to == target)?;
        // The client has read the answer before; its end is here in a moment if it is not yet.
        let free = tokio::time::timeout(FREE, sender.ready()).await;
        free.is_ok_and(|ready| ready.is_ok()).then_some(sender)
    }
}

/// The same request once more, where that is harmless.
fn again(request: &Request<Sent>) -> Option<Request<Sent>> {
    let harmless = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    let bare = matches!(request.body(), Either::Right(_));
    (harmless && bare).then(|| {
        let mut copy = Request::new(Either::Right(Empty::new()));
        *copy.method_mut() = request.method().clone();
        *copy.uri_mut() = request.uri().clone();
        *copy.headers_mut() = request.headers().clone();
        *copy.extensions_mut() = request.extensions().clone();
        copy
    })
}

fn broken(target: &Target, error: &hyper::Error) -> Fault {
    Fault::NotReached { host: target.name(), port: target.port, reason: error.to_string() }
}

fn target_of(uri: &Uri, default: Option<u16>) -> Option<Target> {
    Target::new(uri.host()?, uri.port_u16().or(default)?)
}

fn failed(fault: &Fault) -> Response<Answer> {
    let status = match fault {
        Fault::Refused(_) => StatusCode::FORBIDDEN,
        Fault::TimedOut { .. } => StatusCode::GATEWAY_TIMEOUT,
        _ => StatusCode::BAD_GATEWAY,
    };
    let text = fault.to_string();
    let mut answer = told(status, &text);
    if let (Fault::Refused(_), Ok(value)) = (fault, HeaderValue::from_bytes(text.as_bytes())) {
        answer.headers_mut().insert(REFUSED, value);
    }
    answer
}

fn told(status: StatusCode, text: &str) -> Response<Answer> {
    let mut answer = Response::new(Either::Right(Full::from(format!("{text}\n"))));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    answer
}
