//! A navigation that a verb waits for, and what becomes of it where the verb is given up.

use chromiumoxide::cdp::browser_protocol::page::StopLoadingParams;

use super::world::Shared;

/// Lives as long as its verb. Dropped before its end (the script was stopped), it stops the navigation: left alone that would
/// hold up every later verb, and take the page away under one at any moment.
pub(super) struct Leaving {
    page: Shared,
    over: bool,
}

impl Leaving {
    /// The verb begins.
    pub(super) fn begin(page: &Shared) -> Self {
        Self { page: page.clone(), over: false }
    }

    /// The verb has ended: with an outcome, or because its time is over.
    pub(super) fn end(mut self, in_time: bool) {
        let main = self.page.tree().main.clone();
        // A document that has committed and only loads on may do so.
        self.over = in_time || self.page.tree().get(&main).is_some_and(|node| node.pending.is_none());
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        if !self.over {
            // Also where nothing is known to be under way: Chromium may not have said so yet.
            self.page.target.cdp().send(StopLoadingParams::default()).forget();
        }
    }
}
