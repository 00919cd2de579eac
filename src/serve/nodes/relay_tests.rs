//! What is passed on, between two servers of a test's own: a front that has only the relay, and one behind it.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use futures_util::stream::once;
use futures_util::{SinkExt, StreamExt};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};
use tokio_util::sync::CancellationToken;

use super::headers;
use super::relay::{Failed, Relay};

/// How many frames of how many bytes a flood has: more than all buffers on the way take.
const FLOOD: (usize, usize) = (1_024, 64 << 10);

/// What the server behind tells the test.
#[derive(Clone, Default)]
struct Behind {
    sent: Arc<AtomicUsize>,
    flooding: Arc<Notify>,
    flooded: Arc<Notify>,
    first_was_read: Arc<Notify>,
}

struct Rig {
    front: String,
    /// Host and port of what is behind.
    back: String,
    behind: Behind,
    cut: CancellationToken,
}

async fn serve(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

impl Rig {
    async fn start() -> Self {
        let (behind, cut) = (Behind::default(), CancellationToken::new());
        let router = Router::new()
            .route("/socket", get(socket))
            .route("/said", any(said))
            .route("/events", get(events))
            .route("/silent", any(silent));
        let base: reqwest::Url = serve(router.with_state(behind.clone())).await.parse().unwrap();
        let back = base.authority().to_owned();
        let (relay, told) = (Arc::new(Relay::new()), cut.clone());
        let pass = move |request: Request| async move {
            let url = base.join(request.uri().path_and_query().unwrap().as_str()).unwrap();
            let answer = relay.carry(url, request, told.cancelled_owned()).await;
            answer.unwrap_or_else(|error| (StatusCode::SERVICE_UNAVAILABLE, error.to_string()).into_response())
        };
        Self { front: serve(Router::new().fallback(pass)).await, back, behind, cut }
    }

    async fn socket(&self) -> WebSocketStream<impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + use<>> {
        let url = format!("{}/socket", self.front.replace("http:", "ws:"));
        let (socket, answer) = tokio_tungstenite::connect_async(url).await.unwrap();
        assert_eq!(answer.headers()["x-behind"], "1");
        socket
    }
}

/// Speaks WebSocket: sends back what comes, and does what some words ask for.
async fn socket(State(behind): State<Behind>, mut request: Request) -> Response {
    assert!(headers::asks_for_socket(request.headers()));
    let key = derive_accept_key(request.headers()[header::SEC_WEBSOCKET_KEY].as_bytes());
    let upgraded = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let io = TokioIo::new(upgraded.await.unwrap());
        let mut socket = WebSocketStream::from_raw_socket(io, Role::Server, None).await;
        while let Some(Ok(message)) = socket.next().await {
            match message {
                Message::Text(text) if text == "flood" => flood(&behind, &mut socket).await,
                Message::Text(text) if text == "bye" => {
                    let frame = CloseFrame { code: 4001.into(), reason: Utf8Bytes::from_static("as asked") };
                    socket.close(Some(frame)).await.unwrap();
                }
                Message::Text(_) | Message::Binary(_) => socket.send(message).await.unwrap(),
                _ => {}
            }
        }
    });
    let mut headers = HeaderMap::new();
    headers::say_socket(&mut headers);
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, key.parse().unwrap());
    headers.insert("x-behind", "1".parse().unwrap());
    (StatusCode::SWITCHING_PROTOCOLS, headers).into_response()
}

async fn flood<S>(behind: &Behind, socket: &mut WebSocketStream<S>)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    for number in 0..FLOOD.0 {
        socket.send(Message::Binary(Bytes::from(vec![0; FLOOD.1]))).await.unwrap();
        behind.sent.store(number + 1, Ordering::SeqCst);
        behind.flooding.notify_one();
    }
    behind.flooded.notify_one();
}

/// Says what came.
async fn said(request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let mut headers = parts.headers;
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    headers.insert("x-method", parts.method.as_str().parse().unwrap());
    headers.insert("x-path", parts.uri.to_string().parse().unwrap());
    let told: Vec<String> =
        headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
    let answer = [("x-own", "2"), ("connection", "x-own"), ("content-encoding", "gzip"), ("x-told", "3")];
    (StatusCode::IM_A_TEAPOT, answer, format!("{}\n\n{}", told.join("\n"), body.len())).into_response()
}

/// Takes a request and never answers.
async fn silent(State(behind): State<Behind>) -> Response {
    behind.flooding.notify_one();
    std::future::pending().await
}

