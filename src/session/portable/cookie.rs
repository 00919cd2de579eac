//! Cookies of other programs: made into ours, checked by the rules that Chromium would refuse them by, and what an
//! attribute is where nobody has said it.
//!
//! Chromium takes a list of cookies whole or not at all, so that one that it refuses would make the session impossible to
//! open: each is checked here first, and one that cannot be is named and left out.

use serde_json::{Value, json};

use super::unicode::MARK;
use crate::session::{Cookie, Partial, cookies};

/// The most that name and value of a cookie take together, in bytes.
const MAX_BYTES: usize = 4096;
/// The most that its path takes, in bytes.
const MAX_PATH_BYTES: usize = 1024;
/// The furthest from now that Chromium lets a cookie run out, in seconds.
const MAX_AGE_SECONDS: f64 = 400.0 * 86_400.0;
const PRIORITY: &str = "Medium";

/// A cookie as another program tells of it.
#[derive(Debug, Default, Clone)]
pub(in crate::session) struct Foreign {
    pub(in crate::session) name: String,
    pub(in crate::session) value: String,
    /// With a dot before it where it goes to subdomains too.
    pub(in crate::session) domain: String,
    pub(in crate::session) path: String,
    /// Seconds since 1970; none for a session cookie.
    pub(in crate::session) expires: Option<f64>,
    pub(in crate::session) http_only: bool,
    pub(in crate::session) secure: bool,
    pub(in crate::session) same_site: Option<String>,
    /// The site it is partitioned by, and whether another site stands between.
    pub(in crate::session) partition: Option<(String, bool)>,
}

/// The text of one of a cookie's attributes; empty where it has none.
pub(super) fn text<'a>(cookie: &'a Cookie, attribute: &str) -> &'a str {
    cookie.get(attribute).and_then(Value::as_str).unwrap_or_default()
}

/// Whether one of a cookie's attributes is set.
pub(super) fn flag(cookie: &Cookie, attribute: &str) -> bool {
    cookie.get(attribute).and_then(Value::as_bool).unwrap_or_default()
}

/// Names a cookie, never its value.
pub(super) fn named(domain: &str, path: &str, name: &str, reason: impl Into<String>) -> Partial {
    Partial {
        origin: format!("{domain}{path}"),
        store: "cookie".to_owned(),
        key: Some(name.to_owned()),
        reason: reason.into(),
    }
}

/// Names one of our own cookies.
pub(super) fn lost(cookie: &Cookie, reason: impl Into<String>) -> Partial {
    named(text(cookie, "domain"), text(cookie, "path"), text(cookie, "name"), reason)
}

/// The attributes of a cookie that no other format holds and that Chromium would not guess, by name.
pub(super) fn unusual(cookie: &Cookie) -> Vec<&'static str> {
    let (scheme, port) = derived(flag(cookie, "secure"));
    let differs = |attribute: &str, usual: Value| cookie.get(attribute).is_some_and(|value| *value != usual);
    let mut names = Vec::new();
    if differs("priority", json!(PRIORITY)) {
        names.push("priority");
    }
    if differs("sourceScheme", json!(scheme)) {
        names.push("source scheme");
    }
    if differs("sourcePort", json!(port)) {
        names.push("source port");
    }
    names
}

/// The source scheme and port that Chromium takes a cookie to be from where it is not told.
fn derived(secure: bool) -> (&'static str, i32) {
    if secure { ("Secure", 443) } else { ("NonSecure", 80) }
}

impl Foreign {
    /// Ours, and what of it had to change; the error is why it cannot be taken at all.
    pub(in crate::session) fn adopt(mut self) -> Result<(Cookie, Option<Partial>), Partial> {
        self.domain = self.normal_domain().map_err(|reason| self.named(reason))?;
        if let Some(reason) = self.fault() {
            return Err(self.named(reason));
        }
        let (now, mut note) = (cookies::now(), None);
        match self.expires {
            Some(at) if at <= now => return Err(self.named("it has run out")),
            Some(at) if at > now + MAX_AGE_SECONDS => {
                note = Some(self.named("it runs out later than Chromium allows; now in 400 days"));
                self.expires = Some((now + MAX_AGE_SECONDS).floor());
            }
            _ => {}
        }
        Ok((self.into_cookie(), note))
    }

    fn named(&self, reason: impl Into<String>) -> Partial {
        named(&self.domain, &self.path, &self.name, reason)
    }

    /// The domain as Chromium writes it; an address has no subdomains.
    fn normal_domain(&self) -> Result<String, String> {
        let bare = self.domain.strip_prefix('.').unwrap_or(&self.domain);
        match url::Host::parse(bare) {
            Ok(url::Host::Domain(host)) if self.domain.starts_with('.') => Ok(format!(".{host}")),
            Ok(host) => Ok(host.to_string()),
            Err(_) => Err("its domain is not a host".to_owned()),
        }
    }

