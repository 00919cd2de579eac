//! Headers that end at a proxy, and those that a change of protocol needs.

use hyper::HeaderMap;
use hyper::header::{
    CONNECTION, CONTENT_LENGTH, HOST, HeaderName, HeaderValue, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE,
};

/// Says, in the answer to a tunnel that was refused, why.
pub(super) const REFUSED: HeaderName = HeaderName::from_static("x-rhaven-refused");

/// Removes what is meant for the next hop only: the well-known ones and those that `Connection` names. How long a body is
/// and how it is framed, hyper says anew.
pub(super) fn strip(headers: &mut HeaderMap) {
    let tokens = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let named: Vec<HeaderName> =
        tokens.flat_map(|value| value.split(',')).filter_map(|token| token.trim().parse().ok()).collect();
    for name in named {
        // Whoever names these as hop-by-hop wants the next hop to read another request than this one.
        if name != HOST && name != CONTENT_LENGTH {
            headers.remove(name);
        }
    }
    let known = [CONNECTION, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE];
    for name in known {
        headers.remove(name);
    }
    for name in ["keep-alive", "proxy-connection"] {
        headers.remove(name);
    }
}

/// The protocol that is to be changed to; none where the message does not ask for that.
pub(super) fn upgrade_to(headers: &HeaderMap) -> Option<HeaderValue> {
    let tokens = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let mut tokens = tokens.flat_map(|value| value.split(','));
    let asked = tokens.any(|token| token.trim().eq_ignore_ascii_case("upgrade"));
    headers.get(UPGRADE).filter(|_| asked).cloned()
}

/// Asks for a change of protocol, or agrees to it.
pub(super) fn set_upgrade(headers: &mut HeaderMap, protocol: HeaderValue) {
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, protocol);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(list: &[(&'static str, &'static str)]) -> HeaderMap {
        list.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn what_is_for_the_next_hop_goes() {
        let mut all = headers(&[
            ("connection", "keep-alive, X-Mine"),
            ("x-mine", "1"),
            ("x-theirs", "2"),
            ("keep-alive", "timeout=5"),
            ("proxy-connection", "keep-alive"),
            ("proxy-authorization", "Basic x"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("cookie", "a=1"),
        ]);
        strip(&mut all);
        assert_eq!(all, headers(&[("x-theirs", "2"), ("cookie", "a=1")]));
        let mut tricky = headers(&[("connection", "host, content-length"), ("host", "a"), ("content-length", "3")]);
        strip(&mut tricky);
        assert_eq!(tricky, headers(&[("host", "a"), ("content-length", "3")]));
    }

    #[test]
    fn a_change_of_protocol_is_asked_for_by_both_headers() {
        assert!(upgrade_to(&headers(&[("connection", "keep-alive, Upgrade"), ("upgrade", "websocket")])).is_some());
        assert!(upgrade_to(&headers(&[("upgrade", "websocket")])).is_none());
        assert!(upgrade_to(&headers(&[("connection", "upgrade")])).is_none());
    }
}
