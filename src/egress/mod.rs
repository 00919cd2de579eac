//! Floor 1: what may be reached from here, and the one way out: a forward proxy on loopback that resolves, checks every
//! address and dials the very address that it checked, for Chromium and for plain requests alike.
//!
//! Knows nothing of browsers, sessions or tenants.

mod address;
mod client;
mod dial;
mod fault;
mod headers;
mod log;
mod pattern;
mod policy;
mod proxy;
mod refusal;
mod requests;
mod resolve;
mod socks;
mod tls;
mod tunnel;
mod upstream;

pub use address::AddressKind;
pub use client::client;
pub use fault::{EgressError, Fault};
pub use policy::{KeptOff, Policy, PolicyOptions};
pub use proxy::{Proxy, ProxyOptions};
pub use refusal::{Refusal, Why};
pub use resolve::{Resolve, SystemResolver, in_common};
pub use upstream::Upstream;
