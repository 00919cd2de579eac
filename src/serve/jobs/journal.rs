//! What happens in an execution, kept for those who follow it: the newest, within a bound.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use utoipa::ToSchema;

use super::super::task::{Events, TaskEvent};
use super::record::JobStatus;

/// How many events are kept, and how many bytes of them.
const MOST: usize = 1_000;
const MOST_BYTES: usize = 1 << 20;

/// What happened, each with its number, from 1 on.
pub(super) struct Journal {
    state: Mutex<State>,
    /// Told of every change.
    changed: watch::Sender<()>,
    /// What a person is asked to do now.
    asked: watch::Sender<Option<Asked>>,
}

/// What a script waits for that waits for a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(in crate::serve) struct Asked {
    /// What the person is to do.
    reason: String,
    /// Where. Lets in whoever has it, as long as the run may take.
    url: String,
}

#[derive(Default)]
struct State {
    kept: VecDeque<Told>,
    bytes: usize,
    last: u64,
    closed: bool,
}

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) id: u64,
    pub(super) event: String,
    /// JSON.
    pub(super) data: String,
}

/// What has come after an event.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Since {
    /// How many are not kept any more.
    pub(super) lost: u64,
    pub(super) events: Vec<Told>,
    /// Nothing will come any more.
    pub(super) closed: bool,
}

impl Journal {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { state: Mutex::default(), changed: watch::Sender::new(()), asked: watch::Sender::new(None) })
    }

    /// For the work itself to tell.
    pub(super) fn events(self: &Arc<Self>) -> Events {
        let journal = self.clone();
        Events(Arc::new(move |event| journal.tell(event)))
    }

    /// Keeps it, and forgets the oldest where there are too many.
    pub(super) fn tell(&self, event: TaskEvent) {
        match &*event.event {
            "pause" => drop(self.asked.send_replace(serde_json::from_value(event.data.clone()).ok())),
            "pause_over" => drop(self.asked.send_replace(None)),
            _ => {}
        }
        let data = event.data.to_string();
        {
            let mut state = self.lock();
            if state.closed {
                return;
            }
            state.last += 1;
            state.bytes += data.len();
            let id = state.last;
            state.kept.push_back(Told { id, event: event.event, data });
            while state.kept.len() > MOST || (state.bytes > MOST_BYTES && state.kept.len() > 1) {
                let gone = state.kept.pop_front().map_or(0, |told| told.data.len());
                state.bytes -= gone;
            }
        }
        self.changed.send_replace(());
    }

    /// Nothing more is told.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.send_replace(());
    }

    /// What has come after the event of that number. A number that was never given, as by a server that ran before this one, is
    /// that of nothing: all is told.
    pub(super) fn since(&self, id: u64) -> Since {
        let state = self.lock();
        let id = if id > state.last { 0 } else { id };
        let first = state.kept.front().map_or(state.last + 1, |told| told.id);
        Since {
            lost: (first - 1).saturating_sub(id),
            events: state.kept.iter().filter(|told| told.id > id).cloned().collect(),
            closed: state.closed,
        }
    }

    /// The status that was told last, where it is kept still.
    pub(super) fn status(&self) -> Option<JobStatus> {
        let told = self.lock().kept.iter().rfind(|told| told.event == "status").map(|told| told.data.clone())?;
        let told: serde_json::Value = serde_json::from_str(&told).ok()?;
        serde_json::from_value(told.get("status")?.clone()).ok()
    }

    /// What a person is asked to do, now and from now on.
    pub(super) fn asked(&self) -> watch::Receiver<Option<Asked>> {
        self.asked.subscribe()
    }

    /// Tells of every change from now on.
    pub(super) fn follow(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(data: &serde_json::Value) -> TaskEvent {
        TaskEvent { event: "log".to_owned(), data: data.clone() }
    }

    #[test]
    fn the_newest_are_kept_and_told_from_any_number_on() {
        let journal = Journal::new();
        for number in 1..=MOST + 5 {
            journal.tell(event(&json!(number)));
        }
        let since = journal.since(0);
        assert_eq!((since.lost, since.events.len(), since.events[0].id), (5, MOST, 6));
        let since = journal.since(1_003);
        assert_eq!((since.lost, since.events.len(), since.closed), (0, 2, false));
        assert_eq!(journal.since(99_999).events.len(), MOST, "of another server: from the beginning");
        let large = json!("x".repeat(MOST_BYTES));
        journal.tell(event(&large));
        assert_eq!(journal.since(0).events.len(), 1, "bytes are bounded too");
        assert_eq!(journal.status(), None);
        journal.tell(TaskEvent { event: "status".to_owned(), data: json!({"status": "queued"}) });
        assert_eq!(journal.status(), Some(JobStatus::Queued));
        journal.close();
        journal.tell(event(&json!(1)));
        assert!(journal.since(1_007).closed && journal.since(1_007).events.is_empty());
    }
}
