//! How a conversation shows values and failures.

use super::conversation::Conversation;
use super::{pictures, show};
use crate::diagnose::visible;
use crate::diagnose::{self, Script};
use crate::run::Failure;
use crate::script::{Shown, locate_module};

/// The code of a script that was stopped.
const CANCELLED: &str = "cancelled";

impl Conversation<'_> {
    /// Shows a value; false where nobody reads any more.
    pub(super) async fn show(&mut self, value: Shown) -> bool {
        let text = match &value {
            Shown::Nothing => return true,
            Shown::Picture(bytes) => {
                let (folder, bytes) = (self.setup.working_folder.clone(), bytes.clone());
                let written = tokio::task::spawn_blocking(move || pictures::write_new(&folder, &bytes)).await;
                match written.map_err(std::io::Error::other).flatten() {
                    Ok(name) => serde_json::Value::from(name),
                    Err(error) => {
                        self.warn(&format!("the picture cannot be written: {error}"));
                        return true;
                    }
                }
            }
            Shown::Json(value) if value.is_null() => return true,
            Shown::Json(value) => value.clone(),
            Shown::Bytes(count) => format!("{count} bytes").into(),
            Shown::Opaque(text) => text.clone().into(),
        };
        let is_plain = !self.is_terminal() || self.setup.json;
        let shown = match &value {
            _ if is_plain => diagnose::visible_json(&text.to_string()).into_owned(),
            Shown::Json(value) => show::show(value, self.setup.screen.style(), false),
            _ => visible(text.as_str().unwrap_or_default()).into_owned(),
        };
        self.last = Some(value);
        self.setup.screen.value(&shown)
    }

    /// Says what went wrong with `text`.
    pub(super) fn show_failure(&mut self, mut failure: Failure, name: &str, text: &str) {
        (self.setup.explain)(&mut failure);
        self.fail(diagnose::exit_code(failure.kind));
        if failure.code == CANCELLED {
            self.interrupted();
            return;
        }
        let root = self.setup.import_root.clone();
        let redactor = self.dialogue.redactor();
        let imported = |file: &str| match self.dialogue.text(file) {
            Some(earlier) => Some(redactor.redact(earlier)),
            None => locate_module(&root, file).ok().map(|module| module.text),
        };
        let text = redactor.redact(text);
        let script = Script { name, text: &text, imported: &imported };
        let shown = diagnose::render(&failure, &script, self.setup.screen.style());
        self.setup.screen.say(shown.trim_end());
    }
}
