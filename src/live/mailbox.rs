//! What waits for one viewer: messages in their order, and the newest picture. However slow the viewer, it is bounded: of messages
//! that tell how things stand only the newest waits, and of pictures one.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::Notify;

use super::wire::ToViewer;

/// More messages than this wait for nobody who still reads.
const MOST_WAITING: usize = 256;

/// Nor do more bytes than these.
const MOST_BYTES: usize = 16 << 20;

/// What is told of an error, in bytes: what it is about may be long, and is the viewer's own.
pub(super) const LONGEST_ERROR: usize = 300;

/// From this round trip on two pictures may be under way at once, or the link would be idle half of the time.
const FAR: Duration = Duration::from_millis(60);

/// What a viewer is handed.
#[derive(Debug, Clone, PartialEq)]
pub enum Sent {
    /// A text message.
    Message(ToViewer),
    /// A binary message: a picture with its head.
    Frame(Bytes),
}

/// What waits for one viewer.
#[derive(Default)]
pub(super) struct Mailbox {
    state: Mutex<State>,
    filled: Notify,
}

#[derive(Default)]
struct State {
    messages: VecDeque<ToViewer>,
    picture: Option<(u32, Bytes)>,
    /// Pictures that were handed out and not acknowledged.
    under_way: VecDeque<(u32, Instant)>,
    link: Link,
    is_hidden: bool,
    is_closed: bool,
}

/// How quick a viewer is.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Link {
    /// From a picture to its acknowledgement, smoothed.
    pub usual: Option<Duration>,
    /// The least of them.
    pub least: Option<Duration>,
}

impl Link {
    fn note(&mut self, took: Duration) {
        self.least = Some(self.least.map_or(took, |least| least.min(took)));
        self.usual = Some(self.usual.map_or(took, |usual| (usual * 7 + took * 3) / 10));
    }

    fn window(&self) -> usize {
        if self.least.is_some_and(|least| least > FAR) { 2 } else { 1 }
    }
}

impl State {
    fn may_take(&self) -> bool {
        !self.is_hidden && self.under_way.len() < self.link.window()
    }

    fn has_room(&self) -> bool {
        self.picture.is_none() && self.may_take()
    }
}

impl Mailbox {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a message in. After the last one (`closed`) nothing more.
    pub fn post(&self, message: ToViewer) {
        let mut state = self.state();
        if state.is_closed {
            return;
        }
        state.messages.retain(|waiting| !replaces(&message, waiting));
        let bytes: usize = state.messages.iter().chain([&message]).map(weight).sum();
        if state.messages.len() >= MOST_WAITING || bytes > MOST_BYTES {
            state.messages.clear();
            state.is_closed = true;
            state.messages.push_back(ToViewer::Closed { reason: "slow".to_owned() });
        } else {
            state.is_closed = matches!(message, ToViewer::Closed { .. });
            state.messages.push_back(message);
        }
        drop(state);
        self.filled.notify_one();
    }

    /// The newest picture; an older one that waits is dropped.
    pub fn show(&self, number: u32, picture: &Bytes) {
        let mut state = self.state();
        if !state.is_closed && !state.is_hidden {
            state.picture = Some((number, picture.clone()));
            drop(state);
            self.filled.notify_one();
        }
    }

    /// A picture that waits is none any more: it is of another tab.
    pub fn forget_picture(&self) {
        self.state().picture = None;
    }

    /// The next one, and whether there is room for a picture now; none once all is over.
    pub async fn next(&self) -> Option<(Sent, bool)> {
        loop {
            let filled = self.filled.notified();
            {
                let mut state = self.state();
                if let Some(message) = state.messages.pop_front() {
                    return Some((Sent::Message(message), false));
                }
                if state.is_closed {
                    return None;
                }
                if state.may_take()
                    && let Some((number, picture)) = state.picture.take()
                {
                    state.under_way.push_back((number, Instant::now()));
                    return Some((Sent::Frame(picture), state.has_room()));
                }
            }
            filled.await;
        }
    }

    /// The viewer has drawn this picture and those before it. Whether there is room now.
    pub fn acknowledged(&self, number: u32) -> bool {
        let mut state = self.state();
        let Some(at) = state.under_way.iter().position(|(waiting, _)| *waiting == number) else { return false };
        let mut took = None;
        for (_, since) in state.under_way.drain(..=at) {
            took = Some(since.elapsed());
        }
        if let Some(took) = took {
            state.link.note(took);
        }
        let has_room = state.has_room();
        drop(state);
        self.filled.notify_one();
        has_room
    }

    /// Whether the viewer's page can be seen.
    pub fn set_hidden(&self, hidden: bool) {
        let mut state = self.state();
        state.is_hidden = hidden;
        if hidden {
            state.picture = None;
        }
        drop(state);
        self.filled.notify_one();
    }

    /// Whether somebody looks.
    pub fn is_looked_at(&self) -> bool {
        let state = self.state();
        !state.is_hidden && !state.is_closed
    }

    /// Whether a picture would go out at once.
    pub fn has_room(&self) -> bool {
        let state = self.state();
        state.has_room() && !state.is_closed
    }

    /// How quick the viewer is; a picture that is under way for long counts already.
    pub fn link(&self) -> Link {
        let state = self.state();
        let mut link = state.link;
        if let Some((_, since)) = state.under_way.front() {
            link.usual = link.usual.max(Some(since.elapsed()));
        }
        link
    }
}

