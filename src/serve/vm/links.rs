//! What was said of those who look on, by the links that they came by: they come back by the same one, and it holds for them still. All who
//! share a link share what was said of it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::live::wire::Role;

use super::key::Opens;

/// The links of one live browser.
#[derive(Default)]
pub(super) struct Links(Mutex<State>);

#[derive(Default)]
struct State {
    /// Who is there by which.
    viewers: BTreeMap<u32, String>,
    said: BTreeMap<String, Said>,
}

/// What was said of one.
#[derive(Clone, Copy)]
enum Said {
    May(Role),
    Removed,
}

impl Links {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What somebody may who comes by it, where it `opens` that; none who was sent away. Nobody steers by a link for looking on, whatever
    /// another one was given who came by it.
    pub(super) fn role(&self, link: &str, opens: Opens, control_disabled: bool) -> Option<Role> {
        let usual = if opens == Opens::Control && !control_disabled { Role::Control } else { Role::View };
        match self.state().said.get(link) {
            None => Some(usual),
            Some(Said::May(Role::Control)) if opens == Opens::Control => Some(Role::Control),
            Some(Said::May(_)) => Some(Role::View),
            Some(Said::Removed) => None,
        }
    }

    pub(super) fn joined(&self, viewer: u32, link: &str) {
        self.state().viewers.insert(viewer, link.to_owned());
    }

    pub(super) fn left(&self, viewer: u32) {
        self.state().viewers.remove(&viewer);
    }

    /// What that one may from now on.
    pub(super) fn set_role(&self, viewer: u32, role: Role) {
        self.say(viewer, Said::May(role));
    }

    /// That one does not come back.
    pub(super) fn remove(&self, viewer: u32) {
        self.say(viewer, Said::Removed);
    }

    fn say(&self, viewer: u32, what: Said) {
        let mut state = self.state();
        if let Some(link) = state.viewers.get(&viewer).cloned() {
            state.said.insert(link, what);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_holds_for_who_comes_back_by_the_link() {
        let links = Links::default();
        let may = |link, opens| links.role(link, opens, false);
        assert_eq!((may("a", Opens::Control), may("b", Opens::View)), (Some(Role::Control), Some(Role::View)));
        links.joined(1, "a");
        links.joined(2, "b");
        links.set_role(1, Role::View);
        links.set_role(2, Role::Control);
        links.left(1);
        assert_eq!(may("a", Opens::Control), Some(Role::View));
        assert_eq!(may("b", Opens::View), Some(Role::View), "it lets people look on");
        assert_eq!(may("c", Opens::Control), Some(Role::Control), "another link");
        links.remove(2);
        assert_eq!(may("b", Opens::View), None);
        links.joined(3, "a");
        links.set_role(3, Role::Control);
        assert_eq!(links.role("a", Opens::Control, true), Some(Role::Control), "it was given, whatever is usual");
    }
}
