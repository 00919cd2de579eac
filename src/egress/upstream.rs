//! A proxy that ours goes through: where it is, and what it wants to be told.

use std::fmt;

use data_encoding::BASE64;
use hyper::header::HeaderValue;
use url::Url;

use super::EgressError;
use super::policy::Target;
use crate::base::Secret;

/// An upstream HTTP proxy. Its address is checked under the policy like any other. It asks for the addresses of targets
/// itself, so those are checked by name and literal address only: a public name that leads to a private address *there*
/// is that proxy's to refuse.
#[derive(Clone)]
pub struct Upstream {
    pub(super) target: Target,
    authorization: Option<Secret>,
}

impl Upstream {
    /// Reads `http://[user:password@]host[:port]`; the port is 80 where none is given. Fails with `invalid_argument`.
    pub fn parse(address: &Secret) -> Result<Self, EgressError> {
        let wrong = |reason| Err(EgressError::Upstream(reason));
        let Ok(url) = Url::parse(address.expose()) else { return wrong("is no URL") };
        if url.scheme() != "http" {
            return wrong("has another scheme than http");
        }
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return wrong("has a path");
        }
        let target = url.host_str().zip(url.port_or_known_default()).and_then(|(host, port)| Target::new(host, port));
        let Some(target) = target else { return wrong("has no host or port") };
        let authorization = (!url.username().is_empty() || url.password().is_some()).then(|| {
            let mut credentials = decoded(url.username());
            credentials.push(b':');
            credentials.extend(decoded(url.password().unwrap_or_default()));
            Secret::new(address.name(), format!("Basic {}", BASE64.encode(&credentials)))
        });
        Ok(Self { target, authorization })
    }

    /// The header that it wants.
    pub(super) fn authorization(&self) -> Option<HeaderValue> {
        let mut value = HeaderValue::from_str(self.authorization.as_ref()?.expose()).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Upstream({}:{})", self.target.name(), self.target.port)
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
        assert_eq!(format!("{upstream:?}"), "Upstream(proxy.example:3128)");
        let header = upstream.authorization().unwrap();
        assert_eq!(format!("{header:?}"), "Sensitive");
        let encoded = header.to_str().unwrap().strip_prefix("Basic ").unwrap();
        assert_eq!(BASE64.decode(encoded.as_bytes()).unwrap(), b"us@er:p:ss+w%zz");
        assert!(parse("http://proxy.example").unwrap().authorization().is_none());
        assert_eq!(parse("http://proxy.example").unwrap().target.port, 80);
    }

    #[test]
    fn an_address_that_cannot_be_used_is_told_without_what_is_in_it() {
        for wrong in [
            "proxy.example:3128",
            "socks5://u:hunter2@p.example:1",
            "https://u:hunter2@p.example",
            "http://u:hunter2@p.example/x",
        ] {
            let error = parse(wrong).unwrap_err();
            assert_eq!(error.code(), "invalid_argument");
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }
}
