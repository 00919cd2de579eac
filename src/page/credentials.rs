//! User name and password of HTTP: given when the site asks for them that they are for, once per request, and to no other. Where it is
//! not said which that is, it is any that a tab comes to: by its address, by links, redirects and scripts, popups included.

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
    /// Scheme, host and port, as `Url::origin` writes them; none for that of the page's main document.
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

    /// The same of a document that was asked for by its address and answered by asking who we are, where that is the site of nobody
    /// in particular.
    pub fn when_asked(&self) -> Option<Zeroizing<String>> {
        self.origin.is_none().then(|| self.header())
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

    /// The answer to who asks; `site` is the origin of the main document, or of the one that is about to be.
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

/// The origin of the main document; of the next one where that is what asks.
fn site(inner: &Inner, frame: &str, kind: &str, challenge: &Challenge) -> Option<String> {
    if kind == "Document" && frame == inner.target.id().inner() {
        return origin_of(&challenge.origin);
    }
    let tree = inner.tree();
    origin_of(&tree.get(&tree.main)?.url)
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
        assert!(own.when_asked().is_none() && !format!("{own:?}").contains("swordfish"));

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
        assert!(any.basic(&Url::parse("https://a.example").unwrap()).is_none() && any.when_asked().is_some());
    }
}
