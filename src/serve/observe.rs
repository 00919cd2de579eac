//! What is told of each request when it has been answered: a line in the log and the counts of the metrics. Neither has addresses
//! of pages, bodies, tokens or anything else that a request carries: the template of its route, whose it was, and what came of it.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::http::{Extensions, HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::app::App;
use super::error::ApiError;
use super::nodes::Hop;
use super::request_id::{Refused, RequestId};

/// The longest address of a request, in bytes.
const MAX_URL: usize = 8 << 10;
/// How the route of a request is called that has none.
const NO_ROUTE: &str = "none";

/// Who has connected.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub(super) SocketAddr);

impl Peer {
    /// Its address; where a socket of IPv6 has a client of IPv4 that one's own, as nets and rules are written.
    pub(super) fn ip(self) -> IpAddr {
        self.0.ip().to_canonical()
    }
}

/// Whose request it is, once that is known: told by the one who looks at its token.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen(Arc<OnceLock<(String, String)>>);

impl Seen {
    /// The request is that of this tenant, by the token of this id.
    pub(super) fn tell(&self, tenant: &str, token: &str) {
        // Asked twice it is the same.
        let _ = self.0.set((tenant.to_owned(), token.to_owned()));
    }
}

/// Answers the request and tells of it.
pub(super) async fn follow(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let (began, seen) = (Instant::now(), Seen::default());
    request.extensions_mut().insert(seen.clone());
    let method = request.method().clone();
    let id = request.extensions().get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default();
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let route = route.unwrap_or_else(|| NO_ROUTE.to_owned());
    let client = client(request.extensions(), request.headers(), &app).map(|ip| ip.to_string()).unwrap_or_default();
    let response = match (request.extensions_mut().remove::<Refused>(), request.uri().to_string().len()) {
        (Some(Refused(error)), _) => error.into_response(),
        (None, length) if length > MAX_URL => too_long(length).into_response(),
        (None, _) => next.run(request).await,
    };
    let (status, took) = (response.status().as_u16(), began.elapsed());
    app.metrics.answered(method.as_str(), &route, status, took);
    let (tenant, token) = seen.0.get().map_or(("", ""), |(tenant, token)| (tenant, token));
    let code = response.extensions().get::<ApiError>().map_or("", |error| &error.code);
    app.metrics.failed(code);
    let (method, ms) = (method.as_str(), millis(took));
    tracing::info!(target: "rhaven::request", id, tenant, token, client, method, route, status, code, ms, "request");
    response
}

fn too_long(length: usize) -> ApiError {
    let message = format!("the address has {length} bytes; {MAX_URL} is the most here");
    ApiError { status: StatusCode::URI_TOO_LONG, ..ApiError::new("uri_too_long", message) }
}

/// Where the request comes from: what the server told that passed it on; else the peer, or behind proxies that are trusted the last address that none of them has.
pub(super) fn client(extensions: &Extensions, headers: &HeaderMap, app: &App) -> Option<IpAddr> {
    if let Some(hop) = extensions.get::<Hop>() {
        return hop.client;
    }
    let peer = extensions.get::<Peer>()?.ip();
    let is_trusted = |ip: &IpAddr| app.config.trusted_proxies.iter().any(|net| net.contains(ip));
    if !is_trusted(&peer) {
        return Some(peer);
    }
    let forwarded = headers.get_all("x-forwarded-for");
    Some(named(forwarded.iter().map(|value| value.to_str().unwrap_or("?")), is_trusted).unwrap_or(peer))
}

/// The client that `X-Forwarded-For` names, read from its end: what stands before the first address that is no trusted proxy's, or
/// before something that is no address, anybody may have written.
fn named<'a>(values: impl DoubleEndedIterator<Item = &'a str>, is_trusted: impl Fn(&IpAddr) -> bool) -> Option<IpAddr> {
    let mut last = None;
    for text in values.rev().flat_map(|value| value.rsplit(',')) {
        let ip = text.trim().parse::<IpAddr>().ok()?.to_canonical();
        last = Some(ip);
        if !is_trusted(&ip) {
            break;
        }
    }
    last
}

/// As a log tells it.
pub(super) fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_writes_before_its_proxy_does_not_count() {
        let is_trusted = |ip: &IpAddr| ip.to_string().starts_with("10.");
        let of = |values: &[&str]| named(values.iter().copied(), is_trusted).map(|ip| ip.to_string());
        assert_eq!(of(&["1.1.1.1, 2.2.2.2, 10.0.0.2"]).as_deref(), Some("2.2.2.2"));
        assert_eq!(of(&["1.1.1.1", "2.2.2.2, 10.0.0.2"]).as_deref(), Some("2.2.2.2"));
        assert_eq!(of(&["x, ::ffff:2.2.2.2"]).as_deref(), Some("2.2.2.2"));
        assert_eq!(of(&["10.0.0.3, 10.0.0.2"]).as_deref(), Some("10.0.0.3"));
        // Only the peer is known then.
        assert_eq!((of(&["1.1.1.1, x, 10.0.0.2"]), of(&["1.1.1.1,"]), of(&[])), (None, None, None));
    }
}
