//! The servers that this one knows of, itself among them.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use reqwest::Url;
use tokio_util::sync::CancellationToken;

use crate::egress::{KeptOff, Policy};
use crate::session::{SessionError, Sessions};

use super::super::request_id::random_id;
use super::node::Node;
use super::relay::Relay;

/// What begins the id of a server.
const PREFIX: &str = "node_";

/// The servers of this store, as far as they are known here.
pub(in crate::serve) struct Nodes {
    own: Node,
    relay: Relay,
    policy: Policy,
    known: Mutex<HashMap<String, Entry>>,
}

struct Entry {
    node: Node,
    gone: CancellationToken,
    /// What others name does not reach it through this server.
    _kept_off: Option<KeptOff>,
}

/// Another server, and where it is reached.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) base: Url,
    /// Cancelled once it was not heard of for too long.
    pub(super) gone: CancellationToken,
}

impl Nodes {
    /// This server, which listens at `address` and has not told of itself yet; `policy` is that of what others name.
    pub(in crate::serve) fn new(address: SocketAddr, advertised: Option<&str>, policy: Policy) -> Self {
        let own = Node::new(format!("{PREFIX}{}", random_id()), address, advertised);
        Self { own, relay: Relay::new(), policy, known: Mutex::default() }
    }

    /// How this server names itself to others on the same store.
    pub(in crate::serve) fn id(&self) -> &str {
        &self.own.id
    }

    pub(super) fn own(&self) -> &Node {
        &self.own
    }

    pub(super) fn relay(&self) -> &Relay {
        &self.relay
    }

    /// Whether something is on another server, by the id of the one that has it.
    pub(in crate::serve) fn is_other(&self, owner: &str) -> bool {
        owner != self.own.id
    }

    /// The server by that id; none where there is none that is reached from here. One that ends is: it takes nothing new, but has what it
    /// has until then. Asks the store for one that is not known yet.
    pub(super) async fn find(&self, sessions: &Sessions, id: &str) -> Result<Option<Known>, SessionError> {
        if !is_id(id) || !self.is_other(id) {
            return Ok(None);
        }
        if let Some(known) = self.known().get(id).map(Entry::reached) {
            return Ok(known);
        }
        let Some(node) = sessions.node::<Node>(id).await?.filter(|node| node.id == id) else { return Ok(None) };
        Ok(self.put(&mut self.known(), node))
    }

    /// The ids of those that are known.
    pub(super) fn ids(&self) -> Vec<String> {
        self.known().keys().cloned().collect()
    }

    /// These are all that there are: of those that were known `before` the store was asked, the others are gone.
    pub(super) fn are(&self, nodes: Vec<Node>, before: &[String]) {
        let mut known = self.known();
        known.retain(|id, entry| {
            let stays = !before.contains(id) || nodes.iter().any(|node| node.id == *id);
            if !stays {
                entry.gone.cancel();
            }
            stays
        });
        for node in nodes.into_iter().filter(|node| self.is_other(&node.id)) {
            self.put(&mut known, node);
        }
    }

    fn put(&self, known: &mut HashMap<String, Entry>, node: Node) -> Option<Known> {
        let id = node.id.clone();
        if let Some(entry) = known.get_mut(&id) {
            entry.node = node;
        } else {
            let address = node.base().as_ref().and_then(literal);
            let kept_off = address.map(|address| self.policy.keep_off(address));
            known.insert(id.clone(), Entry { node, gone: CancellationToken::new(), _kept_off: kept_off });
        }
        known.get(&id).and_then(Entry::reached)
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, Entry>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn reached(&self) -> Option<Known> {
        let base = self.node.base()?;
        Some(Known { base, gone: self.gone.clone() })
    }
}

/// An id of a server is of ours, or there is no such server.
fn is_id(id: &str) -> bool {
    id.strip_prefix(PREFIX).is_some_and(|hex| hex.len() == 32 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// The address that a URL has in numbers; none where its host is a name.
fn literal(url: &Url) -> Option<SocketAddr> {
    let port = url.port_or_known_default()?;
    match url.host()? {
        url::Host::Ipv4(ip) => Some((ip, port).into()),
        url::Host::Ipv6(ip) => Some((ip, port).into()),
        url::Host::Domain(_) => None,
    }
}