    /// Why Chromium would refuse it.
    fn fault(&self) -> Option<&'static str> {
        let prefix = self.name.to_ascii_lowercase();
        let (host, http) = (prefix.starts_with("__host-"), prefix.starts_with("__http-"));
        let host_http = prefix.starts_with("__host-http-");
        // A mark stands for a lone surrogate, which no cookie can hold either.
        let control = |text: &str| text.chars().any(|character| character.is_control() || character == MARK);
        let trimmed = |text: &str| text.trim_matches([' ', '\t']) == text;
        if self.name.is_empty() && (self.value.is_empty() || self.value.starts_with("__") || self.value.contains('=')) {
            Some("it has no name")
        } else if control(&self.name) || self.name.contains([';', '=']) || !trimmed(&self.name) {
            Some("its name has characters that no cookie may have")
        } else if control(&self.value) || self.value.contains(';') || !trimmed(&self.value) {
            Some("its value has characters that no cookie may have")
        } else if self.name.len() + self.value.len() > MAX_BYTES {
            Some("it is longer than 4096 bytes")
        } else if !self.path.starts_with('/') || control(&self.path) || self.path.contains(';') {
            Some("its path is not one")
        } else if self.path.len() > MAX_PATH_BYTES {
            Some("its path is longer than 1024 bytes")
        } else if prefix.starts_with("__secure-") && !self.secure {
            Some("a __Secure- cookie has to be secure")
        } else if host && (!self.secure || self.path != "/" || self.domain.starts_with('.')) {
            Some("a __Host- cookie has to be secure, with path / and for one host only")
        } else if (http || host_http) && !(self.secure && self.http_only) {
            Some("a cookie with such a name has to be secure and HttpOnly")
        } else if self.same_site.as_deref() == Some("None") && !self.secure {
            Some("a cookie with SameSite=None has to be secure")
        } else {
            self.partition_fault()
        }
    }

    fn partition_fault(&self) -> Option<&'static str> {
        let (site, _) = self.partition.as_ref()?;
        let is_site = url::Url::parse(site).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        if !self.secure {
            Some("a partitioned cookie has to be secure")
        } else if !is_site {
            Some("its partition key is not a site")
        } else {
            None
        }
    }

    fn into_cookie(self) -> Cookie {
        let (scheme, port) = derived(self.secure);
        let mut cookie = Cookie::new();
        cookie.insert("name".into(), self.name.into());
        cookie.insert("value".into(), self.value.into());
        cookie.insert("domain".into(), self.domain.into());
        cookie.insert("path".into(), self.path.into());
        if let Some(at) = self.expires {
            cookie.insert("expires".into(), at.into());
        }
        cookie.insert("httpOnly".into(), self.http_only.into());
        cookie.insert("secure".into(), self.secure.into());
        if let Some(same_site) = self.same_site {
            cookie.insert("sameSite".into(), same_site.into());
        }
        cookie.insert("priority".into(), PRIORITY.into());
        // As Chromium would set them: else the first run would find that they have changed.
        cookie.insert("sourceScheme".into(), scheme.into());
        cookie.insert("sourcePort".into(), port.into());
        if let Some((site, ancestor)) = self.partition {
            cookie.insert("partitionKey".into(), json!({"topLevelSite": site, "hasCrossSiteAncestor": ancestor}));
        }
        cookie
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain() -> Foreign {
        Foreign {
            name: "sid".into(),
            value: "1".into(),
            domain: "a.example".into(),
            path: "/".into(),
            ..Foreign::default()
        }
    }

    #[test]
    fn what_chromium_would_refuse_is_named_and_never_taken() {
        let refused = [
            Foreign { domain: "a b".into(), ..plain() },
            Foreign { value: "a;b".into(), ..plain() },
            Foreign { value: "a\u{1}b".into(), ..plain() },
            Foreign { value: "x".repeat(5_000), ..plain() },
            Foreign { value: " a".into(), ..plain() },
            Foreign { name: "a=b".into(), ..plain() },
            Foreign { name: String::new(), value: String::new(), ..plain() },
            Foreign { path: "x".into(), ..plain() },
            Foreign { name: "__Secure-x".into(), ..plain() },
            Foreign { name: "__host-x".into(), ..plain() },
            Foreign { name: "__Host-x".into(), secure: true, domain: ".a.example".into(), ..plain() },
            Foreign { name: "__Http-x".into(), secure: true, ..plain() },
            Foreign { same_site: Some("None".into()), ..plain() },
            Foreign { partition: Some(("https://b.example".into(), true)), ..plain() },
            Foreign { partition: Some(("nonsense".into(), true)), secure: true, ..plain() },
            Foreign { expires: Some(5.0), ..plain() },
        ];
        for cookie in refused {
            let what = format!("{cookie:?}");
            assert!(cookie.adopt().is_err(), "{what}");
        }
    }

    #[test]
    fn what_nobody_has_said_is_what_chromium_takes_it_to_be() {
        let (cookie, note) = Foreign { secure: true, domain: "A.Example".into(), ..plain() }.adopt().unwrap();
        assert_eq!((text(&cookie, "domain"), &cookie["sourcePort"], note), ("a.example", &json!(443), None));
        assert!(unusual(&cookie).is_empty() && !cookie.contains_key("expires"));
        let (address, _) = Foreign { domain: ".127.0.0.1".into(), ..plain() }.adopt().unwrap();
        assert_eq!(text(&address, "domain"), "127.0.0.1");
        let (far, note) = Foreign { expires: Some(9e12), ..plain() }.adopt().unwrap();
        assert!(note.is_some() && cookies::expiry(&far).unwrap() <= cookies::now() + MAX_AGE_SECONDS);
    }
}
