//! The way out of a tenant: the proxy that its browsers and its plain requests go through, under the server's policy.

use crate::browser::Egress;
use crate::egress::{EgressError, Proxy, ProxyOptions, client};
use crate::session::{Way, egress};

/// A way out of one tenant. Cheap to clone.
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

    /// That of a session that goes through an upstream proxy.
    pub(super) fn through(way: &Way) -> Result<Self, EgressError> {
        Ok(Self { client: way.client()?, proxy: way.proxy().clone() })
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
        egress(&self.proxy)
    }
}
