//! What the functions of one script share: its sessions, its secrets, its limits, and the ear that listens to it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::Value;

use crate::base::{Redactor, Secret};
use crate::session::Workspace;

use super::{Event, Limits, Parts, ScriptError, Stop, Stopper, value};

/// The world of one running script.
pub struct Host {
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
    pub args: BTreeMap<String, String>,
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
            opened @ Event::SessionOpened { .. } => opened,
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

    /// The secret by that name.
    pub fn secret(&self, name: &str) -> Result<Secret, ScriptError> {
        self.secrets.get(name).cloned().ok_or_else(|| secret_not_set(name))
    }
}

/// The error for a secret that nobody set, with the ways to set it.
pub fn secret_not_set(name: &str) -> ScriptError {
    Parts {
        code: "secret_not_set".into(),
        message: format!("the secret {name:?} is not set"),
        hint: Some(format!(
            "set RHAVEN_SECRET_{name} in the environment, put {name}=.. into a file given with --secrets-file, or pass --secret {name}=.. (visible to other local users); an empty value counts as not set"
        )),
        ..Parts::default()
    }
    .into()
}
