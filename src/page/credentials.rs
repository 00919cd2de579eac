//! User name and password of HTTP: given when the site asks for them that they are for, once per request, and to no other. Where it is
//! not said which that is, it is the one that the tab was taken to by its address, and none that links, scripts, redirects to another
//! host or windows that pages open have led to.

use std::collections::HashSet;
use std::sync::Arc;

use data_encoding::BASE64;
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;
use zeroize::Zeroizing;

use crate::base::Secret;
use crate::browser::Cdp;

use super::emulation::Order;
use super::inner::Inner;
use super::rpc::{Ack, rpc};

/// User name and password for a site.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// Scheme, host and port, as `Url::origin` writes them; none for the one that the page was taken to by address.
    pub origin: Option<String>,
    /// The user name.
    pub username: String,
    /// The password. Debug output has its name only.
    pub password: Secret,
}

impl PartialEq for Credentials {
    fn eq(&self, other: &Self) -> bool {
        let is_same = self.origin == other.origin && self.username == other.username;
        is_same && self.password.expose() == other.password.expose()
    }
}

impl Credentials {
    /// The `Authorization` header of a request that goes there without a browser; none for any other address.
    pub fn basic(&self, url: &Url) -> Option<Zeroizing<String>> {
        let is_meant = self.origin.as_ref().is_some_and(|origin| url.origin().ascii_serialization() == *origin);
        is_meant.then(|| self.header())
    }

    /// The same of a document at `url` that has answered by asking who we are, where it is not said which site they are for: `taken`
    /// is the address that was asked for first, whose site alone gets them.
    pub fn when_asked(&self, taken: &Url, url: &Url) -> Option<Zeroizing<String>> {
        (self.origin.is_none() && is_site_of(taken, url)).then(|| self.header())
    }

    fn header(&self) -> Zeroizing<String> {
        let pair = Zeroizing::new(format!("{}:{}", self.username, self.password.expose()));
        Zeroizing::new(format!("Basic {}", BASE64.encode(pair.as_bytes())))
    }

    /// What makes Chromium ask us when that origin asks. Requests to it, and no others, are held and let go by us from then on; all of
    /// them where it is not said which that is.
    pub(super) fn order(wanted: Option<&Self>) -> Order {
        match wanted {
            Some(wanted) => {
                let pattern = wanted.origin.as_ref().map_or_else(|| "*".to_owned(), |origin| format!("{origin}/*"));
                let patterns = json!([{"urlPattern": pattern}]);
                ("Fetch.enable", json!({"patterns": patterns, "handleAuthRequests": true}))
            }
            None => ("Fetch.disable", json!({})),
        }
    }

