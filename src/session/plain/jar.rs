//! Cookies as a browser keeps them, without one: which go along with a request, and what a response may set. Chromium's rules for
//! a document that a person asks for by its address, so that `SameSite` keeps none back.

use cookie::{Cookie as Parsed, Expiration, SameSite};
use serde_json::Value;
use url::{Host, Url};

use crate::session::portable::Foreign;
use crate::session::{Cookie, cookies};

/// Second labels below which, under a country's domain, names are given out to others: `co.uk`, `com.au`.
const SHARED: [&str; 14] =
    ["ac", "co", "com", "edu", "go", "gob", "gouv", "gov", "mil", "ne", "net", "nom", "or", "org"];
/// The furthest from now that Chromium lets a cookie run out, in seconds.
const MAX_AGE_SECONDS: f64 = 400.0 * 86_400.0;

/// All cookies of a session.
#[derive(Default)]
pub(super) struct Jar(Vec<Cookie>);

impl Jar {
    pub(super) fn new(cookies: Vec<Cookie>) -> Self {
        Self(cookies)
    }

    /// Those that have not run out.
    pub(super) fn cookies(&self) -> Vec<Cookie> {
        cookies::unexpired(&self.0)
    }

    /// What goes to `url`, longest paths first.
    pub(super) fn header(&self, url: &Url) -> Option<String> {
        let now = cookies::now();
        let goes = |cookie: &&Cookie| {
            cookies::goes_to(cookie, url) && !cookies::expired(cookie, now) && is_of_partition(cookie, url)
        };
        let mut cookies: Vec<&Cookie> = self.0.iter().filter(goes).collect();
        cookies.sort_by_key(|cookie| std::cmp::Reverse(text(cookie, "path").len()));
        let pairs = cookies.into_iter().map(|cookie| match (text(cookie, "name"), text(cookie, "value")) {
            ("", value) => value.to_owned(),
            (name, value) => format!("{name}={value}"),
        });
        Some(pairs.collect::<Vec<_>>().join("; ")).filter(|header| !header.is_empty())
    }

    /// Takes in one `Set-Cookie` of a response from `url`.
    pub(super) fn set(&mut self, url: &Url, header: &str) {
        let Some((cookie, expires)) = read(url, header) else { return };
        let now = cookies::now();
        let foreign = Foreign { expires: None, ..cookie };
        let Ok((mut cookie, _)) = foreign.adopt() else { return };
        if let Some(at) = expires {
            cookie.insert("expires".into(), at.min(now + MAX_AGE_SECONDS).into());
        }
        let secure = url.scheme() == "https";
        cookie.insert("sourceScheme".into(), if secure { "Secure" } else { "NonSecure" }.into());
        cookie.insert("sourcePort".into(), url.port_or_known_default().unwrap_or_default().into());
        if !secure && self.0.iter().any(|old| is_overlaid(old, &cookie)) {
            return;
        }
        let identity = cookies::identity(&cookie);
        self.0.retain(|old| cookies::identity(old) != identity);
        if expires.is_none_or(|at| at > now) {
            self.0.push(cookie);
        }
    }
}

/// A secure cookie is not changed, nor hidden, by one that came without TLS.
fn is_overlaid(old: &Cookie, new: &Cookie) -> bool {
    let bare = |cookie: &Cookie| text(cookie, "domain").trim_start_matches('.').to_owned();
    let below = |a: &str, b: &str| a == b || a.strip_suffix(b).is_some_and(|rest| rest.ends_with('.'));
    let (old_domain, new_domain) = (bare(old), bare(new));
    old.get("secure") == Some(&Value::Bool(true))
        && text(old, "name") == text(new, "name")
        && (below(&old_domain, &new_domain) || below(&new_domain, &old_domain))
        && text(new, "path").starts_with(text(old, "path"))
}

fn text<'a>(cookie: &'a Cookie, attribute: &str) -> &'a str {
    cookie.get(attribute).and_then(Value::as_str).unwrap_or_default()
}

/// Whether a partitioned cookie is one of the partition that the document itself is in.
fn is_of_partition(cookie: &Cookie, url: &Url) -> bool {
    let Some(key) = cookie.get("partitionKey") else { return true };
    key["topLevelSite"].as_str() == site(url).as_deref() && key["hasCrossSiteAncestor"] != Value::Bool(true)
}

