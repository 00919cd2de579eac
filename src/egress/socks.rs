//! The client's side of SOCKS 5 (RFC 1928, and RFC 1929 for user and password): asking a proxy for a connection by name.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use url::Host;

use super::dial::{not_reached, wants_credentials};
use super::policy::Target;
use super::tunnel::Stream;
use super::{Fault, Upstream};

const VERSION: u8 = 5;
const WITHOUT: u8 = 0;
const WITH_PASSWORD: u8 = 2;

/// Asks for a connection to `target` over one to `upstream`; the bytes that follow are the target's.
pub(super) async fn connect(stream: &mut dyn Stream, upstream: &Upstream, target: &Target) -> Result<(), Fault> {
    greet(stream, upstream).await?;
    let mut request = vec![VERSION, 1, 0];
    match &target.host {
        Host::Ipv4(ip) => {
            request.push(1);
            request.extend(ip.octets());
        }
        Host::Ipv6(ip) => {
            request.push(4);
            request.extend(ip.octets());
        }
        Host::Domain(name) => {
            let length = u8::try_from(name.len()).map_err(|_| not_reached(target, "its name is too long for SOCKS"))?;
            request.extend([3, length]);
            request.extend(name.as_bytes());
        }
    }
    request.extend(target.port.to_be_bytes());
    send(stream, &request).await?;
    let [version, reply, _, kind] = read::<4>(stream).await?;
    if version != VERSION {
        return Err(no_socks());
    }
    if reply != 0 {
        return Err(not_reached(target, &format!("the upstream proxy says: {}", meaning(reply))));
    }
    // The address that it uses: nobody wants to know, but it stands before the target's bytes.
    let rest = match kind {
        1 => 4,
        4 => 16,
        3 => usize::from(read::<1>(stream).await?[0]),
        _ => return Err(no_socks()),
    } + 2;
    let mut address = vec![0; rest];
    stream.read_exact(&mut address).await.map_err(|error| broken(&error))?;
    Ok(())
}

/// Settles who we are.
async fn greet(stream: &mut dyn Stream, upstream: &Upstream) -> Result<(), Fault> {
    let user = upstream.user().zip(upstream.password());
    let methods: &[u8] = if user.is_some() { &[VERSION, 2, WITHOUT, WITH_PASSWORD] } else { &[VERSION, 1, WITHOUT] };
    send(stream, methods).await?;
    match (read::<2>(stream).await?, user) {
        ([VERSION, WITHOUT], _) => Ok(()),
        ([VERSION, WITH_PASSWORD], Some((user, password))) => {
            let mut told = zeroize::Zeroizing::new(vec![1]);
            for text in [user, password.expose()] {
                // Neither is longer: that was checked where they were given.
                told.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
                told.extend(text.as_bytes());
            }
            send(stream, &told).await?;
            match read::<2>(stream).await? {
                [_, 0] => Ok(()),
                _ => Err(wants_credentials()),
            }
        }
        ([VERSION, _], _) => Err(wants_credentials()),
        _ => Err(no_socks()),
    }
}

async fn send(stream: &mut dyn Stream, bytes: &[u8]) -> Result<(), Fault> {
    let sent = async {
        stream.write_all(bytes).await?;
        stream.flush().await
    };
    sent.await.map_err(|error| broken(&error))
}

async fn read<const N: usize>(stream: &mut dyn Stream) -> Result<[u8; N], Fault> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes).await.map_err(|error| broken(&error))?;
    Ok(bytes)
}

fn broken(error: &io::Error) -> Fault {
    Fault::Upstream(format!("broke off: {error}"))
}

fn no_socks() -> Fault {
    Fault::Upstream("does not speak SOCKS 5".to_owned())
}

fn meaning(reply: u8) -> &'static str {
    match reply {
        2 => "its rules forbid it",
        3 => "the network cannot be reached",
        4 => "the host cannot be reached",
        5 => "the connection was refused",
        6 => "the time to live ran out",
        7 | 8 => "it cannot do that",
        _ => "it failed",
    }
}
