//! Cookies: read from and written to a context whole, and compared by what a site can tell.

use std::collections::{BTreeMap, BTreeSet};

use chromiumoxide::cdp::browser_protocol::storage::ClearCookiesParams;
use chromiumoxide::types::{Command, Method, MethodId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::browser::{BrowserError, Context, Pending};

use super::{Change, ChangeKind, Cookie, CookieInfo};

/// How far two expiry times may differ and still be the same: Chromium keeps microseconds and JSON a double.
const SAME_EXPIRY_SECONDS: f64 = 1.0;
/// What the browser derives and does not take back.
const DERIVED: [&str; 3] = ["size", "session", "partitionKeyOpaque"];

/// All cookies of the context, in a stable order.
pub(super) async fn read(context: &Context) -> Result<Vec<Cookie>, BrowserError> {
    let answer = context.browser().cdp().call(GetCookies { browser_context_id: context.id().inner().clone() }).await?;
    let mut cookies: Vec<Cookie> = answer.cookies.into_iter().map(normal).collect();
    cookies.sort_by_cached_key(identity);
    Ok(cookies)
}

/// Puts cookies into the context; the answer comes with the returned future.
pub(super) fn write(context: &Context, cookies: &[Cookie]) -> Pending<SetCookies> {
    let cookies = cookies.to_vec();
    context.browser().cdp().send(SetCookies { cookies, browser_context_id: context.id().inner().clone() })
}

/// Removes every cookie of the context; the answer comes with the returned future.
pub(super) fn clear(context: &Context) -> Pending<ClearCookiesParams> {
    context.browser().cdp().send(ClearCookiesParams { browser_context_id: Some(context.id().clone()) })
}

/// `Storage.getCookies`, undecoded: attributes which the typed protocol does not know yet are kept as well.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GetCookies {
    browser_context_id: String,
}

#[derive(Debug, Deserialize)]
struct Cookies {
    cookies: Vec<Cookie>,
}

/// `Storage.setCookies`, likewise.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SetCookies {
    cookies: Vec<Cookie>,
    browser_context_id: String,
}

impl Method for GetCookies {
    fn identifier(&self) -> MethodId {
        "Storage.getCookies".into()
    }
}

impl Command for GetCookies {
    type Response = Cookies;
}

impl Method for SetCookies {
    fn identifier(&self) -> MethodId {
        "Storage.setCookies".into()
    }
}

impl Command for SetCookies {
    type Response = serde::de::IgnoredAny;
}

/// Without what the browser derives; session cookies without their `expires: -1`.
fn normal(mut cookie: Cookie) -> Cookie {
    if cookie.get("session").and_then(Value::as_bool) == Some(true) {
        cookie.remove("expires");
    }
    for derived in DERIVED {
        cookie.remove(derived);
    }
    cookie
}

/// What makes two cookies the same one: name, domain, path and partition.
pub(super) fn identity(cookie: &Cookie) -> (String, String, String, String) {
    let text = |key| cookie.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let partition = cookie.get("partitionKey").map(Value::to_string).unwrap_or_default();
    (text("domain"), text("path"), text("name"), partition)
}

/// The expiry in seconds since 1970; none for session cookies.
pub(super) fn expiry(cookie: &Cookie) -> Option<f64> {
    cookie.get("expires").and_then(Value::as_f64)
}

/// What may be shown of a cookie.
pub(super) fn describe(cookie: &Cookie) -> CookieInfo {
    let text = |key| cookie.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    // Whole seconds: nobody reads more, and a double holds no more exactly anyway.
    #[allow(clippy::cast_possible_truncation)]
    let expires = expiry(cookie).and_then(|at| jiff::Timestamp::from_second(at as i64).ok()).map(|at| at.to_string());
    CookieInfo { domain: text("domain"), name: text("name"), expires }
}

/// Whether it is to go with the browser.
pub(super) fn is_of_session(cookie: &Cookie) -> bool {
    expiry(cookie).is_none()
}

/// `now`, with those cookies of `before` that went with the last window: they have no expiry and are not in `now`.
pub(super) fn with_lost(mut now: Vec<Cookie>, before: &[Cookie]) -> Vec<Cookie> {
    let known: BTreeSet<_> = now.iter().map(identity).collect();
    now.extend(before.iter().filter(|cookie| is_of_session(cookie) && !known.contains(&identity(cookie))).cloned());
    now.sort_by_cached_key(identity);
    now
}

/// Tells one set of cookies from another.
pub(super) fn digest(cookies: &[Cookie]) -> String {
    let mut sorted = cookies.to_vec();
    sorted.sort_by_cached_key(identity);
    let mut hash = Sha256::new();
    for cookie in sorted {
        hash.update(Zeroizing::new(Value::Object(cookie).to_string()).as_bytes());
        hash.update([0]);
    }
    data_encoding::HEXLOWER.encode(&hash.finalize())
}

/// Whether the cookie has run out at `now` (seconds since 1970).
pub(super) fn expired(cookie: &Cookie, now: f64) -> bool {
    expiry(cookie).is_some_and(|at| at <= now)
}

/// The cookies that have not run out by now.
pub(super) fn unexpired(cookies: &[Cookie]) -> Vec<Cookie> {
    let now = now();
    cookies.iter().filter(|cookie| !expired(cookie, now)).cloned().collect()
}

