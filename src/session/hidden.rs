//! A page that nobody sees, at an origin but without its content: every request of it is answered here. In it what an
//! origin keeps is written before the site's own page loads, and read where no page of the origin is open any more.

use std::time::Duration;

use chromiumoxide::cdp::browser_protocol::fetch::{
    EnableParams, FailRequestParams, FulfillRequestParams, HeaderEntry, RequestPattern,
};
use chromiumoxide::cdp::browser_protocol::network::{self, ErrorReason, SetBypassServiceWorkerParams};
use chromiumoxide::cdp::browser_protocol::page::{CreateIsolatedWorldParams, NavigateParams};
use chromiumoxide::cdp::js_protocol::runtime::{EvaluateParams, ExecutionContextId};
use serde::Deserialize;
use serde_json::Value;

use crate::base::Deadline;
use crate::browser::{BrowserError, Cdp, RawEvents};

use super::tabs::HiddenTab;

/// The isolated world's name.
const WORLD: &str = "rhaven-storage";
/// The answer to the document's request: an HTML document with nothing in it, never cached.
const EMPTY_DOCUMENT: &str = "PCFkb2N0eXBlIGh0bWw+"; // <!doctype html>

/// How often a document that is not the wanted one is asked for again.
const VISITS: usize = 3;
/// How long an empty document may take to say where it is.
const VISIT_TIMEOUT: Duration = Duration::from_secs(5);

/// A hidden page. One at a time works in it; it is closed with its last use.
pub(super) struct HiddenPage {
    target: HiddenTab,
    requests: RawEvents,
    at: Option<(String, ExecutionContextId)>,
}

/// The fields of `Fetch.requestPaused` that matter here.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Paused {
    request_id: String,
    resource_type: String,
}

impl HiddenPage {
    /// Sets up a freshly attached tab.
    pub(super) async fn prepare(target: HiddenTab) -> Result<Self, BrowserError> {
        let cdp = target.cdp();
        let requests = cdp.raw_events(&["Fetch.requestPaused"]);
        let everything = RequestPattern::builder().url_pattern("*").build();
        let fetch = cdp.send(EnableParams::builder().pattern(everything).build());
        // A service worker of the origin must not answer in our place.
        let network = cdp.send(network::EnableParams::default());
        let bypass = cdp.send(SetBypassServiceWorkerParams::new(true));
        target.resume();
        fetch.await?;
        network.await?;
        bypass.await?;
        Ok(Self { target, requests, at: None })
    }

    /// Chromium's session for it.
    pub(super) fn cdp(&self) -> &Cdp {
        self.target.cdp()
    }

    /// Goes to `origin` (with a slash at its end). The site's server sees nothing of it.
    pub(super) async fn visit(&mut self, origin: &str) -> Result<(), BrowserError> {
        if self.at.as_ref().is_some_and(|(at, _)| at == origin) {
            return Ok(());
        }
        self.at = None;
        let mut found = String::new();
        for _ in 0..VISITS {
            let context = self.navigate(origin).await?;
            self.at = Some((origin.to_owned(), context));
            // What a document of another origin keeps must never be taken for this one's.
            let there = self.call("() => location.origin + '/'", &Value::Null, Deadline::after(VISIT_TIMEOUT)).await;
            match there {
                Ok(there) if there == *origin => return Ok(()),
                Ok(there) => found = there.to_string(),
                // The document went while it was asked.
                Err(BrowserError::Cdp { message, .. }) => found = message,
                Err(error) => return Err(error),
            }
            self.at = None;
        }
        Err(navigation_failed(format!("{origin} was wanted, {found} is there")))
    }

    /// Loads the empty document of `origin`; the isolated world in it.
    async fn navigate(&mut self, origin: &str) -> Result<ExecutionContextId, BrowserError> {
        let cdp = self.target.cdp().clone();
        let mut navigated = cdp.send(NavigateParams::new(origin));
        let frame = loop {
            tokio::select! {
                biased;
                answer = &mut navigated => {
                    let answer = answer?;
                    match answer.error_text {
                        Some(reason) => return Err(navigation_failed(reason)),
                        None => break answer.frame_id,
                    }
                }
                event = self.requests.next() => match event.as_ref().map(crate::browser::RawEvent::decode::<Paused>) {
                    Some(Some(paused)) => answer_request(&cdp, paused),
                    Some(None) => {}
                    None => return Err(BrowserError::TargetGone),
                },
            }
        };
        let world = CreateIsolatedWorldParams::builder().frame_id(frame).world_name(WORLD).build();
        let world =
            world.map_err(|reason| BrowserError::Protocol { method: "Page.createIsolatedWorld".into(), reason })?;
        Ok(cdp.call(world).await?.execution_context_id)
    }

    /// Calls `function` (a function expression of one argument) at the origin that was visited last.
    pub(super) async fn call(
        &self,
        function: &str,
        argument: &Value,
        deadline: Deadline,
    ) -> Result<Value, BrowserError> {
        let method = || "Runtime.evaluate".to_owned();
        let Some((_, context)) = self.at else {
            return Err(BrowserError::Protocol { method: method(), reason: "no origin was visited".into() });
        };
        let mut params = EvaluateParams::new(format!("({function})({argument})"));
        params.context_id = Some(context);
        params.await_promise = Some(true);
        params.return_by_value = Some(true);
        let failed = |message: String| BrowserError::Cdp { method: method(), code: 0, message };
        let answer = deadline.race(self.cdp().call(params)).await.ok_or_else(|| failed("timed out".into()))??;
        if let Some(exception) = answer.exception_details {
            let text = exception.exception.and_then(|object| object.description).unwrap_or(exception.text);
            return Err(failed(text));
        }
        Ok(answer.result.value.unwrap_or_default())
    }
}

fn navigation_failed(reason: String) -> BrowserError {
    BrowserError::Protocol { method: "Page.navigate".into(), reason }
}

/// The document is answered with nothing in it, anything else is refused.
fn answer_request(cdp: &Cdp, paused: Paused) {
    if paused.resource_type == "Document" {
        let mut answer = FulfillRequestParams::new(paused.request_id, 200);
        answer.response_headers = Some(vec![
            HeaderEntry::new("Content-Type", "text/html; charset=utf-8"),
            HeaderEntry::new("Cache-Control", "no-store"),
        ]);
        answer.body = Some(EMPTY_DOCUMENT.to_owned().into());
        drop(cdp.send(answer));
    } else {
        drop(cdp.send(FailRequestParams::new(paused.request_id, ErrorReason::Aborted)));
    }
}
