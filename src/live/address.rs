//! What people write into the address bar.

use url::Url;

/// The address that is meant, or why it is not opened.
pub(super) fn read(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("an address is missing".to_owned());
    }
    let url = match Url::parse(text) {
        // `localhost:3000` and `example.com:81/x` have a port there, not what is behind a scheme.
        Ok(url) if !has_port_for_scheme(text) => url,
        _ => Url::parse(&format!("{}{text}", scheme_for(text)))
            .ok()
            .filter(|url| looks_like_a_host(url, text))
            .ok_or_else(|| format!("{text:?} is no address; write one as example.com or https://example.com/path"))?,
    };
    if is_allowed(url.as_str()) {
        return Ok(url.into());
    }
    Err(format!(
        "addresses that begin with {}: are not opened here; http, https, data and about:blank are",
        url.scheme()
    ))
}

/// Whether it may be opened.
pub(super) fn is_allowed(url: &str) -> bool {
    Url::parse(url).is_ok_and(|url| match url.scheme() {
        "http" | "https" => url.has_host(),
        "data" => true,
        "about" => url.path() == "blank",
        _ => false,
    })
}

fn has_port_for_scheme(text: &str) -> bool {
    let Some((host, rest)) = text.split_once(':') else { return false };
    let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
    let after = &rest[port.len()..];
    !host.is_empty() && !port.is_empty() && (after.is_empty() || after.starts_with(['/', '?', '#']))
}

/// Machines nearby rarely have certificates.
fn scheme_for(text: &str) -> &'static str {
    let host = text.split(['/', '?', '#', ':']).next().unwrap_or_default();
    let is_near = host == "localhost" || host.ends_with(".localhost") || host.parse::<std::net::Ipv4Addr>().is_ok();
    if is_near || text.starts_with('[') { "http://" } else { "https://" }
}

fn looks_like_a_host(url: &Url, text: &str) -> bool {
    let host = url.host_str().unwrap_or_default();
    !text.contains(char::is_whitespace) && (host.contains('.') || host == "localhost" || host.starts_with('['))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_people_write_them() {
        let check = |text: &str, wanted: &str| assert_eq!(read(text).as_deref(), Ok(wanted), "{text:?}");
        check("example.com", "https://example.com/");
        check(" example.com/a?b#c ", "https://example.com/a?b#c");
        check("example.com:81/x", "https://example.com:81/x");
        check("localhost:3000", "http://localhost:3000/");
        check("127.0.0.1:3000/x", "http://127.0.0.1:3000/x");
        check("[::1]:3000", "http://[::1]:3000/");
        check("HTTP://A.example", "http://a.example/");
        check("about:blank", "about:blank");
        check("data:text/html,x", "data:text/html,x");
    }

    #[test]
    fn only_addresses_of_the_web_are_opened() {
        for text in [
            "file:///etc/passwd",
            "FILE:/etc/passwd",
            "chrome://version",
            "view-source:https://a.example",
            "about:version",
            "javascript:alert(1)",
            "devtools://x",
            "blob:https://a.example/1",
            "what is this",
            "word",
            "",
            "/etc/passwd",
        ] {
            assert!(read(text).is_err(), "{text:?} is opened");
        }
    }
}
