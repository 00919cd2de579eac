//! A page by plain HTTP: one GET with the session's cookies, redirects followed here, so that every hop is checked and every
//! `Set-Cookie` kept. No browser has to be started for it.

use reqwest::header::{
    ACCEPT, ACCEPT_LANGUAGE, AUTHORIZATION, CONTENT_TYPE, COOKIE, HeaderMap, HeaderName, HeaderValue, LOCATION,
    SET_COOKIE, UPGRADE_INSECURE_REQUESTS, USER_AGENT, WWW_AUTHENTICATE,
};
use url::Url;

use super::out::WayOut;
use crate::serve::error::ApiError;
use crate::session::PlainSession;

/// The most redirects of one request, as browsers have it.
const MOST_REDIRECTS: usize = 20;
/// The largest response, in bytes, unpacked.
const LARGEST: usize = 16 << 20;
/// What a browser says that a document may be.
const DOCUMENTS: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

/// What a server answered, after redirects.
#[derive(Debug)]
pub(super) struct Response {
    /// Where it came from.
    pub(super) url: Url,
    pub(super) status: u16,
    /// The media type in small letters; empty where the server said none.
    media_type: String,
    /// The charset that the server named.
    charset: Option<String>,
    body: Vec<u8>,
}

impl Response {
    /// Whether it is a document that HTML can be read of.
    pub(super) fn is_html(&self) -> bool {
        let is_sniffed = || {
            let start = String::from_utf8_lossy(self.body.get(..512).unwrap_or(&self.body)).to_ascii_lowercase();
            start.trim_start().starts_with("<!doctype html") || start.trim_start().starts_with("<html")
        };
        match &*self.media_type {
            "text/html" | "application/xhtml+xml" => true,
            "" => is_sniffed(),
            _ => false,
        }
    }

    /// Its text, whatever kind of text it is; an error in words for what is none.
    pub(super) fn text(&self) -> Result<String, String> {
        let kind = &*self.media_type;
        let of_text = ["application/json", "application/xml", "application/javascript", "application/xhtml+xml"];
        let is_text = kind.starts_with("text/")
            || of_text.contains(&kind)
            || kind.ends_with("+json")
            || kind.ends_with("+xml")
            || (kind.is_empty() && !self.body.contains(&0));
        if !is_text {
            let kind = if kind.is_empty() { "of no type" } else { kind };
            return Err(format!("the response is {kind}, which is no text"));
        }
        Ok(super::charset::decode(&self.body, self.charset.as_deref(), self.is_html()))
    }

    /// Its text where that is HTML; an error in words.
    pub(super) fn document(&self) -> Result<String, String> {
        if self.is_html() {
            return self.text();
        }
        let kind = if self.media_type.is_empty() { "of no type" } else { &self.media_type };
        Err(format!("the response is {kind}, which is no HTML"))
    }
}

/// Asks for the page.
pub(super) async fn get(way: &WayOut, session: &PlainSession, url: &str) -> Result<Response, ApiError> {
    let mut url: Url = url.parse().map_err(|error| ApiError::invalid("url", format!("{error}")))?;
    let taken = url.clone();
    for _ in 0..=MOST_REDIRECTS {
        way.check(&url)?;
        let response = ask(way, session, (&taken, &url)).await?;
        keep_cookies(session, &url, &response);
        match next(&url, &response)? {
            Some(next) => url = next,
            None => return read(way, url, response).await,
        }
    }
    let message = format!("{url} did not load: more than {MOST_REDIRECTS} redirects");
    Err(ApiError::new("navigation_failed", message).with("reason", "too_many_redirects"))
}

/// Asks once; once more where the site asks who we are, and that is for it. `taken` is where the first request went.
async fn ask(way: &WayOut, session: &PlainSession, (taken, url): (&Url, &Url)) -> Result<reqwest::Response, ApiError> {
    let send = async |headers: HeaderMap| {
        way.client().get(url.clone()).headers(headers).send().await.map_err(|error| way.failed(url, &error))
    };
    let response = send(headers(session, url)?).await?;
    match session.authorization_when_asked(taken, url) {
        Some(credentials) if asks_who(&response) => {
            // As in a browser: the site may know by them whom it has asked.
            keep_cookies(session, url, &response);
            let mut headers = headers(session, url)?;
            headers.insert(AUTHORIZATION, sensitive(&credentials)?);
            send(headers).await
        }
        _ => Ok(response),
    }
}

