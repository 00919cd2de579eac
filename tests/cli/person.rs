//! Somebody in front of a live page of the command line, over its socket, as the page in a browser is.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

/// Nothing here takes longer unless it hangs.
const SOON: Duration = Duration::from_mins(1);

/// Somebody in front of a live page.
pub struct Person {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// The title of the tab in front, as it was told last.
    front: String,
    /// What is waited for.
    pause: String,
}

/// What is done in one test on tasks.
pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime")
}

/// The address of the page without its token, and the token.
pub fn parts(url: &str) -> (&str, &str) {
    url.split_once("#token=").unwrap_or_else(|| panic!("a token in {url:?}"))
}

impl Person {
    pub async fn at(url: &str) -> Self {
        let (page, token) = parts(url);
        let address = page.replacen("http", "ws", 1) + "/socket";
        let mut request = address.into_client_request().expect("an address");
        let offered = format!("rhaven.v1, token.{token}").parse().expect("a header");
        request.headers_mut().insert("sec-websocket-protocol", offered);
        let (socket, _) = tokio_tungstenite::connect_async(request).await.expect("a socket");
        Self { socket, front: String::new(), pause: String::new() }
    }

    pub async fn say(&mut self, message: Value) {
        self.socket.send(Message::text(message.to_string())).await.expect("somebody reads");
    }

    /// The first message that `look` finds something in; pictures are acknowledged meanwhile.
    pub async fn told<T>(&mut self, what: &str, mut look: impl FnMut(&Value) -> Option<T>) -> T {
        let mut last = Vec::new();
        let heard = async {
            while let Some(Ok(message)) = self.socket.next().await {
                match message {
                    Message::Text(text) => {
                        let message: Value = serde_json::from_str(&text).expect("JSON");
                        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                        match message["type"].as_str() {
                            Some("tabs") => {
                                let mut tabs = message["tabs"].as_array().expect("tabs").iter();
                                self.front = tabs
                                    .find(|tab| tab["active"] == true)
                                    .map_or_else(String::new, |tab| text(&tab["title"]));
                            }
                            Some("pause") => self.pause = text(&message["reason"]),
                            Some("pause_over") => self.pause.clear(),
                            _ => {}
                        }
                        if let Some(found) = look(&message) {
                            return Some(found);
                        }
                        last.push(message);
                    }
                    Message::Binary(frame) => {
                        let number = u32::from_le_bytes(frame[4..8].try_into().expect("four bytes"));
                        let ack = json!({ "type": "ack", "frame": number }).to_string();
                        self.socket.send(Message::text(ack)).await.expect("somebody reads");
                    }
                    _ => {}
                }
            }
            None
        };
        let found = tokio::time::timeout(SOON, heard).await;
        found.ok().flatten().unwrap_or_else(|| panic!("{what} was not told, but {last:#?}"))
    }

    /// Waits until the tab in front has that title.
    pub async fn sees(&mut self, title: &str) {
        while self.front != title {
            self.told(title, |message| (message["type"] == "tabs").then_some(())).await;
        }
    }

    pub async fn is_paused(&mut self, reason: &str) {
        while self.pause != reason {
            self.told(reason, |message| (message["type"] == "pause").then_some(())).await;
        }
    }

    /// Why it has ended.
    pub async fn hears_the_end(&mut self) -> String {
        self.told("the end", |message| {
            (message["type"] == "closed").then(|| message["reason"].as_str().unwrap_or_default().to_owned())
        })
        .await
    }

    /// Clicks into the field that fills the page, and gives the code.
    pub async fn signs_in(&mut self) {
        self.sees("Who is there").await;
        for kind in ["move", "down", "up"] {
            let buttons = u8::from(kind == "down");
            let at = json!({ "type": "mouse", "kind": kind, "x": 400, "y": 300, "button": 0, "buttons": buttons, "clicks": 1 });
            self.say(at).await;
        }
        self.say(json!({ "type": "text", "text": "246810" })).await;
        for kind in ["down", "up"] {
            self.say(json!({ "type": "key", "kind": kind, "key": "Enter", "code": "Enter", "modifiers": 0 })).await;
        }
        self.sees("Welcome in").await;
    }

    pub async fn done(&mut self) {
        self.say(json!({ "type": "done" })).await;
    }
}
