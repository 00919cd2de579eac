//! Which headers go on with what is passed on: all but those that are about one connection.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

use super::hop;

/// What is about a connection, whether or not `Connection` names it.
const OF_CONNECTION: [HeaderName; 9] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Those of a request. Its `Host` is that of the server it goes to, which may have a proxy before it that knows it by that name; what
/// the client meant goes along in [`hop::HEADER`].
pub(super) fn of_request(headers: &HeaderMap) -> HeaderMap {
    let mut headers = without_connection(headers);
    headers.remove(header::HOST);
    // Answered where the client is.
    headers.remove(header::EXPECT);
    headers
}

/// Those of an answer.
pub(super) fn of_answer(headers: &HeaderMap) -> HeaderMap {
    without_connection(headers)
}

/// Takes out what tells of a body.
pub(super) fn without_body(headers: &mut HeaderMap) {
    for name in [header::CONTENT_LENGTH, header::CONTENT_TYPE, header::CONTENT_ENCODING] {
        headers.remove(name);
    }
}

fn without_connection(headers: &HeaderMap) -> HeaderMap {
    let mut kept = headers.clone();
    let listed = headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    for name in listed.flat_map(|value| value.split(',')) {
        // What is ours to tell nobody can take out.
        if let Ok(name) = name.trim().parse::<HeaderName>()
            && name != hop::HEADER
        {
            kept.remove(name);
        }
    }
    for name in OF_CONNECTION {
        kept.remove(name);
    }
    kept
}

/// Whether a WebSocket is asked for. Nothing else is passed on that is no HTTP.
pub(in crate::serve) fn asks_for_socket(headers: &HeaderMap) -> bool {
    let has = |name: HeaderName, wanted: &str| {
        let values = headers.get_all(name);
        let mut words = values.iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
        words.any(|word| word.trim().eq_ignore_ascii_case(wanted))
    };
    has(header::CONNECTION, "upgrade") && has(header::UPGRADE, "websocket")
}

/// Says that what follows is a WebSocket.
pub(super) fn say_socket(headers: &mut HeaderMap) {
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(of: &[(&'static str, &'static str)]) -> HeaderMap {
        of.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn what_is_about_the_connection_stays_behind() {
        let given = headers(&[
            ("connection", "close, X-Own"),
            ("x-own", "1"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("expect", "100-continue"),
            ("host", "a.example"),
            ("authorization", "Bearer x"),
        ]);
        let kept = of_request(&given);
        let mut names: Vec<&str> = kept.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["authorization"]);
    }

    #[test]
    fn a_socket_is_asked_for_by_both_headers() {
        let asks = |connection, upgrade| asks_for_socket(&headers(&[("connection", connection), ("upgrade", upgrade)]));
        assert!(asks("keep-alive, Upgrade", "WebSocket"));
        assert!(!asks("keep-alive", "websocket") && !asks("upgrade", "h2c"));
    }
}