/// The second event comes once the first was read.
async fn events(State(behind): State<Behind>) -> Response {
    let second = async move {
        behind.first_was_read.notified().await;
        Ok::<_, Infallible>("data: 2\n\n")
    };
    let events = futures_util::stream::iter([Ok("data: 1\n\n")]).chain(once(second));
    ([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(events)).into_response()
}

#[tokio::test]
async fn a_socket_goes_both_ways_and_closes_as_either_side_says() {
    let rig = Rig::start().await;
    let mut socket = rig.socket().await;
    for message in [Message::text("\u{e4}"), Message::binary(vec![7; 3 << 20]), Message::text("")] {
        socket.send(message.clone()).await.unwrap();
        assert!(socket.next().await.unwrap().unwrap() == message);
    }
    socket.send(Message::text("bye")).await.unwrap();
    let Message::Close(Some(frame)) = socket.next().await.unwrap().unwrap() else { panic!("no close") };
    assert_eq!((u16::from(frame.code), &*frame.reason), (4001, "as asked"));
    assert!(socket.next().await.is_none(), "and nothing after it");

    let mut socket = rig.socket().await;
    let frame = CloseFrame { code: 4002.into(), reason: Utf8Bytes::from_static("enough") };
    socket.close(Some(frame)).await.unwrap();
    // The other side's own word for it, which it says only once it has read ours.
    let Message::Close(Some(frame)) = socket.next().await.unwrap().unwrap() else { panic!("no close") };
    assert_eq!(u16::from(frame.code), 4002);
    assert!(socket.next().await.is_none());
}

#[tokio::test]
async fn what_is_not_read_is_not_gathered_on_the_way() {
    let rig = Rig::start().await;
    let mut socket = rig.socket().await;
    socket.send(Message::text("flood")).await.unwrap();
    rig.behind.flooding.notified().await;
    // However long one waits: it cannot be done before somebody reads.
    let waited = std::time::Duration::from_millis(300);
    assert!(tokio::time::timeout(waited, rig.behind.flooded.notified()).await.is_err());
    assert!(rig.behind.sent.load(Ordering::SeqCst) < FLOOD.0);
    for _ in 0..FLOOD.0 {
        assert_eq!(socket.next().await.unwrap().unwrap().into_data().len(), FLOOD.1);
    }
    rig.behind.flooded.notified().await;
}

#[tokio::test]
async fn a_socket_ends_where_it_is_cut() {
    let rig = Rig::start().await;
    let mut socket = rig.socket().await;
    socket.send(Message::text("1")).await.unwrap();
    socket.next().await.unwrap().unwrap();
    rig.cut.cancel();
    assert!(!matches!(socket.next().await, Some(Ok(_))));
}

#[tokio::test]
async fn requests_and_answers_go_through_without_what_is_about_the_connection() {
    let rig = Rig::start().await;
    let client = reqwest::Client::builder().no_proxy().no_gzip().build().unwrap();
    let body = reqwest::Body::wrap_stream(futures_util::stream::iter(vec![Ok::<_, Infallible>(vec![1; 100_000]); 20]));
    let request = client.put(format!("{}/said?a=%20b&c", rig.front)).body(body);
    let request = request.header("host", "public.example").header("x-mine", "4").header("te", "trailers");
    let answer = request.header("authorization", "Bearer x").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::IM_A_TEAPOT);
    let of_answer = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap());
    assert_eq!((of_answer("x-own"), of_answer("x-told")), (None, Some("3")));
    assert_eq!(of_answer("content-encoding"), Some("gzip"), "as it came");
    let text = answer.text().await.unwrap();
    // As the other server is called; what the client called this one is told beside it.
    let host = format!("host: {}", rig.back);
    for said in [&*host, "x-mine: 4", "authorization: Bearer x", "x-method: PUT", "x-path: /said?a=%20b&c"] {
        assert!(text.contains(said), "{said} is missing in\n{text}");
    }
    assert!(!text.contains("te: ") && text.ends_with("\n\n2000000"), "{text}");
}

#[tokio::test]
async fn events_come_as_they_are_told() {
    let rig = Rig::start().await;
    let mut answer = reqwest::get(format!("{}/events", rig.front)).await.unwrap();
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    assert_eq!(answer.chunk().await.unwrap().unwrap(), "data: 1\n\n");
    rig.behind.first_was_read.notify_one();
    assert_eq!(answer.chunk().await.unwrap().unwrap(), "data: 2\n\n");
    assert_eq!(answer.chunk().await.unwrap(), None);
}

#[tokio::test]
async fn an_answer_that_does_not_begin_is_waited_for_until_it_is_cut() {
    let rig = Rig::start().await;
    let asked = tokio::spawn(reqwest::Client::new().post(format!("{}/silent", rig.front)).send());
    rig.behind.flooding.notified().await;
    rig.cut.cancel();
    let answer = asked.await.unwrap().unwrap();
    assert_eq!(
        (answer.status(), answer.text().await.unwrap()),
        (StatusCode::SERVICE_UNAVAILABLE, Failed::Cut.to_string())
    );
}

#[tokio::test]
async fn nobody_there_is_told() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let url = format!("http://{gone}/secret?token=swordfish").parse().unwrap();
    let request = Request::new(Body::empty());
    let failed = Relay::new().carry(url, request, std::future::pending()).await.unwrap_err();
    assert!(matches!(failed, Failed::Away(_)) && !failed.to_string().contains("swordfish"), "{failed}");
}
