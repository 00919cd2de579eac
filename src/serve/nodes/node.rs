//! A server as it tells of itself in the store, and where it is to be reached.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use reqwest::Url;
use serde::{Deserialize, Serialize};

use crate::base::ProcessId;

/// A server of the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Node {
    pub(super) id: String,
    process: ProcessId,
    /// The URL by which others reach it; none where nobody of another machine can.
    url: Option<String>,
    /// The one by which those of its own machine do, if another.
    here: Option<String>,
    /// It takes nothing new.
    pub(super) ending: bool,
}

impl Node {
    /// This server, which listens at `address`; `advertised` is what its operator says of where others reach it.
    pub(super) fn new(id: String, address: SocketAddr, advertised: Option<&str>) -> Self {
        let at = |address: SocketAddr| format!("http://{address}");
        let here = advertised.is_none().then(|| at(near(address)));
        let url = advertised.map(str::to_owned).or_else(|| far(address).map(at));
        Self { id, process: ProcessId::current(), url, here, ending: false }
    }

    /// Where this process reaches it; none where it cannot, or where that server is known to be dead.
    pub(super) fn base(&self) -> Option<Url> {
        let here = self.here.as_ref().filter(|_| self.process.is_local());
        let url = here.or(self.url.as_ref()).filter(|_| self.process.alive())?;
        Url::parse(url).ok()
    }

    /// Where others reach it.
    pub(super) fn url(&self) -> Option<&str> {
        self.url.as_deref()
    }
}

/// Where this machine reaches what listens there.
fn near(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    SocketAddr::new(ip, address.port())
}

/// Where other machines reach what listens there: nowhere, if that is loopback; by the address that leads out of this machine, if it is
/// every address.
fn far(address: SocketAddr) -> Option<SocketAddr> {
    match address.ip() {
        ip if ip.to_canonical().is_loopback() => None,
        ip if ip.is_unspecified() => Some(SocketAddr::new(outward(ip.is_ipv6())?, address.port())),
        _ => Some(address),
    }
}

/// The address of this machine that the routing table gives for what is not near. A UDP socket that is connected sends nothing; the
/// targets are addresses for documentation, which nobody has.
fn outward(has_ipv6: bool) -> Option<IpAddr> {
    let of = |from: IpAddr, to: IpAddr| {
        let socket = UdpSocket::bind((from, 0)).ok()?;
        socket.connect((to, 9)).ok()?;
        Some(socket.local_addr().ok()?.ip()).filter(|ip| !ip.is_loopback() && !ip.is_unspecified())
    };
    let by_ipv4 = of(Ipv4Addr::UNSPECIFIED.into(), Ipv4Addr::new(192, 0, 2, 1).into());
    let by_ipv6 = || of(Ipv6Addr::UNSPECIFIED.into(), Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into());
    by_ipv4.or_else(|| has_ipv6.then(by_ipv6).flatten())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(address: &str, advertised: Option<&str>) -> Node {
        Node::new("node_1".to_owned(), address.parse().unwrap(), advertised)
    }

    fn elsewhere(mut node: Node) -> Node {
        node.process.host = "elsewhere".to_owned();
        node
    }

    fn base(node: &Node) -> Option<String> {
        node.base().map(|url| url.to_string())
    }

    #[test]
    fn it_is_reached_where_that_can_be() {
        let of_loopback = node("127.0.0.1:7", None);
        assert_eq!(base(&of_loopback).as_deref(), Some("http://127.0.0.1:7/"));
        assert_eq!(base(&elsewhere(of_loopback)), None, "of another machine");
        assert_eq!(base(&node("[::]:7", None)).as_deref(), Some("http://[::1]:7/"));
        let of_all = base(&elsewhere(node("0.0.0.0:7", None)));
        assert!(of_all.as_ref().is_none_or(|url| !url.contains("//0.0.0.0") && !url.contains("//127.")), "{of_all:?}");
        let of_one = node("192.0.2.7:7", None);
        assert_eq!((base(&of_one), base(&elsewhere(of_one.clone()))), (base(&of_one), base(&of_one)));
        let told = node("127.0.0.1:7", Some("https://a.example:8"));
        assert_eq!(base(&told).as_deref(), Some("https://a.example:8/"));
        assert_eq!(base(&elsewhere(told)).as_deref(), Some("https://a.example:8/"));
    }

    #[test]
    fn one_whose_process_is_gone_is_not_reached() {
        let mut gone = node("127.0.0.1:7", None);
        gone.process.started += 1;
        assert_eq!(base(&gone), None);
    }
}