/// Whether nobody needs to hear `old` once there is `new`.
fn replaces(new: &ToViewer, old: &ToViewer) -> bool {
    use ToViewer::{Caret, Control, Cursor, Download, Error, Icon, Pong, Tabs, Warning, WarningOver};
    match (new, old) {
        (Tabs { .. }, Tabs { .. })
        | (Control { .. }, Control { .. })
        | (Cursor { .. }, Cursor { .. })
        | (Caret { .. }, Caret { .. })
        | (Pong { .. }, Pong { .. })
        | (Warning { .. } | WarningOver {}, Warning { .. } | WarningOver {}) => true,
        (Download(new), Download(old)) => new.id == old.id,
        (Icon { tab: new, .. }, Icon { tab: old, .. }) => new == old,
        // Who asks for a thousand things that are not to be had need not be told of each.
        (Error { .. }, Error { .. }) => new == old,
        _ => false,
    }
}

/// About how many bytes a message has, by what pages and people fill.
fn weight(message: &ToViewer) -> usize {
    let long = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let texts = match message {
        ToViewer::Tabs { tabs } => tabs.iter().map(|tab| tab.title.len() + tab.url.len() + 100).sum(),
        ToViewer::Icon { icon, .. } => long(icon),
        ToViewer::Dialog(dialog) => dialog.message.len() + long(&dialog.default) + dialog.url.len(),
        ToViewer::Picker(picker) => {
            let of = |choice: &super::wire::Choice| choice.label.len() + choice.value.len() + long(&choice.group) + 50;
            picker.value.len() + picker.options.iter().map(of).sum::<usize>()
        }
        ToViewer::Clipboard { text: long }
        | ToViewer::Error { message: long, .. }
        | ToViewer::Pause { reason: long }
        | ToViewer::Bookmarked { url: long, .. } => long.len(),
        ToViewer::PasswordOffer { origin, username, .. } => origin.len() + username.len(),
        _ => 0,
    };
    texts + 100
}

/// So many bytes of a text, or what fits of it.
pub(super) fn cut(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

/// A mailbox that several hold.
pub(super) type Shared = Arc<Mailbox>;

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(of: u8) -> Bytes {
        Bytes::from(vec![of])
    }

    #[expect(clippy::option_option, reason = "nothing yet, and nothing any more")]
    fn next(mailbox: &Mailbox) -> Option<Option<(Sent, bool)>> {
        use futures_util::FutureExt;
        mailbox.next().now_or_never()
    }

    #[test]
    fn who_acknowledges_nothing_gets_one_picture_and_then_the_newest() {
        let mailbox = Mailbox::default();
        assert!(mailbox.has_room());
        mailbox.show(1, &picture(1));
        assert!(!mailbox.has_room());
        assert_eq!(next(&mailbox), Some(Some((Sent::Frame(picture(1)), false))));
        mailbox.show(2, &picture(2));
        mailbox.show(3, &picture(3));
        assert_eq!(next(&mailbox), None);
        assert!(!mailbox.acknowledged(1), "one waits");
        assert_eq!(next(&mailbox), Some(Some((Sent::Frame(picture(3)), false))));
        assert!(mailbox.acknowledged(3));
        assert!(!mailbox.acknowledged(3), "that was acknowledged before");
    }

    #[test]
    fn messages_keep_their_order_and_states_are_told_once() {
        let mailbox = Mailbox::default();
        let cursor = |cursor: &str| ToViewer::Cursor { cursor: cursor.to_owned() };
        let error = ToViewer::Error { code: "failed".to_owned(), message: "x".to_owned(), picker: None };
        for message in [cursor("a"), error.clone(), cursor("b")] {
            mailbox.post(message);
        }
        assert_eq!(next(&mailbox), Some(Some((Sent::Message(error), false))));
        assert_eq!(next(&mailbox), Some(Some((Sent::Message(cursor("b")), false))));
        assert_eq!(next(&mailbox), None);
    }

    #[test]
    fn who_reads_nothing_is_sent_away() {
        let mailbox = Mailbox::default();
        for _ in 0..2 * MOST_WAITING {
            mailbox.post(ToViewer::Clipboard { text: "x".to_owned() });
        }
        let closed = ToViewer::Closed { reason: "slow".to_owned() };
        assert_eq!(next(&mailbox), Some(Some((Sent::Message(closed), false))));
        assert_eq!(next(&mailbox), Some(None));
    }

    #[test]
    fn few_and_large_messages_are_too_many_as_well() {
        let mailbox = Mailbox::default();
        let text = "x".repeat(MOST_BYTES / 4);
        (0..4).for_each(|_| mailbox.post(ToViewer::Clipboard { text: text.clone() }));
        let closed = ToViewer::Closed { reason: "slow".to_owned() };
        assert_eq!(next(&mailbox), Some(Some((Sent::Message(closed), false))));
        assert_eq!(next(&mailbox), Some(None));
        assert_eq!((cut("až", 2), cut("až", 3), cut("", 3)), ("a", "až", ""));
    }

    #[test]
    fn who_does_not_look_gets_no_pictures() {
        let mailbox = Mailbox::default();
        mailbox.set_hidden(true);
        mailbox.show(1, &picture(1));
        assert_eq!(next(&mailbox), None);
        assert!(!mailbox.has_room() && !mailbox.is_looked_at());
        mailbox.set_hidden(false);
        assert!(mailbox.has_room());
    }
}
