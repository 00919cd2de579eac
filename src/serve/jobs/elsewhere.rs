//! The events of a job that another server runs: asked for there, in the name of the same client, and passed on.

use std::ops::ControlFlow;

use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::sse::Event;
use futures_util::StreamExt;
use serde_json::{Value, json};

use super::super::nodes;
use super::events::Telling;

/// The largest event that is passed on, in bytes.
const LARGEST: usize = 64 << 20;

/// One event as it came.
#[derive(Debug, Default, PartialEq, Eq)]
struct Came {
    id: Option<u64>,
    event: String,
    data: String,
}

/// Tells what `node` tells, until that ends. Whether that one could be asked.
pub(super) async fn tell(telling: &mut Telling, node: &str) -> ControlFlow<(), bool> {
    let mut asked = telling.asked.clone();
    asked.headers.insert("last-event-id", HeaderValue::from(telling.last));
    let answered = nodes::ask(&telling.app, &asked, Method::GET, node).await;
    let Some((response, cut)) = answered.ok().filter(|(response, _)| response.status() == StatusCode::OK) else {
        return ControlFlow::Continue(false);
    };
    let ending = telling.app.ending.clone();
    let until = async move {
        tokio::select! {
            () = cut => {}
            () = ending.cancelled() => {}
        }
    };
    let mut pieces = std::pin::pin!(response.bytes_stream().take_until(until));
    let (mut text, mut looked) = (Vec::new(), 0);
    // What comes in the middle of an event when the other server goes is not told.
    while let Some(Ok(piece)) = pieces.next().await {
        text.extend_from_slice(&piece);
        while let Some(end) = text[looked..].windows(2).position(|two| two == b"\n\n") {
            let event: Vec<u8> = text.drain(..looked + end + 2).collect();
            looked = 0;
            pass(telling, &event).await?;
        }
        looked = text.len().saturating_sub(1);
        if text.len() > LARGEST {
            return too_large(telling, &text).await;
        }
    }
    ControlFlow::Continue(true)
}

/// Goes on behind an event that is too large: asked for again it would be as large.
async fn too_large(telling: &mut Telling, begun: &[u8]) -> ControlFlow<(), bool> {
    let Some(id) = number(begun) else { return ControlFlow::Break(()) };
    telling.last = id;
    let text = format!("an event of more than {} MiB is not passed on from the server that runs this", LARGEST >> 20);
    telling.tell(Event::default().event("notice").data(json!({"text": text}).to_string())).await?;
    ControlFlow::Continue(true)
}

/// The number of an event that has not come to its end; it stands before its data.
fn number(begun: &[u8]) -> Option<u64> {
    let mut head = begun.split(|byte| *byte == b'\n').take_while(|line| !line.starts_with(b"data"));
    head.find_map(|line| std::str::from_utf8(line.strip_prefix(b"id:")?).ok()?.trim().parse().ok())
}

async fn pass(telling: &mut Telling, event: &[u8]) -> ControlFlow<()> {
    let Some(Came { id, event, data }) = read(event) else { return ControlFlow::Continue(()) };
    let mut passed = Event::default().data(&data);
    if let Some(id) = id {
        telling.last = id;
        passed = passed.id(id.to_string());
    }
    if event == "status" {
        let told = serde_json::from_str(&data).ok();
        let status = told.and_then(|mut told: Value| serde_json::from_value(told.get_mut("status")?.take()).ok());
        // That of a server which does not run it any more is the same as before.
        if id.is_none() && status == telling.told {
            return ControlFlow::Continue(());
        }
        telling.told = status.or(telling.told);
    }
    if !event.is_empty() {
        passed = passed.event(event);
    }
    telling.tell(passed).await
}

/// An event, as servers of ours write them; none where it says nothing, as what only keeps the connection alive.
fn read(event: &[u8]) -> Option<Came> {
    let text = std::str::from_utf8(event).ok()?;
    let mut came = Came::default();
    let mut has_data = false;
    for (name, value) in text.lines().filter_map(|line| line.split_once(':')) {
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "id" => came.id = value.parse().ok(),
            "event" => value.clone_into(&mut came.event),
            "data" => {
                if has_data {
                    came.data.push('\n');
                }
                came.data.push_str(value);
                has_data = true;
            }
            _ => {}
        }
    }
    has_data.then_some(came)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_an_event_is_known_before_its_end() {
        assert_eq!(number(b"id: 12\nevent: emit\ndata: {\"value\": \"aaaa"), Some(12));
        assert_eq!(number(b"event: emit\ndata: a\nid: 12\n"), None, "that would be in the data");
        assert_eq!(number(b""), None);
    }

    #[test]
    fn events_are_read_as_they_are_written() {
        let came = |id, event: &str, data: &str| Some(Came { id, event: event.to_owned(), data: data.to_owned() });
        assert_eq!(
            read(b"id: 7\nevent: emit\ndata: {\"value\": \": 1\"}\n\n"),
            came(Some(7), "emit", "{\"value\": \": 1\"}")
        );
        assert_eq!(read(b"event:a\ndata:\ndata: \xc3\xa4\n\n"), came(None, "a", "\n\u{e4}"));
        assert_eq!(read(b":\n\n"), None);
        assert_eq!(read(b"event: a\ndata: \xff\n\n"), None);
    }
}
