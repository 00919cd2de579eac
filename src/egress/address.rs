//! What an address is: public, or one of the many kinds that lead somewhere else, also where it stands inside another.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use ipnet::{Ipv4Net, Ipv6Net};

/// What kind of address it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AddressKind {
    /// Of one machine on the internet; the only kind that is reached by default.
    Public,
    /// `127.0.0.0/8`, `::1`.
    Loopback,
    /// RFC 1918, unique local and site-local addresses, and translations that only a local network makes.
    Private,
    /// `169.254.0.0/16`, `fe80::/10`.
    LinkLocal,
    /// Where clouds tell a machine its keys.
    Metadata,
    /// `100.64.0.0/10`: between a provider and its customers.
    Shared,
    /// For many at once.
    Multicast,
    /// `0.0.0.0/8`, `::`: this machine, to most systems.
    Unspecified,
    /// Set apart for protocols, or for later.
    Reserved,
    /// For examples in texts.
    Documentation,
    /// For measuring networks.
    Benchmarking,
    /// An address that this very machine has, although it is a public one.
    Own,
}

impl AddressKind {
    /// Whether `--allow-private` opens it: kinds that machines of one's own have.
    pub fn is_private(self) -> bool {
        matches!(self, Self::Loopback | Self::Private | Self::LinkLocal | Self::Shared | Self::Own)
    }
}

impl fmt::Display for AddressKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Public => "a public address",
            Self::Loopback => "a loopback address",
            Self::Private => "a private address",
            Self::LinkLocal => "a link-local address",
            Self::Metadata => "the address of a cloud's metadata service",
            Self::Shared => "an address of the shared space between providers and customers",
            Self::Multicast => "a multicast address",
            Self::Unspecified => "the unspecified address",
            Self::Reserved => "a reserved address",
            Self::Documentation => "an address for documentation",
            Self::Benchmarking => "an address for benchmarks",
            Self::Own => "an address of this machine",
        })
    }
}

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

/// The first that has an address says what it is; one in none of them is public.
const V4: [(Ipv4Net, AddressKind); 25] = [
    // Before the wider nets that some of them are in. The last one is public by its number.
    (v4(169, 254, 169, 254, 32), AddressKind::Metadata),
    (v4(169, 254, 169, 253, 32), AddressKind::Metadata),
    (v4(169, 254, 170, 2, 32), AddressKind::Metadata),
    (v4(169, 254, 170, 23, 32), AddressKind::Metadata),
    (v4(169, 254, 0, 23, 32), AddressKind::Metadata),
    (v4(100, 100, 100, 200, 32), AddressKind::Metadata),
    (v4(192, 0, 0, 192, 32), AddressKind::Metadata),
    (v4(168, 63, 129, 16, 32), AddressKind::Metadata),
    (v4(0, 0, 0, 0, 8), AddressKind::Unspecified),
    (v4(10, 0, 0, 0, 8), AddressKind::Private),
    (v4(100, 64, 0, 0, 10), AddressKind::Shared),
    (v4(127, 0, 0, 0, 8), AddressKind::Loopback),
    (v4(169, 254, 0, 0, 16), AddressKind::LinkLocal),
    (v4(172, 16, 0, 0, 12), AddressKind::Private),
    (v4(192, 0, 0, 0, 24), AddressKind::Reserved),
    (v4(192, 0, 2, 0, 24), AddressKind::Documentation),
    (v4(192, 88, 99, 0, 24), AddressKind::Reserved),
    (v4(192, 168, 0, 0, 16), AddressKind::Private),
    (v4(198, 18, 0, 0, 15), AddressKind::Benchmarking),
    (v4(198, 51, 100, 0, 24), AddressKind::Documentation),
    (v4(203, 0, 113, 0, 24), AddressKind::Documentation),
    (v4(233, 252, 0, 0, 24), AddressKind::Documentation),
    (v4(224, 0, 0, 0, 4), AddressKind::Multicast),
    (v4(255, 255, 255, 255, 32), AddressKind::Multicast),
    (v4(240, 0, 0, 0, 4), AddressKind::Reserved),
];

const fn v6(a: u16, b: u16, c: u16, d: u16, prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0), prefix)
}

const fn host(a: u16, b: u16, last: u16) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, 0, 0, 0, 0, 0, last), 128)
}

