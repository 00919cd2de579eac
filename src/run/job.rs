//! What is to be run.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::Pauses;
use crate::base::{Secret, SessionId};
use crate::document::llm::Llm;
use crate::script::{Handover, Limits};
use crate::session::WorkspaceConfig;

/// A script with all that it needs.
#[derive(Debug, Clone)]
pub struct Job {
    /// The script's text.
    pub source: String,
    /// How it is named in messages: its path, or `<stdin>`.
    pub name: String,
    /// The folder that imports resolve below: the script's own.
    pub import_root: PathBuf,
    /// The folder that `screenshot("x.png")` and the like write below.
    pub working_folder: PathBuf,
    /// `args` in the script: texts from a command line, any JSON over HTTP.
    pub args: BTreeMap<String, Value>,
    /// `env(..)` in the script: the environment variables that it may read.
    pub env: BTreeMap<String, String>,
    /// A session opened before the script's first line (`--session`).
    pub session: Option<SessionId>,
    /// Secrets by name, those that are known before the run; the values of [`Secret`]s never leave it in clear.
    pub secrets: BTreeMap<String, Secret>,
    /// Sessions, store, key, browser.
    pub workspace: WorkspaceConfig,
    /// The limits.
    pub limits: Limits,
    /// A pause after every verb (`--slow-mo`).
    pub slow_mo: Option<Duration>,
    /// The language model that `extract` may ask.
    pub llm: Option<Llm>,
    /// Who takes over where the script says `pause()`.
    pub pauses: Pauses,
    /// Who shows its sessions to people: `pause_for_human(..)`, `session(.., #{ live: true })`. It is ended with the script.
    pub handover: Option<Arc<dyn Handover>>,
}
