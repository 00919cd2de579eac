//! What one origin keeps, read from and written to a live frame or a hidden page.

use std::time::Duration;

use chromiumoxide::cdp::browser_protocol::indexed_db::GetMetadataParams;
use chromiumoxide::cdp::browser_protocol::storage::ClearDataForStorageKeyParams;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::base::Deadline;
use crate::browser::{BrowserError, Cdp};
use crate::page::Frame;

use super::hidden::HiddenPage;
use super::large::{Gathered, Gathering, Spool};
use super::part::Part;
use super::permissions::Told;
use super::{Partial, SessionError, storage_key};

/// Bytes of text that one call carries, either way: memory is bounded by some of these, whatever an origin keeps.
pub(super) const PIECE_BYTES: usize = 1 << 20;
/// How long one call may take. There is none for an origin as a whole: one that comes on may be as large as it likes.
const PIECE_TIMEOUT: Duration = Duration::from_secs(20);
/// What is emptied, in Chromium's words; the private file system is one of the file systems.
const CLEARED: &str = "local_storage,indexeddb,cache_storage,file_systems,service_workers";
/// How often what changes under the reading is read.
const READINGS: usize = 5;
/// The isolated world in live frames: the one that every document has from its start, as making one costs time.
const WORLD: &str = "rhaven";
/// That of checkpoints: a save may begin while one is being read, and must not get what that has begun.
const ASIDE: &str = "rhaven-checkpoint";
/// Makes the functions once per document, then calls one.
const BUNDLE: &str = concat!(
    "async ({name, argument}) => { if (!globalThis.rhavenStorage) {\n",
    include_str!("injected/codec.js"),
    include_str!("injected/bodies.js"),
    include_str!("injected/capture.js"),
    include_str!("injected/restore.js"),
    "globalThis.rhavenStorage = { capture, restore }; }\n",
    "return globalThis.rhavenStorage[name](argument); }"
);