/// As [`V4`]; but what is in none of them is reserved, for of IPv6 only one eighth is given out.
const V6: [(Ipv6Net, AddressKind); 20] = [
    (host(0, 0, 0), AddressKind::Unspecified),
    (host(0, 0, 1), AddressKind::Loopback),
    (host(0xfd00, 0xec2, 0x254), AddressKind::Metadata),
    (host(0xfd00, 0xec2, 0x23), AddressKind::Metadata),
    (host(0xfd20, 0xce, 0x254), AddressKind::Metadata),
    // Mapped and translated ones are what the IPv4 address in them is, which was looked at before.
    (Ipv6Net::new_assert(Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96), AddressKind::Public),
    (v6(0x64, 0xff9b, 0, 0, 96), AddressKind::Public),
    (v6(0x64, 0xff9b, 1, 0, 48), AddressKind::Private),
    (v6(0xfc00, 0, 0, 0, 7), AddressKind::Private),
    (v6(0xfec0, 0, 0, 0, 10), AddressKind::Private),
    (v6(0xfe80, 0, 0, 0, 10), AddressKind::LinkLocal),
    (v6(0xff00, 0, 0, 0, 8), AddressKind::Multicast),
    (v6(0x2001, 2, 0, 0, 48), AddressKind::Benchmarking),
    (v6(0x2001, 0xdb8, 0, 0, 32), AddressKind::Documentation),
    (v6(0x3fff, 0, 0, 0, 20), AddressKind::Documentation),
    (v6(0x2001, 0, 0, 0, 32), AddressKind::Public),
    (v6(0x2001, 0, 0, 0, 23), AddressKind::Reserved),
    (v6(0x2002, 0, 0, 0, 16), AddressKind::Public),
    (v6(0x100, 0, 0, 0, 64), AddressKind::Reserved),
    (v6(0x2000, 0, 0, 0, 3), AddressKind::Public),
];

/// What `ip` is, told by its number alone.
pub(super) fn kind_of(ip: IpAddr) -> AddressKind {
    match ip {
        IpAddr::V4(ip) => kind_of_v4(ip),
        IpAddr::V6(ip) => kind_of_v6(ip),
    }
}

fn kind_of_v4(ip: Ipv4Addr) -> AddressKind {
    V4.iter().find(|(net, _)| net.contains(&ip)).map_or(AddressKind::Public, |(_, kind)| *kind)
}

fn kind_of_v6(ip: Ipv6Addr) -> AddressKind {
    let inner = embedded(ip).into_iter().flatten().map(kind_of_v4).find(|kind| *kind != AddressKind::Public);
    let own = || V6.iter().find(|(net, _)| net.contains(&ip)).map_or(AddressKind::Reserved, |(_, kind)| *kind);
    inner.unwrap_or_else(own)
}

