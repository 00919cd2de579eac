//! Completion with what has to be looked up: elements of the page, stored sessions, files. Asks the asynchronous side and
//! waits a moment at most: a page that does not answer costs a list, never the keyboard.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, mpsc};
use std::time::Duration;

use tokio::runtime::Handle;

use super::code::escaped;
use super::complete::{Candidate, Completion, complete};
use super::knowledge::Knowledge;
use crate::base::Deadline;
use crate::diagnose::{cut, visible_line};
use crate::page::Suggestion;
use crate::session::Workspace;

/// How long a look-up may hold up the keyboard. It takes some 20 ms; who asked by a key would rather wait for a machine that has
/// much to do than be shown nothing.
const PATIENCE: Duration = Duration::from_millis(300);
/// Selectors that are listed at most.
const MOST_SELECTORS: usize = 40;
/// Files that are listed at most.
const MOST_FILES: usize = 200;
/// Characters of an element's preview.
const PREVIEW: usize = 60;

/// Knows what can be typed. Cheap to clone; the clones share what is known.
#[derive(Clone)]
pub struct Assistant {
    shared: Arc<Shared>,
}

struct Shared {
    knowledge: RwLock<Knowledge>,
    workspace: Workspace,
    /// Where look-ups run; the keyboard's thread is none of its own.
    runtime: Handle,
    working_folder: PathBuf,
    /// Whether the list of stored sessions is as new as the last input. A store is read only when somebody asks for one.
    listed: AtomicBool,
}

impl Assistant {
    /// Completes for `workspace`; called on the runtime that its look-ups are to run on.
    pub fn new(workspace: Workspace, working_folder: PathBuf, knowledge: Knowledge) -> Self {
        let (knowledge, runtime, listed) = (RwLock::new(knowledge), Handle::current(), AtomicBool::new(false));
        Self { shared: Arc::new(Shared { knowledge, workspace, runtime, working_folder, listed }) }
    }

    /// What can stand at the byte `cursor`, and where the part begins that it replaces. Blocks for 300 ms at most; not to be
    /// called on a thread of the runtime.
    pub fn complete(&self, text: &str, cursor: usize) -> (usize, Vec<Candidate>) {
        let wants_sessions = text.contains("session");
        if wants_sessions && !self.shared.listed.swap(true, Ordering::AcqRel) {
            self.wait_for_sessions();
        }
        let (start, completion) = {
            let knowledge = self.shared.knowledge.read().unwrap_or_else(PoisonError::into_inner);
            complete(text, cursor, &knowledge)
        };
        let candidates = match completion {
            Completion::Words(words) => words,
            Completion::Selector { prefix, quoted } => self.selectors(prefix, quoted),
            Completion::File(prefix) => files(&self.shared.working_folder, &prefix),
        };
        (start, candidates)
    }

    /// Changes what is known.
    pub(super) fn learn(&self, change: impl FnOnce(&mut Knowledge)) {
        change(&mut self.shared.knowledge.write().unwrap_or_else(PoisonError::into_inner));
    }

    /// Whether there is a variable of that name.
    pub(super) fn knows_variable(&self, name: &str) -> bool {
        self.shared.knowledge.read().unwrap_or_else(PoisonError::into_inner).kind(name).is_some()
    }

    /// The next completion that wants stored sessions lists them again.
    pub(super) fn renew_sessions(&self) {
        self.shared.listed.store(false, Ordering::Release);
    }

    fn wait_for_sessions(&self) {
        let (done, ready) = mpsc::sync_channel(1);
        self.list_sessions(done);
        // Those that come later are there for the next completion.
        let _ = ready.recv_timeout(PATIENCE);
    }

    fn list_sessions(&self, done: mpsc::SyncSender<()>) {
        let assistant = self.clone();
        self.shared.runtime.spawn(async move {
            let workspace = &assistant.shared.workspace;
            let mut ids: Vec<String> =
                workspace.opened().iter().map(|session| session.id.as_str().to_owned()).collect();
            if let Ok(listing) = workspace.list().await {
                ids.extend(listing.sessions.iter().map(|session| session.id.to_string()));
            }
            ids.sort();
            ids.dedup();
            assistant.learn(|knowledge| knowledge.sessions = ids);
            let _ = done.try_send(());
        });
    }

    fn selectors(&self, prefix: String, quoted: bool) -> Vec<Candidate> {
        let Some(page) = self.shared.workspace.open_page() else { return Vec::new() };
        let (answer, answered) = mpsc::sync_channel(1);
        self.shared.runtime.spawn(async move {
            let found = page.suggest(&prefix, MOST_SELECTORS, Deadline::after(PATIENCE)).await;
            let _ = answer.try_send(found);
        });
        let found = answered.recv_timeout(PATIENCE).unwrap_or_default();
        found.into_iter().filter_map(|suggestion| candidate(&suggestion, quoted)).collect()
    }
}

/// A suggestion as it is typed; none where its selector could not be typed on a line.
fn candidate(suggestion: &Suggestion, quoted: bool) -> Option<Candidate> {
    let plain = visible_line(&suggestion.selector);
    (plain == suggestion.selector).then_some(())?;
    let text = if quoted { escaped(&suggestion.selector) } else { plain };
    Some(Candidate::described(text, &cut(&visible_line(&suggestion.preview), PREVIEW)))
}

/// Files and folders whose path begins so.
fn files(working_folder: &Path, prefix: &str) -> Vec<Candidate> {
    let (folder, name) = prefix.rsplit_once('/').map_or(("", prefix), |(folder, name)| (folder, name));
    let typed = &prefix[..prefix.len() - name.len()];
    let place = if typed == "/" { PathBuf::from("/") } else { working_folder.join(folder) };
    let Ok(entries) = std::fs::read_dir(place) else { return Vec::new() };
    let mut found: Vec<Candidate> = entries
        .filter_map(Result::ok)
        .filter_map(|entry| {
            let own = entry.file_name().into_string().ok()?;
            let fits = own.starts_with(name) && (!own.starts_with('.') || name.starts_with('.'));
            (fits && visible_line(&own) == own).then_some(())?;
            let slash = if entry.path().is_dir() { "/" } else { "" };
            Some(Candidate::described(format!("{typed}{own}{slash}"), ""))
        })
        .take(MOST_FILES)
        .collect();
    found.sort_by(|one, other| one.text.cmp(&other.text));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_listed_below_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("orders.rhai"), "").unwrap();
        std::fs::create_dir(folder.path().join("old")).unwrap();
        std::fs::write(folder.path().join("old/.hidden"), "").unwrap();
        std::fs::write(folder.path().join("old/a.rhai"), "").unwrap();
        let texts = |prefix: &str| -> Vec<String> {
            files(folder.path(), prefix).into_iter().map(|candidate| candidate.text).collect()
        };
        assert_eq!(texts("o"), ["old/", "orders.rhai"]);
        assert_eq!(texts("old/"), ["old/a.rhai"]);
        assert!(texts("nowhere/x").is_empty());
    }

    #[test]
    fn a_selector_is_escaped_for_the_string_it_goes_into() {
        let suggestion = |selector: &str| Suggestion { selector: selector.into(), preview: "<b>\u{1b}".into() };
        let found = candidate(&suggestion("role=button[name=\"Go\"]"), true).unwrap();
        assert_eq!(found.text, "role=button[name=\\\"Go\\\"]");
        assert!(found.shown.ends_with("<b>\\u{1b}"));
        assert_eq!(candidate(&suggestion("text=\u{1b}[2J"), true), None);
    }
}
