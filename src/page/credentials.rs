//! User name and password of HTTP for one origin: given when that origin asks for them, once per request, and to no other.

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

/// User name and password for one origin.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// Scheme, host and port, as `Url::origin` writes them.
    pub origin: String,
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
        let pair = Zeroizing::new(format!("{}:{}", self.username, self.password.expose()));
        let is_meant = url.origin().ascii_serialization() == self.origin;
        is_meant.then(|| Zeroizing::new(format!("Basic {}", BASE64.encode(pair.as_bytes()))))
    }

    /// What makes Chromium ask us when that origin asks. Requests to it, and no others, are held and let go by us from then on.
    pub(super) fn order(wanted: Option<&Self>) -> Order {
        match wanted {
            Some(wanted) => {
                let patterns = json!([{"urlPattern": format!("{}/*", wanted.origin)}]);
                ("Fetch.enable", json!({"patterns": patterns, "handleAuthRequests": true}))
            }
            None => ("Fetch.disable", json!({})),
        }
    }

    /// The answer to who asks.
    fn answer(&self, challenge: &Challenge, tried: bool) -> Value {
        let origin = Url::parse(&challenge.origin).map(|url| url.origin().ascii_serialization());
        let is_meant = challenge.source.as_deref() != Some("Proxy") && origin.is_ok_and(|origin| origin == self.origin);
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
}

#[derive(Deserialize)]
struct Challenge {
    source: Option<String>,
    origin: String,
}

/// Answers for one page or frame as long as it is there. To be called before [`Credentials::order`] is sent to it.
pub(super) fn follow(inner: &Arc<Inner>, cdp: &Cdp) {
    let mut held = cdp.raw_events(&["Fetch.requestPaused", "Fetch.authRequired"]);
    let (inner, cdp) = (Arc::downgrade(inner), cdp.clone());
    tokio::spawn(async move {
        let mut tried = HashSet::new();
        while let Some(event) = held.next().await {
            let (Some(Held { request_id, auth_challenge }), Some(inner)) = (event.decode(), inner.upgrade()) else {
                continue;
            };
            let Some(challenge) = auth_challenge else {
                cdp.send(rpc::<Ack>("Fetch.continueRequest", json!({"requestId": request_id}))).forget();
                continue;
            };
            let again = !tried.insert(request_id.clone());
            let credentials = inner.emulation().credentials.clone();
            let answer =
                credentials.map_or_else(|| json!({"response": "Default"}), |own| own.answer(&challenge, again));
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
            origin: "https://shop.example".to_owned(),
            username: "me".to_owned(),
            password: Secret::new("SHOP", "swordfish".to_owned()),
        };
        let answer = |source: Option<&str>, origin: &str, tried| {
            let challenge = Challenge { source: source.map(str::to_owned), origin: origin.to_owned() };
            own.answer(&challenge, tried)["response"].as_str().unwrap().to_owned()
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
        assert!(!format!("{own:?}").contains("swordfish"));
    }
}
