//! What the practice site remembers: who is signed in and how often each page was asked for. In memory only.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::{HeaderMap, header};
use tokio_util::sync::CancellationToken;

pub(super) type Shared = Arc<Site>;

/// The state that all handlers share.
#[derive(Debug)]
pub(super) struct Site {
    memory: Mutex<Memory>,
    /// Cancelled when the site is to stop: requests that would otherwise never be answered end with it.
    pub(super) stop: CancellationToken,
}

#[derive(Debug, Default)]
struct Memory {
    /// The values of `sid` cookies that are signed in.
    signed_in: HashSet<String>,
    visits: BTreeMap<String, u64>,
}

impl Site {
    pub(super) fn new(stop: CancellationToken) -> Self {
        Self { memory: Mutex::default(), stop }
    }

    /// Never held across an await; a handler that panicked cannot have left it half changed.
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn count_visit(&self, name: String) {
        *self.memory().visits.entry(name).or_default() += 1;
    }

    pub(super) fn visits(&self) -> BTreeMap<String, u64> {
        self.memory().visits.clone()
    }

    /// Forgets the counts and everyone who is signed in.
    pub(super) fn reset(&self) {
        *self.memory() = Memory::default();
    }

    pub(super) fn sign_in(&self, sid: String) {
        self.memory().signed_in.insert(sid);
    }

    pub(super) fn sign_out(&self, headers: &HeaderMap) {
        if let Some(sid) = cookie(headers, "sid") {
            self.memory().signed_in.remove(sid);
        }
    }

    pub(super) fn is_signed_in(&self, headers: &HeaderMap) -> bool {
        cookie(headers, "sid").is_some_and(|sid| self.memory().signed_in.contains(sid))
    }
}

/// The value of the cookie `name`, where the request carries one.
pub(super) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(key, value)| (key == name).then_some(value))
}

/// 128 random bits in hex, for session ids and tokens.
pub(super) fn random_id() -> Result<String, getrandom::Error> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes)?;
    Ok(data_encoding::HEXLOWER.encode(&bytes))
}
