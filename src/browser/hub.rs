//! The targets below one parent (a context, a page), and the views that follow them.

use std::sync::Mutex;

use chromiumoxide::cdp::browser_protocol::target::TargetId;
use tokio::sync::mpsc;

use super::router::lock;
use super::{Target, TargetEvent, TargetEvents};

/// Living targets and who wants to hear of them. A late view first hears of those that are there.
pub(super) struct Hub {
    state: Mutex<Option<State>>,
}

/// None in the hub once the parent has gone.
#[derive(Default)]
struct State {
    living: Vec<Target>,
    views: Vec<mpsc::UnboundedSender<TargetEvent>>,
}

impl State {
    fn tell(&mut self, event: &TargetEvent) {
        self.views.retain(|view| view.send(event.clone()).is_ok());
    }
}

impl Hub {
    pub(super) fn new() -> Self {
        Self { state: Mutex::new(Some(State::default())) }
    }

    pub(super) fn view(&self) -> TargetEvents {
        let (view, queue) = mpsc::unbounded_channel();
        if let Some(state) = &mut *lock(&self.state) {
            for target in &state.living {
                let _ = view.send(TargetEvent::Attached(target.clone()));
            }
            state.views.push(view);
        }
        TargetEvents { queue }
    }

    pub(super) fn attached(&self, target: &Target) {
        if let Some(state) = &mut *lock(&self.state) {
            state.living.push(target.clone());
            state.tell(&TargetEvent::Attached(target.clone()));
        }
    }

    /// A target is another from now on, in the same tab; nobody is told.
    pub(super) fn renewed(&self, target: &Target) {
        if let Some(state) = &mut *lock(&self.state) {
            state
                .living
                .iter_mut()
                .filter(|known| known.id() == target.id())
                .for_each(|known| known.clone_from(target));
        }
    }

    pub(super) fn detached(&self, id: &TargetId) {
        if let Some(state) = &mut *lock(&self.state) {
            state.living.retain(|target| target.id() != id);
            state.tell(&TargetEvent::Detached(id.clone()));
        }
    }

    pub(super) fn crashed(&self, id: &TargetId) {
        if let Some(state) = &mut *lock(&self.state) {
            state.tell(&TargetEvent::Crashed(id.clone()));
        }
    }

    /// Ends all views; answers the targets that lived.
    pub(super) fn end(&self) -> Vec<Target> {
        lock(&self.state).take().map(|state| state.living).unwrap_or_default()
    }
}