/// Seconds since 1970, as cookies count them.
#[allow(clippy::cast_precision_loss)] // milliseconds since 1970 fit a double exactly
pub(super) fn now() -> f64 {
    jiff::Timestamp::now().as_millisecond() as f64 / 1_000.0
}

/// What differs between two sets of cookies, by name; those that have run out by `now` count on neither side.
pub(super) fn diff(before: &[Cookie], after: &[Cookie], now: f64) -> Vec<Change> {
    let live = |cookies: &[Cookie]| -> BTreeMap<_, Cookie> {
        cookies.iter().filter(|cookie| !expired(cookie, now)).map(|cookie| (identity(cookie), cookie.clone())).collect()
    };
    let (before, after) = (live(before), live(after));
    let change = |kind, cookie: &Cookie| {
        let (domain, path, name, _) = identity(cookie);
        Change { kind, store: "cookie".into(), origin: format!("{domain}{path}"), name }
    };
    let mut changes: Vec<Change> = after
        .iter()
        .filter_map(|(identity, new)| match before.get(identity) {
            None => Some(change(ChangeKind::Added, new)),
            Some(old) => compare(old, new).map(|kind| change(kind, new)),
        })
        .collect();
    changes.extend(
        before
            .iter()
            .filter(|(identity, _)| !after.contains_key(*identity))
            .map(|(_, old)| change(ChangeKind::Removed, old)),
    );
    changes
}

fn compare(old: &Cookie, new: &Cookie) -> Option<ChangeKind> {
    let without_expiry = |cookie: &Cookie| -> BTreeMap<String, Value> {
        cookie.iter().filter(|(key, _)| *key != "expires").map(|(key, value)| (key.clone(), value.clone())).collect()
    };
    if without_expiry(old) != without_expiry(new) {
        return Some(ChangeKind::Changed);
    }
    match (expiry(old), expiry(new)) {
        (None, None) => None,
        (Some(old), Some(new)) if (old - new).abs() <= SAME_EXPIRY_SECONDS => None,
        _ => Some(ChangeKind::Renewed),
    }
}

/// Whether the cookie would be sent to `url` (host, path, scheme; not the context's site rules).
pub(super) fn goes_to(cookie: &Cookie, url: &url::Url) -> bool {
    let text = |key| cookie.get(key).and_then(Value::as_str).unwrap_or_default();
    let (domain, path, host) = (text("domain"), text("path"), url.host_str().unwrap_or_default());
    let by_host = match domain.strip_prefix('.') {
        Some(parent) => host == parent || host.ends_with(domain),
        None => host == domain,
    };
    let by_path = url.path() == path
        || url.path().strip_prefix(path).is_some_and(|rest| path.ends_with('/') || rest.starts_with('/'));
    let secure = cookie.get("secure").and_then(Value::as_bool) == Some(true);
    let local = matches!(host, "localhost" | "127.0.0.1" | "[::1]");
    by_host && by_path && (!secure || local || url.scheme() == "https")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn cookie(name: &str, value: &str, expires: f64) -> Cookie {
        let all = json!({"name": name, "value": value, "domain": "a.example", "path": "/", "expires": expires, "session": expires < 0.0, "size": 9});
        normal(all.as_object().unwrap().clone())
    }

    fn kinds(before: &[Cookie], after: &[Cookie]) -> Vec<(ChangeKind, String)> {
        diff(before, after, 1_000.0).into_iter().map(|change| (change.kind, change.name)).collect()
    }

    #[test]
    fn a_change_is_told_from_a_renewal_and_from_nothing() {
        let old = [cookie("sid", "1", 2_000.0), cookie("lang", "en", -1.0), cookie("gone", "x", -1.0)];
        assert!(kinds(&old, &old).is_empty());
        assert!(kinds(&old[..1], &[cookie("sid", "1", 2_000.000_001)]).is_empty());
        let new = [cookie("sid", "1", 3_000.0), cookie("lang", "cs", -1.0), cookie("new", "y", -1.0)];
        let mut seen = kinds(&old, &new);
        seen.sort_by(|a, b| a.1.cmp(&b.1));
        assert_eq!(
            seen,
            [
                (ChangeKind::Removed, "gone".into()),
                (ChangeKind::Changed, "lang".into()),
                (ChangeKind::Added, "new".into()),
                (ChangeKind::Renewed, "sid".into())
            ]
        );
    }

    #[test]
    fn what_has_run_out_counts_on_neither_side() {
        assert!(kinds(&[cookie("old", "1", 900.0)], &[]).is_empty());
        assert!(kinds(&[], &[cookie("old", "1", 900.0)]).is_empty());
    }

    #[test]
    fn a_cookie_goes_where_a_browser_would_send_it() {
        let check = |domain: &str, path: &str, url: &str, goes: bool| {
            let mut cookie = cookie("c", "v", -1.0);
            cookie.insert("domain".into(), domain.into());
            cookie.insert("path".into(), path.into());
            assert_eq!(goes_to(&cookie, &url.parse().unwrap()), goes, "{domain}{path} -> {url}");
        };
        check("a.example", "/", "https://a.example/x", true);
        check("a.example", "/", "https://b.a.example/x", false);
        check(".a.example", "/", "https://b.a.example/x", true);
        check(".a.example", "/", "https://ba.example/x", false);
        check("a.example", "/acc", "https://a.example/account", false);
        check("a.example", "/acc", "https://a.example/acc/1", true);
    }
}
