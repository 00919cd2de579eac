//! What can go wrong between us and the server, and which error of the store that is.

use redis::{ErrorKind, RedisError, ServerError};

use super::super::StoreError;

/// What the server or the way to it said.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Told(String);

pub(super) fn unavailable(place: &str, told: impl Into<String>) -> StoreError {
    StoreError::Unavailable { what: place.to_owned(), source: Told(told.into()).into() }
}

/// An error on the way, or one of the server's while the connection was being made. None of them holds the password.
pub(super) fn of_connection(place: &str, error: &RedisError) -> StoreError {
    if error.kind() == ErrorKind::AuthenticationFailed {
        return unavailable(place, "it does not take this user and password");
    }
    match (error.code(), error.detail()) {
        (Some(code), detail) => of_server(place, code, detail.unwrap_or_default()),
        (None, _) => unavailable(place, error.to_string()),
    }
}

/// An error that the server answered with.
pub(super) fn of_answer(place: &str, error: &ServerError) -> StoreError {
    of_server(place, error.code(), error.details().unwrap_or_default())
}

/// Older servers put the code of what failed inside a script into the text, newer ones in front.
fn of_server(place: &str, code: &str, detail: &str) -> StoreError {
    /// The server is as it should be, but cannot do it now, or not for us.
    const AWAY: [&str; 8] = ["OOM", "READONLY", "LOADING", "BUSY", "MISCONF", "NOREPLICAS", "NOPERM", "MASTERDOWN"];
    let said = |word: &str| code == word || detail.contains(&format!("{word} "));
    let text = format!("{code} {detail}").trim_end().to_owned();
    if said("MOVED") || said("ASK") || said("CROSSSLOT") {
        return unavailable(place, format!("{text} (it is a node of a Redis Cluster; a single server is wanted)"));
    }
    let is_broken = said("WRONGTYPE") || (code == "ERR" && detail.contains("user_script"));
    if is_broken && !AWAY.into_iter().any(said) {
        return StoreError::Corrupt { what: place.to_owned(), reason: text };
    }
    unavailable(place, text)
}
