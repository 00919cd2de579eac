//! Floor 1: the practice site that examples, the demo and the tests use: a login, orders to extract, and a page for
//! each way in which a button can be hard to click or a server can misbehave.
//!
//! Everything is in memory and nothing is loaded from elsewhere. It must not know that a browser, a session or a
//! script exists: to it every visitor is a stranger with cookies.

mod account;
mod clicks;
mod faults;
mod feed;
mod form;
mod html;
mod orders;
mod state;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use account::{EMAIL, PASSWORD};
pub use feed::FEED_COUNT;
pub use orders::ORDER_COUNT;

use state::{Shared, Site};

/// A running practice site; it stops when dropped.
#[derive(Debug)]
pub struct Practice {
    url: String,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Practice {
    /// Starts one on `address` (port 0 for any free one). Has to be called within a tokio runtime; fails where the
    /// address cannot be listened on.
    pub async fn start(address: SocketAddr) -> std::io::Result<Practice> {
        let listener = TcpListener::bind(address).await?;
        let bound = listener.local_addr()?;
        // An unspecified address is one to listen on, not one to go to.
        let host = if bound.ip().is_unspecified() { Ipv4Addr::LOCALHOST.into() } else { bound.ip() };
        let stop = CancellationToken::new();
        let site = Arc::new(Site::new(stop.clone()));
        let serve = axum::serve(listener, router(site)).with_graceful_shutdown(stop.clone().cancelled_owned());
        let task = tokio::spawn(async move {
            if let Err(error) = serve.await {
                tracing::warn!(%error, "the practice site ended");
            }
        });
        Ok(Practice { url: format!("http://{}", SocketAddr::new(host, bound.port())), stop, task })
    }

    /// Its base URL, `http://127.0.0.1:PORT`, without a slash at the end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Runs until dropped or the process ends.
    pub async fn serve(mut self) {
        // An error here means that the task panicked or the runtime is going away: over in either case.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Practice {
    fn drop(&mut self) {
        // Graceful rather than an abort: an abort would leave the connections' own tasks running.
        self.stop.cancel();
    }
}

fn router(site: Shared) -> Router {
    Router::new()
        .route("/", get(|| async { html::page("Practice site", "", include_str!("pages/index.html")) }))
        .merge(account::routes())
        .merge(orders::routes())
        .merge(form::routes())
        .merge(feed::routes())
        .merge(clicks::routes())
        .merge(faults::routes())
        .route("/api/visits", get(visits))
        .route("/api/reset", post(reset))
        .fallback(|| async { (StatusCode::NOT_FOUND, html::message("Not found", "There is no such page here.")) })
        .layer(middleware::from_fn_with_state(Arc::clone(&site), count))
        .with_state(site)
}

/// Counts the request, and keeps every page out of caches so that a count is a visit.
async fn count(State(site): State<Shared>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if !matches!(path, "/api/visits" | "/api/reset") {
        let name = match *request.method() {
            Method::GET => path.to_owned(),
            ref other => format!("{other} {path}"),
        };
        site.count_visit(name);
    }
    let mut response = next.run(request).await;
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

async fn visits(State(site): State<Shared>) -> Response {
    html::json(&site.visits())
}

async fn reset(State(site): State<Shared>) -> Response {
    site.reset();
    StatusCode::NO_CONTENT.into_response()
}