/// The IPv4 addresses that stand in an IPv6 one: where its packets end, or which one they pass.
fn embedded(ip: Ipv6Addr) -> [Option<Ipv4Addr>; 2] {
    let (s, o) = (ip.segments(), ip.octets());
    let at = |from: usize| Ipv4Addr::new(o[from], o[from + 1], o[from + 2], o[from + 3]);
    match s {
        // Not `::` and `::1`, which are themselves.
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => [None, None],
        // IPv4-compatible, mapped, translated; NAT64.
        [0, 0, 0, 0, 0, 0 | 0xffff, ..] | [0, 0, 0, 0, 0xffff, 0, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => {
            [Some(at(12)), None]
        }
        // 6to4.
        [0x2002, ..] => [Some(at(2)), None],
        // Teredo: its server, and the client, inverted.
        [0x2001, 0, ..] => [Some(at(4)), Some(Ipv4Addr::new(!o[12], !o[13], !o[14], !o[15]))],
        // NAT64 of a local network, as most are set up; ISATAP, below any prefix.
        [0x64, 0xff9b, 1, ..] | [_, _, _, _, 0 | 0x200, 0x5efe, ..] => [Some(at(12)), None],
        _ => [None, None],
    }
}

/// `ip` and the addresses in it.
pub(super) fn embedded_in(ip: IpAddr) -> impl Iterator<Item = IpAddr> {
    let inner = match ip {
        IpAddr::V4(_) => [None, None],
        IpAddr::V6(ip) => embedded(ip),
    };
    std::iter::once(ip).chain(inner.into_iter().flatten().map(IpAddr::V4))
}

/// Whether this machine itself has `ip`: packets to it would come from it. Nothing is sent to find out.
pub(super) fn is_own(ip: IpAddr) -> bool {
    let any: SocketAddr = match ip {
        IpAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        IpAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let route = || {
        let socket = UdpSocket::bind(any)?;
        // Any port will do; 0 is none.
        socket.connect((ip, 9))?;
        socket.local_addr()
    };
    route().is_ok_and(|local| local.ip() == ip)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kind: AddressKind, addresses: &[&str]) {
        for address in addresses {
            assert_eq!(kind_of(address.parse().unwrap()), kind, "{address}");
        }
    }

    #[test]
    fn only_addresses_of_the_internet_are_public() {
        check(
            AddressKind::Public,
            &["1.1.1.1", "93.184.215.14", "172.15.0.1", "172.32.0.1", "100.128.0.1", "223.255.255.255"],
        );
        check(AddressKind::Public, &["2606:4700::1111", "2a00:1450::8", "2001:4860:4860::8888", "2620:4f:8000::1"]);
        check(AddressKind::Loopback, &["127.0.0.1", "127.255.255.254", "::1"]);
        check(AddressKind::Private, &["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.0.1", "fc00::1", "fdff::1"]);
        check(AddressKind::Private, &["fec0::1", "64:ff9b:1::a00:1"]);
        check(AddressKind::LinkLocal, &["169.254.0.1", "fe80::1", "febf::1"]);
        check(AddressKind::Metadata, &["169.254.169.254", "169.254.170.2", "fd00:ec2::254", "168.63.129.16"]);
        check(AddressKind::Metadata, &["169.254.0.23", "64:ff9b:1::a9fe:a9fe", "64:ff9b:1:2::169.254.169.254"]);
        check(AddressKind::Loopback, &["64:ff9b:1::127.0.0.1"]);
        check(AddressKind::Private, &["64:ff9b:1::1.1.1.1"]);
        check(AddressKind::Metadata, &["100.100.100.200", "192.0.0.192", "fd20:ce::254", "fd00:ec2::23"]);
        check(AddressKind::Shared, &["100.64.0.1", "100.127.255.255"]);
        check(AddressKind::Multicast, &["224.0.0.1", "239.255.255.250", "255.255.255.255", "ff02::fb"]);
        check(AddressKind::Unspecified, &["0.0.0.0", "0.1.2.3", "::"]);
        check(
            AddressKind::Reserved,
            &["192.0.0.8", "240.0.0.1", "192.88.99.1", "100::1", "4000::1", "5f00::1", "2001:10::1"],
        );
        check(AddressKind::Documentation, &["192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "3fff::1"]);
        check(AddressKind::Benchmarking, &["198.18.0.1", "198.19.255.255", "2001:2::1"]);
    }

    #[test]
    fn an_address_within_another_counts() {
        let forms = ["::ffff:", "::ffff:0:", "64:ff9b::", "2a00::5efe:", "2a00:1:2:3:200:5efe:", "::"];
        for form in forms {
            check(AddressKind::Loopback, &[&format!("{form}127.0.0.1")]);
            check(AddressKind::Private, &[&format!("{form}10.0.0.1"), &format!("{form}192.168.1.1")]);
            check(AddressKind::Metadata, &[&format!("{form}169.254.169.254")]);
        }
        check(AddressKind::Public, &["::ffff:1.1.1.1", "64:ff9b::1.1.1.1", "2002:101:101::1", "2a00::5efe:1.1.1.1"]);
        // Nothing on the internet has these any more, whatever stands in them.
        check(AddressKind::Reserved, &["::1.1.1.1", "::ffff:0:1.1.1.1"]);
        check(AddressKind::Loopback, &["2002:7f00:1::1", "2001:0:7f00:1::", "2001:0:101:101::80ff:fffe"]);
        check(AddressKind::Private, &["2002:a00:1::1", "2002:c0a8:101::", "2001:0:101:101::f5ff:fffe"]);
        check(AddressKind::Public, &["2001:0:101:101::fefe:fefe"]);
    }

    #[test]
    fn this_machines_own_addresses_are_known_without_a_packet() {
        assert!(is_own("127.0.0.1".parse().unwrap()));
        assert!(!is_own("192.0.2.1".parse().unwrap()));
    }
}
