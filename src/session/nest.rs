//! Frames in a hidden page: empty documents one within the other, each of an origin that is given, all answered here. What a
//! frame keeps below documents of another site can only be reached in such a one.

use std::collections::HashMap;
use std::sync::Arc;

use chromiumoxide::cdp::browser_protocol::fetch::{
    EnableParams, FailRequestParams, FulfillRequestParams, HeaderEntry, RequestPattern,
};
use chromiumoxide::cdp::browser_protocol::network::{self, ErrorReason, SetBypassServiceWorkerParams};
use chromiumoxide::cdp::browser_protocol::page;
use serde::Deserialize;
use tokio::sync::mpsc;

use crate::browser::{BrowserError, Cdp, RawEvent, Target, TargetEvent, TargetKind};

use super::hidden::navigation_failed;

/// What a document is without a frame in it.
const EMPTY_DOCUMENT: &str = "<!doctype html>";

/// The fields of `Fetch.requestPaused` that matter here.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Paused {
    request_id: String,
    resource_type: String,
    request: Request,
}

#[derive(Deserialize)]
struct Request {
    url: String,
}

/// The fields of `Page.frameNavigated` that matter here.
#[derive(Deserialize)]
struct Navigated {
    frame: Frame,
}

#[derive(Deserialize)]
struct Frame {
    id: String,
    url: String,
}

/// Documents by their address.
pub(super) type Html = Arc<HashMap<String, String>>;

/// Documents within each other, and the innermost one, once it is there.
pub(super) struct Nest {
    html: Html,
    frames: Vec<String>,
    sender: mpsc::UnboundedSender<(Cdp, String)>,
    innermost: mpsc::UnboundedReceiver<(Cdp, String)>,
    /// An answer that was waited for and not taken.
    came: Option<(Cdp, String)>,
}

impl Nest {
    /// A document of `origin` below ones of `above`, the outermost first. Origins have a slash at their ends.
    pub(super) fn new(above: &[String], origin: &str) -> Result<Self, BrowserError> {
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|error| navigation_failed(error.to_string()))?;
        // Nobody may guess it: what is asked for by this address is never held, and answered by us.
        let name = data_encoding::HEXLOWER.encode(&random);
        let below = above.iter().skip(1).map(String::as_str).chain([origin]).enumerate();
        let frames: Vec<String> = below.map(|(depth, origin)| format!("{origin}{name}-{depth}")).collect();
        let outer = above.first().into_iter().chain(&frames);
        let html =
            outer.zip(&frames).map(|(url, inner)| (url.clone(), format!("{EMPTY_DOCUMENT}<iframe src=\"{inner}\">")));
        let (sender, innermost) = mpsc::unbounded_channel();
        Ok(Self { html: Arc::new(html.collect()), frames, sender, innermost, came: None })
    }

    /// The addresses of the frames, the innermost last.
    pub(super) fn frames(&self) -> &[String] {
        &self.frames
    }

    /// What to answer requests with.
    pub(super) fn html(&self) -> Html {
        self.html.clone()
    }

    /// Looks out for the innermost document in a tab and in all frames below it.
    pub(super) fn follow(&self, tab: &Target) {
        let innermost = self.frames.last().cloned().unwrap_or_default();
        tab.cdp().send(page::EnableParams::default()).forget();
        spawn(tab, false, self.html.clone(), innermost, self.sender.clone());
    }

    /// The session and the frame of the innermost document, once it is there. May come twice, where it moves into a process of
    /// its own.
    pub(super) async fn next(&mut self) -> Option<(Cdp, String)> {
        match self.came.take() {
            Some(found) => Some(found),
            None => self.innermost.recv().await,
        }
    }

    /// Waits until [`Self::next`] has another answer.
    pub(super) async fn another(&mut self) {
        if self.came.is_none() {
            self.came = self.innermost.recv().await;
        }
    }
}

/// Follows one target; one that is a frame is set up first, since nobody else does.
fn spawn(target: &Target, set_up: bool, html: Html, innermost: String, found: mpsc::UnboundedSender<(Cdp, String)>) {
    let cdp = target.cdp().clone();
    let mut navigated = cdp.raw_events(&["Page.frameNavigated"]);
    let mut requests = set_up.then(|| cdp.raw_events(&["Fetch.requestPaused"]));
    let mut children = target.children();
    if set_up {
        let everything = RequestPattern::builder().url_pattern("*").build();
        cdp.send(page::EnableParams::default()).forget();
        cdp.send(EnableParams::builder().pattern(everything).build()).forget();
        cdp.send(network::EnableParams::default()).forget();
        cdp.send(SetBypassServiceWorkerParams::new(true)).forget();
        target.resume();
    }
    tokio::spawn(async move {
        loop {
            let request = async {
                match &mut requests {
                    Some(requests) => requests.next().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                // Nobody waits for it any more: the tab goes on to something else.
                () = found.closed() => return,
                event = request => match event.as_ref().map(RawEvent::decode::<Paused>) {
                    Some(Some(paused)) => answer_request(&cdp, paused, &html),
                    Some(None) => {}
                    None => return,
                },
                event = navigated.next() => match event.as_ref().map(RawEvent::decode::<Navigated>) {
                    Some(Some(Navigated { frame })) if frame.url == innermost => {
                        let _ = found.send((cdp.clone(), frame.id));
                    }
                    Some(_) => {}
                    None => return,
                },
                event = children.next() => match event {
                    Some(TargetEvent::Attached(child)) if *child.kind() == TargetKind::Iframe => {
                        spawn(&child, true, html.clone(), innermost.clone(), found.clone());
                    }
                    Some(TargetEvent::Attached(child)) => child.resume(),
                    Some(_) => {}
                    None => return,
                },
            }
        }
    });
}

/// A document is answered with what is in `html` for it, else with nothing in it; anything else is refused.
pub(super) fn answer_request(cdp: &Cdp, paused: Paused, html: &Html) {
    if paused.resource_type == "Document" {
        let mut answer = FulfillRequestParams::new(paused.request_id, 200);
        answer.response_headers = Some(vec![
            HeaderEntry::new("Content-Type", "text/html; charset=utf-8"),
            HeaderEntry::new("Cache-Control", "no-store"),
        ]);
        let body = html.get(&paused.request.url).map_or(EMPTY_DOCUMENT, String::as_str);
        answer.body = Some(data_encoding::BASE64.encode(body.as_bytes()).into());
        drop(cdp.send(answer));
    } else {
        drop(cdp.send(FailRequestParams::new(paused.request_id, ErrorReason::Aborted)));
    }
}
