//! A proxy that ours goes through: where it is, how it is spoken to, and what it wants to be told.

use std::fmt;

use data_encoding::BASE64;
use hyper::header::HeaderValue;
use url::Url;

use super::EgressError;
use super::policy::Target;
use crate::base::Secret;

/// The longest user name and password of SOCKS, in bytes.
const LONGEST: usize = 255;

/// An upstream proxy: HTTP, HTTP over TLS, or SOCKS 5. Its address is checked under the policy like any other. It asks for the
/// addresses of targets itself, so those are checked by name and literal address only: a public name that leads to a private
/// address *there* is that proxy's to refuse.
#[derive(Clone)]
pub struct Upstream {
    pub(super) scheme: Scheme,
    pub(super) target: Target,
    user: Option<(String, Secret)>,
}

/// How a proxy is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    Http,
    Https,
    Socks5,
}

impl Scheme {
    const ALL: [Self; 3] = [Self::Http, Self::Https, Self::Socks5];

    fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Socks5 => "socks5",
        }
    }

    fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
            Self::Socks5 => 1080,
        }
    }
}

impl Upstream {
    /// Reads `SCHEME://[user:password@]host[:port]`, where the scheme is `http`, `https` or `socks5` and the port 80, 443 or 1080
    /// where none is given. Fails with `invalid_argument`.
    pub fn parse(address: &Secret) -> Result<Self, EgressError> {
        let wrong = |reason| Err(EgressError::Upstream(reason));
        let Ok(url) = Url::parse(address.expose()) else { return wrong("is no URL") };
        // Names are for the proxy to resolve in any case.
        let scheme = if url.scheme() == "socks5h" { "socks5" } else { url.scheme() };
        let Some(scheme) = Scheme::ALL.into_iter().find(|known| known.name() == scheme) else {
            return wrong("has another scheme than http, https and socks5");
        };
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return wrong("has a path");
        }
        let port = url.port().unwrap_or(scheme.port());
        let Some(target) = url.host_str().and_then(|host| Target::new(host, port)) else {
            return wrong("has no host or port");
        };
        let upstream = Self { scheme, target, user: None };
        if url.username().is_empty() && url.password().is_none() {
            return Ok(upstream);
        }
        let text = |part: &str| String::from_utf8(decoded(part)).ok();
        let (user, password) = (text(url.username()), text(url.password().unwrap_or_default()));
        match user.zip(password) {
            Some((user, password)) => upstream.known_as(&user, Secret::new(address.name(), password)),
            None => wrong("has a user name or password that is no text"),
        }
    }

    /// The same, told that we are `user`. Fails with `invalid_argument` for what this kind of proxy cannot be told.
    pub fn known_as(self, user: &str, password: Secret) -> Result<Self, EgressError> {
        let wrong = |reason| Err(EgressError::Upstream(reason));
        if self.scheme == Scheme::Socks5 {
            if user.is_empty() || user.len() > LONGEST || password.expose().len() > LONGEST {
                return wrong(
                    "has a user name or password that SOCKS does not take: a name, and each of 255 bytes at most",
                );
            }
        } else if user.contains(':') || user.chars().chain(password.expose().chars()).any(char::is_control) {
            return wrong("has a user name with a colon, or control characters");
        }
        Ok(Self { user: Some((user.to_owned(), password)), ..self })
    }

    /// Its address without user and password, as it is usually written.
    pub fn server(&self) -> String {
        format!("{}://{}:{}", self.scheme.name(), self.target.host, self.target.port)
    }

    /// The user that it is told.
    pub fn user(&self) -> Option<&str> {
        self.user.as_ref().map(|(user, _)| user.as_str())
    }

    /// The password that it is told.
    pub fn password(&self) -> Option<&Secret> {
        self.user.as_ref().map(|(_, password)| password)
    }

    /// Whether it takes requests for whole URLs, and not only tunnels.
    pub(super) fn takes_urls(&self) -> bool {
        self.scheme != Scheme::Socks5
    }

    /// The header that it wants.
    pub(super) fn authorization(&self) -> Option<HeaderValue> {
        let (user, password) = self.user.as_ref()?;
        let pair = Secret::new("proxy", format!("{user}:{}", password.expose()));
        let mut value = HeaderValue::from_str(&format!("Basic {}", BASE64.encode(pair.expose().as_bytes()))).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

impl PartialEq for Upstream {
    fn eq(&self, other: &Self) -> bool {
        let password = |upstream: &Self| upstream.password().map(|password| password.expose().to_owned());
        (self.scheme, &self.target, self.user()) == (other.scheme, &other.target, other.user())
            && password(self) == password(other)
    }
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Upstream({})", self.server())
    }
}

/// Without percent-encoding.
fn decoded(text: &str) -> Vec<u8> {
    let digit = |byte: Option<&u8>| char::from(*byte?).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (bytes, mut at, mut out) = (text.as_bytes(), 0, Vec::new());
    while let Some(byte) = bytes.get(at) {
        if let (b'%', Some(high), Some(low)) = (byte, digit(bytes.get(at + 1)), digit(bytes.get(at + 2))) {
            out.push(high * 16 + low);
            at += 3;
        } else {
            out.push(*byte);
            at += 1;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(address: &str) -> Result<Upstream, EgressError> {
        Upstream::parse(&Secret::new("PROXY", address.to_owned()))
    }

    #[test]
    fn credentials_are_sent_and_never_shown() {
        let upstream = parse("http://us%40er:p%3Ass+w%zz@proxy.example:3128").unwrap();
        assert_eq!(format!("{upstream:?}"), "Upstream(http://proxy.example:3128)");
        let header = upstream.authorization().unwrap();
        assert_eq!(format!("{header:?}"), "Sensitive");
        let encoded = header.to_str().unwrap().strip_prefix("Basic ").unwrap();
        assert_eq!(BASE64.decode(encoded.as_bytes()).unwrap(), b"us@er:p:ss+w%zz");
        assert!(parse("http://proxy.example").unwrap().authorization().is_none());
    }

    #[test]
    fn each_kind_has_its_port() {
        let server = |address: &str| parse(address).unwrap().server();
        assert_eq!(server("http://proxy.example"), "http://proxy.example:80");
        assert_eq!(server("https://proxy.example/"), "https://proxy.example:443");
        assert_eq!(server("SOCKS5://me:pass@Proxy.Example"), "socks5://proxy.example:1080");
        assert_eq!(server("socks5h://[::1]:9"), "socks5://[::1]:9");
        assert_ne!(parse("http://a:b@c.example").unwrap(), parse("http://a:x@c.example").unwrap());
        assert_eq!(parse("http://a:b@c.example").unwrap(), parse("http://a:b@c.example:80/").unwrap());
    }

    #[test]
    fn an_address_that_cannot_be_used_is_told_without_what_is_in_it() {
        for wrong in [
            "proxy.example:3128",
            "socks4://u:hunter2@p.example:1",
            "socks5://:hunter2@p.example:1",
            "ftp://u:hunter2@p.example",
            "http://u:hunter2@p.example/x",
            "http://u%3Av:hunter2@p.example",
        ] {
            let error = parse(wrong).unwrap_err();
            assert_eq!(error.code(), "invalid_argument");
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }
}
