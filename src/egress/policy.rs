//! The policy: what may be reached. By default machines of the internet and nothing else; never the ports of rhaven itself.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use url::{Host, Url};

use super::address::{AddressKind, embedded_in, is_own, kind_of};
use super::pattern::Pattern;
use super::{EgressError, Refusal, Why};

/// What is asked of a policy beyond the default.
#[derive(Debug, Clone, Default)]
pub struct PolicyOptions {
    /// `--allow-host`: patterns `HOST[:PORT]` of what may be reached although the default says no. HOST is a name with `*` for
    /// any part, an address, or a range (`10.0.0.0/8`). A name that fits may lead to any address but those of metadata services.
    pub allow_hosts: Vec<String>,
    /// `--deny-host`: patterns of what may not be reached, whatever else is said.
    pub deny_hosts: Vec<String>,
    /// `--allow-private`: loopback, private, link-local and shared addresses and those of this machine may be reached, but no
    /// metadata service.
    pub allow_private: bool,
}

/// What may be reached. Cheap to clone; all clones know the same ports of rhaven.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    rules: Arc<Rules>,
    kept_off: Arc<Mutex<Vec<SocketAddr>>>,
}

#[derive(Debug, Default)]
struct Rules {
    allow: Vec<Pattern>,
    deny: Vec<Pattern>,
    private: bool,
}

/// While it lives nobody reaches an address of rhaven's own: [`Policy::keep_off`].
#[derive(Debug)]
pub struct KeptOff {
    address: SocketAddr,
    all: Arc<Mutex<Vec<SocketAddr>>>,
}

impl Drop for KeptOff {
    fn drop(&mut self) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = all.iter().position(|address| *address == self.address) {
            all.swap_remove(at);
        }
    }
}

/// A host in its plain spelling with a port: what a policy is asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) host: Host,
    pub(super) port: u16,
}

impl Target {
    /// Reads a host as URLs have it; IPv4 addresses in any spelling become addresses.
    pub(super) fn new(host: &str, port: u16) -> Option<Self> {
        let host = match Host::parse(host).ok()? {
            Host::Domain(name) => Host::Domain(name.trim_end_matches('.').to_owned()),
            host => host,
        };
        (port > 0 && host != Host::Domain(String::new())).then_some(Self { host, port })
    }

    /// The host as text, without brackets.
    pub(super) fn name(&self) -> String {
        match &self.host {
            Host::Domain(name) => name.clone(),
            Host::Ipv4(ip) => ip.to_string(),
            Host::Ipv6(ip) => ip.to_string(),
        }
    }

    /// The address that it is, where it is one.
    pub(super) fn literal(&self) -> Option<IpAddr> {
        match self.host {
            Host::Domain(_) => None,
            Host::Ipv4(ip) => Some(ip.into()),
            Host::Ipv6(ip) => Some(IpAddr::V6(ip).to_canonical()),
        }
    }

    fn refused(&self, why: Why) -> Refusal {
        Refusal::new(&self.name(), self.port, why)
    }
}

impl Policy {
    /// A policy with these exceptions; fails with `invalid_argument` where a pattern cannot be read.
    pub fn new(options: &PolicyOptions) -> Result<Self, EgressError> {
        let read =
            |patterns: &[String]| patterns.iter().map(|pattern| Pattern::read(pattern)).collect::<Result<_, _>>();
        let (allow, deny) = (read(&options.allow_hosts)?, read(&options.deny_hosts)?);
        let rules = Rules { allow, deny, private: options.allow_private };
        Ok(Self { rules: Arc::new(rules), kept_off: Arc::default() })
    }

    /// No policy: whatever there is may be reached, but rhaven's own ports. For who decides about the browser anyway.
    pub fn open() -> Self {
        let all = |pattern: &str| Pattern::read(pattern).ok();
        let allow = ["*", "0.0.0.0/0", "::/0"].into_iter().filter_map(all).collect();
        Self { rules: Arc::new(Rules { allow, deny: Vec::new(), private: true }), kept_off: Arc::default() }
    }

    /// Lets nobody reach `address`, whatever the flags say, until the answer is dropped: for a port that rhaven listens on.
    #[must_use = "it is reached again as soon as this is dropped"]
    pub fn keep_off(&self, address: SocketAddr) -> KeptOff {
        self.kept_off.lock().unwrap_or_else(PoisonError::into_inner).push(address);
        KeptOff { address, all: self.kept_off.clone() }
    }

