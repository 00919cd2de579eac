//! The way out of here: what a page request may reach, and with what.

use std::time::Instant;

use url::Url;

use crate::base::with_causes;
use crate::serve::error::ApiError;
use crate::serve::outgoing::Outgoing;
use crate::session::Way;

/// The way out for one request.
pub(super) struct WayOut {
    outgoing: Outgoing,
    /// Faults before it are those of others.
    since: Instant,
}

impl WayOut {
    pub(super) fn new(outgoing: Outgoing) -> Self {
        Self { outgoing, since: Instant::now() }
    }

    /// That of a session that goes through an upstream proxy.
    pub(super) fn through(way: &Way) -> Result<Self, ApiError> {
        let outgoing = Outgoing::through(way).map_err(|error| ApiError::new(error.code(), error.to_string()))?;
        Ok(Self::new(outgoing))
    }

    /// Whether a page may be asked for there, as far as that can be told before a connection is made.
    pub(super) fn check(&self, url: &Url) -> Result<(), ApiError> {
        let checked = self.outgoing.proxy().policy().check_http_url(url);
        checked.map_err(|refusal| ApiError::new(refusal.code(), refusal.to_string()))
    }

    /// For plain requests.
    pub(super) fn client(&self) -> &reqwest::Client {
        self.outgoing.client()
    }

    /// Why a plain request failed.
    pub(super) fn failed(&self, url: &Url, error: &reqwest::Error) -> ApiError {
        let host = url.host_str().unwrap_or_default();
        // What is no fault of the page's has a code of its own.
        let fault = self.outgoing.proxy().fault_of(host, self.since);
        match fault.as_ref().map(|fault| (fault.code(), fault.to_string())) {
            Some((code @ ("target_blocked" | "proxy_unavailable"), reason)) => return ApiError::new(code, reason),
            Some((code, reason)) if error.is_connect() || error.is_request() => {
                let told = ApiError::new(code, format!("{host} did not load: {reason}"));
                return told.with("reason", "connection_failed");
            }
            _ if error.is_timeout() => return ApiError::new("timeout", format!("{host} did not answer in time")),
            _ => {}
        }
        // Its own text repeats the address, which may hold more than is to be told.
        let reason =
            std::error::Error::source(error).map_or_else(|| "the connection broke off".to_owned(), with_causes);
        let told = ApiError::new("navigation_failed", format!("{host} did not load: {reason}"));
        told.with("reason", if error.is_connect() { "connection_failed" } else { "response_failed" })
    }
}
