//! The icons of tabs: asked for by the tab itself, so that they take its way out, and handed on as `data:` URLs.

use data_encoding::BASE64;
use serde_json::{Value, json};
use url::Url;

use crate::browser::{BrowserError, Cdp};

use super::engine::Engine;
use super::rpc::rpc;
use super::wire::ToViewer;

/// Larger ones are not shown.
const LARGEST: usize = 64 * 1024;

/// No more than these are asked for at once, of all tabs: Chromium reads what it asks for to its end, however much that is, and there is no way
/// to have it stop.
const MOST: usize = 8;

/// Those that are being asked for.
#[derive(Default)]
pub(super) struct Icons {
    /// Of which tabs; one of each at a time.
    under_way: Vec<u32>,
    /// The tabs whose icon has changed since tabs were told.
    changed: Vec<u32>,
}

impl Engine {
    /// What tells the icons that there are.
    pub(super) fn icon_messages(&self) -> impl Iterator<Item = ToViewer> {
        let with = self.tabs.iter().filter(|tab| tab.icon.is_some());
        with.map(|tab| ToViewer::Icon { tab: tab.id, icon: tab.icon.clone() })
    }

    /// Sees to the icon of a tab: the one that its page names, or the one that sites have by custom.
    pub(super) fn look_for_icon(&mut self, id: u32, named: &str) {
        let Some(tab) = self.tabs.iter_mut().find(|tab| tab.id == id) else { return };
        let address = address_of(named, &tab.url);
        if tab.icon_of == address && address.is_some() {
            return;
        }
        tab.icon_of.clone_from(&address);
        tab.asks_for_icon = address.as_ref().is_some_and(|address| !address.starts_with("data:"));
        let is_one = |address: &String| address.starts_with("data:image/") && address.len() < 2 * LARGEST;
        self.set_icon(id, address.filter(is_one));
        self.ask_for_icons();
    }

    /// Asks for those that are wanted, as many as may be at once.
    fn ask_for_icons(&mut self) {
        for tab in self.tabs.iter_mut().filter(|tab| tab.asks_for_icon) {
            let (id, Some(address)) = (tab.id, tab.icon_of.clone()) else { continue };
            if self.icons.under_way.len() >= MOST || self.icons.under_way.contains(&id) {
                continue;
            }
            tab.asks_for_icon = false;
            self.icons.under_way.push(id);
            let (cdp, frame, orders) = (tab.cdp.clone(), tab.main.clone(), self.orders.clone());
            tokio::spawn(async move {
                let icon = fetch(&cdp, &frame, &address).await.ok().flatten();
                orders.then(move |engine| engine.found_icon(id, &address, icon));
            });
        }
    }

    fn found_icon(&mut self, id: u32, address: &str, icon: Option<String>) {
        self.icons.under_way.retain(|tab| *tab != id);
        if self.tabs.iter().any(|tab| tab.id == id && tab.icon_of.as_deref() == Some(address)) {
            self.set_icon(id, icon);
        }
        self.ask_for_icons();
    }

    fn set_icon(&mut self, id: u32, icon: Option<String>) {
        let Some(tab) = self.tabs.iter_mut().find(|tab| tab.id == id && tab.icon != icon) else { return };
        tab.icon = icon;
        self.icons.changed.push(id);
        // No more often than tabs: a page may change it with each frame, and pictures wait for what is told.
        self.tell_tabs();
    }

    /// Tells those that have changed.
    pub(super) fn tell_icons(&mut self) {
        let changed = std::mem::take(&mut self.icons.changed);
        for tab in self.tabs.iter().filter(|tab| changed.contains(&tab.id)) {
            self.tell(&ToViewer::Icon { tab: tab.id, icon: tab.icon.clone() });
        }
    }
}

fn address_of(named: &str, page: &str) -> Option<String> {
    if named.starts_with("data:") {
        return Some(named.to_owned());
    }
    let page = Url::parse(page).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    let icon = if named.is_empty() { page.join("/favicon.ico").ok()? } else { Url::parse(named).ok()? };
    matches!(icon.scheme(), "http" | "https").then(|| icon.into())
}

/// The icon as a `data:` URL; none where the answer is no picture or too large.
async fn fetch(cdp: &Cdp, frame: &str, address: &str) -> Result<Option<String>, BrowserError> {
    let params = json!({
        "frameId": frame, "url": address, "options": {"disableCache": false, "includeCredentials": false},
    });
    let answer = cdp.call(rpc("Network.loadNetworkResource", params)).await?;
    let resource = &answer["resource"];
    let Some(stream) = resource["stream"].as_str() else { return Ok(None) };
    let mut bytes = Vec::new();
    while bytes.len() <= LARGEST {
        let part = cdp.call(rpc("IO.read", json!({"handle": stream, "size": LARGEST}))).await?;
        bytes.extend(content(&part));
        if part["eof"] != false {
            break;
        }
    }
    cdp.send(rpc("IO.close", json!({"handle": stream}))).forget();
    let is_whole = resource["success"] == true && bytes.len() <= LARGEST;
    Ok(kind(&bytes).filter(|_| is_whole).map(|kind| format!("data:image/{kind};base64,{}", BASE64.encode(&bytes))))
}

fn content(part: &Value) -> Vec<u8> {
    let data = part["data"].as_str().unwrap_or_default();
    if part["base64Encoded"] == true {
        BASE64.decode(data.as_bytes()).unwrap_or_default()
    } else {
        data.as_bytes().to_vec()
    }
}

/// What kind of picture it is, by how it begins: what servers say of icons is often wrong.
fn kind(bytes: &[u8]) -> Option<&'static str> {
    const KINDS: [(&[u8], &str); 6] = [
        (b"\x89PNG", "png"),
        (b"GIF8", "gif"),
        (b"\xff\xd8\xff", "jpeg"),
        (b"\0\0\x01\0", "x-icon"),
        (b"RIFF", "webp"),
        (b"<svg", "svg+xml"),
    ];
    let found = KINDS.iter().find(|(start, _)| bytes.starts_with(start)).map(|(_, kind)| *kind);
    let is_xml = || bytes.starts_with(b"<?xml") && bytes.windows(4).take(1000).any(|window| window == b"<svg");
    found.or_else(|| is_xml().then_some("svg+xml"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_icon_is_of_the_web_and_a_picture() {
        let check = |named: &str, page: &str, wanted: Option<&str>| {
            assert_eq!(address_of(named, page).as_deref(), wanted, "{named:?} of {page}");
        };
        check("", "https://a.example/x/y?z", Some("https://a.example/favicon.ico"));
        check("https://b.example/i.png", "https://a.example/", Some("https://b.example/i.png"));
        check("file:///etc/passwd", "https://a.example/", None);
        check("", "about:blank", None);
        assert_eq!(kind(b"\x89PNG\r\n"), Some("png"));
        assert_eq!(kind(b"<?xml version=\"1.0\"?><svg>"), Some("svg+xml"));
        assert_eq!(kind(b"<!doctype html><svg>"), None);
        assert_eq!(kind(b""), None);
    }
}