    /// The answer to who asks; `site` is the origin that the page was taken to, where that is its main document, or is
    /// about to be.
    fn answer(&self, challenge: &Challenge, site: Option<&str>, tried: bool) -> Value {
        let wanted = self.origin.as_deref().or(site);
        let asks = origin_of(&challenge.origin);
        let is_meant = challenge.source.as_deref() != Some("Proxy") && asks.is_some() && asks.as_deref() == wanted;
        match (is_meant, tried) {
            (false, _) => json!({"response": "Default"}),
            // They were refused: the page of the refusal is shown.
            (true, true) => json!({"response": "CancelAuth"}),
            (true, false) => {
                let (username, password) = (&self.username, self.password.expose());
                json!({"response": "ProvideCredentials", "username": username, "password": password})
            }
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Held {
    request_id: String,
    auth_challenge: Option<Challenge>,
    #[serde(default)]
    frame_id: String,
    #[serde(default)]
    resource_type: String,
}

#[derive(Deserialize)]
struct Challenge {
    source: Option<String>,
    origin: String,
}

/// The origin of an address, where it has one.
fn origin_of(address: &str) -> Option<String> {
    let origin = Url::parse(address).ok()?.origin();
    origin.is_tuple().then(|| origin.ascii_serialization())
}

/// Whether `url` is of the site at `taken`: the same origin, or by TLS what was asked for without.
fn is_site_of(taken: &Url, url: &Url) -> bool {
    let is_safer = taken.scheme() == "http" && url.scheme() == "https" && taken.host() == url.host();
    url.origin().is_tuple() && (taken.origin() == url.origin() || is_safer)
}

/// The origin of the main document, or of the next one where that is what asks, as long as it is of the site that the page was taken
/// to. A site that it has come to otherwise is anybody's.
fn site(inner: &Inner, frame: &str, kind: &str, challenge: &Challenge) -> Option<String> {
    let document = if kind == "Document" && frame == inner.target.id().inner() {
        challenge.origin.clone()
    } else {
        let tree = inner.tree();
        tree.get(&tree.main)?.url.clone()
    };
    let is_its = is_site_of(inner.taken().as_ref()?, &Url::parse(&document).ok()?);
    is_its.then(|| origin_of(&document))?
}

/// Answers for one page or frame as long as it is there. To be called before [`Credentials::order`] is sent to it.
pub(super) fn follow(inner: &Arc<Inner>, cdp: &Cdp) {
    let mut held = cdp.raw_events(&["Fetch.requestPaused", "Fetch.authRequired"]);
    let (inner, cdp) = (Arc::downgrade(inner), cdp.clone());
    tokio::spawn(async move {
        let mut tried = HashSet::new();
        while let Some(event) = held.next().await {
            let (Some(held), Some(inner)) = (event.decode(), inner.upgrade()) else { continue };
            let Held { request_id, auth_challenge, frame_id, resource_type } = held;
            let Some(challenge) = auth_challenge else {
                cdp.send(rpc::<Ack>("Fetch.continueRequest", json!({"requestId": request_id}))).forget();
                continue;
            };
            let again = !tried.insert(request_id.clone());
            let credentials = inner.emulation().credentials.clone();
            let answer = credentials.map_or_else(
                || json!({"response": "Default"}),
                |own| own.answer(&challenge, site(&inner, &frame_id, &resource_type, &challenge).as_deref(), again),
            );
            let params = json!({"requestId": request_id, "authChallengeResponse": answer});
            cdp.send(rpc::<Ack>("Fetch.continueWithAuth", params)).forget();
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_origin_that_they_are_for_gets_them() {
        let own = Credentials {
            origin: Some("https://shop.example".to_owned()),
            username: "me".to_owned(),
            password: Secret::new("SHOP", "swordfish".to_owned()),
        };
        let answer = |source: Option<&str>, origin: &str, tried| {
            let challenge = Challenge { source: source.map(str::to_owned), origin: origin.to_owned() };
            own.answer(&challenge, None, tried)["response"].as_str().unwrap().to_owned()
        };
        assert_eq!(answer(Some("Server"), "https://shop.example", false), "ProvideCredentials");
        assert_eq!(answer(None, "https://shop.example:443/", false), "ProvideCredentials");
        assert_eq!(answer(Some("Server"), "https://shop.example", true), "CancelAuth");
        for (source, origin) in [("Proxy", "https://shop.example"), ("Server", "http://shop.example"), ("Server", "x")]
        {
            assert_eq!(answer(Some(source), origin, false), "Default", "{source} {origin}");
        }
        let basic = |url: &str| own.basic(&Url::parse(url).unwrap()).map(|text| text.to_string());
        assert_eq!(basic("https://shop.example/a?b").as_deref(), Some("Basic bWU6c3dvcmRmaXNo"));
        assert_eq!((basic("http://shop.example/"), basic("https://shop.example.evil.example/")), (None, None));
        let url = |url: &str| Url::parse(url).unwrap();
        let shop = url("https://shop.example/a");
        assert!(own.when_asked(&shop, &shop).is_none() && !format!("{own:?}").contains("swordfish"));

        let any = Credentials { origin: None, ..own };
        let answer = |origin: &str, site: Option<&str>| {
            let challenge = Challenge { source: Some("Server".to_owned()), origin: origin.to_owned() };
            any.answer(&challenge, site, false)["response"].as_str().unwrap().to_owned()
        };
        assert_eq!(answer("https://a.example:443", Some("https://a.example")), "ProvideCredentials");
        for (origin, site) in
            [("https://b.example", Some("https://a.example")), ("https://a.example", None), ("x", None)]
        {
            assert_eq!(answer(origin, site), "Default", "{origin} {site:?}");
        }
        // Not unasked.
        assert!(any.basic(&shop).is_none());
        // Whoever is asked first, and by TLS where that was asked without; nobody else that it leads to.
        for (taken, asks, gets) in [
            ("https://shop.example/a", "https://shop.example/b", true),
            ("http://shop.example/", "https://shop.example/", true),
            ("https://shop.example/", "http://shop.example/", false),
            ("https://shop.example/", "https://shop.example:8443/", false),
            ("https://shop.example/", "https://www.shop.example/", false),
            ("data:text/html,x", "data:text/html,x", false),
        ] {
            assert_eq!(any.when_asked(&url(taken), &url(asks)).is_some(), gets, "{taken} {asks}");
        }
    }
}