/// A cookie as a header has it, and when it runs out; none where a browser would not take it from there.
fn read(url: &Url, header: &str) -> Option<(Foreign, Option<f64>)> {
    let parsed = Parsed::parse(header).ok()?;
    let secure = parsed.secure() == Some(true);
    let host = url.host_str()?;
    if secure && url.scheme() != "https" && !is_local(url) {
        return None;
    }
    #[allow(clippy::cast_precision_loss, reason = "seconds of some centuries fit a double exactly")]
    let expires = match (parsed.max_age(), parsed.expires()) {
        (Some(age), _) => Some(cookies::now() + age.whole_seconds() as f64),
        (None, Some(Expiration::DateTime(at))) => Some(at.unix_timestamp() as f64),
        (None, Some(Expiration::Session) | None) => None,
    };
    let same_site = parsed.same_site().map(|same_site| match same_site {
        SameSite::Strict => "Strict",
        SameSite::Lax => "Lax",
        SameSite::None => "None",
    });
    let partition = match parsed.partitioned() {
        Some(true) => Some((site(url)?, false)),
        _ => None,
    };
    let foreign = Foreign {
        name: parsed.name().to_owned(),
        value: parsed.value().to_owned(),
        domain: domain(url, host, parsed.domain())?,
        path: parsed.path().filter(|path| path.starts_with('/')).map_or_else(|| default_path(url), str::to_owned),
        expires,
        http_only: parsed.http_only() == Some(true),
        secure,
        same_site: same_site.map(str::to_owned),
        partition,
    };
    Some((foreign, expires))
}

/// For whom it is: this host alone, or with a dot before it all below a domain that the host is in and that is nobody else's.
fn domain(url: &Url, host: &str, asked: Option<&str>) -> Option<String> {
    let Some(asked) = asked.map(|asked| asked.trim_start_matches('.').to_ascii_lowercase()).filter(|d| !d.is_empty())
    else {
        return Some(host.to_owned());
    };
    if !matches!(url.host(), Some(Host::Domain(_))) || !asked.contains('.') {
        return (asked == host).then_some(asked);
    }
    let within = host == asked || host.strip_suffix(&*asked).is_some_and(|rest| rest.ends_with('.'));
    if !within {
        return None;
    }
    if is_shared(&asked) {
        return (asked == host).then_some(asked);
    }
    Some(format!(".{asked}"))
}

/// Whether names below it are given out to others. The usual ones only: a whole list of them would be out of date tomorrow.
fn is_shared(domain: &str) -> bool {
    let labels: Vec<&str> = domain.split('.').collect();
    match *labels {
        [_] => true,
        [second, top] => top.len() == 2 && SHARED.contains(&second),
        _ => false,
    }
}

/// The site of a document: scheme, and the domain that somebody has registered.
fn site(url: &Url) -> Option<String> {
    let host = url.host_str()?;
    if !matches!(url.host(), Some(Host::Domain(_))) {
        return Some(format!("{}://{host}", url.scheme()));
    }
    let labels: Vec<&str> = host.split('.').collect();
    let last_two = labels.get(labels.len().saturating_sub(2)..).map(|labels| labels.join(".")).unwrap_or_default();
    let count = if is_shared(&last_two) { 3 } else { 2 };
    let site = labels[labels.len().saturating_sub(count)..].join(".");
    Some(format!("{}://{site}", url.scheme()))
}

/// Whether it is this machine, which browsers trust without TLS.
fn is_local(url: &Url) -> bool {
    matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"))
}

