//! A live browser over its real socket, served by a `rhaven serve` of its own: from a key to the picture of what it did, and what looking on
//! costs that process (its Chromium not counted) for a page that stands still and for one that moves at 24 pictures a second.

#![allow(missing_docs, clippy::expect_used, clippy::print_stdout, reason = "a bench stops where its browser does")]

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use rhaven::live::wire::FrameHead;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

/// How long the processor time is measured.
const MEASURED: Duration = Duration::from_secs(10);
/// So long after something happened nothing more comes of it.
const CALM: Duration = Duration::from_secs(3);
const KEYS: usize = 60;

/// Turns another colour with `k`; moves from one `m` to the next.
const PAGE: &str = "<!doctype html><body style='margin:0;height:720px'><div id=box style='width:300px;height:300px;background:red'></div>
    <script>let on = false, moving = false, at = 0;
    addEventListener('keydown', event => { if (event.key === 'm') { moving = !moving; step(); }
        else document.body.style.background = (on = !on) ? 'teal' : 'gold'; });
    const step = () => { if (!moving) return; box.style.marginLeft = (at = (at + 5) % 900) + 'px'; requestAnimationFrame(step); };</script>";

/// A server, which ends with it.
struct Serving {
    child: Child,
    base: String,
    token: String,
    _home: tempfile::TempDir,
}

impl Drop for Serving {
    fn drop(&mut self) {
        let pid = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw);
        let _ = pid.map(|pid| rustix::process::kill_process(pid, rustix::process::Signal::TERM));
        let _ = self.child.wait();
    }
}

impl Serving {
    fn start() -> Self {
        let home = tempfile::tempdir().expect("a folder");
        let mut command = Command::new(env!("CARGO_BIN_EXE_rhaven"));
        command.args(["serve", "--listen", "127.0.0.1:0", "--no-sandbox", "--allow-private"]);
        for (name, below) in [("HOME", ""), ("XDG_CONFIG_HOME", "c"), ("XDG_DATA_HOME", "d"), ("XDG_STATE_HOME", "s")] {
            command.env(name, home.path().join(below));
        }
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        let mut base = String::new();
        BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut base).expect("its address");
        let mut lines = BufReader::new(child.stderr.take().expect("a pipe")).lines().map_while(Result::ok);
        let token = lines.find(|line| line.trim_start().starts_with("rhvn_")).expect("the first token");
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, base: base.trim().to_owned(), token: token.trim().to_owned(), _home: home }
    }

    /// What the process has used of the processor, its children not counted.
    fn processor_time(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).expect("Linux");
        let fields: Vec<&str> =
            stat.rsplit_once(')').map(|(_, rest)| rest.split_ascii_whitespace().collect()).unwrap_or_default();
        let ticks: u64 = [fields[11], fields[12]].iter().filter_map(|field| field.parse::<u64>().ok()).sum();
        Duration::from_millis(ticks * 10)
    }

    async fn live_browser(&self, url: &str) -> Value {
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let body = json!({ "start_url": url, "fps": 24 });
        let request = client.post(format!("{}/v0/vm", self.base)).bearer_auth(&self.token).json(&body);
        request.send().await.expect("an answer").json().await.expect("a live browser")
    }
}

/// What came.
#[derive(Default, Clone, Copy)]
struct Came {
    pictures: u32,
    bytes: usize,
}

/// One who looks on.
struct Looker {
    socket: WebSocketStream<MaybeTlsStream<tokio::net::TcpStream>>,
}

impl Looker {
    async fn join(live: &Value) -> Self {
        let (page, token) = live["embed_url"].as_str().and_then(|url| url.split_once("#token=")).expect("an address");
        let mut request =
            format!("{}/socket", page.replacen("http", "ws", 1)).into_client_request().expect("a request");
        let offer = format!("rhaven.v1, token.{token}").parse().expect("a header");
        request.headers_mut().insert("sec-websocket-protocol", offer);
        Self { socket: tokio_tungstenite::connect_async(request).await.expect("a socket").0 }
    }

    async fn say(&mut self, message: Value) {
        self.socket.send(Message::text(message.to_string())).await.expect("it is sent");
    }

    /// Presses and releases a key.
    async fn key(&mut self, key: &str) {
        for kind in ["down", "up"] {
            self.say(json!({ "type": "key", "kind": kind, "key": key, "code": format!("Key{}", key.to_uppercase()) }))
                .await;
        }
    }

    /// The next message's size, and whether it was a picture, which is acknowledged.
    async fn next(&mut self) -> (usize, bool) {
        match self.socket.next().await.expect("it goes on").expect("a message") {
            Message::Binary(picture) => {
                let (head, _) = FrameHead::of(&picture).expect("a picture");
                self.say(json!({ "type": "ack", "frame": head.frame })).await;
                (picture.len(), true)
            }
            other => (other.len(), false),
        }
    }

    async fn picture(&mut self) {
        while !self.next().await.1 {}
    }

    /// Takes what comes for a while.
    async fn watch(&mut self, long: Duration) -> Came {
        let (end, mut came) = (tokio::time::Instant::now() + long, Came::default());
        while let Ok((bytes, is_picture)) = tokio::time::timeout_at(end, self.next()).await {
            came.bytes += bytes;
            came.pictures += u32::from(is_picture);
        }
        came
    }
}

/// Looks on for a while, and says what it cost.
async fn cost(what: &str, serving: &Serving, looker: &mut Looker) {
    let (used, began) = (serving.processor_time(), Instant::now());
    let came = looker.watch(MEASURED).await;
    let took = began.elapsed().as_secs_f64();
    let share = serving.processor_time().saturating_sub(used).as_secs_f64() / took * 100.0;
    let (rate, bytes) = (f64::from(came.pictures) / took, came.bytes);
    println!("{what}: {share:.1} % of a core, {rate:.1} pictures a second, {bytes} bytes in {took:.0} s");
}

#[tokio::main]
async fn main() {
    // Tests of everything compile and start it; measuring is for `cargo bench`.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    let page = || async { axum::response::Html(PAGE) };
    let site = axum::Router::new().route("/", axum::routing::get(page));
    tokio::spawn(async move { axum::serve(listener, site).await });
    let serving = Serving::start();
    let live = serving.live_browser(&url).await;
    let mut looker = Looker::join(&live).await;
    looker.picture().await;
    looker.watch(CALM).await;
    cost("a page that stands still", &serving, &mut looker).await;
    looker.key("m").await;
    looker.watch(CALM).await;
    cost("a page that moves", &serving, &mut looker).await;
    looker.key("m").await;
    looker.watch(CALM).await;
    let mut times = Vec::new();
    for _ in 0..KEYS {
        let began = Instant::now();
        looker.key("k").await;
        looker.picture().await;
        times.push(began.elapsed());
        looker.watch(Duration::from_millis(120)).await;
    }
    times.sort();
    println!(
        "from a key to the picture: median {:.1?}, 95 of 100 {:.1?}, most {:.1?}",
        times[KEYS / 2],
        times[KEYS * 95 / 100],
        times[KEYS - 1]
    );
}
