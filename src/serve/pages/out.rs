//! The way out of here: what a page request may reach, and with what.

use std::time::Instant;

use url::Url;

use crate::base::with_causes;
use crate::egress::Fault;
use crate::serve::error::ApiError;
use crate::serve::pools::Own;

/// The way out for one request.
pub(super) struct WayOut {
    own: Own,
    /// What was refused before it is not this request's.
    since: Instant,
}

impl WayOut {
    /// That of a tenant.
    pub(super) fn of(own: Own) -> Self {
        Self { own, since: Instant::now() }
    }

    /// Whether a page may be asked for there, as far as that can be told before a connection is made.
    pub(super) fn check(&self, url: &Url) -> Result<(), ApiError> {
        let refused = |refusal: crate::egress::Refusal| ApiError::new(refusal.code(), refusal.to_string());
        self.own.proxy.policy().check_http_url(url).map_err(refused)
    }

    /// For plain requests.
    pub(super) fn client(&self) -> &reqwest::Client {
        &self.own.client
    }

    /// Why a plain request failed.
    pub(super) fn failed(&self, url: &Url, error: &reqwest::Error) -> ApiError {
        let host = url.host_str().unwrap_or_default();
        if let Some(fault) = self.own.proxy.fault_of(host, self.since) {
            let told = ApiError::new(fault.code(), fault.to_string());
            let is_away = !matches!(fault, Fault::Refused(_) | Fault::Upstream(_));
            return if is_away { told.with("reason", "connection_failed") } else { told };
        }
        if error.is_timeout() {
            return ApiError::new("timeout", format!("{host} did not answer in time"));
        }
        // Its own text repeats the address, which may hold more than is to be told.
        let reason =
            std::error::Error::source(error).map_or_else(|| "the connection broke off".to_owned(), with_causes);
        let told = ApiError::new("navigation_failed", format!("{host} did not load: {reason}"));
        told.with("reason", if error.is_connect() { "connection_failed" } else { "response_failed" })
    }
}