/// Where a cookie goes that says nothing of it: the folder that it came from.
fn default_path(url: &Url) -> String {
    match url.path().rsplit_once('/') {
        Some((folder, _)) if !folder.is_empty() => folder.to_owned(),
        _ => "/".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    /// What goes to the second address once the first has set these.
    fn sent(from: &str, headers: &[&str], to: &str) -> String {
        let mut jar = Jar::default();
        for header in headers {
            jar.set(&url(from), header);
        }
        jar.header(&url(to)).unwrap_or_default()
    }

    #[test]
    fn cookies_go_where_they_may() {
        let at = "https://shop.example.com/account/login";
        for (header, to, expected) in [
            ("sid=1", "https://shop.example.com/account/orders", "sid=1"),
            ("sid=1", "https://shop.example.com/", ""),
            ("sid=1; Path=/", "https://shop.example.com/", "sid=1"),
            ("sid=1; Path=/", "https://www.example.com/", ""),
            ("sid=1; Path=/; Domain=example.com", "https://www.example.com/", "sid=1"),
            ("sid=1; Path=/; Domain=.example.com", "https://notexample.com/", ""),
            ("sid=1; Path=/; Domain=other.com", "https://shop.example.com/", ""),
            ("sid=1; Path=/; Domain=com", "https://shop.example.com/", ""),
            ("sid=1; Path=/; Secure", "http://shop.example.com/", ""),
            ("sid=1; Path=/; Secure; SameSite=Strict", "https://shop.example.com/", "sid=1"),
            ("sid=1; Path=/; Max-Age=0", "https://shop.example.com/", ""),
            ("sid=1; Path=/; Expires=Wed, 21 Oct 2015 07:28:00 GMT", "https://shop.example.com/", ""),
            ("__Host-sid=1; Path=/; Secure", "https://shop.example.com/", "__Host-sid=1"),
            ("__Host-sid=1; Path=/; Secure; Domain=example.com", "https://shop.example.com/", ""),
            ("__Secure-sid=1; Path=/", "https://shop.example.com/", ""),
            ("sid=1; Path=/; SameSite=None", "https://shop.example.com/", ""),
            ("sid=1; Path=/; Secure; Partitioned", "https://www.example.com/", ""),
            ("sid=1; Path=/; Secure; Partitioned; Domain=example.com", "https://www.example.com/", "sid=1"),
            ("nonsense", "https://shop.example.com/account/", ""),
        ] {
            assert_eq!(sent(at, &[header], to), expected, "{header} -> {to}");
        }
        assert_eq!(sent("https://a.co.uk/", &["a=1; Domain=co.uk"], "https://b.co.uk/"), "");
        assert_eq!(sent("http://localhost:8080/", &["a=1; Secure"], "http://localhost:8080/"), "a=1");
        assert_eq!(sent("http://127.0.0.1/", &["a=1; Domain=127.0.0.1"], "http://127.0.0.1:81/"), "a=1");
    }

    #[test]
    fn a_cookie_takes_the_place_of_its_former_self_and_can_be_removed() {
        let at = "https://a.example/";
        assert_eq!(sent(at, &["a=1", "a=2", "b=3"], at), "a=2; b=3");
        assert_eq!(sent(at, &["a=1", "b=3", "a=; Max-Age=0"], at), "b=3");
        assert_eq!(sent(at, &["a=1", "deep=2; Path=/x"], "https://a.example/x/y"), "deep=2; a=1");
    }

    #[test]
    fn what_came_without_tls_leaves_secure_cookies_alone() {
        let mut jar = Jar::default();
        jar.set(&url("https://a.example/"), "sid=good; Secure; Path=/");
        jar.set(&url("http://a.example/"), "sid=bad; Path=/");
        jar.set(&url("http://a.example/"), "lang=en; Path=/");
        assert_eq!(jar.header(&url("https://a.example/")).unwrap(), "sid=good; lang=en");
    }

    #[test]
    fn what_is_kept_is_as_a_browser_would_have_it() {
        let mut jar = Jar::default();
        jar.set(&url("http://a.example:8080/x/"), "sid=1; HttpOnly; Max-Age=99999999999; SameSite=lax");
        let cookie = &jar.cookies()[0];
        assert_eq!(
            (text(cookie, "domain"), text(cookie, "path"), text(cookie, "sameSite")),
            ("a.example", "/x", "Lax")
        );
        assert_eq!((&cookie["sourceScheme"], &cookie["sourcePort"]), (&"NonSecure".into(), &8080.into()));
        assert!(cookies::expiry(cookie).unwrap() < cookies::now() + 401.0 * 86_400.0);
    }
}
