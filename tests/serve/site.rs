//! A site for page requests: cookies of all kinds, redirects, charsets, a wizard with a cart, several matches.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::Query;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{AppendHeaders, Html, IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;
use tokio_util::sync::{CancellationToken, DropGuard};

/// A running site; it stops when dropped.
pub struct Site {
    address: SocketAddr,
    _stop: DropGuard,
}

impl Site {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
        let serve = axum::serve(listener, router()).with_graceful_shutdown(stop.clone().cancelled_owned());
        tokio::spawn(async move { serve.await.unwrap() });
        Self { address, _stop: stop.drop_guard() }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

fn router() -> Router {
    Router::new()
        .route("/", get(|| async { Html("<!doctype html><title>Start</title><h1>Start</h1>") }))
        .route("/echo", get(echo))
        .route("/set", get(set))
        .route("/hop", get(hop))
        .route("/loop", get(|| async { (StatusCode::FOUND, [(header::LOCATION, "/loop")]) }))
        .route(
            "/latin",
            get(|| async {
                ([(header::CONTENT_TYPE, "text/html")], b"<meta charset=iso-8859-1><p>caf\xe9".as_slice())
            }),
        )
        .route("/json", get(|| async { ([(header::CONTENT_TYPE, "application/json")], "{\"a\":1}") }))
        .route("/picture", get(|| async { ([(header::CONTENT_TYPE, "image/png")], b"\x89PNG\0".as_slice()) }))
        .route("/large", get(|| async { "x".repeat(17 << 20) }))
        .route("/missing", get(|| async { (StatusCode::NOT_FOUND, Html("<h1>gone</h1>")) }))
        .route("/orders", get(|| async { Html(ORDERS) }))
        .route("/several", get(|| async { Html(SEVERAL) }))
        .route("/wizard", get(|| async { Html(WIZARD) }))
        .route("/hanging", get(|| async { Html("<title>Hanging</title><img src=\"/never\">") }))
        .route("/never", get(std::future::pending::<()>))
        .route("/late", get(|| async { Html(LATE) }))
        .route("/long", get(|| async { Html(LONG) }))
        .route("/device", get(|| async { Html(DEVICE) }))
        .route("/endless", get(|| async { Html("<script>document.title = 'on'; for (;;) {}</script>") }))
}

/// What the request told, as text.
async fn echo(headers: HeaderMap) -> String {
    let told = |name: header::HeaderName| headers.get(name).map_or("-", |value| value.to_str().unwrap()).to_owned();
    format!("cookie: {}\nagent: {}\n", told(header::COOKIE), told(header::USER_AGENT))
}

async fn set() -> Response {
    let cookies = [
        "plain=1; Path=/",
        "kept=2; Path=/; Max-Age=3600; SameSite=Lax",
        "strict=3; Path=/; SameSite=Strict; HttpOnly",
        "elsewhere=4; Path=/other",
        "__Host-bad=5; Path=/",
        "foreign=6; Domain=example.com",
        "over=7; Path=/; Max-Age=0",
    ];
    let headers = AppendHeaders(cookies.map(|cookie| (header::SET_COOKIE, cookie)));
    (headers, Html("<h1>set</h1>")).into_response()
}

#[derive(Deserialize)]
struct Hop {
    left: u32,
}

/// Redirects, and sets a cookie on the way.
async fn hop(Query(Hop { left }): Query<Hop>) -> Response {
    if left == 0 {
        return Html("<h1>there</h1>").into_response();
    }
    let headers = AppendHeaders([
        (header::LOCATION, format!("/hop?left={}", left - 1)),
        (header::SET_COOKIE, format!("hop{left}=1; Path=/")),
    ]);
    (StatusCode::FOUND, headers).into_response()
}

const SEVERAL: &str = "<!doctype html><title>Several</title><ul><li><button onclick=\"out.textContent += 'first'\">Go</button>
<li><button onclick=\"out.textContent += 'second'\">Go</button></ul><p id=out></p><a class=link href='/next?a=1'>Next</a>
<input id=field><select id=choice><option value=a>One<option value=b>Two</select><input type=checkbox id=box>";

/// Three steps, whose cart is in sessionStorage and whose place in the wizard is too.
const WIZARD: &str = "<!doctype html><title>Wizard</title><p id=cart></p><button id=add>Add</button><button id=next>Next</button><p id=step></p>
<script>
const cart = () => JSON.parse(sessionStorage.getItem('cart') ?? '[]');
const show = () => {
  document.querySelector('#cart').textContent = cart().join(',');
  document.querySelector('#step').textContent = sessionStorage.getItem('step') ?? '1';
};
document.querySelector('#add').onclick = () => { sessionStorage.setItem('cart', JSON.stringify([...cart(), 'item' + (cart().length + 1)])); show(); };
document.querySelector('#next').onclick = () => { sessionStorage.setItem('step', Number(sessionStorage.getItem('step') ?? '1') + 1); show(); };
show();
</script>";

const LATE: &str = "<!doctype html><title>Late</title><script>setTimeout(() => document.body.insertAdjacentHTML('beforeend', '<p class=late hidden>late</p>'), 200)</script>";

const LONG: &str = "<!doctype html><title>Long</title><div id=rows></div><script>
const rows = document.querySelector('#rows'); let count = 0;
const more = () => { if (count < 3) { count += 1; rows.insertAdjacentHTML('beforeend', `<div class=row style='height:2000px'>${count}</div>`); } };
addEventListener('scroll', () => { if (innerHeight + scrollY >= document.documentElement.scrollHeight - 5) more(); });
more();
</script>";

const DEVICE: &str = "<!doctype html><meta name=viewport content='width=device-width'><title>Device</title><p id=agent></p><p id=width></p><script>
agent.textContent = navigator.userAgent; width.textContent = innerWidth;</script>";

const ORDERS: &str = "<!doctype html><html lang=en><head><title>Orders of today</title><meta name=description content='What was ordered'></head>
<body><h1>Orders</h1><table><thead><tr><th>Order ID</th><th>Date</th><th>Status</th></tr></thead><tbody>
<tr class=order><td class=id><a href='/order/A-1000'>A-1000</a></td><td>2026-10-28</td><td>open</td></tr>
<tr class=order><td class=id><a href='/order/A-1001'>A-1001</a></td><td>2026-10-19</td><td>shipped</td></tr>
<tr class=order><td class=id><a href='/order/A-1002'>A-1002</a></td><td>2026-10-10</td><td>delivered</td></tr>
</tbody></table></body></html>";
