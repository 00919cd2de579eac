//! The server: opens the store, listens, serves, and ends in order.

use std::net::SocketAddr;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::session::{SessionError, Sessions};

use super::app::App;
use super::{ServeConfig, router};

/// Why a server could not start or go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The address is taken, or not one of this machine.
    #[error("cannot listen on {address}: {reason}")]
    Listen {
        /// Where it was to listen.
        address: SocketAddr,
        /// Why it cannot.
        reason: std::io::Error,
    },
    /// The store or the key.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// Accepting connections failed.
    #[error("the server ended: {0}")]
    Serve(std::io::Error),
}

impl ServeError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Listen { .. } => "listen_failed",
            Self::Session(error) => error.code(),
            Self::Serve(_) => "serve_failed",
        }
    }
}

/// A server that listens already.
pub struct Server {
    app: App,
    listener: TcpListener,
    address: SocketAddr,
}

impl Server {
    /// Opens the store and begins to listen; answers nobody before [`Self::run`].
    pub async fn bind(config: ServeConfig) -> Result<Self, ServeError> {
        let failed = |address| move |reason| ServeError::Listen { address, reason };
        let listener = TcpListener::bind(config.listen).await.map_err(failed(config.listen))?;
        let address = listener.local_addr().map_err(failed(config.listen))?;
        let sessions = Box::pin(Sessions::open(config.workspace.store.clone(), config.workspace.key.clone())).await?;
        Ok(Self { app: App::new(config, sessions), listener, address })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its store: for making tokens.
    pub fn sessions(&self) -> &Sessions {
        &self.app.sessions
    }

    /// Serves until `shutdown` is cancelled; then takes nothing new, lets what goes on come to its end, and saves.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), ServeError> {
        let Self { app, listener, .. } = self;
        let ending = app.ending.clone();
        let told = async move {
            shutdown.cancelled().await;
            ending.cancel();
        };
        axum::serve(listener, router::router(app)).with_graceful_shutdown(told).await.map_err(ServeError::Serve)
    }
}
