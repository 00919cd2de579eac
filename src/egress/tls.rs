//! TLS to an upstream proxy.

use std::io;
use std::sync::Arc;

use rustls_platform_verifier::BuilderVerifierExt as _;
use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{self, ClientConfig};

use super::policy::Target;
use super::tunnel::Stream;

/// What the system trusts, read once.
static SYSTEM: OnceCell<Arc<ClientConfig>> = OnceCell::const_new();

/// Proves that `stream` leads to `target`; `config` says by what, the system where it is none.
pub(super) async fn secure(
    stream: TcpStream,
    target: &Target,
    config: Option<&Arc<ClientConfig>>,
) -> io::Result<Box<dyn Stream>> {
    let config = match config {
        Some(config) => config,
        None => SYSTEM.get_or_try_init(system).await?,
    };
    let name = ServerName::try_from(target.name()).map_err(io::Error::other)?;
    Ok(Box::new(TlsConnector::from(config.clone()).connect(name, stream).await?))
}

async fn system() -> io::Result<Arc<ClientConfig>> {
    // Reads the system's certificates.
    let read = tokio::task::spawn_blocking(|| {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = builder.and_then(rustls::ConfigBuilder::with_platform_verifier);
        builder.map(|builder| Arc::new(builder.with_no_client_auth())).map_err(io::Error::other)
    });
    read.await.map_err(io::Error::other)?
}
