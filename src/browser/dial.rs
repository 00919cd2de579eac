//! The way to a remote browser: TCP, under TLS where its address says so (`wss`).

use std::io;
use std::sync::Arc;

use rustls_platform_verifier::BuilderVerifierExt as _;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{self, ClientConfig};
use url::{Host, Url};

/// What bytes go through both ways.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Connects to the machine that a `ws` or `wss` address names; with Nagle's algorithm off, which would hold back each message until the
/// one before is acknowledged. The other end of `wss` has to prove by what the system trusts that it is that one.
pub(super) async fn dial(address: &str) -> io::Result<Box<dyn Stream>> {
    let url = Url::parse(address).map_err(io::Error::other)?;
    let port = url.port_or_known_default().unwrap_or(80);
    let (stream, name) = match url.host() {
        Some(Host::Domain(name)) => (TcpStream::connect((name, port)).await?, name.to_owned()),
        Some(Host::Ipv4(ip)) => (TcpStream::connect((ip, port)).await?, ip.to_string()),
        Some(Host::Ipv6(ip)) => (TcpStream::connect((ip, port)).await?, ip.to_string()),
        None => return Err(io::Error::other("a host is wanted")),
    };
    stream.set_nodelay(true)?;
    match url.scheme() {
        "ws" => Ok(Box::new(stream)),
        "wss" => {
            let name = ServerName::try_from(name).map_err(io::Error::other)?;
            Ok(Box::new(TlsConnector::from(trusted().await?).connect(name, stream).await?))
        }
        other => Err(io::Error::other(format!("ws:// or wss:// is wanted, found {other}://"))),
    }
}

/// What the system trusts.
async fn trusted() -> io::Result<Arc<ClientConfig>> {
    // Reads the system's certificates.
    let read = tokio::task::spawn_blocking(|| {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = builder.and_then(rustls::ConfigBuilder::with_platform_verifier);
        builder.map(|builder| Arc::new(builder.with_no_client_auth())).map_err(io::Error::other)
    });
    read.await.map_err(io::Error::other)?
}