    /// Whether a browser may be sent to `url`, as far as that can be told without asking for addresses; the rest is told where
    /// the connection is made. `data:`, `blob:`, `about:blank` and `about:srcdoc` are for browsers only.
    pub fn check_url(&self, url: &Url) -> Result<(), Refusal> {
        match url.scheme() {
            "data" | "blob" => Ok(()),
            "about" if matches!(url.path(), "blank" | "srcdoc") => Ok(()),
            "ws" | "wss" => self.check_host_of(url),
            _ => self.check_http_url(url),
        }
    }

    /// Whether a plain request may be sent to `url`, as far as that can be told without asking for addresses.
    pub fn check_http_url(&self, url: &Url) -> Result<(), Refusal> {
        match url.scheme() {
            "http" | "https" => self.check_host_of(url),
            scheme => Err(Refusal { host: String::new(), port: None, why: Why::Scheme(scheme.to_owned()), flag: None }),
        }
    }

    fn check_host_of(&self, url: &Url) -> Result<(), Refusal> {
        let target = url.host_str().zip(url.port_or_known_default()).and_then(|(host, port)| Target::new(host, port));
        let Some(target) = target else { return Ok(()) };
        let named = self.check_name(&target)?;
        target.literal().map_or(Ok(()), |ip| self.check_address(&target, ip, named))
    }

    /// What the name alone says: refused, allowed wherever it leads (true), or as its addresses are (false).
    pub(super) fn check_name(&self, target: &Target) -> Result<bool, Refusal> {
        let Host::Domain(name) = &target.host else { return Ok(false) };
        let fits = |pattern: &&Pattern| pattern.fits_name(name, target.port);
        match self.rules.deny.iter().find(fits) {
            Some(pattern) => Err(target.refused(Why::Denied(pattern.text.clone()))),
            None => Ok(self.rules.allow.iter().any(|pattern| fits(&pattern))),
        }
    }

    /// Whether `ip`, which is what `target` leads to, may be dialled; `named` is what [`Self::check_name`] has said.
    pub(super) fn check_address(&self, target: &Target, ip: IpAddr, named: bool) -> Result<(), Refusal> {
        let (ip, port) = (ip.to_canonical(), target.port);
        if self.is_rhavens(ip, port) {
            return Err(target.refused(Why::Rhaven));
        }
        let denied = |pattern: &&Pattern| embedded_in(ip).any(|ip| pattern.fits_address(ip, port));
        if let Some(pattern) = self.rules.deny.iter().find(denied) {
            return Err(target.refused(Why::Denied(pattern.text.clone())));
        }
        if self.rules.allow.iter().any(|pattern| pattern.fits_address(ip, port)) {
            return Ok(());
        }
        let kind = match kind_of(ip) {
            AddressKind::Public if is_own(ip) => AddressKind::Own,
            kind => kind,
        };
        let allowed = match kind {
            AddressKind::Public => true,
            AddressKind::Metadata => false,
            kind => named || (self.rules.private && kind.is_private()),
        };
        let why = if target.literal().is_some() { Why::Address(kind) } else { Why::Resolved(kind) };
        if allowed { Ok(()) } else { Err(target.refused(why)) }
    }

    /// Whether a target may be handed to an upstream proxy, which asks for its addresses itself: told by its name, or by the
    /// address that it is. What a name leads to there is not known here.
    pub(super) fn check_unresolved(&self, target: &Target) -> Result<(), Refusal> {
        let named = self.check_name(target)?;
        match target.literal() {
            Some(ip) => self.check_address(target, ip, named),
            None if named || self.rules.private || !is_local(&target.name()) => Ok(()),
            None => Err(target.refused(Why::LocalName)),
        }
    }

    /// Whether it is a port that rhaven listens on, by whatever address of this machine.
    fn is_rhavens(&self, ip: IpAddr, port: u16) -> bool {
        let all = self.kept_off.lock().unwrap_or_else(PoisonError::into_inner);
        let of_this_machine = || matches!(kind_of(ip), AddressKind::Loopback | AddressKind::Unspecified) || is_own(ip);
        all.iter().any(|own| own.port() == port && (own.ip() == ip || of_this_machine()))
    }
}

/// Names that no public resolver answers for.
fn is_local(name: &str) -> bool {
    const TOP: [&str; 10] =
        ["localhost", "local", "localdomain", "internal", "intranet", "private", "corp", "home", "lan", "arpa"];
    name.rsplit_once('.').is_none_or(|(_, top)| TOP.contains(&top))
}

#[cfg(test)]
#[path = "policy_tests.rs"]
mod tests;
