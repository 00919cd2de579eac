//! What the functions of one script share: its sessions, its secrets, its limits, and the ear that listens to it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::base::{Redactor, Secret};
use crate::document::llm::Llm;
use crate::session::Workspace;

use super::password::{self, Passwords};
use super::{Console, Event, Handover, Limits, Parts, ScriptError, Stop, Stopper, value};

/// The world of one running script.
pub struct Host {
    /// How the script is named in messages.
    pub name: String,
    /// Its sessions.
    pub workspace: Workspace,
    /// The runtime that its verbs run on.
    pub runtime: tokio::runtime::Handle,
    /// What ends it early.
    pub stop: Stopper,
    /// Who is told what happens.
    pub events: Box<dyn Fn(Event) + Send + Sync>,
    /// Knows the values that nobody may see.
    pub redactor: Redactor,
    /// The secrets that it may use.
    pub secrets: BTreeMap<String, Secret>,
    /// `args`.
    pub args: BTreeMap<String, Value>,
    /// The environment variables that it may read.
    pub env: BTreeMap<String, String>,
    /// What it may use up.
    pub limits: Limits,
    /// The folder that imports resolve below.
    pub import_root: PathBuf,
    /// The folder that files are written below.
    pub working_folder: PathBuf,
    /// A pause after every verb.
    pub slow_mo: Option<Duration>,
    /// Who is handed the dialogue of a `pause()`; called on the script's thread.
    pub pauses: Option<Box<dyn Fn(Console) + Send + Sync>>,
    /// Who shows its sessions to people; none where nobody can be asked.
    pub handover: Option<Arc<dyn Handover>>,
    /// The language model that it may ask.
    pub llm: Option<Llm>,
    /// What changes while it runs.
    pub progress: Progress,
}

/// The part of a [`Host`] that the script changes.
#[derive(Default)]
pub struct Progress {
    /// `set_default_timeout`, in milliseconds; 0 where it was not called.
    verb_timeout: AtomicU64,
    /// Bytes emitted so far.
    emitted: AtomicUsize,
    /// Sessions that were announced.
    announced: Mutex<BTreeSet<String>>,
    /// Whether the script stands in a `pause()`.
    paused: watch::Sender<bool>,
    /// Secrets of the vault that were used.
    vault: Mutex<BTreeMap<String, Secret>>,
    /// Passwords that were typed in clear.
    pub(super) passwords: Passwords,
}

impl Progress {
    /// The script stands still, or goes on.
    pub fn pause(&self, paused: bool) {
        self.paused.send_replace(paused);
    }

    /// Resolves when the script has run for `span`; the time that it stood in a `pause()` does not count.
    pub async fn ran_for(&self, span: Duration) {
        let mut paused = self.paused.subscribe();
        let mut left = span;
        loop {
            // The sender is ours: it cannot be gone.
            let _ = paused.wait_for(|paused| !paused).await;
            let since = Instant::now();
            tokio::select! {
                () = tokio::time::sleep(left) => return,
                _ = paused.wait_for(|paused| *paused) => left = left.saturating_sub(since.elapsed()),
            }
        }
    }

    /// Whether a password that a script types in clear becomes a secret: for those who keep what is typed. Off at first, for it costs
    /// a question to the page per text that is typed.
    pub fn learn_passwords(&self, on: bool) {
        self.passwords.learn(on);
    }

    /// The passwords that were learnt so, by the names that they were given.
    pub fn learnt_passwords(&self) -> Vec<Secret> {
        self.passwords.learnt()
    }
}

