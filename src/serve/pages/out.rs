//! The way out of here: what a page request may reach, and with what.

use url::Url;

use crate::base::with_causes;
use crate::serve::error::ApiError;

/// The schemes that lead somewhere.
const SCHEMES: [&str; 2] = ["http", "https"];

/// The way out for one request.
pub(super) struct WayOut {
    client: Result<reqwest::Client, String>,
}

impl WayOut {
    pub(super) fn new() -> Self {
        let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).referer(false);
        Self { client: client.build().map_err(|error| error.to_string()) }
    }

    /// Whether a page may be asked for there, as far as that can be told before a connection is made.
    #[expect(clippy::unused_self, reason = "the policy is part of the way out")]
    pub(super) fn check(&self, url: &Url) -> Result<(), ApiError> {
        if SCHEMES.contains(&url.scheme()) {
            return Ok(());
        }
        let message = format!("{}: is refused: only http and https lead out of here", url.scheme());
        Err(ApiError::new("target_blocked", message))
    }

    /// For plain requests.
    pub(super) fn client(&self) -> Result<&reqwest::Client, ApiError> {
        self.client.as_ref().map_err(|reason| ApiError::internal(format!("no client for requests: {reason}")))
    }

    /// Why a plain request failed.
    #[expect(clippy::unused_self, reason = "what was refused is known here")]
    pub(super) fn failed(&self, url: &Url, error: &reqwest::Error) -> ApiError {
        let host = url.host_str().unwrap_or_default();
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
