//! A client for plain requests that goes through a proxy of ours for everything.

use std::time::Duration;

use reqwest::dns::{Name, Resolve, Resolving};
use reqwest::redirect;

use super::{EgressError, Proxy};

/// The proxy gives up after ten seconds; with TLS on top it may be a little more.
const CONNECT: Duration = Duration::from_secs(20);

/// How long a server may be silent in the middle of an answer.
const SILENCE: Duration = Duration::from_mins(1);

/// A client all of whose requests go through `proxy`. It follows no redirect, keeps no cookies and takes no setting from the
/// environment; how long a request may take as a whole is for the caller to say. Where a request fails, [`Proxy::fault_of`]
/// and [`Proxy::refusals_since`] tell whether the policy refused it.
pub fn client(proxy: &Proxy) -> Result<reqwest::Client, EgressError> {
    let failed = |error: reqwest::Error| EgressError::Start(error.to_string());
    let through = reqwest::Proxy::all(format!("http://{}", proxy.address())).map_err(failed)?;
    let builder = reqwest::Client::builder()
        .no_proxy()
        .proxy(through.no_proxy(None))
        .dns_resolver(Nobody)
        .redirect(redirect::Policy::none())
        .referer(false)
        .connect_timeout(CONNECT)
        .read_timeout(SILENCE);
    builder.build().map_err(failed)
}

/// Resolves nothing: only the proxy does. Its own address is a number.
struct Nobody;

impl Resolve for Nobody {
    fn resolve(&self, _: Name) -> Resolving {
        Box::pin(async { Err("names are for the proxy to resolve".into()) })
    }
}
