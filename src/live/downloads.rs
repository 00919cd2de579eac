//! Downloads: into the live browser's own folder, told to the viewers, taken by whoever serves them.

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

/// The downloads so far, by Chromium's name for each.
#[derive(Default)]
pub(super) struct Downloads(Vec<(String, Download)>);

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
        self.0.iter().map(|(_, download)| ToViewer::Download(download.clone()))
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
        if !self.session.pages().iter().any(is_ours) {
            return;
        }
        let name = plain_name(&begun.suggested_filename);
        let download =
            Download { id: random_name(), name, state: DownloadState::Started, received: 0, total: None, href: None };
        self.tell(&ToViewer::Download(download.clone()));
        if self.downloads.0.len() >= MOST {
            self.downloads.0.remove(0);
        }
        self.downloads.0.push((begun.guid, download));
    }

    fn download_went(&mut self, went: &Went) {
        let all: u64 = self.downloads.0.iter().map(|(_, download)| download.received).sum();
        let Some((_, download)) = self.downloads.0.iter_mut().find(|(guid, _)| *guid == went.guid) else { return };
        download.received = bytes(went.received_bytes);
        download.total = Some(bytes(went.total_bytes)).filter(|total| *total > 0);
        download.state = match went.state.as_str() {
            "completed" => DownloadState::Completed,
            "canceled" => DownloadState::Canceled,
            _ => DownloadState::Progress,
        };
        let message = download.clone();
        if message.state == DownloadState::Completed {
            let path = self.shared.folder.downloads().join(&went.guid);
            self.shared.downloaded(message.id.clone(), Downloaded { path, name: message.name.clone() });
        } else if message.state == DownloadState::Progress && all > self.options.most_download_bytes {
            let context = self.session.context();
            let params = json!({"guid": went.guid, "browserContextId": context.id()});
            context.browser().cdp().send(rpc("Browser.cancelDownload", params)).forget();
        }
        self.tell(&ToViewer::Download(message));
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of bytes")]
fn bytes(count: f64) -> u64 {
    count.max(0.0) as u64
}
