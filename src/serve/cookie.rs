//! How a person who works with the dashboard is known: a cookie that stands for a token, and with every request a word that no other site
//! can know. The cookie is not the token: it names it, until when, and is proven by a key below the store's root key, so that every
//! server of the store knows it, and that revoking the token ends it. Who signs out ends it, too, wherever it was copied to.

use std::time::Duration;

use axum::http::{HeaderMap, header};
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use url::Url;

use crate::base::Tenant;
use crate::session::{LivePart, Seen, SessionError, TokenInfo};

use super::app::App;
use super::request_id::random_id;

/// The cookie.
const NAME: &str = "rhaven";
/// The same where all of the host is ours, and goes over TLS: no other host of its site, and no page that came in clear, can put one there.
const OF_HOST: &str = "__Host-rhaven";
/// The header with the word.
const WORD: &str = "x-rhaven-csrf";
/// How long one is signed in.
pub(super) const LASTS: Duration = Duration::from_hours(12);
/// A longer one is none of ours: nothing is computed from it.
const LONGEST: usize = 1024;
/// What proofs are for, so that none is taken for another.
const COOKIE: &[u8] = b"dashboard";
const CSRF: &[u8] = b"dashboard-csrf";

/// That a cookie stands for nothing any more.
#[derive(Debug, Serialize, Deserialize)]
struct SignedOut {
    format: u32,
}

/// The cookie that stands for a token from now on.
pub(super) fn made(app: &App, token: &TokenInfo) -> String {
    let expires = (jiff::Timestamp::now() + LASTS).as_second();
    let tenant = BASE64URL_NOPAD.encode(token.tenant.as_str().as_bytes());
    let said = format!("{tenant}.{}.{expires}.{}", token.id, random_id());
    let proof = app.sessions.prove(&[COOKIE, said.as_bytes()]);
    format!("{said}.{proof}")
}

/// The word that goes with a cookie.
pub(super) fn word(app: &App, cookie: &str) -> String {
    app.sessions.prove(&[CSRF, cookie.as_bytes()])
}

/// What it is called where URLs of the server begin with `base`.
pub(super) fn called(base: &str) -> &'static str {
    let is_alone = Url::parse(base).is_ok_and(|base| base.scheme() == "https" && base.path() == "/");
    if is_alone { OF_HOST } else { NAME }
}

/// The cookie that came with a request.
pub(super) fn sent<'a>(app: &App, headers: &'a HeaderMap) -> Option<&'a str> {
    let called = called(&app.base_url());
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = all.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == called).map(|(_, value)| value).filter(|value| value.len() <= LONGEST)
}

/// The token that a cookie stands for; none where it is not ours, has run out, or the token was revoked.
pub(super) async fn token_of(app: &App, cookie: &str) -> Result<Option<TokenInfo>, SessionError> {
    let [tenant, id, expires, random, proof] = cookie.splitn(5, '.').collect::<Vec<_>>()[..] else { return Ok(None) };
    let said = format!("{tenant}.{id}.{expires}.{random}");
    if !app.sessions.is_proven(proof, &[COOKIE, said.as_bytes()]).await? {
        return Ok(None);
    }
    let is_over = expires.parse::<i64>().map_or(true, |at| at <= jiff::Timestamp::now().as_second());
    let tenant = BASE64URL_NOPAD.decode(tenant.as_bytes()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let Some(tenant) = tenant.filter(|_| !is_over).and_then(|tenant| Tenant::new(tenant).ok()) else { return Ok(None) };
    if app.sessions.live_document::<SignedOut>(&tenant, LivePart::SignedOut, &name(cookie)).await?.is_some() {
        return Ok(None);
    }
    app.sessions.token(&tenant, id).await
}

/// What is kept of a cookie that somebody has signed out with: it cannot be made from that.
fn name(cookie: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(cookie.as_bytes()))
}

/// From now on that cookie of the tenant's stands for nothing, on every server of the store.
pub(super) async fn sign_out(app: &App, tenant: &Tenant, cookie: &str) -> Result<(), SessionError> {
    let put = SignedOut { format: 1 };
    let name = name(cookie);
    let put = app.sessions.put_live_document(tenant, LivePart::SignedOut, &name, &put, Seen::NOTHING, Some(LASTS));
    put.await.map(drop)
}

/// Whether it is not another site's page that asks: browsers say so, and no page can say otherwise.
pub(super) fn is_own(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-site").is_none_or(|site| site == "same-origin")
}

/// Whose a request is that came from the dashboard: the cookie alone says nothing, since pages of others can have it sent.
pub(super) async fn person(app: &App, headers: &HeaderMap) -> Result<Option<TokenInfo>, SessionError> {
    let (Some(cookie), Some(word)) = (sent(app, headers), headers.get(WORD).and_then(|value| value.to_str().ok()))
    else {
        return Ok(None);
    };
    if !is_own(headers) || !app.sessions.is_proven(word, &[CSRF, cookie.as_bytes()]).await? {
        return Ok(None);
    }
    token_of(app, cookie).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_where_the_host_is_ours_is_it_the_hosts() {
        for (base, wanted) in [
            ("https://rhaven.example", OF_HOST),
            ("https://site.example/rhaven", NAME),
            ("http://127.0.0.1:7300", NAME),
        ] {
            assert_eq!(called(base), wanted, "{base}");
        }
    }
}
