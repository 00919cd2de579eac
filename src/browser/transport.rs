//! How messages travel: over a pair of pipes for browsers of our own, over a WebSocket for remote ones. One task writes,
//! one reads; a message is one JSON text, and the end of the stream is the only end.

use std::io;
use std::sync::Mutex;

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::pipe;
use tokio::sync::Notify;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::dial::{Stream, dial};
use super::router::lock;

/// What ends a message on the pipe. JSON texts never contain it.
const END: u8 = 0;

/// A screenshot is a message of some megabytes; a read of this size takes it in few system calls.
const READ_BUFFER: usize = 256 * 1024;

/// What is kept for the next message, in bytes: enough for most screenshots, and for what is written at a time.
const KEPT_BUFFER: usize = 4 << 20;

/// Messages on their way out. Pushing never waits; the writer takes all that has gathered in one write.
#[derive(Default)]
pub(super) struct Outbox {
    queue: Mutex<Queue>,
    filled: Notify,
    /// What was taken has been written, or nothing will be any more.
    written: Notify,
}

#[derive(Default)]
struct Queue {
    bytes: Vec<u8>,
    /// How many the writer has taken and is not done with.
    taken: usize,
    closed: bool,
}

impl Outbox {
    /// Queues a message, after all that were pushed before.
    pub(super) fn push(&self, message: &[u8]) {
        {
            let mut queue = lock(&self.queue);
            if queue.closed {
                return;
            }
            queue.bytes.reserve(message.len() + 1);
            queue.bytes.extend_from_slice(message);
            queue.bytes.push(END);
        }
        self.filled.notify_one();
    }

    /// Lets the writer end; what is still queued is dropped.
    pub(super) fn close(&self) {
        let mut queue = lock(&self.queue);
        queue.closed = true;
        (queue.bytes, queue.taken) = (Vec::new(), 0);
        drop(queue);
        self.filled.notify_one();
        self.written.notify_waiters();
    }

    /// Waits until no more than `most` bytes, whoever has pushed them, are still to be written. At once when it is closed.
    pub(super) async fn drained(&self, most: usize) {
        loop {
            let written = self.written.notified();
            {
                let queue = lock(&self.queue);
                if queue.bytes.len() + queue.taken <= most {
                    return;
                }
            }
            written.await;
        }
    }

    /// Waits for messages and moves them into `batch`, of which all has been written; `false` once closed.
    async fn take(&self, batch: &mut Vec<u8>) -> bool {
        batch.clear();
        // As with what is read: one very large message is no reason to hold as much.
        batch.shrink_to(KEPT_BUFFER);
        lock(&self.queue).taken = 0;
        self.written.notify_waiters();
        loop {
            {
                let mut queue = lock(&self.queue);
                if queue.closed {
                    return false;
                }
                if !queue.bytes.is_empty() {
                    std::mem::swap(&mut queue.bytes, batch);
                    queue.taken = batch.len();
                    return true;
                }
            }
            self.filled.notified().await;
        }
    }
}

/// Writes to Chromium's descriptor 3 until the outbox is closed or nobody reads any more.
pub(super) async fn write_pipe(outbox: &Outbox, mut sender: pipe::Sender) {
    let mut batch = Vec::new();
    while outbox.take(&mut batch).await {
        if sender.write_all(&batch).await.is_err() {
            return;
        }
    }
}

/// Reads from Chromium's descriptor 4 until its end.
pub(super) async fn read_pipe(receiver: pipe::Receiver, mut handle: impl FnMut(&[u8])) {
    let mut reader = BufReader::with_capacity(READ_BUFFER, receiver);
    let mut message = Vec::new();
    // An unfinished message at the end of the stream is that of a process that was killed.
    while reader.read_until(END, &mut message).await.is_ok() && message.pop() == Some(END) {
        handle(&message);
        message.clear();
        // One very large message is no reason to hold as much for the rest of the browser's time.
        message.shrink_to(KEPT_BUFFER);
    }
}

/// A connection to a remote browser.
pub(super) type Socket = WebSocketStream<Box<dyn Stream>>;

/// Connects, without limits on the size of messages, which Chromium does not split.
pub(super) async fn connect(address: &str) -> io::Result<Socket> {
    let config = WebSocketConfig::default().max_message_size(None).max_frame_size(None);
    let stream = dial(address).await?;
    let (socket, _) = client_async_with_config(address, stream, Some(config)).await.map_err(io::Error::other)?;
    Ok(socket)
}

/// Writes and reads until the outbox is closed or the connection ends; why it ended.
pub(super) async fn serve_socket(outbox: &Outbox, socket: Socket, mut handle: impl FnMut(&[u8])) -> String {
    let (mut sink, mut stream) = socket.split();
    let write = async {
        let mut batch = Vec::new();
        while outbox.take(&mut batch).await {
            for message in batch.split(|byte| *byte == END).filter(|message| !message.is_empty()) {
                // Serialised by serde_json, so always UTF-8.
                sink.feed(Message::text(String::from_utf8_lossy(message).into_owned())).await?;
            }
            sink.flush().await?;
        }
        sink.close().await
    };
    let read = async {
        while let Some(message) = stream.next().await {
            match message? {
                Message::Text(text) => handle(text.as_bytes()),
                Message::Binary(bytes) => handle(&bytes),
                Message::Close(_) => break,
                _ => {}
            }
        }
        Ok(())
    };
    let ended = tokio::select! { ended = write => ended, ended = read => ended };
    match ended {
        Ok(()) => "the connection was closed".to_owned(),
        Err(error) => format!("the connection broke ({error})"),
    }
}
