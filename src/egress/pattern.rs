//! Patterns of `--allow-host` and `--deny-host`: a name with `*`, an address, or a range of them; with a port or without.

use std::net::IpAddr;

use ipnet::IpNet;
use url::Host;

use super::EgressError;

/// One of them.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    /// As it was given.
    pub(super) text: String,
    what: What,
    /// Any where none.
    port: Option<u16>,
}

#[derive(Debug, Clone)]
enum What {
    /// `*` stands for any characters, dots too. It fits names only, never the text of an address.
    Name(String),
    Net(IpNet),
}

impl Pattern {
    /// Reads one; fails with `invalid_argument`, which says what it should look like.
    pub(super) fn read(text: &str) -> Result<Self, EgressError> {
        let wrong = |reason: &'static str| EgressError::Pattern { pattern: text.to_owned(), reason };
        let (host, port) = split_port(text.trim()).ok_or_else(|| wrong("its port is no number from 1 to 65535"))?;
        let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
        let what = if let Ok(net) = bare.parse::<IpNet>() {
            What::Net(net.trunc())
        } else if let Ok(ip) = bare.parse::<IpAddr>() {
            What::Net(ip.to_canonical().into())
        } else {
            if bare.split('.').all(|label| label == "*" || label.bytes().all(|byte| byte.is_ascii_digit()))
                && bare.bytes().any(|byte| byte.is_ascii_digit())
            {
                return Err(wrong("a range of addresses is written as 10.0.0.0/8"));
            }
            match Host::parse(bare.trim_end_matches('.')) {
                Ok(Host::Domain(name)) if name.bytes().all(is_of_names) => What::Name(name),
                Ok(Host::Ipv4(ip)) => What::Net(IpAddr::V4(ip).into()),
                _ => return Err(wrong("neither a name, with `*` for any part, nor an address, nor a range of them")),
            }
        };
        Ok(Self { text: text.trim().to_owned(), what, port })
    }

    /// Whether it is for this name, which is in its plain spelling: lower case, no dot at its end.
    pub(super) fn fits_name(&self, name: &str, port: u16) -> bool {
        self.fits_port(port) && matches!(&self.what, What::Name(glob) if fits(glob.as_bytes(), name.as_bytes()))
    }

    /// Whether it is for this address.
    pub(super) fn fits_address(&self, ip: IpAddr, port: u16) -> bool {
        self.fits_port(port) && matches!(&self.what, What::Net(net) if net.contains(&ip))
    }

    fn fits_port(&self, port: u16) -> bool {
        self.port.is_none_or(|wanted| wanted == port)
    }
}

fn is_of_names(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'*')
}

/// The port behind the last colon; more than one colon without brackets is IPv6 without a port.
fn split_port(text: &str) -> Option<(&str, Option<u16>)> {
    let split = match text.rfind("]:") {
        Some(bracket) => Some((&text[..=bracket], &text[bracket + 2..])),
        None if text.bytes().filter(|byte| *byte == b':').count() == 1 => text.split_once(':'),
        None => None,
    };
    match split {
        None => Some((text, None)),
        Some((host, "*")) => Some((host, None)),
        Some((host, port)) => port.parse().ok().filter(|port| *port > 0).map(|port| (host, Some(port))),
    }
}

/// Whether `text` is what `glob` says; both are short.
fn fits(glob: &[u8], text: &[u8]) -> bool {
    match glob.split_first() {
        None => text.is_empty(),
        Some((b'*', rest)) => (0..=text.len()).any(|skipped| fits(rest, &text[skipped..])),
        Some((wanted, rest)) => text.split_first().is_some_and(|(found, after)| wanted == found && fits(rest, after)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_with_their_port() {
        let check = |pattern: &str, name: &str, port: u16, wanted: bool| {
            assert_eq!(Pattern::read(pattern).unwrap().fits_name(name, port), wanted, "{pattern} on {name}:{port}");
        };
        check("intranet.example", "intranet.example", 80, true);
        check("Intranet.Example.", "intranet.example", 80, true);
        check("intranet.example:8080", "intranet.example", 80, false);
        check("intranet.example:8080", "intranet.example", 8080, true);
        check("*.example", "a.b.example", 80, true);
        check("*.example", "example", 80, false);
        check("*.example", "a.example.evil.test", 80, false);
        check("*:443", "a.example", 443, true);
        check("*", "127.0.0.1", 80, true);
        check("b\u{fc}cher.example", "xn--bcher-kva.example", 80, true);
    }

    #[test]
    fn addresses_fit_in_every_spelling() {
        let check = |pattern: &str, ip: &str, port: u16, wanted: bool| {
            let ip = ip.parse().unwrap();
            assert_eq!(Pattern::read(pattern).unwrap().fits_address(ip, port), wanted, "{pattern} on {ip}:{port}");
        };
        check("127.0.0.1:8080", "127.0.0.1", 8080, true);
        check("127.0.0.1:8080", "127.0.0.1", 8081, false);
        check("0x7f.1", "127.0.0.1", 80, true);
        check("10.1.2.3/8", "10.200.0.1", 80, true);
        check("10.0.0.0/8:80", "10.200.0.1", 443, false);
        check("::1", "::1", 80, true);
        check("[::1]:80", "::1", 80, true);
        check("[fd00::/8]:80", "fd12::1", 80, true);
        check("fd00::/8", "fd12::1", 80, true);
        check("::ffff:127.0.0.1", "127.0.0.1", 80, true);
        check("*", "10.0.0.1", 80, false);
    }

    #[test]
    fn what_cannot_be_a_pattern_is_told() {
        for wrong in
            ["", "a b", "a.example:0", "a.example:http", "10.0.*", "10.0.0.0/33", "http://a.example", "a/b", "{a,b}"]
        {
            let error = Pattern::read(wrong).unwrap_err();
            assert_eq!(error.code(), "invalid_argument", "{wrong}");
            assert!(error.to_string().contains(&format!("`{wrong}`")), "{error}");
        }
    }
}