impl Host {
    /// Tells `event`, redacted.
    pub fn tell(&self, event: Event) {
        let redact = |text: String| self.redactor.redact(&text);
        let event = match event {
            Event::Print { text } => Event::Print { text: redact(text) },
            Event::Log { text } => Event::Log { text: redact(text) },
            Event::Notice { text } => Event::Notice { text: redact(text) },
            Event::Emit { value } => Event::Emit { value: value::redacted(value, &self.redactor) },
            Event::StepStarted { name } => Event::StepStarted { name: redact(name) },
            Event::StepEnded { name, millis, ok } => Event::StepEnded { name: redact(name), millis, ok },
            Event::Verb { call, line } => Event::Verb { call: redact(call), line },
            Event::Pause { reason, url } => Event::Pause { reason: redact(reason), url },
            same @ (Event::SessionOpened { .. } | Event::Live { .. } | Event::PauseOver { .. }) => same,
        };
        (self.events)(event);
    }

    /// Tells what the sessions have to say to the user.
    pub fn tell_notices(&self) {
        for text in self.workspace.take_notices() {
            self.tell(Event::Notice { text });
        }
    }

    /// Emits a value, as long as the run has not emitted too much.
    pub fn emit(&self, value: Value) -> Result<(), Stop> {
        let bytes = value.to_string().len() + 1;
        let sum = self.progress.emitted.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if sum > self.limits.emitted_bytes {
            let message = format!("the script emitted more than {} bytes", self.limits.emitted_bytes);
            return Err(Stop::Fatal(Box::new(ScriptError::new("limit_exceeded", message))));
        }
        self.tell(Event::Emit { value });
        Ok(())
    }

    /// Announces a session once.
    pub fn announce(&self, id: &str, version: Option<u64>) {
        let new = self.progress.announced.lock().is_ok_and(|mut known| known.insert(id.to_owned()));
        if new {
            self.tell(Event::SessionOpened { id: id.to_owned(), version });
        }
    }

    /// How long a verb may take that does not say otherwise.
    pub fn verb_timeout(&self) -> Duration {
        match self.progress.verb_timeout.load(Ordering::Relaxed) {
            0 => self.limits.verb_timeout,
            millis => Duration::from_millis(millis),
        }
    }

    /// `set_default_timeout`.
    pub fn set_verb_timeout(&self, span: Duration) {
        let millis = u64::try_from(span.as_millis()).unwrap_or(u64::MAX).max(1);
        self.progress.verb_timeout.store(millis, Ordering::Relaxed);
    }

    /// The secret by that name, where it was given or learnt or has been got from the vault.
    pub fn secret_at_hand(&self, name: &str) -> Option<Secret> {
        let learnt = || self.progress.learnt_passwords().into_iter().find(|secret| secret.name() == name);
        let got = || self.progress.vault.lock().ok()?.get(name).cloned();
        self.secrets.get(name).cloned().or_else(learnt).or_else(got)
    }

    /// The secret by that name from the vault. From then on the redactor knows it, and the run keeps to this value.
    pub async fn secret_of_vault(&self, name: &str) -> Result<Secret, ScriptError> {
        let secret = self.workspace.secret(name).await?.ok_or_else(|| secret_not_set(name))?;
        self.redactor.learn(&secret);
        // What another session's identity means by the name is another secret.
        if let Ok(mut vault) = self.progress.vault.lock()
            && secret.name() == name
        {
            vault.insert(name.to_owned(), secret.clone());
        }
        Ok(secret)
    }

    /// Makes `value` a secret, and says so where it was none.
    pub(super) fn learn_password(&self, value: &str) {
        let taken = |name: &str| self.secrets.contains_key(name);
        if let Some(secret) = self.progress.passwords.add(value, &self.redactor, taken) {
            self.tell(Event::Notice { text: password::notice(&secret) });
        }
    }
}

/// The error for a secret that nobody set, with the ways to set it.
pub fn secret_not_set(name: &str) -> ScriptError {
    Parts {
        code: "secret_not_set".into(),
        message: format!("the secret {name:?} is not set"),
        hint: Some(format!(
            "set RHAVEN_SECRET_{name} in the environment, put {name}=.. into a file given with --secrets-file, pass --secret {name}=.. (visible to other local users), or keep it: rhaven secret set {name}; an empty value counts as not set"
        )),
        ..Parts::default()
    }
    .into()
}
