//! The way out of a tenant: the proxy that its browsers and its plain requests go through, under the server's policy.

use crate::browser::{Cause, Egress, Missed};
use crate::egress::{EgressError, Fault, Proxy, ProxyOptions, client};

/// The way out of one tenant. Cheap to clone.
#[derive(Clone)]
pub(super) struct Outgoing {
    proxy: Proxy,
    client: reqwest::Client,
}

impl Outgoing {
    /// Begins to listen, on the current runtime.
    pub(super) fn start(options: &ProxyOptions) -> Result<Self, EgressError> {
        let proxy = Proxy::start(options.clone())?;
        Ok(Self { client: client(&proxy)?, proxy })
    }

    pub(super) fn proxy(&self) -> &Proxy {
        &self.proxy
    }

    /// For plain requests.
    pub(super) fn client(&self) -> &reqwest::Client {
        &self.client
    }

    /// For a browser. It keeps the proxy.
    pub(super) fn egress(&self) -> Egress {
        let proxy = self.proxy.clone();
        Egress::new(proxy.address()).telling(move |url, net_error, since| {
            let fault = proxy.why_failed(url, net_error, since)?;
            let cause = match fault {
                Fault::Refused(_) => Cause::Blocked,
                Fault::Upstream(_) => Cause::Proxy,
                _ => Cause::Unreached,
            };
            Some(Missed { cause, reason: fault.told_as(net_error) })
        })
    }
}
