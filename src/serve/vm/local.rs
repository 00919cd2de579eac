//! The live page of one session at an address of this machine, for who has a command line and no display: page, socket and downloads are
//! those of a server's live browsers, and nothing else is there.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{Path, Request, State};
use axum::middleware;
use axum::response::Response;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use zeroize::Zeroizing;

use crate::base::Tenant;
use crate::live::Live;
use crate::live::wire::Role;

use super::super::app::url_of;
use super::super::error::ApiError;
use super::super::nodes;
use super::super::request_id::{self, random_id};
use super::super::server::{ServeError, serve};
use super::key::{self, Opens};
use super::peer::{Peer, READING};
use super::socket::{self, Shown};
use super::{assets, downloads};

/// How long whoever looks on may be silent.
const PATIENCE: Duration = Duration::from_mins(1);
/// How long accepting waits where the system has no descriptor left.
const BREATH: Duration = Duration::from_millis(100);

/// The live page of one session. Served until it is closed or dropped; the session is somebody else's.
pub struct LivePage {
    page: Local,
    url: String,
    _serving: DropGuard,
}

/// What its handlers share.
#[derive(Clone)]
struct Local(Arc<Inner>);

struct Inner {
    id: String,
    live: Live,
    /// Proves the tokens.
    key: Zeroizing<String>,
    address: SocketAddr,
    /// Sockets of pages that are open.
    sockets: TaskTracker,
    ending: CancellationToken,
}

/// An address that a live page can be served at.
pub struct LiveAddress {
    listener: TcpListener,
    address: SocketAddr,
}

impl LiveAddress {
    /// Begins to listen; answers nobody before [`Self::show`].
    pub async fn bind(address: SocketAddr) -> Result<Self, ServeError> {
        let failed = |reason| ServeError::Listen { address, reason };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address })
    }

    /// Serves the page of `live` from now on. To be called on a tokio runtime.
    pub fn show(self, live: Live) -> LivePage {
        let Self { listener, address } = self;
        let (ending, sockets) = (CancellationToken::new(), TaskTracker::new());
        let inner = Inner { id: random_id(), live, key: key::new_key(), address, sockets, ending: ending.clone() };
        let page = Local(Arc::new(inner));
        tokio::spawn(accept(listener, router(page.clone()), ending.clone()));
        // Once: a token tells when it runs out, and whoever asks twice is to get one address.
        let Inner { id, address, .. } = &*page.0;
        let url = format!("{}/live/{id}#token={}", url_of(*address), page.token(Opens::Control));
        LivePage { page, url, _serving: ending.drop_guard() }
    }
}

impl LivePage {
    /// The address of the page, with what lets in to steer in its fragment, which no browser sends to anybody. Good for 24 hours; whoever is
    /// in by then stays.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.page.0.address
    }

    /// Takes nobody new, and waits a moment until all have been told what there was to tell. To be called once the session is live no more.
    pub async fn close(&self) {
        let Inner { sockets, ending, .. } = &*self.page.0;
        ending.cancel();
        sockets.close();
        let _ = tokio::time::timeout(READING, sockets.wait()).await;
    }
}

impl Local {
    fn token(&self, opens: Opens) -> String {
        key::token(&self.0.key, &Tenant::default(), &self.0.id, opens, key::GOOD_FOR)
    }

    /// Whether the token is one of this page, and opens that.
    fn admits(&self, id: &str, token: Option<&str>, wanted: Opens) -> Result<(), ApiError> {
        let token = token.and_then(key::read).filter(|token| id == self.0.id && token.is_of(&self.0.key, id));
        match token {
            Some(token) if token.opens == wanted => Ok(()),
            Some(_) => Err(ApiError::new("forbidden", "this token does not open that")),
            None => Err(ApiError::new("unauthorized", "the address that was told has the token that is wanted here")),
        }
    }
}

impl Shown for Local {
    fn live(&self) -> &Live {
        &self.0.live
    }

    fn href(&self, download: &str) -> String {
        downloads::href(&self.0.id, download, &self.token(Opens::Files))
    }

    async fn over(&self) {
        self.0.ending.cancelled().await;
    }
}

fn router(page: Local) -> Router {
    let (assets, _) = assets::routes().split_for_parts();
    assets
        .route("/live/{id}/socket", get(watch))
        .route("/live/{id}/downloads/{download}/{token}", get(download))
        .fallback(async || ApiError::new("not_found", "there is nothing at this path"))
        .layer(middleware::from_fn(request_id::tell))
        .with_state(page)
}

async fn accept(listener: TcpListener, router: Router, ending: CancellationToken) {
    loop {
        tokio::select! {
            biased;
            () = ending.cancelled() => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => drop(tokio::spawn(serve(stream, peer, router.clone(), ending.clone()))),
                Err(_) => tokio::time::sleep(BREATH).await,
            }
        }
    }
}

async fn watch(
    State(page): State<Local>,
    Path(id): Path<String>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    request: Request,
) -> Result<Response, ApiError> {
    let upgrade = upgrade.map_err(|_| ApiError::invalid("upgrade", "a WebSocket is wanted here"))?;
    let host = nodes::host(request.extensions(), request.headers());
    socket::check_origin(&url_of(page.0.address), host, request.headers())?;
    let admitted = page.admits(&id, socket::offered(request.headers()), Opens::Control);
    let (sockets, peer) = (page.0.sockets.clone(), Peer::person(request.extensions(), PATIENCE));
    Ok(socket::prepared(upgrade, socket::MAX_MESSAGE).on_upgrade(move |socket| async move {
        let served = async {
            match admitted {
                Ok(()) => socket::carry(&page, Role::Control, socket, &peer, || {}).await,
                // A page is not told why a handshake failed: it is told here.
                Err(error) => socket::refuse(socket, &error, &peer).await,
            }
        };
        sockets.track_future(served).await;
    }))
}

async fn download(
    State(page): State<Local>,
    Path((id, download, token)): Path<(String, String, String)>,
) -> Result<Response, ApiError> {
    page.admits(&id, Some(&token), Opens::Files)?;
    downloads::sent(&page.0.live, &download).await
}
