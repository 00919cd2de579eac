//! A browser with one way out: the flags that leave no other, the addresses that it may be sent to, and who knows why
//! something was not reached.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;
use serde_json::Value;
use url::Url;

use super::BrowserError;

/// A way out of a browser or of a context: an HTTP proxy on `127.0.0.1`.
#[derive(Clone)]
pub struct Egress {
    address: SocketAddr,
    why: Option<Arc<Why>>,
}

type Why = dyn Fn(&str, &str, Instant) -> Option<Missed> + Send + Sync;

/// Why a navigation got nowhere, as the proxy knows it; Chromium has one name for all of that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missed {
    /// What kept it from it.
    pub cause: Cause,
    /// What happened, for people.
    pub reason: String,
}

/// What keeps a navigation from getting anywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// It is not to be reached: `target_blocked`.
    Blocked,
    /// The proxy to go through is away, or does not let us through: `proxy_unavailable`.
    Proxy,
    /// It could not be reached.
    Unreached,
}

impl Egress {
    /// The proxy at `address`.
    pub fn new(address: SocketAddr) -> Self {
        Self { address, why: None }
    }

    /// `why` is asked when a navigation has failed, with its URL, what Chromium says (`net::ERR_..`) and the time before its start.
    #[must_use]
    pub fn telling(mut self, why: impl Fn(&str, &str, Instant) -> Option<Missed> + Send + Sync + 'static) -> Self {
        self.why = Some(Arc::new(why));
        self
    }

    /// Where the proxy listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn missed(&self, url: &str, net_error: &str, since: Instant) -> Option<Missed> {
        self.why.as_ref()?(url, net_error, since)
    }
}

impl From<SocketAddr> for Egress {
    fn from(address: SocketAddr) -> Self {
        Self::new(address)
    }
}

impl fmt::Debug for Egress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Egress({})", self.address)
    }
}

/// Takes back what Chromium never sends through a proxy by itself: `localhost`, loopback and link-local addresses.
pub(super) const BYPASS: &str = "<-loopback>";

/// Parts of Chromium that would send past a proxy: WebTransport is UDP, mDNS asks the local network for names, the rest
/// ask servers of their own for names.
const FEATURES: [&str; 5] =
    ["AsyncDns", "DnsOverHttpsUpgrade", "WebRtcHideLocalIpsWithMdns", "WebTransport", "WebTransportOverHttp2"];

/// Flags that choose another way out, or undo ours.
const PAST: [&str; 8] = [
    "--no-proxy-server",
    "--proxy-server",
    "--proxy-bypass-list",
    "--proxy-pac-url",
    "--proxy-auto-detect",
    "--host-resolver-rules",
    "--host-rules",
    "--enable-quic",
];

/// As Chromium names a proxy.
pub(super) fn server(egress: &Egress) -> String {
    format!("http://{}", egress.address)
}

/// The flags of a browser that goes through `egress` for all that it asks for, and may do what any browser does.
pub(super) fn through(egress: &Egress) -> Vec<String> {
    vec![
        format!("--proxy-server={}", server(egress)),
        format!("--proxy-bypass-list={BYPASS}"),
        "--force-webrtc-ip-handling-policy=disable_non_proxied_udp".to_owned(),
        "--webrtc-ip-handling-policy=disable_non_proxied_udp".to_owned(),
        "--disable-quic".to_owned(),
    ]
}

/// The flags of a browser whose only way out is `egress`.
pub(super) fn arguments(egress: &Egress) -> Vec<String> {
    vec![
        format!("--proxy-server={}", server(egress)),
        format!("--proxy-bypass-list={BYPASS}"),
        // What is asked for past the proxy (dns-prefetch, for one) finds nothing, and no resolver hears of it.
        format!("--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE {}", egress.address.ip()),
        // The name that the headless shell knows, and that of full Chromium.
        "--force-webrtc-ip-handling-policy=disable_non_proxied_udp".to_owned(),
        "--webrtc-ip-handling-policy=disable_non_proxied_udp".to_owned(),
        "--disable-quic".to_owned(),
        // One in a profile could set another proxy.
        "--disable-extensions".to_owned(),
        format!("--disable-features={}", FEATURES.join(",")),
    ]
}

/// Whether a flag would lead past the way out.
pub(super) fn leads_past(arg: &str) -> bool {
    let name = arg.split('=').next().unwrap_or_default();
    PAST.contains(&name)
}

/// Why a command is not sent: it would open what is not of the web, such as a file of this machine.
pub(super) fn refused(egress: Option<&Egress>, method: &str, command: &impl Serialize) -> Option<BrowserError> {
    egress?;
    if !matches!(method, "Page.navigate" | "Target.createTarget") {
        return None;
    }
    let command = serde_json::to_value(command).ok()?;
    let url = command.get("url").and_then(Value::as_str).unwrap_or_default();
    let scheme = match Url::parse(url) {
        Ok(url) if is_of_the_web(&url) => return None,
        Ok(url) => url.scheme().to_owned(),
        // Chromium may read it otherwise than we do.
        Err(_) => String::new(),
    };
    Some(BrowserError::Scheme { scheme })
}

pub(super) fn is_of_the_web(url: &Url) -> bool {
    match url.scheme() {
        "http" | "https" | "data" | "blob" => true,
        // The others are Chromium's own pages.
        "about" => matches!(url.path(), "blank" | "srcdoc"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_the_web_are_opened() {
        let egress = Egress::new("127.0.0.1:3128".parse().unwrap());
        let check = |url: &str, wanted: bool| {
            let answer = refused(Some(&egress), "Page.navigate", &serde_json::json!({"url": url}));
            assert_eq!(answer.is_none(), wanted, "{url}");
            assert!(refused(None, "Page.navigate", &serde_json::json!({"url": url})).is_none());
        };
        for url in
            ["http://a.example", " HTTPS://a.example", "data:text/html,x", "blob:https://a.example/1", "about:blank"]
        {
            check(url, true);
        }
        for url in [
            "file:///etc/passwd",
            " fi\nle:///etc/passwd",
            "FILE:/etc/passwd",
            "chrome://version",
            "view-source:https://a.example",
            "about:version",
            "devtools://x",
            "javascript:1",
            "ftp://a.example",
            "",
            "/etc/passwd",
            "filesystem:http://a.example/x",
        ] {
            check(url, false);
        }
    }

    #[test]
    fn flags_that_lead_past_are_known() {
        assert!(leads_past("--no-proxy-server"));
        assert!(leads_past("--proxy-server=http://10.0.0.1:80"));
        assert!(!leads_past("--lang=cs"));
    }
}