/// Where an origin's storage can be reached.
pub(super) enum Door<'a> {
    /// A frame that is open anyway.
    Live(&'a Frame),
    /// The same for a checkpoint.
    Aside(&'a Frame),
    /// A hidden page that has visited the origin.
    Hidden(&'a HiddenPage),
}

/// What capture.js answers.
#[derive(Deserialize)]
struct Captured {
    text: String,
    done: bool,
    partial: Vec<Unkept>,
    auto: Vec<(String, String)>,
    /// The origin of the document that was asked.
    at: String,
    /// What it may do; told at the end.
    #[serde(default)]
    permissions: Option<Told>,
    /// What changed under the reading, so that nothing of it counts.
    #[serde(default)]
    torn: Option<String>,
}

/// What was read through a door.
pub(super) struct Answer {
    pub(super) gathered: Gathered,
    pub(super) partial: Vec<Partial>,
    /// What the document may do.
    pub(super) permissions: Option<Told>,
}

impl Answer {
    fn torn(reason: String) -> Self {
        Self { gathered: Gathered::Torn(reason), partial: Vec::new(), permissions: None }
    }
}

/// What restore.js answers at its end.
#[derive(Deserialize)]
struct Restored {
    failed: Vec<Unkept>,
}

/// One thing that was not read or written.
#[derive(Deserialize)]
struct Unkept {
    store: String,
    key: Option<String>,
    reason: String,
}

impl Door<'_> {
    async fn call(&self, name: &str, argument: Value, deadline: Deadline) -> Result<Value, SessionError> {
        let argument = json!({"name": name, "argument": argument});
        let deadline = Deadline::after(PIECE_TIMEOUT).min(deadline);
        match self {
            Self::Live(frame) => Ok(frame.evaluate_isolated(WORLD, BUNDLE, &argument, deadline).await?),
            Self::Aside(frame) => Ok(frame.evaluate_isolated(ASIDE, BUNDLE, &argument, deadline).await?),
            Self::Hidden(page) => Ok(page.call(BUNDLE, argument, deadline).await?),
        }
    }

    fn cdp(&self) -> Cdp {
        match self {
            Self::Live(frame) | Self::Aside(frame) => frame.cdp(),
            Self::Hidden(page) => page.cdp().clone(),
        }
    }

    /// Whether scripts run there at all, now.
    pub(super) async fn is_free(&self, deadline: Deadline) -> bool {
        let asked = async {
            match self {
                Self::Live(frame) => frame.evaluate_isolated(WORLD, "() => 1", &Value::Null, deadline).await.is_ok(),
                Self::Aside(frame) => frame.evaluate_isolated(ASIDE, "() => 1", &Value::Null, deadline).await.is_ok(),
                Self::Hidden(page) => page.call("() => 1", Value::Null, deadline).await.is_ok(),
            }
        };
        deadline.race(asked).await.unwrap_or(false)
    }

    /// Reads everything that `storage_key` keeps, and what could not be read; `session` says where sessionStorage is read
    /// ([`super::tab_storage::Source`]), `spool` where to put what is large, `asks` whether the document tells what it may do. What
    /// changes under the reading is read anew, and [`Gathered::Torn`] where it goes on changing.
    pub(super) async fn capture(
        &self,
        storage_key: &str,
        session: &Value,
        spool: Option<&Spool>,
        asks: bool,
        deadline: Deadline,
    ) -> Result<Answer, SessionError> {
        for _ in 1..READINGS {
            let answer = self.read_once(storage_key, session, spool, asks, deadline).await?;
            if !matches!(answer.gathered, Gathered::Torn(_)) {
                return Ok(answer);
            }
        }
        self.read_once(storage_key, session, spool, asks, deadline).await
    }

    async fn read_once(
        &self,
        storage_key: &str,
        session: &Value,
        spool: Option<&Spool>,
        asks: bool,
        deadline: Deadline,
    ) -> Result<Answer, SessionError> {
        let mut gathering = Gathering::new(storage_key, spool);
        let mut begin = true;
        let last = loop {
            let argument = json!({"begin": begin, "budget": PIECE_BYTES, "session": session, "permitted": asks});
            let captured: Captured = read(self.call("capture", argument, deadline).await?)?;
            // A document that came in between keeps something else; taken for this origin's it would empty it.
            if format!("{}/", captured.at) != storage_key::origin(storage_key) {
                return Err(moved(storage_key, &captured.at));
            }
            if let Some(torn) = captured.torn {
                return Ok(Answer::torn(torn));
            }
            gathering.push(&captured.text).await?;
            if captured.done || gathering.is_over() {
                break captured;
            }
            begin = false;
        };
        let mut generators = Part::default();
        match self.generators(storage_key, &last.auto, &mut generators).await {
            Ok(()) => {}
            // A database of which Chromium knows nothing any more.
            Err(SessionError::Browser(BrowserError::Cdp { message, .. })) => return Ok(Answer::torn(message)),
            Err(error) => return Err(error),
        }
        gathering.push(generators.as_str()).await?;
        let partial = last.partial.into_iter().map(|unkept| unkept.at(storage_key)).collect();
        Ok(Answer { gathered: gathering.end().await?, partial, permissions: last.permissions })
    }

    /// What the document may do.
    pub(super) async fn permissions(&self, deadline: Deadline) -> Result<Option<Told>, SessionError> {
        let captured: Captured = read(self.call("capture", json!({"ask": true}), deadline).await?)?;
        Ok(captured.permissions)
    }

    /// Adds where key generators stand: no page can read that, only Chromium tells.
    async fn generators(
        &self,
        storage_key: &str,
        auto: &[(String, String)],
        part: &mut Part,
    ) -> Result<(), SessionError> {
        let cdp = self.cdp();
        let sent: Vec<_> = auto
            .iter()
            .map(|(database, store)| {
                let mut params = GetMetadataParams::new(database.clone(), store.clone());
                params.storage_key = Some(storage_key.to_owned());
                cdp.send(params)
            })
            .collect();
        for ((database, store), answer) in auto.iter().zip(sent) {
            // The position is a whole number below 2^53, sent as a double.
            #[allow(clippy::cast_possible_truncation)]
            let next = answer.await?.key_generator_value as i64;
            part.push_generator(database, store, next);
        }
        Ok(())
    }

    /// Writes a part; answers what could not be written.
    pub(super) async fn restore(
        &self,
        storage_key: &str,
        part: &Part,
        deadline: Deadline,
    ) -> Result<Vec<Partial>, SessionError> {
        let mut pieces = part.pieces(PIECE_BYTES).peekable();
        while let Some(piece) = pieces.next() {
            if pieces.peek().is_none() {
                return self.end(piece, storage_key, deadline).await;
            }
            self.write(piece, deadline).await?;
        }
        self.written(storage_key, deadline).await
    }

    /// Writes some of a part's lines. The last are followed by [`Self::written`].
    pub(super) async fn write(&self, lines: &str, deadline: Deadline) -> Result<(), SessionError> {
        self.call("restore", json!({"text": lines, "end": false}), deadline).await.map(drop)
    }

    /// Ends the writing of a part; answers what could not be written.
    pub(super) async fn written(&self, storage_key: &str, deadline: Deadline) -> Result<Vec<Partial>, SessionError> {
        self.end("", storage_key, deadline).await
    }

    /// Writes the last lines of a part; answers what of it could not be written.
    async fn end(&self, lines: &str, storage_key: &str, deadline: Deadline) -> Result<Vec<Partial>, SessionError> {
        let restored: Restored = read(self.call("restore", json!({"text": lines, "end": true}), deadline).await?)?;
        Ok(restored.failed.into_iter().map(|unkept| unkept.at(storage_key)).collect())
    }
}

/// Empties what the browser has under a storage key, cookies excepted; any page of the context may be asked.
pub(super) async fn clear(cdp: &Cdp, storage_key: &str) -> Result<(), BrowserError> {
    clear_some(cdp, storage_key, CLEARED).await
}

/// Empties these kinds of it, in Chromium's words with commas between.
pub(super) async fn clear_some(cdp: &Cdp, storage_key: &str, kinds: &str) -> Result<(), BrowserError> {
    cdp.call(ClearDataForStorageKeyParams::new(storage_key, kinds)).await.map(drop)
}

impl Unkept {
    fn at(self, storage_key: &str) -> Partial {
        Partial { origin: storage_key.to_owned(), store: self.store, key: self.key, reason: self.reason }
    }
}

fn moved(wanted: &str, found: &str) -> SessionError {
    let reason = format!("a document of {found} was there instead of one of {wanted}");
    SessionError::Browser(BrowserError::Protocol { method: "storage script".into(), reason })
}

fn read<T: serde::de::DeserializeOwned>(answer: Value) -> Result<T, SessionError> {
    serde_json::from_value(answer).map_err(|error| {
        SessionError::Browser(BrowserError::Protocol { method: "storage script".into(), reason: error.to_string() })
    })
}
