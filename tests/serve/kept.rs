//! Sessions that are made without a browser, for tests of what is kept.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::rig::{Answered, Rig};

/// What stands in for every value: no answer but an export may hold it.
pub const NEEDLE: &str = "needle-in-a-haystack";

/// A state with a cookie and an item, both of `name`, in Playwright's format.
pub fn state(name: &str) -> Value {
    json!({
        "cookies": [{"name": name, "value": NEEDLE, "domain": "shop.example", "path": "/", "expires": -1, "httpOnly": true,
            "secure": true, "sameSite": "Lax"}],
        "origins": [{"origin": "https://shop.example", "localStorage": [{"name": name, "value": NEEDLE}]}],
    })
}

/// The path of a session, its id percent-encoded in full.
pub fn path(id: &str) -> String {
    id.bytes().fold("/v1/sessions/".to_owned(), |path, byte| format!("{path}%{byte:02X}"))
}

/// Imports a state as the tenant of `token`.
pub async fn import(rig: &Rig, token: &str, id: &str, query: &str, state: &Value) -> Answered {
    rig.ask_as(token, Method::PUT, &format!("{}/import{query}", path(id)), Some(state)).await
}

/// Makes a session, or a further version of it.
pub async fn keep(rig: &Rig, id: &str, name: &str) {
    let made = import(rig, &rig.token, id, "?replace=true", &state(name)).await;
    assert_eq!(made.status, StatusCode::OK, "{}", made.text);
}
