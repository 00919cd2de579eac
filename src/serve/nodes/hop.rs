//! What one server tells another with a request that it passes on: that it is one of this store's, for whom the request is meant, its
//! id, whose it is as far as the network goes, and which host its client named. Proven by a key below the store's root key, for this request and a few minutes.
//! It opens nothing: whose the request is is found out by its token, as of any other.

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use reqwest::Url;

use super::super::app::App;
use super::super::error::ApiError;

/// The header that tells it.
pub(super) const HEADER: HeaderName = HeaderName::from_static("x-rhaven-node");
/// What its text begins with.
const FORMAT: &str = "2";
/// The longest name of a host that is passed on, with its port.
const LONGEST_HOST: usize = 300;
/// How far the clocks of two servers may be apart, and how long a proof is good, in seconds.
const SPAN: u64 = 5 * 60;

/// What another server told of a request.
#[derive(Debug, Clone)]
pub(in crate::serve) struct Hop {
    /// The request's id, as the other server knows it.
    pub(in crate::serve) request: String,
    /// Who asked the other server.
    pub(in crate::serve) client: Option<IpAddr>,
    /// The `Host` that the client named.
    pub(in crate::serve) host: Option<String>,
}

/// What is told to another server.
pub(super) struct Said<'a> {
    pub(super) from: &'a str,
    pub(super) to: &'a str,
    pub(super) request: &'a str,
    pub(super) client: Option<IpAddr>,
    pub(super) host: Option<&'a str>,
}

impl Said<'_> {
    /// The header of a request of that method to that URL.
    pub(super) fn header(&self, app: &App, method: &Method, url: &Url) -> HeaderValue {
        let at = jiff::Timestamp::now().as_second().to_string();
        let client = self.client.map_or_else(|| "-".to_owned(), |ip| ip.to_string());
        let path = &url[url::Position::BeforePath..url::Position::AfterQuery];
        // Words of a text: what has a space in it names no host.
        let is_word =
            |host: &&str| !host.is_empty() && host.len() <= LONGEST_HOST && host.bytes().all(|b| b.is_ascii_graphic());
        let host = self.host.filter(is_word).unwrap_or("-");
        let told = [FORMAT, self.from, self.to, &at, self.request, &client, host];
        let proof = app.sessions.prove(&fields(&told, method, path));
        let text = format!("{} {proof}", told.join(" "));
        // Ids, numbers, a host and hex.
        HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""))
    }
}

fn fields<'a>(told: &[&'a str; 7], method: &'a Method, path: &'a str) -> [&'a [u8]; 9] {
    let [format, from, to, at, request, client, host] = told.map(str::as_bytes);
    [format, from, to, at, request, client, host, method.as_str().as_bytes(), path.as_bytes()]
}

/// What another server of this store told of a request; none where it comes from a client. Whoever says so and proves nothing is
/// refused.
pub(in crate::serve) async fn hop(
    app: &App,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<Option<Hop>, ApiError> {
    let mut given = headers.get_all(HEADER).iter();
    let Some(value) = given.next() else { return Ok(None) };
    let refused =
        || ApiError::new("forbidden", format!("{HEADER} is what servers of one store tell each other; leave it out"));
    let text = value.to_str().ok().filter(|_| given.next().is_none()).ok_or_else(refused)?;
    let parts: Vec<&str> = text.split(' ').collect();
    let [format, from, to, at, id, client, host, proof] = parts[..] else { return Err(refused()) };
    let told = [format, from, to, at, id, client, host];
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    if format != FORMAT || !app.sessions.is_proven(proof, &fields(&told, method, path)).await? {
        return Err(refused());
    }
    let now = jiff::Timestamp::now().as_second();
    let apart = at.parse().map_or(u64::MAX, |at: i64| now.abs_diff(at));
    let mistaken = |message: &str| {
        tracing::warn!(from, apart, "{message}");
        Err(ApiError::new("node_unavailable", message))
    };
    if apart > SPAN {
        return mistaken("the clocks of the servers are more than five minutes apart");
    }
    if to != app.nodes.id() {
        return mistaken("the server that this is for is not there any more");
    }
    let host = (host != "-").then(|| host.to_owned());
    Ok(Some(Hop { request: id.to_owned(), client: client.parse().ok(), host }))
}
