//! A refusal: what was not reached, why, and the flag that would allow it.

use std::fmt;

use super::AddressKind;

/// Something that the policy does not let anybody reach.
#[derive(Debug, Clone, PartialEq, Eq, Hash, thiserror::Error)]
pub struct Refusal {
    /// Name or address as it was asked for, in its plain spelling; empty where the scheme alone was refused.
    pub host: String,
    /// Its port.
    pub port: Option<u16>,
    /// Why.
    pub why: Why,
    /// The flag that would allow it, `--allow-private` or `--allow-host HOST:PORT`; none where none would.
    pub flag: Option<String>,
}

/// Why something is refused.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Why {
    /// No scheme of the web.
    Scheme(String),
    /// The host is an address of this kind.
    Address(AddressKind),
    /// All addresses of the name are such; this is the kind of the first. The address itself is not told: who may ask is not
    /// meant to learn the names of a network.
    Resolved(AddressKind),
    /// A `--deny-host` with this pattern.
    Denied(String),
    /// One of rhaven's own ports.
    Rhaven,
    /// A name that only local networks have, where an upstream proxy would resolve it.
    LocalName,
}

impl Refusal {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        "target_blocked"
    }

    /// Host and port as they stand in a URL.
    fn target(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        self.port.map_or_else(|| host.clone(), |port| format!("{host}:{port}"))
    }

    pub(super) fn new(host: &str, port: u16, why: Why) -> Self {
        let mut refusal = Self { host: host.to_owned(), port: Some(port), why, flag: None };
        let allow = || format!("--allow-host {}", refusal.target());
        refusal.flag = match &refusal.why {
            Why::Address(AddressKind::Metadata) | Why::LocalName => Some(allow()),
            // A name may not be allowed to lead there: its owner is not who starts rhaven.
            Why::Resolved(AddressKind::Metadata) | Why::Scheme(_) | Why::Denied(_) | Why::Rhaven => None,
            Why::Address(kind) | Why::Resolved(kind) if kind.is_private() => {
                Some(format!("{} or --allow-private", allow()))
            }
            Why::Address(_) | Why::Resolved(_) => Some(allow()),
        };
        refusal
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let target = self.target();
        match &self.why {
            Why::Scheme(scheme) => {
                return write!(f, "`{scheme}:` is refused: only http, https, ws and wss lead out of here");
            }
            Why::Denied(pattern) => return write!(f, "{target} is refused by `--deny-host {pattern}`"),
            Why::Rhaven => return write!(f, "{target} is refused: it is rhaven's own"),
            Why::Address(kind) => write!(f, "{target} is refused: it is {kind}")?,
            Why::Resolved(kind) => write!(f, "{target} is refused: its name leads to {kind}")?,
            Why::LocalName => write!(f, "{target} is refused: only a local network has such a name")?,
        }
        match &self.flag {
            Some(flag) => write!(f, "; start with `{}` to allow it", flag.replace(" or ", "` or `")),
            None => Ok(()),
        }
    }
}