fn keep_cookies(session: &PlainSession, url: &Url, response: &reqwest::Response) {
    for header in response.headers().get_all(SET_COOKIE) {
        session.set_cookie(url, &String::from_utf8_lossy(header.as_bytes()));
    }
}

/// Whether a site asks for a user name and a password.
fn asks_who(response: &reqwest::Response) -> bool {
    let asks = |value: &HeaderValue| value.to_str().is_ok_and(|value| value.to_ascii_lowercase().contains("basic"));
    response.status().as_u16() == 401 && response.headers().get_all(WWW_AUTHENTICATE).iter().any(asks)
}

fn sensitive(credentials: &str) -> Result<HeaderValue, ApiError> {
    let bad = |_| ApiError::new("invalid_request", "a password has characters that no header may have");
    let mut value = HeaderValue::from_str(credentials).map_err(bad)?;
    value.set_sensitive(true);
    Ok(value)
}

/// Where a redirect leads; none where it is none.
fn next(url: &Url, response: &reqwest::Response) -> Result<Option<Url>, ApiError> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let Some(location) = response.headers().get(LOCATION) else { return Ok(None) };
    let location = String::from_utf8_lossy(location.as_bytes());
    let next = url.join(&location).map_err(|error| {
        let message = format!("{url} did not load: it redirects to what is no address: {error}");
        ApiError::new("navigation_failed", message).with("reason", "invalid_redirect")
    })?;
    Ok(Some(next))
}

fn headers(session: &PlainSession, url: &Url) -> Result<HeaderMap, ApiError> {
    let mut headers = HeaderMap::new();
    let text = |text: &str| {
        HeaderValue::from_str(text)
            .map_err(|_| ApiError::new("invalid_request", "a header has characters that none may have"))
    };
    headers.insert(USER_AGENT, text(&session.user_agent())?);
    headers.insert(ACCEPT, HeaderValue::from_static(DOCUMENTS));
    headers.insert(UPGRADE_INSECURE_REQUESTS, HeaderValue::from_static("1"));
    if let Some(languages) = session.accept_language() {
        headers.insert(ACCEPT_LANGUAGE, text(&languages)?);
    }
    for (name, value) in session.extra_headers() {
        let name = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| ApiError::new("invalid_request", format!("{name:?} is not the name of a header")))?;
        headers.insert(name, text(value)?);
    }
    if let Some(credentials) = session.authorization(url) {
        headers.insert(AUTHORIZATION, sensitive(&credentials)?);
    }
    if let Some(cookies) = session.cookie_header(url) {
        let mut cookies = HeaderValue::from_bytes(cookies.as_bytes())
            .map_err(|_| ApiError::new("invalid_request", "a cookie has characters that no header may have"))?;
        cookies.set_sensitive(true);
        headers.insert(COOKIE, cookies);
    }
    Ok(headers)
}

async fn read(way: &WayOut, url: Url, mut response: reqwest::Response) -> Result<Response, ApiError> {
    let status = response.status().as_u16();
    let kind = response.headers().get(CONTENT_TYPE).map(|kind| String::from_utf8_lossy(kind.as_bytes()).into_owned());
    let kind = kind.unwrap_or_default();
    let media_type = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let mut parameters = kind.split(';').skip(1).filter_map(|parameter| parameter.split_once('='));
    let charset = parameters.find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"));
    let charset = charset.map(|(_, charset)| charset.trim().trim_matches('"').to_owned());
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| way.failed(&url, &error))? {
        if body.len() + chunk.len() > LARGEST {
            let message = format!("{url} answers with more than {} MiB, which is the most here", LARGEST >> 20);
            return Err(ApiError::new("response_too_large", message));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Response { url, status, media_type, charset, body })
}
