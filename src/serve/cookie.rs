//! How a person who works with the dashboard is known: a cookie that stands for a token, and with every request a word that no other site
//! can know. The cookie is not the token: it names it, until when, and is proven by a key below the store's root key, so that every
//! server of the store knows it, and that revoking the token ends it.

use std::time::Duration;

use axum::http::{HeaderMap, header};
use data_encoding::BASE64URL_NOPAD;

use crate::base::Tenant;
use crate::session::{SessionError, TokenInfo};

use super::app::App;

/// The cookie.
pub(super) const NAME: &str = "rhaven";
/// The header with the word.
const WORD: &str = "x-rhaven-csrf";
/// How long one is signed in.
pub(super) const LASTS: Duration = Duration::from_hours(12);
/// A longer one is none of ours: nothing is computed from it.
const LONGEST: usize = 1024;
/// What proofs are for, so that none is taken for another.
const COOKIE: &[u8] = b"dashboard";
const CSRF: &[u8] = b"dashboard-csrf";

/// The cookie that stands for a token from now on.
pub(super) fn made(app: &App, token: &TokenInfo) -> String {
    let expires = (jiff::Timestamp::now() + LASTS).as_second();
    let said = format!("{}.{}.{expires}", BASE64URL_NOPAD.encode(token.tenant.as_str().as_bytes()), token.id);
    let proof = app.sessions.prove(&[COOKIE, said.as_bytes()]);
    format!("{said}.{proof}")
}

/// The word that goes with a cookie.
pub(super) fn word(app: &App, cookie: &str) -> String {
    app.sessions.prove(&[CSRF, cookie.as_bytes()])
}

/// The cookie that came with a request.
pub(super) fn sent(headers: &HeaderMap) -> Option<&str> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = all.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == NAME).map(|(_, value)| value).filter(|value| value.len() <= LONGEST)
}

/// The token that a cookie stands for; none where it is not ours, has run out, or the token was revoked.
pub(super) async fn token_of(app: &App, cookie: &str) -> Result<Option<TokenInfo>, SessionError> {
    let mut parts = cookie.splitn(4, '.');
    let (Some(tenant), Some(id), Some(expires), Some(proof)) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Ok(None);
    };
    let said = format!("{tenant}.{id}.{expires}");
    if !app.sessions.is_proven(proof, &[COOKIE, said.as_bytes()]).await? {
        return Ok(None);
    }
    let is_over = expires.parse::<i64>().map_or(true, |at| at <= jiff::Timestamp::now().as_second());
    let tenant = BASE64URL_NOPAD.decode(tenant.as_bytes()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let Some(tenant) = tenant.filter(|_| !is_over).and_then(|tenant| Tenant::new(tenant).ok()) else { return Ok(None) };
    app.sessions.token(&tenant, id).await
}

/// Whose a request is that came from the dashboard: the cookie alone says nothing, since pages of others can have it sent.
pub(super) async fn person(app: &App, headers: &HeaderMap) -> Result<Option<TokenInfo>, SessionError> {
    let (Some(cookie), Some(word)) = (sent(headers), headers.get(WORD).and_then(|value| value.to_str().ok())) else {
        return Ok(None);
    };
    let is_own = headers.get("sec-fetch-site").is_none_or(|site| site == "same-origin");
    if !is_own || !app.sessions.is_proven(word, &[CSRF, cookie.as_bytes()]).await? {
        return Ok(None);
    }
    token_of(app, cookie).await
}
