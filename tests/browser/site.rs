//! A site for these tests: the same pages on two hosts, so that one is another site to the other.

use axum::Router;
use axum::response::{Html, IntoResponse};
use axum::routing::get;

pub struct Site {
    port: u16,
    server: tokio::task::JoinHandle<()>,
}

impl Site {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let other = format!("http://localhost:{port}");
        let script =
            |text: &'static str| move || async move { ([("content-type", "text/javascript")], text).into_response() };
        let app = Router::new()
            .route("/", get(|| async { Html("<title>plain</title><p>plain</p>") }))
            .route(
                "/frames",
                get(move || async move { Html(format!("<title>frames</title><iframe src='{other}/'></iframe>")) }),
            )
            .route(
                "/worker",
                get(|| async { Html("<script>const w = new Worker('/worker.js'); w.onmessage = e => { document.title = e.data }</script>") }),
            )
            .route("/worker.js", get(script("postMessage('from the worker')")))
            .route(
                "/service",
                get(|| async {
                    Html("<script>navigator.serviceWorker.register('/sw.js').then(() => navigator.serviceWorker.ready).then(() => { document.title = 'ready' })</script>")
                }),
            )
            .route("/sw.js", get(script("self.addEventListener('fetch', () => {})")));
        let server = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { port, server }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.server.abort();
    }
}
