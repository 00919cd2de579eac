//! Downloads: into the live browser's own folder, told to the viewers, taken by whoever serves them.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::json;

use crate::browser::RawEvent;

use super::engine::{Engine, Order};
use super::folder::{plain_name, random_name};
use super::handle::Downloaded;
use super::rpc::rpc;
use super::wire::{Download, DownloadState, ToViewer};

/// More than these at once are not remembered for who joins.
const MOST: usize = 50;

/// More than these are not taken at all.
const MOST_EVER: usize = 1000;

/// The downloads so far, by Chromium's name for each, and what there is room for.
#[derive(Default)]
pub(super) struct Downloads {
    told: Vec<(String, Download)>,
    /// The bytes of each that is there or on its way, told or not.
    bytes: HashMap<String, u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Begun {
    guid: String,
    frame_id: String,
    suggested_filename: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Went {
    guid: String,
    total_bytes: f64,
    received_bytes: f64,
    state: String,
}

impl Downloads {
    pub fn messages(&self) -> impl Iterator<Item = ToViewer> {
        self.told.iter().map(|(_, download)| ToViewer::Download(download.clone()))
    }

    fn all(&self) -> u64 {
        self.bytes.values().fold(0, |all, bytes| all.saturating_add(*bytes))
    }

    /// Whether there may be one more; then it counts.
    fn takes(&mut self, guid: &str) -> bool {
        let fits = self.bytes.len() < MOST_EVER;
        if fits {
            self.bytes.insert(guid.to_owned(), 0);
        }
        fits
    }

    /// How one that counts stands now, with `most` bytes for all together; and whether they have more. One that nothing is left of does not
    /// count any more.
    fn went(&mut self, went: &Went, most: u64) -> Option<(DownloadState, bool)> {
        *self.bytes.get_mut(&went.guid)? = bytes(went.received_bytes);
        let is_too_much = self.all() > most;
        let state = match went.state.as_str() {
            "completed" if !is_too_much => DownloadState::Completed,
            // Too much of it was there before anybody could stop it.
            "completed" | "canceled" => DownloadState::Canceled,
            _ => DownloadState::Progress,
        };
        if state == DownloadState::Canceled {
            self.bytes.remove(&went.guid);
        }
        Some((state, is_too_much))
    }

    fn remember(&mut self, guid: String, download: Download) {
        if self.told.len() >= MOST {
            let is_over =
                |(_, old): &(_, Download)| matches!(old.state, DownloadState::Completed | DownloadState::Canceled);
            self.told.remove(self.told.iter().position(is_over).unwrap_or(0));
        }
        self.told.push((guid, download));
    }
}

impl Engine {
    /// From now on files may be kept: in our folder only, and by names that nobody can guess.
    pub(super) fn allow_downloads(&self) {
        let context = self.session.context();
        let browser = context.browser().cdp();
        let mut events = browser.raw_events(&["Browser.downloadWillBegin", "Browser.downloadProgress"]);
        let params = json!({
            "behavior": "allowAndName", "browserContextId": context.id(), "eventsEnabled": true,
            "downloadPath": self.shared.folder.downloads(),
        });
        browser.send(rpc("Browser.setDownloadBehavior", params)).forget();
        let orders = self.orders.clone();
        tokio::spawn(async move {
            while let Some(event) = events.next().await {
                if orders.0.strong_count() == 0 {
                    return;
                }
                orders.send(Order::Download(event));
            }
        });
    }

    pub(super) fn forbid_downloads(&self) {
        let context = self.session.context();
        let params = json!({"behavior": "deny", "browserContextId": context.id()});
        context.browser().cdp().send(rpc("Browser.setDownloadBehavior", params)).forget();
    }

    /// Takes an event of a download.
    pub(super) fn download(&mut self, event: &RawEvent) {
        if let Some(begun) = event.decode::<Begun>().filter(|_| &*event.method == "Browser.downloadWillBegin") {
            self.download_began(begun);
        } else if let Some(went) = event.decode::<Went>() {
            self.download_went(&went);
        }
    }

    fn download_began(&mut self, begun: Begun) {
        let is_ours = |page: &crate::page::Page| page.frames().iter().any(|frame| frame.id() == begun.frame_id);
        // A popup that was opened for it alone is gone by now; in a browser of its own all are its own.
        if !self.session.is_profile() && !self.session.pages().iter().any(is_ours) {
            return;
        }
        if !self.downloads.takes(&begun.guid) {
            return self.cancel_download(&begun.guid);
        }
        let name = plain_name(&begun.suggested_filename);
        let download =
            Download { id: random_name(), name, state: DownloadState::Started, received: 0, total: None, href: None };
        self.tell(&ToViewer::Download(download.clone()));
        self.downloads.remember(begun.guid, download);
    }

    fn cancel_download(&self, guid: &str) {
        let context = self.session.context();
        let params = json!({"guid": guid, "browserContextId": context.id()});
        context.browser().cdp().send(rpc("Browser.cancelDownload", params)).forget();
    }

    fn download_went(&mut self, went: &Went) {
        let Some((state, is_too_much)) = self.downloads.went(went, self.options.most_download_bytes) else { return };
        let path = self.shared.folder.downloads().join(&went.guid);
        if state == DownloadState::Canceled {
            // Whole before anybody could stop it, perhaps.
            let path = path.clone();
            tokio::task::spawn_blocking(move || drop(std::fs::remove_file(path)));
        } else if is_too_much {
            self.cancel_download(&went.guid);
        }
        let of_it = |(guid, _): &&mut (String, Download)| *guid == went.guid;
        let Some((_, download)) = self.downloads.told.iter_mut().find(of_it) else { return };
        download.received = bytes(went.received_bytes);
        download.total = Some(bytes(went.total_bytes)).filter(|total| *total > 0);
        download.state = state;
        let message = download.clone();
        if state == DownloadState::Completed {
            self.shared.downloaded(message.id.clone(), Downloaded { path, name: message.name.clone() });
        }
        self.tell(&ToViewer::Download(message));
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of bytes")]
fn bytes(count: f64) -> u64 {
    count.max(0.0) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn went(guid: usize, state: &str, received_bytes: f64) -> Went {
        Went { guid: guid.to_string(), total_bytes: 0.0, received_bytes, state: state.to_owned() }
    }

    #[test]
    fn what_is_not_told_any_more_counts() {
        let mut downloads = Downloads::default();
        for number in 0..2 * MOST {
            let (id, name) = (random_name(), "a".to_owned());
            let state = DownloadState::Started;
            assert!(downloads.takes(&number.to_string()));
            downloads.remember(number.to_string(), Download { id, name, state, received: 0, total: None, href: None });
            assert_eq!(downloads.went(&went(number, "inProgress", 10.0), 2000), Some((DownloadState::Progress, false)));
        }
        assert_eq!((downloads.messages().count(), downloads.all()), (MOST, 20 * MOST as u64));
    }

    #[test]
    fn what_was_broken_off_does_not_count() {
        let mut downloads = Downloads::default();
        for number in 0..2 * MOST_EVER {
            assert!(downloads.takes(&number.to_string()), "{number}");
            assert_eq!(downloads.went(&went(number, "inProgress", 11.0), 10), Some((DownloadState::Progress, true)));
            let end = if number % 2 == 0 { "canceled" } else { "completed" };
            assert_eq!(downloads.went(&went(number, end, 11.0), 10).unwrap().0, DownloadState::Canceled);
            // Whatever is still told of it.
            assert_eq!(downloads.went(&went(number, "inProgress", 12.0), 10), None);
        }
        assert!((0..MOST_EVER).all(|number| downloads.takes(&number.to_string())));
        assert!(!downloads.takes("more"));
        assert_eq!(downloads.went(&went(0, "completed", 10.0), 10), Some((DownloadState::Completed, false)));
    }
}
