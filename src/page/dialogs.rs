//! Dialogs that somebody shows to people instead of having them answered at once.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Deserialize;
use serde_json::json;

use crate::browser::{Cdp, RawEvent};

use super::rpc::{Ack, rpc};

/// A dialog that has opened: its page stands still until it is answered.
#[derive(Clone)]
pub struct OpenDialog {
    /// `alert`, `confirm`, `prompt` or `beforeunload`.
    pub kind: String,
    /// What the page says.
    pub message: String,
    /// What a prompt offers.
    pub default: String,
    /// The document that asks.
    pub url: String,
    cdp: Cdp,
}

/// What happens to dialogs, in its order.
#[derive(Debug)]
pub enum DialogEvent {
    /// One has opened.
    Opened(OpenDialog),
    /// The one that was open in this session was answered, or has gone.
    Closed(String),
}

/// Is told what happens to dialogs; true at their opening: it sees to the answer.
pub(super) type Keeper = Arc<dyn Fn(DialogEvent) -> bool + Send + Sync>;

/// Who sees to a page's dialogs.
#[derive(Default)]
pub(super) struct Dialogs(Mutex<Option<Keeper>>);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct Opening {
    r#type: String,
    message: String,
    default_prompt: String,
    url: String,
}

impl OpenDialog {
    /// Answers it: OK or Cancel, and what goes into a prompt. Not waited for; a dialog that has gone is nobody's loss.
    pub fn answer(&self, accept: bool, text: Option<&str>) {
        let mut params = json!({"accept": accept});
        if let Some(text) = text {
            params["promptText"] = text.into();
        }
        drop(self.cdp.send(rpc::<Ack>("Page.handleJavaScriptDialog", params)));
    }

    /// The session that it is told in: several sessions of a page may tell of one dialog.
    pub fn session(&self) -> &str {
        self.cdp.session_id()
    }

    /// As it is answered where nobody looks: a page may be left, all else is dismissed.
    pub fn answer_by_default(&self) {
        self.answer(self.kind == "beforeunload", None);
    }
}

impl fmt::Debug for OpenDialog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OpenDialog({})", self.kind)
    }
}

impl Dialogs {
    pub fn keep(&self, keeper: Option<Keeper>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = keeper;
    }

    /// Whether the event is of a dialog that somebody sees to.
    pub fn took(&self, cdp: &Cdp, event: &RawEvent) -> bool {
        let is_opening = match &*event.method {
            "Page.javascriptDialogOpening" => true,
            "Page.javascriptDialogClosed" => false,
            _ => return false,
        };
        let Some(keeper) = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone() else { return false };
        if !is_opening {
            return keeper(DialogEvent::Closed(cdp.session_id().to_owned()));
        }
        let Some(opening) = event.decode::<Opening>() else { return false };
        let Opening { r#type: kind, message, default_prompt: default, url } = opening;
        keeper(DialogEvent::Opened(OpenDialog { kind, message, default, url, cdp: cdp.clone() }))
    }
}
