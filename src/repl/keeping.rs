//! What a conversation keeps of what was typed: the history, without secrets.

use super::code::Vault;
use super::commands::{Asked, asked};
use super::conversation::{Conversation, Ran};
use super::doubt::{is_doubtful, is_doubtful_piece};
use crate::script::is_about_password;

/// An entry without the secrets that `vault` knows; none where they cannot be taken out of it.
pub(super) fn cleaned(vault: &Vault, entry: &str) -> Option<String> {
    match asked(entry) {
        Some(_) => vault.is_clean(entry).then(|| entry.to_owned()),
        None => vault.without_secrets(entry),
    }
}

/// Whether an input may hold a password that nobody learnt, because it did not get so far.
fn may_hold_password(text: &str, ran: Ran) -> bool {
    match asked(text) {
        Some(Asked::Known(..)) => false,
        Some(Asked::Unknown(..)) => is_about_password(text),
        None => match ran {
            Ran::Well => false,
            Ran::Failed => is_doubtful(text),
            Ran::NotRead => is_doubtful_piece(text) || is_doubtful(text),
        },
    }
}

impl Conversation<'_> {
    /// Writes an input into the history, now that it is known which secrets it holds. Inputs from before that hold a password
    /// which was told from other text by this one are cleaned of it.
    pub(super) async fn keep(&mut self, text: &str) {
        if !self.is_terminal() {
            return;
        }
        let vault = self.vault();
        let secrets = self.dialogue.redactor().secrets().len();
        let forget = std::mem::replace(&mut self.secrets, secrets) != secrets;
        let text = text.trim_end();
        let entry = cleaned(&vault, text).filter(|_| !may_hold_password(text, self.ran));
        if forget {
            self.remember.forget = Some(vault.clone());
        }
        self.remember.entries.extend(entry.clone());
        let Some(history) = self.history.clone() else { return };
        let written = tokio::task::spawn_blocking(move || {
            if forget {
                history.forget(|entry| cleaned(&vault, entry))?;
            }
            entry.map_or(Ok(()), |entry| history.add(&entry))
        });
        if let Ok(Err(error)) = written.await {
            // Said once: a disk that is full stays full.
            self.history = None;
            self.warn(&format!("the history cannot be written: {error}"));
        }
    }

    /// What must not stand in code.
    pub(super) fn vault(&self) -> Vault {
        Vault::new(&self.setup.secrets, self.dialogue.redactor())
    }
}
