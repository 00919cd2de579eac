//! What a server is started with.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use crate::document::llm::Llm;
use crate::egress::{Policy, ProxyOptions};
use crate::session::WorkspaceConfig;

/// What a server is started with. Nothing is opened before [`super::Server::bind`].
#[derive(Debug, Clone)]
pub struct ServeConfig {
    /// Where it listens.
    pub listen: SocketAddr,
    /// What its URLs begin with, without a slash at the end, where that is not the address that it listens on.
    pub public_url: Option<String>,
    /// Where other servers of its store reach it, `http://HOST:PORT`, where that is not the address that it listens on.
    pub advertise: Option<String>,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Store, key, browser and times of its sessions. Its tenant is nobody's: tokens say whose a request is.
    pub workspace: WorkspaceConfig,
    /// The language model that extraction may ask.
    pub llm: Option<Llm>,
    /// What may be reached, and the proxy that requests go through which say so (`use_proxy`); by default machines of the internet, and
    /// none.
    pub egress: ProxyOptions,
    /// Whether all goes through that proxy that has no other.
    pub proxy_all: bool,
    /// The folder of scripts that requests may name; none: they send theirs.
    pub scripts: Option<PathBuf>,
    /// The largest body of a request, in bytes.
    pub max_body: usize,
    /// The largest script that a request may send, in bytes.
    pub max_script: usize,
    /// The largest output of one piece of work, in bytes: what a script answers, and all that it emits.
    pub max_output: usize,
    /// The largest session that is imported, in bytes.
    pub max_import: u64,
    /// How many pieces of work go on at a time, of all tenants together.
    pub max_concurrent: usize,
    /// How many more may wait.
    pub max_queued: usize,
    /// How many live browsers there are at a time, of all tenants together.
    pub max_live: usize,
    /// How many of them a tenant may have; none: it leaves one to others, where there are tokens of others.
    pub max_live_per_tenant: Option<usize>,
    /// How long whoever looks at a live browser may be silent and take nothing before they are let go. Each is asked for a sign of life three
    /// times as often.
    pub live_patience: Duration,
    /// How long a program that speaks the DevTools protocol of one may take nothing of what it is sent before it is let go.
    pub client_patience: Duration,
    /// Work that takes longer than this turns into a job.
    pub inline_limit: Duration,
    /// How long a script may take that does not say otherwise.
    pub run_timeout: Duration,
    /// How long one may ask for.
    pub max_run_timeout: Duration,
    /// How long what goes on may take once the server is told to end.
    pub drain: Duration,
}

impl ServeConfig {
    /// The usual limits.
    pub fn new(listen: SocketAddr, workspace: WorkspaceConfig) -> Self {
        Self {
            listen,
            public_url: None,
            advertise: None,
            trusted_proxies: Vec::new(),
            workspace,
            llm: None,
            egress: ProxyOptions::new(Policy::default()),
            proxy_all: false,
            scripts: None,
            max_body: 4 << 20,
            max_script: 1 << 20,
            max_output: 16 << 20,
            max_import: 256 << 20,
            max_concurrent: 8,
            max_queued: 64,
            max_live: 8,
            max_live_per_tenant: None,
            live_patience: Duration::from_mins(1),
            client_patience: Duration::from_mins(10),
            inline_limit: Duration::from_secs(15),
            run_timeout: Duration::from_mins(5),
            max_run_timeout: Duration::from_hours(1),
            drain: Duration::from_secs(30),
        }
    }
}
