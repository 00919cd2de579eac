//! Telling the other servers of the store that this one is there, and hearing which others are.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::base::with_causes;
use crate::session::SessionError;

use super::super::app::App;
use super::node::Node;

/// How often a server tells, and how long it is believed to be there: on a store that other machines may use, and on one of this machine,
/// where it is known at once that a process went.
const SHARED: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(30));
const LOCAL: (Duration, Duration) = (Duration::from_secs(20), Duration::from_secs(90));
/// How long a server waits for its store before it begins, and at its end.
const PATIENCE: Duration = Duration::from_secs(3);

/// A server that tells of itself.
pub(in crate::serve) struct Beating {
    over: CancellationToken,
    task: JoinHandle<()>,
}

impl Beating {
    /// The others forget it now, and do not have to find out.
    pub(in crate::serve) async fn end(self) {
        self.over.cancel();
        let _ = timeout(PATIENCE, self.task).await;
    }
}

/// Tells of this server from now on: when this comes back the others can find it, unless the store is away.
pub(in crate::serve) async fn begin(app: &App) -> Beating {
    let over = CancellationToken::new();
    if timeout(PATIENCE, once(app)).await.is_err() {
        tracing::warn!("the store does not answer; other servers do not know of this one yet");
    }
    if app.config.workspace.store.is_shared() {
        let url = app.nodes.own().url().unwrap_or("nowhere, but for those of this machine: --advertise says where");
        tracing::info!(node = app.nodes.id(), url, "other servers of the store reach this one at");
    }
    let task = tokio::spawn(go_on(app.clone(), over.clone()));
    Beating { over, task }
}

async fn go_on(app: App, over: CancellationToken) {
    let (every, _) = times(&app);
    loop {
        let ending = app.ending.is_cancelled();
        tokio::select! {
            () = over.cancelled() => break,
            () = tokio::time::sleep(every) => {}
            () = app.ending.cancelled(), if !ending => {}
        }
        // What is under way when it ends is not to be written after it was removed.
        once(&app).await;
    }
    if let Err(error) = app.sessions.remove_node(app.nodes.id()).await {
        failed(&error, "other servers could not be told that this one ended");
    }
}

async fn once(app: &App) {
    let mut told = app.nodes.own().clone();
    told.ending = app.ending.is_cancelled();
    if let Err(error) = app.sessions.put_node(&told.id, &told, times(app).1).await {
        failed(&error, "other servers could not be told of this one");
    }
    let before = app.nodes.ids();
    match app.sessions.nodes::<Node>().await {
        Ok(nodes) => app.nodes.are(nodes, &before),
        // Those that are known may be there still.
        Err(error) => failed(&error, "other servers could not be asked for"),
    }
}

fn times(app: &App) -> (Duration, Duration) {
    if app.config.workspace.store.is_shared() { SHARED } else { LOCAL }
}

fn failed(error: &SessionError, what: &str) {
    tracing::warn!(code = error.code(), "{what}: {}", with_causes(error));
}
